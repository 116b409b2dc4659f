/** Rows of sign-ins as the tables read them. */
import { storeError } from './sqlite-error.ts';
import type { StoredSignIn } from '../core/session-store.ts';
import type { SQLOutputValue } from 'node:sqlite';

export type Row = Record<string, SQLOutputValue>;

export const SIGN_IN_COLUMNS =
  's.key, s.provider, s.subject, s.authority, s.provider_session, s.value, s.created_at, s.expires_at, s.last_seen_at';

/** SQLite plans a statement with a bare `LIMIT ?` anew at each call: it wants to know how many these are. */
export const LIMIT = 'LIMIT ? + 0';

/** Reads, with the store's own failures named. */
export function read<T>(work: () => T): Promise<T> {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(storeError('STORE_UNAVAILABLE', 'read from the store', error));
  }
}

export function signInOf(row: Row): StoredSignIn {
  return {
    key: String(row['key']),
    provider: String(row['provider']),
    subject: String(row['subject']),
    authority: String(row['authority']),
    providerSession: row['provider_session'] === null ? null : String(row['provider_session']),
    value: String(row['value']),
    createdAt: Number(row['created_at']),
    expiresAt: Number(row['expires_at']),
    lastSeenAt: Number(row['last_seen_at']),
  };
}
