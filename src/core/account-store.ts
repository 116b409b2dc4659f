/**
 * The durable store as far as local accounts go: people, their one-time links, the audit trail.
 * Every write resolves when it would survive a power cut; a failing store rejects with STORE_UNAVAILABLE.
 */

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

export interface AccountStore {
  /** False where the name is taken. */
  insertAccount(account: Account): Promise<boolean>;
  findAccountByName(name: string): Promise<Account | null>;
  findAccount(subject: string): Promise<Account | null>;
  listAccounts(): Promise<readonly Account[]>;
  /** Applies the change in one step and answers the account after it; null where it is gone. */
  updateAccount(subject: string, change: AccountChange): Promise<Account | null>;
  /** Replaces the hash `from` by `to`; false where the account has another one by now. */
  replaceHash(subject: string, from: string, to: string): Promise<boolean>;
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
