/**
 * What a session is, for the threads that serve with it, and what the session service needs of a
 * store. The store sees hashes and sealed values only: neither a token nor a person's attributes.
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

/** What every worker must hear of: told after it is durable. */
export type SessionChange =
  | { readonly kind: 'revoked'; readonly keys: readonly string[] }
  | { readonly kind: 'person'; readonly keys: readonly string[]; readonly person: Person };

/** The token goes to the browser once and is kept nowhere. */
export interface OpenedSession {
  readonly token: string;
  readonly view: SessionView;
}

/** One sign-in of one browser, for lists. */
export interface SignInSummary {
  readonly key: string;
  readonly person: Person;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastSeenAt: number;
  /** Hosts that hold a cookie of it, the sign-in host first. */
  readonly hosts: readonly string[];
}

/** A sign-in as the store keeps it; `value` is sealed and opaque to the store. */
export interface StoredSignIn {
  readonly key: string;
  readonly provider: string;
  readonly subject: string;
  /** The provider's own session id (`sid`), for back-channel logout. */
  readonly providerSession: string | null;
  readonly value: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastSeenAt: number;
}

export interface FoundSession {
  readonly key: string;
  readonly host: string;
  readonly signIn: StoredSignIn;
}

/** A sign-in with all the cookies that hang on it, its own first. */
export interface SignInTree {
  readonly signIn: StoredSignIn;
  readonly cookies: readonly { readonly key: string; readonly host: string }[];
}

/** Which sign-ins an operation is about. */
export type SignInSelector =
  | { readonly by: 'cookie'; readonly key: string }
  | { readonly by: 'person'; readonly provider: string; readonly subject: string }
  | { readonly by: 'provider-session'; readonly provider: string; readonly providerSession: string }
  | { readonly by: 'expiry'; readonly expiredAt: number; readonly idleSince: number }
  | { readonly by: 'everything' };

/**
 * The ephemeral store. Every write but `touch` resolves when it would survive a power cut; a store
 * that cannot answer rejects with STORE_UNAVAILABLE.
 */
export interface SessionStore {
  putSignIn(signIn: StoredSignIn, host: string): Promise<void>;
  /** Adds a cookie to a sign-in; false where the sign-in is gone. Replaces an older cookie of that host. */
  putCookie(parent: string, key: string, host: string): Promise<{ readonly added: boolean; readonly replaced: readonly string[] }>;
  findSession(key: string): Promise<FoundSession | null>;
  /** At most `limit` trees, newest first. */
  listSignIns(selector: SignInSelector, limit: number): Promise<readonly SignInTree[]>;
  /** Deletes whole trees and answers every key that died. */
  deleteSignIns(selector: SignInSelector): Promise<readonly string[]>;
  /** Replaces sealed values of sign-ins that still exist. */
  replaceValues(values: readonly { readonly key: string; readonly value: string }[]): Promise<void>;
  /** Last use, by the key of any cookie; never moves back. May be lost in a power cut. */
  touch(seen: readonly (readonly [key: string, at: number])[]): Promise<void>;
  putCode(key: string, value: string, expiresAt: number): Promise<void>;
  /** Takes a code out, in one step: of any number of callers one gets it. */
  takeCode(key: string): Promise<{ readonly value: string; readonly expiresAt: number } | null>;
  deleteExpiredCodes(now: number): Promise<number>;
}
