/**
 * The control thread's side of sessions. One sign-in session a browser and person; a child for each
 * app host hangs on it, so revocation, lifetime and idle time flow through the parent.
 * Tokens leave here once; what is kept is their hash and sealed values.
 */
import type { Clock } from '../core/clock.ts';
import type { Person } from '../core/person.ts';
import type { OpenedSession, SessionAnswer, SessionChange, SessionStore, SignInSummary } from './record.ts';
import type { SealKey } from './seal.ts';

export interface SessionLimits {
  readonly lifetimeMs: number;
  readonly idleMs: number;
}

export interface SessionsDeps {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly sealKey: SealKey;
  /** Read at each use, so that a reload changes it. */
  readonly limits: () => SessionLimits;
}

export interface Sessions {
  /** A new sign-in on the sign-in host. Revoke the browser's old session first: ids never carry over. */
  openSignIn(person: Person, host: string, options?: { readonly providerSession?: string | null }): Promise<OpenedSession>;
  /** A cookie for an app host; null where the parent is gone. `parentKey` is the key of the sign-in session. */
  openChild(parentKey: string, host: string): Promise<OpenedSession | null>;
  /** Never rejects: a store that fails is `unavailable`. */
  find(key: string): Promise<SessionAnswer>;
  /** Reports of last use by the workers; children count for their parent. */
  touch(seen: readonly (readonly [key: string, at: number])[]): void;
  /** Ends the whole tree that a cookie's key belongs to; resolves, with the number of keys, when durable. */
  revoke(key: string): Promise<number>;
  revokeByPerson(provider: string, subject: string): Promise<number>;
  revokeByProviderSession(provider: string, providerSession: string): Promise<number>;
  /** Sign-ins that are alive, newest first. */
  list(person?: { readonly provider: string; readonly subject: string }): Promise<readonly SignInSummary[]>;
  /** Gives live sessions of this (provider, subject) the new attributes; each keeps its own amr. */
  refreshPerson(person: Person): Promise<void>;
  /** Deletes what has expired, codes too. Call it about every 30 s. */
  sweep(): Promise<void>;
  /** A one-time secret that stands for `payload`, e.g. the hand-off code. Resolves when durable. */
  mintCode(payload: unknown, ttlMs: number): Promise<string>;
  /** The payload for the first caller in time, null for everybody else. */
  redeemCode(code: string): Promise<unknown>;
  /** Told of each change after it is durable and before its promise resolves. Returns the way to stop. */
  onChange(listener: (change: SessionChange) => void): () => void;
}
