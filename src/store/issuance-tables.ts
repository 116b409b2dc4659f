/**
 * Certificates from CAs on SQLite. A lock is a row with a holder, a lease and a fence; fences come from one
 * counter that outlives the rows, so that no fence is given twice, not even after an order is gone.
 */
import { read } from './rows.ts';
import type {
  IssuanceStore,
  OrderLock,
  StoredAccount,
  StoredCertificate,
  StoredOrder,
  StoredTxtRecord,
} from '../core/issuance-store.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

type Row = Record<string, SQLOutputValue>;

/** Longer than the week that CAs count. */
const LOG_KEPT_MS = 30 * 86_400_000;

const COLUMNS = 'id, subject, directory, chain, sealed_key, issued_at, revoked_at, renewal';

export function createIssuanceTables(db: DatabaseSync, writer: Writer): IssuanceStore {
  return {
    ...createCertificateTable(db, writer),
    ...createOrderTable(db, writer),
    ...createAcmeAccountTable(db, writer),
    ...createTxtTable(db, writer),
  };
}

type CertificatePart = Pick<
  IssuanceStore,
  | 'listCertificates'
  | 'listIssuedSince'
  | 'certificatesOf'
  | 'setRenewal'
  | 'markRevoked'
  | 'deleteCertificate'
  | 'renameCertificate'
>;

function createCertificateTable(db: DatabaseSync, writer: Writer): CertificatePart {
  const all = db.prepare(`SELECT ${COLUMNS} FROM issued_certificates ORDER BY subject, issued_at`);
  const ofSubject = db.prepare(`SELECT ${COLUMNS} FROM issued_certificates WHERE subject = ? ORDER BY issued_at`);
  const since = db.prepare(
    'SELECT directory, subject, issued_at FROM issuance_log WHERE issued_at >= ? ORDER BY issued_at DESC',
  );
  const renewal = db.prepare('UPDATE issued_certificates SET renewal = ? WHERE id = ?');
  const revoke = db.prepare('UPDATE issued_certificates SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?');
  const remove = db.prepare('DELETE FROM issued_certificates WHERE id = ?');
  const rename = db.prepare('UPDATE issued_certificates SET subject = ? WHERE id = ?');
  return {
    listCertificates: () => read(() => all.all().map(certificateOf)),
    listIssuedSince: (at) =>
      read(() =>
        since.all(at).map((row) => ({
          directory: String(row['directory']),
          subject: String(row['subject']),
          issuedAt: Number(row['issued_at']),
        })),
      ),
    certificatesOf: (subject) => read(() => ofSubject.all(subject).map(certificateOf)),
    setRenewal: (id, value) =>
      writer.durable(() => {
        renewal.run(value, id);
      }),
    markRevoked: (id, at) =>
      writer.durable(() => {
        revoke.run(at, id);
      }),
    deleteCertificate: (id) => writer.durable(() => Number(remove.run(id).changes) === 1),
    renameCertificate: (id, subject) =>
      writer.durable(() => {
        rename.run(subject, id);
      }),
  };
}

type OrderPart = Pick<
  IssuanceStore,
  'listOrders' | 'lockOrder' | 'saveOrder' | 'releaseOrder' | 'finishOrder' | 'deleteOrder' | 'renameOrder'
>;

