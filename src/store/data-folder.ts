/**
 * The data folder: made with mode 700, its files with 600, held by one process at a time.
 * The lock is a file lock of the operating system (taken through SQLite), so that it is gone with the
 * process however that ended; the pid beside it is for the message only.
 */
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PosternError } from '../core/errors.ts';
import { despiteUmask } from '../core/despite-umask.ts';
import { fileTrouble } from '../core/file-trouble.ts';
import { makeFolder } from '../core/make-folder.ts';
import { writeWhole } from '../core/write-whole.ts';
import { isBusy, storeError } from './sqlite-error.ts';

const LOCK_FILE = 'postern.lock';
const PID_FILE = 'postern.pid';
const SEAL_KEY_FILE = 'seal.key';
export const SEAL_KEY_BYTES = 32;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export interface FolderLock {
  release(): void;
}

/** Makes the folder where it is missing. An existing folder keeps its mode: it may be shared with others on purpose. */
export function makeDataFolder(folder: string): void {
  try {
    makeFolder(resolve(folder), FOLDER_MODE);
  } catch (error) {
    throw unusable(folder, error);
  }
}

/** Whoever may write there can put another database or key in place of ours, whatever their own modes are. */
export function mayAnybodyWrite(folder: string): boolean {
  return (statSync(folder).mode & 0o002) !== 0;
}

/** Holds the folder until `release` or the end of the process. */
export function lockDataFolder(folder: string): FolderLock {
  const path = join(folder, LOCK_FILE);
  let db: DatabaseSync | null = null;
  try {
    makePrivateFile(path);
    db = new DatabaseSync(path, { timeout: 0 });
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    db.exec('BEGIN EXCLUSIVE');
    writePrivateFile(join(folder, PID_FILE), `${process.pid}\n`);
  } catch (error) {
    db?.close();
    if (isBusy(error)) throw locked(folder, error);
    throw unusable(folder, error);
  }
  const held = db;
  return {
    release() {
      if (!held.isOpen) return;
      rmSync(join(folder, PID_FILE), { force: true });
      held.close();
    },
  };
}

/** The key that seals values, made at the first start. It is a file of its own so that a copy of the database alone opens nothing. */
export function openSealKeyFile(folder: string): Buffer {
  const path = join(folder, SEAL_KEY_FILE);
  try {
    if (!existsSync(path)) {
      writePrivateFile(path, `${randomBytes(SEAL_KEY_BYTES).toString('base64url')}\n`);
    }
    keepPrivate(path);
    const key = Buffer.from(readFileSync(path, 'latin1').trim(), 'base64url');
    if (key.length === SEAL_KEY_BYTES) return key;
  } catch (error) {
    throw unusable(folder, error);
  }
  const remedy = 'restore it from a backup, or move it away: a new one is made and everybody signs in again';
  throw new PosternError(
    'DATA_DIR_UNUSABLE',
    `Cannot use "${path}": it is not a key of ${SEAL_KEY_BYTES} bytes; ${remedy}`,
  );
}

/** Makes an empty file of mode 600 unless there is one, which then gets that mode. */
export function makePrivateFile(path: string): void {
  if (!existsSync(path)) {
    closeSync(openSync(path, 'a', FILE_MODE));
    despiteUmask(path, FILE_MODE);
  }
  keepPrivate(path);
}

/** Writes a small file of mode 600 into the folder, whole or not at all. */
export function writeDataFile(folder: string, name: string, text: string): void {
  try {
    writePrivateFile(join(folder, name), text);
  } catch (error) {
    throw unusable(folder, error);
  }
}

/** Writes whole or not at all, and to the disk, before it answers. */
function writePrivateFile(path: string, text: string): void {
  writeWhole(path, text, { mode: FILE_MODE });
  syncFolder(dirname(path));
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function keepPrivate(path: string): void {
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, FILE_MODE);
}

function locked(folder: string, cause: unknown): PosternError {
  const pid = readPid(folder);
  const holder = pid === null ? 'another Postern' : `another Postern (pid ${pid})`;
  return new PosternError(
    'DATA_DIR_LOCKED',
    `Cannot use data folder "${folder}": ${holder} uses it; stop that one, or name another folder`,
    { folder, pid },
    cause,
  );
}

function readPid(folder: string): number | null {
  try {
    const text = readFileSync(join(folder, PID_FILE), 'latin1').trim();
    return /^\d{1,10}$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}

function unusable(folder: string, error: unknown): unknown {
  if (error instanceof PosternError) return error;
  const named = storeError('DATA_DIR_UNUSABLE', `use data folder "${folder}"`, error);
  if (named instanceof PosternError) return named;
  const reason = fileTrouble(error, {
    place: 'name another folder',
    rights: 'give this user the folder, or name another one',
  });
  return new PosternError('DATA_DIR_UNUSABLE', `Cannot use data folder "${folder}": ${reason}`, { folder }, error);
}
