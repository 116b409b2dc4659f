/** What the flow needs of others, and what it tells them. */
import type { Clock } from '../../core/clock.ts';
import type { AuthSession } from '../auth-session.ts';
import type { FrontRequest } from '../front-request.ts';
import type { PageTemplates } from '../pages/custom-pages.ts';
import type { Logo } from '../pages/logo.ts';
import type { AuthProvider, LogoutMemory, SessionKeeper } from '../ports.ts';
import type { Settings } from '../settings.ts';

export interface FlowDeps {
  readonly settings: Settings;
  readonly keeper: SessionKeeper;
  readonly provider: AuthProvider;
  readonly admission: Admission;
  /** Null: there is no password file. */
  readonly passwords: PasswordFile | null;
  readonly ender: SessionEnder;
  readonly logouts: LogoutMemory;
  readonly logo: Logo;
  /** Of `custom-templates-dir`; left out: Postern's own pages. */
  readonly templates?: PageTemplates;
  /** For templates that show it. */
  readonly version?: string;
  /** A plain GET on behalf of the operator (`backend-logout-url`), bounded in time; answers the status. */
  readonly callProvider: (url: string) => Promise<number>;
  readonly clock: Clock;
  readonly report: (event: FlowEvent) => void;
}

export interface Admission {
  /** Whether the settings let this person in: e-mail, groups, and what the provider itself asks for. */
  readonly judge: (session: AuthSession) => Verdict;
}

export type Verdict =
  | { readonly kind: 'admitted' }
  /** `reason` is for the log. */
  | { readonly kind: 'denied'; readonly reason: string };

/** Ends sessions that are not the caller's own; each answers how many. */
export interface SessionEnder {
  readonly byProviderSession: (providerSession: string) => Promise<number>;
  readonly bySubject: (subject: string) => Promise<number>;
  /** Those of the person of which the provider said no session of its own. */
  readonly unnamed: (subject: string) => Promise<number>;
}

export interface PasswordFile {
  /** `busy`: too many hashes at once; nothing was compared. `ip` pays for the hashing; null: unknown. */
  readonly verify: (user: string, password: string, ip: string | null) => Promise<'ok' | 'wrong' | 'busy'>;
}

export type FlowEvent =
  | { readonly kind: 'signed-in'; readonly request: FrontRequest; readonly session: AuthSession }
  | { readonly kind: 'signed-out'; readonly request: FrontRequest; readonly session: AuthSession | null }
  | { readonly kind: 'ended-by-provider'; readonly request: FrontRequest; readonly sessions: number }
  /** Somebody was not let in. `who` is as they said or the provider said: a user name or an e-mail, or "". */
  | {
      readonly kind: 'refused';
      readonly request: FrontRequest;
      readonly status: number;
      readonly who: string;
      readonly reason: string;
      readonly remedy: string | null;
    }
  /** An address that nobody is sent to. */
  | {
      readonly kind: 'redirect-refused';
      readonly request: FrontRequest;
      readonly source: string;
      readonly target: string;
    }
  /** Ours, the provider's or the store's fault. */
  | {
      readonly kind: 'failed';
      readonly request: FrontRequest;
      readonly message: string;
      readonly remedy: string | null;
      readonly error?: unknown;
    };
