/** Signing keys on SQLite. */
import type { SigningKeyStore } from '../core/signing-key-store.ts';
import { read } from './rows.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync } from 'node:sqlite';

export function createSigningKeyTables(db: DatabaseSync, writer: Writer): SigningKeyStore {
  const list = db.prepare('SELECT kid, value, created_at FROM signing_keys ORDER BY created_at, kid');
  const insert = db.prepare('INSERT INTO signing_keys (kid, value, created_at) VALUES (?, ?, ?)');
  const remove = db.prepare('DELETE FROM signing_keys WHERE kid = ?');
  return {
    listSigningKeys: () =>
      read(() =>
        list.all().map((row) => ({
          kid: String(row['kid']),
          value: String(row['value']),
          createdAt: Number(row['created_at']),
        })),
      ),
    replaceSigningKeys: (gone, added) =>
      writer.durable(() => {
        for (const kid of gone) remove.run(kid);
        if (added !== null) insert.run(added.kid, added.value, added.createdAt);
      }),
  };
}
