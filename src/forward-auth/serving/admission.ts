/**
 * Whether the settings let somebody in who has signed in: by e-mail address, and by what the provider is
 * asked for (groups, roles, organisations). Judged for each request, so that a file that changed counts at once.
 */
import type { AuthSession } from '../auth-session.ts';
import type { AuthProvider } from '../ports.ts';
import type { EmailRules } from './email-rules.ts';
import type { Htpasswd } from './htpasswd.ts';

export type Verdict =
  | { readonly kind: 'admitted' }
  /** `reason` is for the log. */
  | { readonly kind: 'denied'; readonly reason: string };

export interface Admission {
  /** At sign-in: a provider that names no e-mail address gets nobody in. */
  readonly judge: (session: AuthSession) => Verdict;
  /** Of a session that is there: without an address a password file's and a bearer's do not fall under its rules. */
  readonly admits: (session: AuthSession) => boolean;
}

export interface AdmissionDeps {
  readonly emails: EmailRules;
  readonly provider: Pick<AuthProvider, 'authorizes'>;
  /** Null: there is no password file, and sessions of one count no more. */
  readonly htpasswd: Pick<Htpasswd, 'has'> | null;
}

const ADMITTED: Verdict = { kind: 'admitted' };

export function createAdmission({ emails, provider, htpasswd }: AdmissionDeps): Admission {
  /** The last answer of the e-mail rules for a session. */
  const known = new WeakMap<AuthSession, { readonly version: number; readonly isAllowed: boolean }>();

  function isEmailAllowed(session: AuthSession): boolean {
    const before = known.get(session);
    const version = emails.version();
    if (before?.version === version) return before.isAllowed;
    const isAllowed = emails.allows(session.email);
    known.set(session, { version, isAllowed });
    return isAllowed;
  }

  return {
    judge(session) {
      if (session.via !== 'htpasswd' && !emails.allows(session.email))
        return denied('the e-mail address is not allowed');
      return provider.authorizes(session) ? ADMITTED : denied('the groups or roles are not allowed');
    },
    admits(session) {
      // A provider's session without one was opened under other rules: they do apply.
      if ((session.email !== '' || session.via === 'provider') && !isEmailAllowed(session)) return false;
      if (session.via === 'htpasswd' && htpasswd?.has(session.user) !== true) return false;
      return provider.authorizes(session);
    },
  };
}

function denied(reason: string): Verdict {
  return { kind: 'denied', reason };
}
