/** Links on SQLite. */
import { read } from './rows.ts';
import type { LinkStore, StoredLink } from '../core/link-store.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

type Row = Record<string, SQLOutputValue>;

const COLUMNS = 'key, name, host, scope, target, created_at, expires_at, uses, uses_left, last_used_at, signature';

export function createLinkTables(db: DatabaseSync, writer: Writer): LinkStore {
  const insert = db.prepare(`INSERT OR IGNORE INTO links (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const find = db.prepare(`SELECT ${COLUMNS} FROM links WHERE key = ?`);
  const list = db.prepare(`SELECT ${COLUMNS} FROM links ORDER BY name`);
  const take = db.prepare(
    `UPDATE links SET uses_left = uses_left - 1, last_used_at = :now
     WHERE key = :key AND expires_at > :now AND (uses_left IS NULL OR uses_left > 0) RETURNING ${COLUMNS}`,
  );
  const remove = db.prepare(`DELETE FROM links WHERE name = ? RETURNING ${COLUMNS}`);
  const orNull = (row: Row | undefined): StoredLink | null => (row === undefined ? null : linkOf(row));
  return {
    insertLink: (it) =>
      writer.durable(() => {
        const times = [it.createdAt, it.expiresAt, it.uses, it.usesLeft, it.lastUsedAt] as const;
        const { changes } = insert.run(it.key, it.name, it.host, it.scope, it.target, ...times, it.signature);
        return Number(changes) === 1;
      }),
    findLink: (key) => read(() => orNull(find.get(key))),
    takeLink: (key, now) => writer.durable(() => orNull(take.get({ key, now }))),
    listLinks: () => read(() => list.all().map(linkOf)),
    deleteLink: (name) => writer.durable(() => orNull(remove.get(name))),
  };
}

function linkOf(row: Row): StoredLink {
  const { signature } = row;
  const numberOrNull = (value: SQLOutputValue | undefined): number | null => (typeof value === 'number' ? value : null);
  return {
    key: String(row['key']),
    name: String(row['name']),
    host: String(row['host']),
    scope: String(row['scope']),
    target: String(row['target']),
    createdAt: Number(row['created_at']),
    expiresAt: Number(row['expires_at']),
    uses: numberOrNull(row['uses']),
    usesLeft: numberOrNull(row['uses_left']),
    lastUsedAt: numberOrNull(row['last_used_at']),
    signature: typeof signature === 'string' ? signature : null,
  };
}
