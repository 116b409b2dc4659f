/**
 * Opens DATA/postern.db and brings its tables up to date. Refuses, before anything is written, a file
 * of a newer version, of another program, or damaged.
 */
import { randomInt } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PosternError } from '../core/errors.ts';
import { fileTrouble } from '../core/file-trouble.ts';
import { makePrivateFile } from './data-folder.ts';
import { FIRST_TABLES } from './migrations/0001-first-tables.ts';
import { SERVICE_TOKENS } from './migrations/0002-service-tokens.ts';
import { SECOND_FACTORS } from './migrations/0003-second-factors.ts';
import { SIGNING_KEYS } from './migrations/0004-signing-keys.ts';
import { ISSUANCE_TABLES } from './migrations/0005-issuance.ts';
import { PROVIDER_GRANTS } from './migrations/0006-provider-grants.ts';
import { UPLOADED_CERTIFICATES } from './migrations/0007-uploaded-certificates.ts';
import { ISSUANCE_LOG } from './migrations/0008-issuance-log.ts';
import { LINKS } from './migrations/0009-links.ts';
import { REVOCATIONS } from './migrations/0010-revocations.ts';
import { DUE_BY_PROVIDER } from './migrations/0011-due-by-provider.ts';
import { SPENT } from './migrations/0012-spent.ts';
import { SIGNED_LINKS } from './migrations/0013-signed-links.ts';
import { BY_AGE } from './migrations/0014-by-age.ts';
import { storeError } from './sqlite-error.ts';

/** In order, never edited once released. `user_version` counts those that a file has been through. */
const MIGRATIONS: readonly string[] = [
  FIRST_TABLES,
  SERVICE_TOKENS,
  SECOND_FACTORS,
  SIGNING_KEYS,
  ISSUANCE_TABLES,
  PROVIDER_GRANTS,
  UPLOADED_CERTIFICATES,
  ISSUANCE_LOG,
  LINKS,
  REVOCATIONS,
  DUE_BY_PROVIDER,
  SPENT,
  SIGNED_LINKS,
  BY_AGE,
];
/** "Post": tells our files from those of other programs. */
const APPLICATION_ID = 0x506f7374;
const DATABASE_FILE = 'postern.db';
const INSTANCE_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const INSTANCE_LENGTH = 8;

export function openDatabase(folder: string): DatabaseSync {
  const path = join(folder, DATABASE_FILE);
  let db: DatabaseSync | null = null;
  try {
    checkVersion(path);
    makePrivateFile(path);
    db = new DatabaseSync(path, { timeout: 2_000 });
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL',
    );
    migrate(db);
    return db;
  } catch (error) {
    if (db?.isOpen) db.close();
    throw unusable(path, error);
  }
}

/** Tables of the newest version that live in memory. */
export function openMemoryDatabase(): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  db.exec('PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF');
  migrate(db);
  return db;
}

/** Names this installation in cookies; the same for the life of the folder. */
export function instanceOf(db: DatabaseSync): string {
  const row = db.prepare(`SELECT value FROM meta WHERE name = 'instance'`).get();
  return String(row?.['value']);
}

/** Through a connection that cannot write. */
function checkVersion(path: string): void {
  if (!existsSync(path) || statSync(path).size === 0) return;
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  try {
    const version = pragma(db, 'user_version');
    const application = pragma(db, 'application_id');
    const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
    if (application !== APPLICATION_ID && (tables !== 0 || version !== 0)) throw foreign(path);
    if (version > MIGRATIONS.length) throw newer(path, version);
  } finally {
    db.close();
  }
}

function migrate(db: DatabaseSync): void {
  const from = pragma(db, 'user_version');
  if (from === MIGRATIONS.length) return;
  db.exec('BEGIN IMMEDIATE');
  for (const sql of MIGRATIONS.slice(from)) db.exec(sql);
  db.prepare(`INSERT OR IGNORE INTO meta (name, value) VALUES ('instance', ?)`).run(mintInstance());
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
}

function mintInstance(): string {
  let text = '';
  while (text.length < INSTANCE_LENGTH) text += INSTANCE_ALPHABET[randomInt(INSTANCE_ALPHABET.length)] ?? '';
  return text;
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function newer(path: string, version: number): PosternError {
  const message = `Cannot open "${path}": it has schema version ${version}, this version of Postern knows ${MIGRATIONS.length}`;
  return new PosternError('DATA_DIR_NEWER', `${message}; install the newer version, or name another folder`, {
    version,
  });
}

function foreign(path: string): PosternError {
  return new PosternError(
    'DATA_DIR_UNUSABLE',
    `Cannot open "${path}": it is another program's database; name another folder`,
  );
}

function unusable(path: string, error: unknown): unknown {
  const named = storeError('DATA_DIR_UNUSABLE', `open "${path}"`, error);
  if (named instanceof PosternError || !(error instanceof Error)) return named;
  const why = fileTrouble(error, {
    place: 'name another folder',
    rights: 'give this user the folder, or name another one',
  });
  return new PosternError('DATA_DIR_UNUSABLE', `Cannot open "${path}": ${why}`, {}, error);
}
