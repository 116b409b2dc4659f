/**
 * What the gate needs from elsewhere. The edge worker hands these in: they ask the control thread,
 * which alone reads and writes the store.
 */
import type { Person } from '../core/person.ts';

/** A session as a worker knows it. Never holds the token, only its SHA-256. */
export interface SessionView {
  /** Hex SHA-256 of the cookie value. */
  readonly key: string;
  /** Key of the sign-in session that this one hangs on; its own key for the sign-in session itself. */
  readonly parent: string;
  /** The exact host whose cookie this is; with cookie_domain the sign-in host. */
  readonly host: string;
  readonly person: Person;
  /** Milliseconds since the epoch: end of lifetime. */
  readonly expiresAt: number;
  /** When somebody last used it, as the store knows. */
  readonly lastSeenAt: number;
}

/** Only `absent` may end a session or start a sign-in; `unavailable` is a 503. */
export type SessionAnswer =
  | { readonly kind: 'found'; readonly session: SessionView }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable' };

export type FindSession = (key: string) => Promise<SessionAnswer>;

/** Verifies a machine's password in the hash threads. `busy`: the bounded queue or the address's cost ceiling is full. */
export type VerifyPassword = (service: string, password: string, peer: string) => Promise<'ok' | 'wrong' | 'busy'>;
