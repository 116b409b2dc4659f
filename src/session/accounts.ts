/**
 * Local accounts: people whom Postern itself knows. The subject is random and never used again; the
 * name may be. Disabling, deleting and a new password end sessions; groups reach live ones at once.
 * Holds password hashes, never passwords; one-time links are kept as hashes.
 */
import type { Clock } from '../core/clock.ts';
import type { Person } from '../core/person.ts';
import type { OpenedSession } from './record.ts';
import type { Sessions } from './sessions.ts';

/** Id of the provider in Person.provider for local accounts, unless the document names it otherwise. */
export const LOCAL_PROVIDER = 'local';

export interface Account {
  readonly subject: string;
  readonly name: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly groups: readonly string[];
  readonly passwordHash: string | null;
  readonly disabled: boolean;
  readonly createdAt: number;
  /** Grows with each change. */
  readonly revision: number;
}

export interface NewAccount {
  readonly name: string;
  readonly displayName?: string;
  readonly email?: string | null;
  readonly groups?: readonly string[];
}

/** A one-time link to set a password. The token is shown once and kept as a hash. */
export interface SetPasswordLink {
  readonly token: string;
  readonly expiresAt: number;
}

export type AddAccount =
  | { readonly kind: 'added'; readonly account: Account }
  | { readonly kind: 'exists'; readonly name: string }
  | { readonly kind: 'invalid'; readonly message: string };

/** The durable store, as accounts need it. Every write resolves when it would survive a power cut. */
export interface AccountStore {
  /** False where the name is taken. */
  insertAccount(account: Account): Promise<boolean>;
  findAccountByName(name: string): Promise<Account | null>;
  findAccount(subject: string): Promise<Account | null>;
  listAccounts(): Promise<readonly Account[]>;
  /** Applies the change in one step and answers the account after it; null where it is gone. */
  updateAccount(subject: string, change: AccountChange): Promise<Account | null>;
  deleteAccount(subject: string): Promise<boolean>;
  putLink(tokenHash: string, subject: string, expiresAt: number): Promise<void>;
  findLink(tokenHash: string): Promise<{ readonly subject: string; readonly expiresAt: number } | null>;
  /** Sets the password and deletes every link of the account, if the link is still there; else null. */
  consumeLink(tokenHash: string, now: number, passwordHash: string): Promise<Account | null>;
  appendAudit(entry: AuditEntry): Promise<void>;
  listAudit(limit: number): Promise<readonly AuditEntry[]>;
}

export interface AccountChange {
  readonly groups?: readonly string[];
  readonly disabled?: boolean;
  readonly passwordHash?: string | null;
  readonly displayName?: string;
  readonly email?: string | null;
}

export interface AuditEntry {
  readonly at: number;
  /** Who did it: "cli", "local:<subject>", "link". */
  readonly actor: string;
  readonly action: string;
  readonly target: string;
}

export interface AccountsDeps {
  readonly store: AccountStore;
  readonly sessions: Sessions;
  readonly clock: Clock;
  /** Id of the local provider in the document. */
  readonly provider: string;
}

export interface Accounts {
  add(account: NewAccount, actor: string): Promise<AddAccount>;
  list(): Promise<readonly Account[]>;
  /** By any spelling of the name. */
  findByName(name: string): Promise<Account | null>;
  find(subject: string): Promise<Account | null>;
  /** The person that an account is, with the proofs of this sign-in, e.g. ["pwd"]. */
  personOf(account: Account, amr: readonly string[]): Person;
  /** Opens a sign-in session for an account that is enabled at this moment; null where it is not. */
  openSignIn(subject: string, host: string, amr: readonly string[]): Promise<OpenedSession | null>;
  disable(subject: string, actor: string): Promise<Account | null>;
  enable(subject: string, actor: string): Promise<Account | null>;
  delete(subject: string, actor: string): Promise<boolean>;
  setGroups(subject: string, groups: readonly string[], actor: string): Promise<Account | null>;
  /** Takes a hash (see hash-pool). Ends the account's sessions. */
  setPassword(subject: string, passwordHash: string, actor: string): Promise<Account | null>;
  /** Replaces the stored hash of the same password by a stronger one; sessions stay. */
  rehash(subject: string, passwordHash: string): Promise<void>;
  /** A link that lets its holder set the password within the hour. */
  mintLink(subject: string, actor: string): Promise<SetPasswordLink | null>;
  /** For GET: shows whose link it is, consumes nothing. */
  peekLink(token: string): Promise<Account | null>;
  /** For POST: sets the password once; null where the link is unknown, used or too old. Ends other sessions. */
  consumeLink(token: string, passwordHash: string): Promise<Account | null>;
  /** At first start, without any account: makes "admin" in group "admins" with a link. Null where accounts exist. */
  addFirstAdministrator(name?: string): Promise<{ readonly account: Account; readonly link: SetPasswordLink } | null>;
}
