/** What the flow tells, as lines of the log and as counts. */
import type { FlowEvent } from '../../forward-auth/flow/deps.ts';
import type { AuthSession } from '../../forward-auth/auth-session.ts';
import type { ServingMetrics } from '../../forward-auth/serving/metrics.ts';
import type { FrontLog } from './front-log.ts';

export function createFlowReport(frontLog: FrontLog, metrics: ServingMetrics): (event: FlowEvent) => void {
  return (event) => {
    const { request } = event;
    switch (event.kind) {
      case 'signed-in':
        metrics.signIn('signed-in');
        frontLog.signIn({
          status: 'AuthSuccess',
          request,
          username: nameOf(event.session),
          message: event.session.via === 'htpasswd' ? 'Signed in by password' : 'Signed in',
        });
        return;
      case 'signed-out':
        metrics.signIn('signed-out');
        frontLog.log.info({ event: 'SignOut', requestId: request.id, who: nameOf(event.session) }, 'Signed out');
        return;
      case 'ended-by-provider':
        frontLog.log.info(
          { event: 'SignOut', requestId: request.id, sessions: event.sessions },
          'The provider ended sessions',
        );
        return;
      case 'refused': {
        metrics.signIn('refused');
        const { status, who, reason, remedy } = event;
        const facts = { code: 'SIGN_IN_REFUSED', status, remedy };
        frontLog.signIn({
          status: 'AuthFailure',
          request,
          username: who,
          message: `Sign-in refused: ${reason}`,
          facts,
        });
        return;
      }
      case 'redirect-refused':
        frontLog.log.warn(
          { requestId: request.id, source: event.source, target: event.target },
          'Nobody is sent to this address: it is no host of whitelist-domain',
        );
        return;
      default: {
        metrics.signIn('failed');
        const { message, remedy, error } = event;
        const facts = { code: 'PROVIDER_UNAVAILABLE', remedy, err: error };
        frontLog.signIn({ status: 'AuthError', request, username: '', message, facts });
      }
    }
  };
}

function nameOf(session: AuthSession | null): string {
  if (session === null) return '-';
  return session.email === '' ? session.user : session.email;
}
