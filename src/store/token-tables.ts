/** Tokens of machines on SQLite. */
import type { StoredToken, TokenStore } from '../core/token-store.ts';
import { read } from './rows.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

type Row = Record<string, SQLOutputValue>;

const COLUMNS = 'key, name, description, created_at, expires_at, last_used_at';

export function createTokenTables(db: DatabaseSync, writer: Writer): TokenStore {
  const insert = db.prepare(`INSERT INTO service_tokens (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`);
  const find = db.prepare(`SELECT ${COLUMNS} FROM service_tokens WHERE key = ?`);
  const list = db.prepare(`SELECT ${COLUMNS} FROM service_tokens ORDER BY name, created_at, key`);
  const remove = db.prepare('DELETE FROM service_tokens WHERE key = ?');
  const touch = db.prepare('UPDATE service_tokens SET last_used_at = max(ifnull(last_used_at, 0), ?) WHERE key = ?');
  return {
    insertToken: (it) =>
      writer.durable(() => {
        insert.run(it.key, it.name, it.description, it.createdAt, it.expiresAt, it.lastUsedAt);
      }),
    findToken: (key) =>
      read(() => {
        const row = find.get(key);
        return row === undefined ? null : tokenOf(row);
      }),
    listTokens: () => read(() => list.all().map(tokenOf)),
    deleteTokens: (keys) => writer.durable(() => keys.filter((key) => Number(remove.run(key).changes) === 1)),
    touchTokens: (seen) =>
      writer.relaxed(() => {
        for (const [key, at] of seen) touch.run(at, key);
      }),
  };
}

function tokenOf(row: Row): StoredToken {
  return {
    key: String(row['key']),
    name: String(row['name']),
    description: String(row['description']),
    createdAt: Number(row['created_at']),
    expiresAt: numberOrNull(row['expires_at']),
    lastUsedAt: numberOrNull(row['last_used_at']),
  };
}

function numberOrNull(value: SQLOutputValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}
