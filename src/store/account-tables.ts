/**
 * The durable store on SQLite: accounts, their one-time links, the audit trail. Each change is one
 * step of its own, so that two callers never overwrite each other's fields.
 */
import type { Account, AccountChange, AccountStore, AuditEntry } from '../core/account-store.ts';
import { read } from './rows.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

type Row = Record<string, SQLOutputValue>;

const COLUMNS = 'subject, name, display_name, email, groups, password_hash, disabled, created_at, revision';

export function createAccountTables(db: DatabaseSync, writer: Writer): AccountStore {
  const insert = db.prepare(`INSERT OR IGNORE INTO accounts (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const byName = db.prepare(`SELECT ${COLUMNS} FROM accounts WHERE name = ?`);
  const bySubject = db.prepare(`SELECT ${COLUMNS} FROM accounts WHERE subject = ?`);
  const all = db.prepare(`SELECT ${COLUMNS} FROM accounts ORDER BY name`);
  const remove = db.prepare('DELETE FROM accounts WHERE subject = ?');
  const update = prepareUpdate(db);
  const rehash = db.prepare(
    'UPDATE accounts SET password_hash = ?, revision = revision + 1 WHERE subject = ? AND password_hash = ?',
  );

  return {
    ...createLinkTable(db, writer, update),
    ...createAuditTable(db, writer),
    insertAccount: (it) =>
      writer.durable(() => {
        const values = [
          it.subject,
          it.name,
          it.displayName,
          it.email,
          JSON.stringify(it.groups),
          it.passwordHash,
        ] as const;
        return Number(insert.run(...values, it.disabled ? 1 : 0, it.createdAt, it.revision).changes) === 1;
      }),
    findAccountByName: (name) => read(() => accountOf(byName.get(name))),
    findAccount: (subject) => read(() => accountOf(bySubject.get(subject))),
    listAccounts: () => read(() => all.all().map((row) => accountOf(row) as Account)),
    updateAccount: (subject, change) => writer.durable(() => update(subject, change)),
    replaceHash: (subject, from, to) => writer.durable(() => Number(rehash.run(to, subject, from).changes) === 1),
    deleteAccount: (subject) => writer.durable(() => Number(remove.run(subject).changes) === 1),
  };
}

type Update = (subject: string, change: AccountChange) => Account | null;

function prepareUpdate(db: DatabaseSync): Update {
  const find = db.prepare(`SELECT ${COLUMNS} FROM accounts WHERE subject = ?`);
  const update = db.prepare(
    `UPDATE accounts SET groups = ?, disabled = ?, password_hash = ?, display_name = ?, email = ?, revision = revision + 1
     WHERE subject = ? RETURNING ${COLUMNS}`,
  );
  return (subject, change) => {
    const now = accountOf(find.get(subject));
    if (now === null) return null;
    const it = { ...now, ...change };
    const groups = JSON.stringify(it.groups);
    return accountOf(update.get(groups, it.disabled ? 1 : 0, it.passwordHash, it.displayName, it.email, subject));
  };
}

function createLinkTable(
  db: DatabaseSync,
  writer: Writer,
  update: Update,
): Pick<AccountStore, 'putLink' | 'findLink' | 'consumeLink'> {
  const put = db.prepare('INSERT INTO account_links (token_hash, subject, expires_at) VALUES (?, ?, ?)');
  const expire = db.prepare('DELETE FROM account_links WHERE expires_at <= ?');
  const find = db.prepare('SELECT subject, expires_at FROM account_links WHERE token_hash = ?');
  const removeAll = db.prepare('DELETE FROM account_links WHERE subject = ?');
  return {
    putLink: (tokenHash, subject, expiresAt) =>
      writer.durable(() => {
        put.run(tokenHash, subject, expiresAt);
      }),
    findLink: (tokenHash) =>
      read(() => {
        const row = find.get(tokenHash);
        return row === undefined ? null : { subject: String(row['subject']), expiresAt: Number(row['expires_at']) };
      }),
    consumeLink: (tokenHash, now, passwordHash) =>
      writer.durable(() => {
        expire.run(now);
        const row = find.get(tokenHash);
        if (row === undefined) return null;
        removeAll.run(String(row['subject']));
        return update(String(row['subject']), { passwordHash });
      }),
  };
}

function createAuditTable(db: DatabaseSync, writer: Writer): Pick<AccountStore, 'appendAudit' | 'listAudit'> {
  const append = db.prepare('INSERT INTO audit (at, actor, action, target) VALUES (?, ?, ?, ?)');
  const list = db.prepare('SELECT at, actor, action, target FROM audit ORDER BY id DESC LIMIT ?');
  return {
    appendAudit: (it) =>
      writer.durable(() => {
        append.run(it.at, it.actor, it.action, it.target);
      }),
    listAudit: (limit) => read(() => list.all(limit).map(auditOf)),
  };
}

function accountOf(row: Row | undefined): Account | null {
  if (row === undefined) return null;
  return {
    subject: String(row['subject']),
    name: String(row['name']),
    displayName: String(row['display_name']),
    email: textOrNull(row['email']),
    groups: JSON.parse(String(row['groups'])) as string[],
    passwordHash: textOrNull(row['password_hash']),
    disabled: row['disabled'] === 1,
    createdAt: Number(row['created_at']),
    revision: Number(row['revision']),
  };
}

function auditOf(row: Row): AuditEntry {
  return {
    at: Number(row['at']),
    actor: String(row['actor']),
    action: String(row['action']),
    target: String(row['target']),
  };
}

function textOrNull(value: SQLOutputValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}
