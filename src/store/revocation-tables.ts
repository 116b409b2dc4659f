/** Revocations on SQLite. */
import { read } from './rows.ts';
import type { RevocationStore } from '../core/revocation-store.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync } from 'node:sqlite';

export function createRevocationTable(db: DatabaseSync, writer: Writer): RevocationStore {
  const list = db.prepare(
    'SELECT kind, name, signed_in_by, until FROM revocations WHERE until > ? ORDER BY until, kind, name',
  );
  const put = db.prepare('INSERT OR REPLACE INTO revocations (kind, name, signed_in_by, until) VALUES (?, ?, ?, ?)');
  const remove = db.prepare('DELETE FROM revocations WHERE kind = ? AND name = ?');
  const sweep = db.prepare('DELETE FROM revocations WHERE until <= ?');
  return {
    listRevocations: (now) =>
      read(() =>
        list.all(now).map((row) => ({
          kind: String(row['kind']),
          name: String(row['name']),
          signedInBy: Number(row['signed_in_by']),
          until: Number(row['until']),
        })),
      ),
    putRevocation: ({ kind, name, signedInBy, until }) =>
      writer.durable(() => void put.run(kind, name, signedInBy, until)),
    deleteRevocation: (kind, name) => writer.relaxed(() => void remove.run(kind, name)),
    deleteRevocationsUntil: (now) => writer.relaxed(() => void sweep.run(now)),
  };
}
