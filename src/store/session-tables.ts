/**
 * The ephemeral store on SQLite: sign-ins, cookies, one-time codes. Statements are prepared once.
 * Reads see what is committed and nothing else; see group-commit.ts for when a write resolves.
 */
import { createGrantTable, NEVER_RENEWED } from './grant-table.ts';
import { createSpentTable } from './spent-table.ts';
import type {
  FoundSession,
  RenewedSignIn,
  SessionStore,
  SignInSelector,
  SignInTree,
  StoredGrant,
  StoredSignIn,
} from '../core/session-store.ts';
import { LIMIT, read, signInOf, SIGN_IN_COLUMNS, type Row } from './rows.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Parallel tabs may each bring a cookie of one host home; the browser keeps whichever came last. */
const COOKIES_PER_HOST = 4;

type Bind = Record<string, string | number>;

/** SQL condition on sign_ins for each selector; binds by name. */
const CONDITIONS: Readonly<Record<SignInSelector['by'], string>> = {
  cookie: 's.key = (SELECT parent FROM cookies WHERE key = :key)',
  person: 's.provider = :provider AND s.subject = :subject',
  'provider-session': 's.provider = :provider AND s.provider_session = :providerSession',
  'unnamed-session': 's.provider = :provider AND s.subject = :subject AND s.provider_session IS NULL',
  // Counted first, in the index: whoever has few has nothing sorted.
  surplus: `s.key IN (SELECT key FROM sign_ins WHERE provider = :provider AND subject = :subject
    AND EXISTS (SELECT 1 FROM sign_ins WHERE provider = :provider AND subject = :subject LIMIT 1 OFFSET :most)
    ORDER BY key = :newest DESC, created_at DESC LIMIT -1 OFFSET :most)`,
  authority: 's.provider = :provider AND s.authority = :authority',
  expiry: '(s.expires_at <= :expiredAt OR s.last_seen_at <= :idleSince)',
  age: 's.created_at <= :openedUntil',
  everything: '1',
};

interface Selection {
  readonly trees: StatementSync;
  readonly keys: StatementSync;
  readonly remove: StatementSync;
}

export function createSessionTables(db: DatabaseSync, writer: Writer): SessionStore {
  const selections = prepareSelections(db);
  const cookiesOf = db.prepare('SELECT key, host FROM cookies WHERE parent = ? ORDER BY ordinal');
  const find = db.prepare(
    `SELECT c.key AS cookie, c.host, s.refresh_at IS NULL AND s.grant_value IS NOT NULL AND s.refreshed_at >= 0 AS asleep,
       ${SIGN_IN_COLUMNS} FROM cookies c JOIN sign_ins s ON s.key = c.parent WHERE c.key = ?`,
  );
  const page = db.prepare(
    `SELECT ${SIGN_IN_COLUMNS} FROM sign_ins s WHERE s.provider = ? AND s.subject = ? AND s.key > ? ORDER BY s.key ${LIMIT}`,
  );
  const pageOfAll = db.prepare(`SELECT ${SIGN_IN_COLUMNS} FROM sign_ins s WHERE s.key > ? ORDER BY s.key ${LIMIT}`);
  const replaceValue = db.prepare('UPDATE sign_ins SET value = ? WHERE key = ?');
  // A grant that nobody used was put off until somebody does.
  const touch = db.prepare(
    `UPDATE sign_ins SET last_seen_at = max(last_seen_at, :at),
       refresh_at = CASE WHEN refresh_at IS NULL AND grant_value IS NOT NULL AND refreshed_at >= 0 THEN 0 ELSE refresh_at END
     WHERE key = (SELECT parent FROM cookies WHERE key = :key)`,
  );
  const putSignIn = prepareSignIn(db);
  const putCookie = prepareCookie(db);
  const renewSignIn = prepareRenewal(db);

  return {
    ...createCodeTable(db, writer),
    putSignIn: (signIn, host, grant) => writer.durable(() => putSignIn(signIn, host, grant ?? null)),
    ...createGrantTable(db, writer),
    ...createSpentTable(db, writer),
    putCookie: (parent, key, host) => writer.durable(() => putCookie(parent, key, host)),
    findSession: (key) => read(() => foundOf(find.get(key))),
    listSignIns: (selector, limit) =>
      read(() => {
        const rows = selections[selector.by].trees.all({ ...bindOf(selector), limit });
        return rows.map((row) => treeOf(row, cookiesOf.all(String(row['key']))));
      }),
    pageSignIns: (person, after, limit) =>
      read(() => {
        const rows =
          person === null ? pageOfAll.all(after, limit) : page.all(person.provider, person.subject, after, limit);
        return rows.map(signInOf);
      }),
    deleteSignIns: (selector) =>
      writer.durable(() => {
        const { keys, remove } = selections[selector.by];
        const dead = keys.all(bindOf(selector)).map((row) => String(row['key']));
        if (dead.length > 0) remove.run(bindOf(selector));
        return dead;
      }),
    replaceValues: (values) =>
      writer.durable(() => {
        for (const { key, value } of values) replaceValue.run(value, key);
      }),
    renewSignIn: (key, renewed) => writer.durable(() => renewSignIn(key, renewed)),
    touch: (seen) =>
      writer.relaxed(() => {
        for (const [key, at] of seen) touch.run({ at, key });
      }),
  };
}

