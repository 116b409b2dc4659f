/**
 * What a session is, for the threads that serve with it and for those who list and end sessions.
 */
import type { Identity, Person } from '../core/person.ts';

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

/** Whoever comes with a credential that a request carries by itself: an identity, until it expires. */
export interface BearerView {
  /** Hex SHA-256 of the credential. */
  readonly key: string;
  readonly identity: Identity;
  readonly expiresAt: number;
  readonly lastSeenAt: number;
}

/** What a worker may know of a credential. */
export type CredentialView = SessionView | BearerView;

/** Only `absent` may end a session or start a sign-in; `unavailable` is a 503. */
export type Answer<V extends CredentialView> =
  | { readonly kind: 'found'; readonly session: V }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable' };
export type SessionAnswer = Answer<SessionView>;
export type BearerAnswer = Answer<BearerView>;

/** Tokens of the provider for an app that asked; null: there is none to be had, `until` the answer may be used. */
export type TokenAnswer =
  | {
      readonly kind: 'found';
      readonly accessToken: string | null;
      readonly idToken: string | null;
      readonly until: number;
    }
  /** The session is over. */
  | { readonly kind: 'absent' }
  /** What there is is too old, and the provider gives no new one right now. */
  | { readonly kind: 'unavailable' }
  /** What there is is too old, and only another sign-in brings a new one. */
  | { readonly kind: 'expired' };

/** What every worker must hear of: told after it is durable. */
export type SessionChange =
  | { readonly kind: 'revoked'; readonly keys: readonly string[] }
  /** The provider gave new tokens for these sign-ins: the old ones may be void. */
  | { readonly kind: 'tokens'; readonly keys: readonly string[] }
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

/** What a provider gave for a sign-in, and when to renew it. */
export interface Grant {
  /** Plain data; sealed before it is kept. */
  readonly value: unknown;
  /** Milliseconds since the epoch; null: there is nothing to renew. */
  readonly refreshAt: number | null;
}

export interface SignInOptions {
  /** Who vouches for the subject: an issuer's URL; "" for Postern itself. */
  readonly authority?: string;
  /** The provider's own session id (`sid`). */
  readonly providerSession?: string | null;
  readonly grant?: Grant | null;
  /** When it ends; left out: after the lifetime of the limits. */
  readonly expiresAt?: number;
}

/** Where new tokens of a sign-in come from. */
export interface TokenBasis {
  readonly authority: string;
  readonly providerSession: string | null;
  readonly grant: Grant;
}

export interface SignInRenewal {
  readonly person: Person;
  readonly grant: Grant | null;
  readonly expiresAt: number;
}

/** A sign-in whose grant is to be renewed. */
export interface DueGrant {
  readonly key: string;
  readonly provider: string;
  readonly subject: string;
  readonly authority: string;
  /** When it is its turn: unsealing is dear where many are due. Null where the person is none of ours. */
  readonly open: () => OpenedGrant | null;
}

export interface OpenedGrant {
  readonly person: Person;
  readonly value: unknown;
}