function createOrderTable(db: DatabaseSync, writer: Writer): OrderPart {
  const all = db.prepare('SELECT subject, fence, state FROM certificate_orders ORDER BY subject');
  const nextFence = db.prepare('UPDATE order_fences SET last = last + 1 RETURNING last');
  const lock = db.prepare(
    `INSERT INTO certificate_orders (subject, fence, holder, lease_until, state) VALUES (:subject, :fence, :holder, :until, '{}')
     ON CONFLICT (subject) DO UPDATE SET fence = :fence, holder = :holder, lease_until = :until
     WHERE holder IS NULL OR holder = :holder OR lease_until <= :now
     RETURNING subject, fence, state`,
  );
  const save = db.prepare(
    'UPDATE certificate_orders SET state = ?, lease_until = ? WHERE subject = ? AND fence = ? AND holder IS NOT NULL',
  );
  const release = db.prepare(
    'UPDATE certificate_orders SET state = ?, holder = NULL WHERE subject = ? AND fence = ? AND holder IS NOT NULL',
  );
  const finish = db.prepare('DELETE FROM certificate_orders WHERE subject = ? AND fence = ? AND holder IS NOT NULL');
  const remove = db.prepare('DELETE FROM certificate_orders WHERE subject = ?');
  const rename = db.prepare('UPDATE OR IGNORE certificate_orders SET subject = ? WHERE subject = ?');
  const replaced = db.prepare('DELETE FROM issued_certificates WHERE subject = ?');
  const insert = db.prepare(`INSERT OR REPLACE INTO issued_certificates (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  const note = db.prepare(
    'INSERT OR IGNORE INTO issuance_log (certificate, directory, subject, issued_at) VALUES (?, ?, ?, ?)',
  );
  const forget = db.prepare('DELETE FROM issuance_log WHERE issued_at < ?');
  return {
    listOrders: () => read(() => all.all().map(orderOf)),
    lockOrder: (subject, holder, now, leaseMs) =>
      writer.durable(() => {
        const fence = Number(nextFence.get()?.['last']);
        const row = lock.get({ subject, fence, holder, now, until: now + leaseMs });
        return row === undefined ? null : orderOf(row);
      }),
    saveOrder: (held: OrderLock, state, until) =>
      writer.durable(() => Number(save.run(state, until, held.subject, held.fence).changes) === 1),
    releaseOrder: (held, state) =>
      writer.durable(() => Number(release.run(state, held.subject, held.fence).changes) === 1),
    finishOrder: (held, it) =>
      writer.durable(() => {
        if (Number(finish.run(held.subject, held.fence).changes) !== 1) return false;
        replaced.run(it.subject);
        note.run(it.id, it.directory, it.subject, it.issuedAt);
        forget.run(it.issuedAt - LOG_KEPT_MS);
        insert.run(it.id, it.subject, it.directory, it.chain, it.sealedKey, it.issuedAt, it.revokedAt, it.renewal);
        return true;
      }),
    deleteOrder: (subject) =>
      writer.durable(() => {
        remove.run(subject);
      }),
    renameOrder: (subject, to) =>
      writer.durable(() => {
        rename.run(to, subject);
      }),
  };
}

type AccountPart = Pick<
  IssuanceStore,
  'findAccount' | 'listAccounts' | 'insertAccount' | 'updateAccount' | 'deleteAccount'
>;

function createAcmeAccountTable(db: DatabaseSync, writer: Writer): AccountPart {
  const all = db.prepare('SELECT directory, binding, url, sealed_key FROM acme_accounts ORDER BY directory, binding');
  const find = db.prepare(
    'SELECT directory, binding, url, sealed_key FROM acme_accounts WHERE directory = ? AND binding = ?',
  );
  const insert = db.prepare(
    'INSERT OR IGNORE INTO acme_accounts (directory, binding, url, sealed_key) VALUES (?, ?, ?, ?)',
  );
  const update = db.prepare('UPDATE acme_accounts SET url = ?, sealed_key = ? WHERE directory = ? AND binding = ?');
  const remove = db.prepare('DELETE FROM acme_accounts WHERE directory = ? AND binding = ?');
  return {
    listAccounts: () => read(() => all.all().flatMap((row) => accountOf(row) ?? [])),
    findAccount: (directory, binding) => read(() => accountOf(find.get(directory, binding))),
    insertAccount: (it) =>
      writer.durable(() => {
        insert.run(it.directory, it.binding, it.url, it.sealedKey);
        return accountOf(find.get(it.directory, it.binding)) ?? it;
      }),
    updateAccount: (it) =>
      writer.durable(() => {
        update.run(it.url, it.sealedKey, it.directory, it.binding);
      }),
    deleteAccount: (directory, binding) =>
      writer.durable(() => {
        remove.run(directory, binding);
      }),
  };
}

function createTxtTable(db: DatabaseSync, writer: Writer): Pick<IssuanceStore, 'addTxt' | 'removeTxt' | 'listTxt'> {
  const add = db.prepare('INSERT OR IGNORE INTO txt_records (provider, fqdn, value) VALUES (?, ?, ?)');
  const remove = db.prepare('DELETE FROM txt_records WHERE provider = ? AND fqdn = ? AND value = ?');
  const all = db.prepare('SELECT provider, fqdn, value FROM txt_records ORDER BY fqdn, value');
  return {
    addTxt: ({ provider, fqdn, value }) =>
      writer.durable(() => {
        add.run(provider, fqdn, value);
      }),
    removeTxt: ({ provider, fqdn, value }) =>
      writer.durable(() => {
        remove.run(provider, fqdn, value);
      }),
    listTxt: () => read(() => all.all().map(txtOf)),
  };
}

function certificateOf(row: Row): StoredCertificate {
  return {
    id: String(row['id']),
    subject: String(row['subject']),
    directory: String(row['directory']),
    chain: String(row['chain']),
    sealedKey: String(row['sealed_key']),
    issuedAt: Number(row['issued_at']),
    revokedAt: row['revoked_at'] === null ? null : Number(row['revoked_at']),
    renewal: row['renewal'] === null ? null : String(row['renewal']),
  };
}

function orderOf(row: Row): StoredOrder {
  return { subject: String(row['subject']), fence: Number(row['fence']), state: String(row['state']) };
}

function accountOf(row: Row | undefined): StoredAccount | null {
  if (row === undefined) return null;
  return {
    directory: String(row['directory']),
    binding: String(row['binding']),
    url: row['url'] === null ? null : String(row['url']),
    sealedKey: String(row['sealed_key']),
  };
}

function txtOf(row: Row): StoredTxtRecord {
  return { provider: String(row['provider']), fqdn: String(row['fqdn']), value: String(row['value']) };
}
