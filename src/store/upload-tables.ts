/** Uploaded certificates on SQLite. */
import { read, type Row } from './rows.ts';
import type { StoredUpload, UploadStore } from '../core/upload-store.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync } from 'node:sqlite';

export function createUploadTable(db: DatabaseSync, writer: Writer): UploadStore {
  const all = db.prepare(
    'SELECT id, chain, sealed_key, added_at FROM uploaded_certificates ORDER BY added_at DESC, id',
  );
  const insert = db.prepare(
    'INSERT OR REPLACE INTO uploaded_certificates (id, chain, sealed_key, added_at) VALUES (?, ?, ?, ?)',
  );
  const remove = db.prepare('DELETE FROM uploaded_certificates WHERE id = ?');
  return {
    listUploads: () => read(() => all.all().map(uploadOf)),
    addUpload: (it, replaced) =>
      writer.durable(() => {
        for (const id of replaced) remove.run(id);
        insert.run(it.id, it.chain, it.sealedKey, it.addedAt);
      }),
    deleteUpload: (id) => writer.durable(() => Number(remove.run(id).changes) === 1),
  };
}

function uploadOf(row: Row): StoredUpload {
  return {
    id: String(row['id']),
    chain: String(row['chain']),
    sealedKey: String(row['sealed_key']),
    addedAt: Number(row['added_at']),
  };
}
