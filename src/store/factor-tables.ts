/** Second factors on SQLite. A use is a compare and swap, a recovery code is used up by its deletion. */
import type { FactorStore, StoredFactor } from '../core/factor-store.ts';
import { read } from './rows.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

const COLUMNS = 'id, subject, kind, handle, name, value, created_at, last_used_at';

export function createFactorTables(db: DatabaseSync, writer: Writer): FactorStore {
  const insert = db.prepare(
    `INSERT OR IGNORE INTO factors (${COLUMNS}) SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM accounts WHERE subject = ?)`,
  );
  const count = db.prepare(
    `SELECT COUNT(*) FILTER (WHERE kind = 'recovery') AS codes, COUNT(*) FILTER (WHERE kind <> 'recovery') AS others FROM factors WHERE subject = ?`,
  );
  const bySubject = db.prepare(`SELECT ${COLUMNS} FROM factors WHERE subject = ? ORDER BY created_at, id`);
  const byHandle = db.prepare(`SELECT ${COLUMNS} FROM factors WHERE handle = ?`);
  const any = db.prepare('SELECT EXISTS (SELECT 1 FROM factors WHERE kind = ?) AS has');
  const use = db.prepare('UPDATE factors SET value = ?, last_used_at = ? WHERE id = ? AND value = ?');
  const remove = db.prepare('DELETE FROM factors WHERE subject = ? AND id = ?');
  const removeAll = db.prepare('DELETE FROM factors WHERE subject = ?');
  const removeRecovery = db.prepare(`DELETE FROM factors WHERE subject = ? AND kind = 'recovery'`);
  const put = ({ id, subject, kind, handle, name, value, createdAt, lastUsedAt }: StoredFactor): boolean =>
    Number(insert.run(id, subject, kind, handle, name, value, createdAt, lastUsedAt, subject).changes) === 1;

  const countOf = (subject: string): { codes: number; others: number } => {
    const row = count.get(subject);
    return { codes: Number(row?.['codes']), others: Number(row?.['others']) };
  };

  return {
    insertFactor: (factor, most) =>
      writer.durable(() => {
        const { others } = countOf(factor.subject);
        if (others >= most || !put(factor)) return false;
        if (others === 0) removeRecovery.run(factor.subject);
        return true;
      }),
    listFactors: (subject) => read(() => bySubject.all(subject).map(factorOf)),
    hasFactors: (kind) => read(() => any.get(kind)?.['has'] === 1),
    findFactorByHandle: (handle) =>
      read(() => {
        const row = byHandle.get(handle);
        return row === undefined ? null : factorOf(row);
      }),
    useFactor: (id, expected, value, usedAt) =>
      writer.durable(() => Number(use.run(value, usedAt, id, expected).changes) === 1),
    deleteFactor: (subject, id) =>
      writer.durable(() => {
        const isDeleted = Number(remove.run(subject, id).changes) === 1;
        if (isDeleted && countOf(subject).others === 0) removeRecovery.run(subject);
        return isDeleted;
      }),
    deleteFactorsOf: (subject) => writer.durable(() => Number(removeAll.run(subject).changes)),
    replaceRecovery: (subject, codes, onlyMissing) =>
      writer.durable(() => {
        const there = countOf(subject);
        if (there.others === 0 || (onlyMissing && there.codes > 0)) return false;
        removeRecovery.run(subject);
        for (const code of codes) put(code);
        return true;
      }),
  };
}

function factorOf(row: Record<string, SQLOutputValue>): StoredFactor {
  const lastUsedAt = row['last_used_at'];
  return {
    id: String(row['id']),
    subject: String(row['subject']),
    kind: String(row['kind']) as StoredFactor['kind'],
    handle: row['handle'] === null ? null : String(row['handle']),
    name: String(row['name']),
    value: String(row['value']),
    createdAt: Number(row['created_at']),
    lastUsedAt: lastUsedAt === null ? null : Number(lastUsedAt),
  };
}