function prepareSelections(db: DatabaseSync): Readonly<Record<SignInSelector['by'], Selection>> {
  const prepare = (condition: string): Selection => ({
    // Plus 0: as in LIMIT. The plus in front: found by the condition's index, and sorted then. For the order SQLite may walk through all by their age instead.
    trees: db.prepare(
      `SELECT ${SIGN_IN_COLUMNS} FROM sign_ins s WHERE ${condition} ORDER BY +s.created_at DESC, s.key LIMIT :limit + 0`,
    ),
    // CROSS JOIN: the sign-ins first, by their index. For the order SQLite may walk through all cookies there are instead.
    keys: db.prepare(
      `SELECT c.key FROM sign_ins s CROSS JOIN cookies c ON c.parent = s.key WHERE ${condition} ORDER BY c.parent, c.ordinal`,
    ),
    remove: db.prepare(`DELETE FROM sign_ins AS s WHERE ${condition}`),
  });
  return {
    cookie: prepare(CONDITIONS.cookie),
    person: prepare(CONDITIONS.person),
    'provider-session': prepare(CONDITIONS['provider-session']),
    'unnamed-session': prepare(CONDITIONS['unnamed-session']),
    surplus: prepare(CONDITIONS.surplus),
    authority: prepare(CONDITIONS.authority),
    expiry: prepare(CONDITIONS.expiry),
    age: prepare(CONDITIONS.age),
    everything: prepare(CONDITIONS.everything),
  };
}

function prepareSignIn(db: DatabaseSync): (signIn: StoredSignIn, host: string, grant: StoredGrant | null) => void {
  const insert = db.prepare(
    `INSERT INTO sign_ins (key, provider, subject, authority, provider_session, value, created_at, expires_at,
       last_seen_at, grant_value, refresh_at, refreshed_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertCookie = db.prepare('INSERT INTO cookies (key, parent, host, ordinal) VALUES (?, ?, ?, 0)');
  return (it, host, grant) => {
    insert.run(
      it.key,
      it.provider,
      it.subject,
      it.authority,
      it.providerSession,
      it.value,
      it.createdAt,
      it.expiresAt,
      it.lastSeenAt,
      grant?.value ?? null,
      grant?.refreshAt ?? null,
      grant === null || grant.refreshAt === null ? NEVER_RENEWED : it.createdAt,
    );
    insertCookie.run(it.key, it.key, host);
  };
}

function prepareRenewal(db: DatabaseSync): (key: string, renewed: RenewedSignIn) => boolean {
  const renew = db.prepare(
    'UPDATE sign_ins SET value = ?, expires_at = ?, grant_value = ?, refresh_at = ? WHERE key = ?',
  );
  return (key, { value, expiresAt, grant }) =>
    Number(renew.run(value, expiresAt, grant?.value ?? null, grant?.refreshAt ?? null, key).changes) > 0;
}

function prepareCookie(
  db: DatabaseSync,
): (parent: string, key: string, host: string) => { added: boolean; replaced: string[] } {
  const exists = db.prepare('SELECT 1 FROM sign_ins WHERE key = ?');
  const insert = db.prepare(
    `INSERT INTO cookies (key, parent, host, ordinal)
     SELECT :key, :parent, :host, 1 + max(ordinal) FROM cookies WHERE parent = :parent`,
  );
  // The sign-in's own cookie (key = parent) is never replaced: the tree hangs on it.
  const older = db.prepare(
    `DELETE FROM cookies WHERE key IN (
       SELECT key FROM cookies WHERE parent = ? AND host = ? AND key <> parent ORDER BY ordinal DESC LIMIT -1 OFFSET ${COOKIES_PER_HOST}
     ) RETURNING key`,
  );
  return (parent, key, host) => {
    if (exists.get(parent) === undefined) return { added: false, replaced: [] };
    insert.run({ key, parent, host });
    return { added: true, replaced: older.all(parent, host).map((row) => String(row['key'])) };
  };
}

function createCodeTable(
  db: DatabaseSync,
  writer: Writer,
): Pick<SessionStore, 'putCode' | 'takeCode' | 'deleteExpiredCodes'> {
  const put = db.prepare('INSERT INTO codes (key, value, expires_at) VALUES (?, ?, ?)');
  const take = db.prepare('DELETE FROM codes WHERE key = ? RETURNING value, expires_at');
  const expire = db.prepare('DELETE FROM codes WHERE expires_at <= ?');
  return {
    putCode: (key, value, expiresAt) =>
      writer.durable(() => {
        put.run(key, value, expiresAt);
      }),
    takeCode: (key) =>
      writer.durable(() => {
        const row = take.get(key);
        return row === undefined ? null : { value: String(row['value']), expiresAt: Number(row['expires_at']) };
      }),
    deleteExpiredCodes: (now) => writer.durable(() => Number(expire.run(now).changes)),
  };
}

function bindOf(selector: SignInSelector): Bind {
  const { by: _, ...bind } = selector;
  return bind;
}

function foundOf(row: Row | undefined): FoundSession | null {
  if (row === undefined) return null;
  const awaitsUse = row['asleep'] === 1;
  return { key: String(row['cookie']), host: String(row['host']), awaitsUse, signIn: signInOf(row) };
}

function treeOf(row: Row, cookies: readonly Row[]): SignInTree {
  return {
    signIn: signInOf(row),
    cookies: cookies.map((it) => ({ key: String(it['key']), host: String(it['host']) })),
  };
}
