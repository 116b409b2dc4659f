/**
 * The ephemeral store: sign-ins, the cookies that hang on them, one-time codes. It sees hashes and
 * sealed values only, neither a token nor a person's attributes. SQLite keeps these promises today.
 */

/** A sign-in as the store keeps it; `value` is sealed and opaque to the store. */
export interface StoredSignIn {
  readonly key: string;
  readonly provider: string;
  readonly subject: string;
  /** Who vouches for the subject: an issuer's URL, "" for Postern itself. */
  readonly authority: string;
  /** The provider's own session id (`sid`), for back-channel logout. */
  readonly providerSession: string | null;
  readonly value: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastSeenAt: number;
}

/** What a provider gave for a sign-in (tokens), sealed. */
export interface StoredGrant {
  readonly value: string;
  /** When it is to be renewed; null: never. */
  readonly refreshAt: number | null;
}

export interface RenewedSignIn {
  readonly value: string;
  readonly grant: StoredGrant | null;
  readonly expiresAt: number;
}

export interface DueGrant {
  readonly signIn: StoredSignIn;
  readonly value: string;
  readonly refreshedAt: number;
}

export interface FoundSession {
  readonly key: string;
  readonly host: string;
  /** Its grant was put off until somebody uses it: the store wants to hear of that at once. */
  readonly awaitsUse: boolean;
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
  /** Those of a person of which the provider did not say its own session. */
  | { readonly by: 'unnamed-session'; readonly provider: string; readonly subject: string }
  /** Those of a person beyond the `most` newest, of which `newest` is one. */
  | {
      readonly by: 'surplus';
      readonly provider: string;
      readonly subject: string;
      readonly newest: string;
      readonly most: number;
    }
  | { readonly by: 'authority'; readonly provider: string; readonly authority: string }
  | { readonly by: 'expiry'; readonly expiredAt: number; readonly idleSince: number }
  /** Those that a document which has shortened the lifetime ends before their own time. */
  | { readonly by: 'age'; readonly openedUntil: number }
  | { readonly by: 'everything' };

/**
 * The ephemeral store. Every write but `touch` resolves when it would survive a power cut; a store
 * that cannot answer rejects with STORE_UNAVAILABLE.
 */
export interface SessionStore {
  putSignIn(signIn: StoredSignIn, host: string, grant?: StoredGrant | null): Promise<void>;
  findGrant(key: string): Promise<string | null>;
  /** Grants of the provider to be renewed by now, at most `limit`, the longest due first. */
  listDueGrants(provider: string, now: number, limit: number): Promise<readonly DueGrant[]>;
  /** A renewed grant; false where the sign-in is gone. */
  putGrant(key: string, grant: StoredGrant, refreshedAt: number): Promise<boolean>;
  /** When to look at a grant next; null: as soon as one of the sign-in's cookies is used. */
  deferGrants(grants: readonly (readonly [key: string, refreshAt: number | null])[]): Promise<void>;
  /** The clock was set back by so much: whatever is to be renewed later is due so much earlier. */
  setGrantsBack(ms: number): Promise<void>;
  /** Every provider and authority that sign-ins are of. */
  listAuthorities(): Promise<readonly { readonly provider: string; readonly authority: string }[]>;
  /** The subject that a name is pinned to: this one where it was nobody's. */
  pinName(provider: string, name: string, subject: string, now: number): Promise<string>;
  /** The name that a subject is pinned under. */
  findPinnedName(provider: string, subject: string): Promise<string | null>;
  /** The subject that a name is pinned to; null: nobody. */
  findPin(provider: string, name: string): Promise<string | null>;
  unpinName(provider: string, name: string): Promise<boolean>;
  /** How many names are pinned for whom; `at`: what stands behind " of " in a subject, "" where nothing does. */
  countPins(): Promise<readonly { readonly provider: string; readonly at: string; readonly names: number }[]>;
  /** Adds a cookie to a sign-in; false where the sign-in is gone. Replaces an older cookie of that host. */
  putCookie(
    parent: string,
    key: string,
    host: string,
  ): Promise<{ readonly added: boolean; readonly replaced: readonly string[] }>;
  findSession(key: string): Promise<FoundSession | null>;
  /** At most `limit` trees, newest first. */
  listSignIns(selector: SignInSelector, limit: number): Promise<readonly SignInTree[]>;
  /** Sign-ins of one person, or of everybody, by their keys, at most `limit` behind `after`; "" begins. For whoever goes through all of them. */
  pageSignIns(
    person: { readonly provider: string; readonly subject: string } | null,
    after: string,
    limit: number,
  ): Promise<readonly StoredSignIn[]>;
  /** Deletes whole trees and answers every key that died. */
  deleteSignIns(selector: SignInSelector): Promise<readonly string[]>;
  /** Replaces sealed values of sign-ins that still exist. */
  replaceValues(values: readonly { readonly key: string; readonly value: string }[]): Promise<void>;
  /** A renewed sign-in: new value, new grant, a new end; false where it is gone. */
  renewSignIn(key: string, renewed: RenewedSignIn): Promise<boolean>;
  /** Last use, by the key of any cookie; never moves back. May be lost in a power cut. */
  touch(seen: readonly (readonly [key: string, at: number])[]): Promise<void>;
  putCode(key: string, value: string, expiresAt: number): Promise<void>;
  /** Takes a code out, in one step: of any number of callers one gets it. */
  takeCode(key: string): Promise<{ readonly value: string; readonly expiresAt: number } | null>;
  deleteExpiredCodes(now: number): Promise<number>;
  /** True for the first caller with this key; false where it was used, or where `most` of this use are kept already. */
  spend(use: string, key: string, bounds: { readonly until: number; readonly most: number }): Promise<boolean>;
  wasSpent(use: string, key: string): Promise<boolean>;
  deleteSpent(now: number): Promise<number>;
}
