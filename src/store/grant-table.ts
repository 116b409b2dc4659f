/**
 * What providers gave for sign-ins, and when it is renewed; names that are pinned to a subject. A grant
 * that is due but was not used since its last renewal sleeps (`refresh_at` null) until a cookie of its
 * sign-in is seen again, so that nobody's session with a provider is kept alive for nothing.
 */
import type { SessionStore } from '../core/session-store.ts';
import { LIMIT, read, signInOf, SIGN_IN_COLUMNS } from './rows.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync } from 'node:sqlite';

/** In `refreshed_at`: there is nothing to renew, and no use wakes it. */
export const NEVER_RENEWED = -1;

type GrantTable = Pick<
  SessionStore,
  | 'findGrant'
  | 'listDueGrants'
  | 'putGrant'
  | 'deferGrants'
  | 'setGrantsBack'
  | 'listAuthorities'
  | 'pinName'
  | 'findPinnedName'
  | 'findPin'
  | 'unpinName'
  | 'countPins'
>;

export function createGrantTable(db: DatabaseSync, writer: Writer): GrantTable {
  const find = db.prepare('SELECT grant_value FROM sign_ins WHERE key = ?');
  const due = db.prepare(
    `SELECT ${SIGN_IN_COLUMNS}, s.grant_value, s.refreshed_at FROM sign_ins s
     WHERE s.provider = ? AND s.refresh_at <= ? AND s.grant_value IS NOT NULL ORDER BY s.refresh_at ${LIMIT}`,
  );
  const put = db.prepare('UPDATE sign_ins SET grant_value = ?, refresh_at = ?, refreshed_at = ? WHERE key = ?');
  const defer = db.prepare('UPDATE sign_ins SET refresh_at = ? WHERE key = ? AND grant_value IS NOT NULL');
  const setBack = db.prepare(
    `UPDATE sign_ins SET refresh_at = max(0, refresh_at - ?), refreshed_at = max(0, refreshed_at - ?)
     WHERE refresh_at IS NOT NULL AND refreshed_at >= 0`,
  );
  const authorities = db.prepare('SELECT DISTINCT provider, authority FROM sign_ins');
  return {
    ...createPins(db, writer),
    findGrant: (key) =>
      read(() => {
        const value = find.get(key)?.['grant_value'];
        return typeof value === 'string' ? value : null;
      }),
    listDueGrants: (provider, now, limit) =>
      read(() =>
        due.all(provider, now, limit).map((row) => ({
          signIn: signInOf(row),
          value: String(row['grant_value']),
          refreshedAt: Number(row['refreshed_at']),
        })),
      ),
    putGrant: (key, { value, refreshAt }, refreshedAt) =>
      writer.durable(() => {
        const at = refreshAt === null ? NEVER_RENEWED : refreshedAt;
        return Number(put.run(value, refreshAt, at, key).changes) > 0;
      }),
    deferGrants: (grants) =>
      writer.relaxed(() => {
        for (const [key, refreshAt] of grants) defer.run(refreshAt, key);
      }),
    setGrantsBack: (ms) => writer.relaxed(() => void setBack.run(ms, ms)),
    listAuthorities: () =>
      read(() =>
        authorities.all().map((row) => ({ provider: String(row['provider']), authority: String(row['authority']) })),
      ),
  };
}

function createPins(
  db: DatabaseSync,
  writer: Writer,
): Pick<GrantTable, 'pinName' | 'findPinnedName' | 'findPin' | 'unpinName' | 'countPins'> {
  const insert = db.prepare(
    'INSERT OR IGNORE INTO pinned_names (provider, name, subject, pinned_at) VALUES (?, ?, ?, ?)',
  );
  const subjectOf = db.prepare('SELECT subject FROM pinned_names WHERE provider = ? AND name = ?');
  const nameOf = db.prepare(
    'SELECT name FROM pinned_names WHERE provider = ? AND subject = ? ORDER BY pinned_at, name',
  );
  const remove = db.prepare('DELETE FROM pinned_names WHERE provider = ? AND name = ?');
  const count = db.prepare(
    `SELECT provider, iif(instr(subject, ' of '), substr(subject, instr(subject, ' of ') + 4), '') AS at, COUNT(*) AS names
     FROM pinned_names GROUP BY provider, at`,
  );
  return {
    async pinName(provider, name, subject, now) {
      // Asked at every sign-in and refresh: a name that is somebody's already costs no write.
      const known = await read(() => subjectOf.get(provider, name)?.['subject']);
      if (typeof known === 'string') return known;
      return writer.durable(() => {
        insert.run(provider, name, subject, now);
        return String(subjectOf.get(provider, name)?.['subject']);
      });
    },
    findPin: (provider, name) =>
      read(() => {
        const subject = subjectOf.get(provider, name)?.['subject'];
        return typeof subject === 'string' ? subject : null;
      }),
    findPinnedName: (provider, subject) =>
      read(() => {
        const name = nameOf.get(provider, subject)?.['name'];
        return typeof name === 'string' ? name : null;
      }),
    countPins: () =>
      read(() =>
        count.all().map((row) => ({
          provider: String(row['provider']),
          at: String(row['at']),
          names: Number(row['names']),
        })),
      ),
    unpinName: (provider, name) => writer.durable(() => Number(remove.run(provider, name).changes) > 0),
  };
}
