/** What the gate is asked with and what it answers. */
import type { Identity } from '../core/person.ts';
import type { CompiledPolicy } from '../policy/compile.ts';
import type { Decision } from '../policy/facts.ts';
import type { BearerIssuers } from './bearer-issuers.ts';
import type { Scheme } from './machine-credential.ts';
import type { BearerView, SessionView } from './ports.ts';

/** The part of a compiled policy that the gate needs. */
export type GatePolicy = Pick<
  CompiledPolicy,
  'id' | 'isPublic' | 'dependsOnlyOnIdentity' | 'maxAgeMs' | 'acceptsServices' | 'decide'
>;

export interface GateRoute {
  readonly policy: GatePolicy;
  /** The host that the request came to: cookies of other hosts do not count. */
  readonly host: string;
  /** What the visitor's browser speaks. */
  readonly scheme: 'http' | 'https';
}

export interface Judged {
  readonly decision: Decision | { readonly kind: 'unavailable' } | { readonly kind: 'busy' };
  readonly identity: Identity;
  readonly session: SessionView | null;
  /** Whoever came with a token. */
  readonly bearer: BearerView | null;
  /** Null: unknown. */
  readonly ip: string | null;
  /** `refused`: one was given for us and is wrong. */
  readonly credential: 'none' | 'session' | 'basic' | 'token' | 'refused';
  /** Of a machine's credential that was refused: what its challenge has to say. */
  readonly refused: Scheme | null;
  /** True where the gate used up Authorization: the app must not see it. */
  readonly removeAuthorization: boolean;
  /** When a person was judged; 0 for others. */
  readonly at: number;
  /** Of the rules that were asked; see track. */
  readonly epoch: number;
}

export interface GateSettings {
  readonly staleForMs: number;
  readonly idleMs: number;
  /** How long a session may be used before its use is noted again: see use-report.ts. */
  readonly noteMs: number;
  /** Cookie name that counts for a browser that speaks HTTPS, and for one that does not; on hosts of `shared` its own. */
  readonly cookieName: string;
  readonly plainCookieName: string;
  /**
   * With cookie_domain: the sign-in host, whose cookie counts on every host of the domain; else null. `domain`
   * begins with a dot. Hosts outside have each its own cookie, as without.
   */
  readonly shared: { readonly signInHost: string; readonly domain: string; readonly cookieName: string } | null;
  /** Whose access tokens count. */
  readonly bearers: BearerIssuers;
  /** Changes whenever the hashes of the service do; null where there is no such service. */
  readonly serviceVersion: (service: string) => string | null;
}
