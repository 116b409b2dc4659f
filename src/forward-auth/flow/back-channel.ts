/**
 * `/oauth2/backchannel-logout`: the provider says that somebody signed out there (OpenID Connect Back-Channel Logout
 * 1.0), or that they may come no more. Validated in full, used once; a `sub` alone ends all sessions of the person, a
 * `sid` the one that it names and, with a `sub` beside it, those of the person whose `sid` the provider never said. Here
 * and on open connections. A caller learns nothing but yes or no. The original has no such thing.
 */
import type { FrontRequest } from '../front-request.ts';
import type { LogoutCall } from '../ports.ts';
import { sendAnswer } from './answer.ts';
import type { FlowContext } from './context.ts';
import type { SessionEnder } from './deps.ts';
import { readForm } from './form.ts';

const MAX_TOKEN = 16_000;
/** Longer than a token can be of age. */
const REMEMBER_MS = 30 * 60_000;
const USED = 'the token was used before';

export async function backChannelLogout(context: FlowContext, request: FrontRequest): Promise<void> {
  const { provider, ender } = context;
  if (provider.readLogoutToken === undefined)
    return refuse(context, request, 501, 'this kind of provider knows no back-channel logout');
  const form = await readForm(request.exchange);
  const tokens = form.kind === 'form' ? form.fields.getAll('logout_token') : [];
  const [token = ''] = tokens;
  if (tokens.length !== 1 || token === '' || token.length > MAX_TOKEN)
    return refuse(context, request, 400, 'there is not exactly one "logout_token"');
  const read = await provider.readLogoutToken(token);
  if (read.kind === 'unavailable') return refuse(context, request, 503, read.message);
  if (read.kind !== 'ok') return refuse(context, request, 400, read.message);
  const use = `logout ${read.value.id}`;
  if (context.spent.has(use)) return refuse(context, request, 400, USED);
  // Before sessions are looked for: one that is written meanwhile is looked at by whoever writes it.
  await context.logouts.hear(read.value);
  const ended = await endSessions(ender, read.value);
  // Only now: where the sessions could not be ended, the provider may say it again.
  if (!context.spent.take(use, context.clock.now() + REMEMBER_MS)) return refuse(context, request, 400, USED);
  context.report({ kind: 'ended-by-provider', request, sessions: ended });
  answer(request, 200, '');
}

async function endSessions(ender: SessionEnder, { subject, providerSession }: LogoutCall): Promise<number> {
  if (providerSession === null) return ender.bySubject(subject ?? '');
  const named = await ender.byProviderSession(providerSession);
  // Any of the person's of which we were told no `sid` may be the one that is meant. The others are not.
  return subject === null ? named : named + (await ender.unnamed(subject));
}

function refuse(context: FlowContext, request: FrontRequest, status: number, reason: string): void {
  context.report({ kind: 'refused', request, status, who: '', reason: `Back-channel logout: ${reason}`, remedy: null });
  const error = status === 400 ? 'invalid_request' : 'temporarily_unavailable';
  answer(request, status, `${JSON.stringify({ error: status === 501 ? 'not_implemented' : error })}\n`);
}

function answer(request: FrontRequest, status: number, body: string): void {
  sendAnswer(request, { status, headers: [['Content-Type', 'application/json']], body }, []);
}
