/**
 * The store on SQLite: one folder, one process. Only the control thread opens it.
 * Order matters: the folder is locked before its database is looked at, and the database is known to
 * be ours and not newer before anything is written.
 */
import { randomBytes } from 'node:crypto';
import { createAccountTables } from './account-tables.ts';
import { createFactorTables } from './factor-tables.ts';
import { createIssuanceTables } from './issuance-tables.ts';
import { lockDataFolder, makeDataFolder, openSealKeyFile, SEAL_KEY_BYTES } from './data-folder.ts';
import { instanceOf, openDatabase, openMemoryDatabase } from './database.ts';
import { createWriter } from './group-commit.ts';
import { createRevocationTable } from './revocation-tables.ts';
import { createSessionTables } from './session-tables.ts';
import { createSigningKeyTables } from './signing-key-tables.ts';
import { createTokenTables } from './token-tables.ts';
import { createUploadTable } from './upload-tables.ts';
import type { AccountStore } from '../core/account-store.ts';
import type { FactorStore } from '../core/factor-store.ts';
import type { IssuanceStore } from '../core/issuance-store.ts';
import type { SessionStore } from '../core/session-store.ts';
import type { SigningKeyStore } from '../core/signing-key-store.ts';
import { createLinkTables } from './link-tables.ts';
import type { LinkStore } from '../core/link-store.ts';
import type { RevocationStore } from '../core/revocation-store.ts';
import type { TokenStore } from '../core/token-store.ts';
import type { UploadStore } from '../core/upload-store.ts';
import type { DatabaseSync } from 'node:sqlite';

export interface Store {
  /** Names this installation in cookies. */
  readonly instance: string;
  /** 32 bytes for session/seal.ts. */
  readonly sealKey: Buffer;
  readonly issuance: IssuanceStore;
  readonly sessions: SessionStore;
  readonly accounts: AccountStore;
  readonly tokens: TokenStore;
  readonly links: LinkStore;
  readonly revocations: RevocationStore;
  readonly factors: FactorStore;
  readonly signingKeys: SigningKeyStore;
  readonly uploads: UploadStore;
  /** The database may grow to this many pages of 4 KiB; a larger one reports a full disk. */
  limitPages(pages: number): void;
  /** Commits what is queued, closes the files and lets the folder go. */
  close(): void;
}

export function openStore(folder: string): Store {
  makeDataFolder(folder);
  const lock = lockDataFolder(folder);
  try {
    const db = openDatabase(folder);
    return createStore(db, openSealKeyFile(folder), () => lock.release());
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The same store without a folder: it ends with the process. */
export function openMemoryStore(): Store {
  return createStore(openMemoryDatabase(), randomBytes(SEAL_KEY_BYTES), () => {});
}

function createStore(db: DatabaseSync, sealKey: Buffer, onClosed: () => void): Store {
  const writer = createWriter(db);
  return {
    instance: instanceOf(db),
    sealKey,
    issuance: createIssuanceTables(db, writer),
    sessions: createSessionTables(db, writer),
    accounts: createAccountTables(db, writer),
    tokens: createTokenTables(db, writer),
    links: createLinkTables(db, writer),
    revocations: createRevocationTable(db, writer),
    factors: createFactorTables(db, writer),
    signingKeys: createSigningKeyTables(db, writer),
    uploads: createUploadTable(db, writer),
    limitPages: (pages) => db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(pages))}`),
    close() {
      if (!db.isOpen) return;
      writer.close();
      db.close();
      onClosed();
    },
  };
}
