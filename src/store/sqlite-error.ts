/**
 * What a failure of SQLite means to whoever asked. Tells failures of the disk and file, which concern
 * every caller, from a constraint, which concerns one.
 */
import { PosternError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';

// Primary result codes of sqlite.org/rescode.html.
const BUSY = 5;
const READONLY = 8;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const CONSTRAINT = 19;
const NOTADB = 26;

const REASONS: Readonly<Record<number, string>> = {
  3: 'permission denied; check the owner of the folder and its files',
  [BUSY]: 'the database is locked by another program; stop it',
  [READONLY]: 'it is read-only; make the folder and its files writable for this user',
  10: 'the disk reports an error; check the disk and its free space',
  [CORRUPT]: 'the database is damaged; restore it from a backup',
  [FULL]: 'the disk is full; free some space',
  [CANTOPEN]: 'the database cannot be opened; check the owner and mode of the folder',
  [NOTADB]: 'the file is not an SQLite database; move it away',
};

/** The primary result code, or null where the error is not SQLite's. */
export function resultCodeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode & 0xff;
}

/** True where the database as a whole failed, so that nothing of a transaction can be kept. */
export function isStorageFailure(error: unknown): boolean {
  const code = resultCodeOf(error);
  return code !== null && code !== CONSTRAINT;
}

export function isBusy(error: unknown): boolean {
  return resultCodeOf(error) === BUSY;
}

/** The error an operator reads. What is not SQLite's passes as it is. */
export function storeError(code: ErrorCode, action: string, error: unknown): unknown {
  const result = resultCodeOf(error);
  if (error instanceof PosternError || !(error instanceof Error)) return error;
  if (result === null && !isClosed(error)) return error;
  const reason = REASONS[result ?? -1] ?? error.message;
  return new PosternError(code, `Cannot ${action}: ${reason}`, { sqlite: result }, error);
}

function isClosed(error: Error): boolean {
  return 'code' in error && error.code === 'ERR_INVALID_STATE';
}
