/** The store of certificates in memory, for tests of what is ordered when. The real one has tests of its own. */
import { PosternError } from '../../core/errors.ts';
import type {
  IssuanceStore,
  StoredAccount,
  StoredCertificate,
  StoredOrder,
  StoredTxtRecord,
} from '../../core/issuance-store.ts';

export interface MemoryIssuanceStore extends IssuanceStore {
  /** Every write fails. */
  isReadOnly: boolean;
  /** The lock goes to another holder, as after a lease that ran out. */
  readonly steal: (subject: string, holder: string) => void;
}

interface Row extends StoredOrder {
  readonly holder: string | null;
  readonly leaseUntil: number;
}

// oxlint-disable-next-line max-lines-per-function -- a table of one-line methods over shared maps
export function createMemoryIssuanceStore(): MemoryIssuanceStore {
  const certificates = new Map<string, StoredCertificate>();
  const orders = new Map<string, Row>();
  const accounts = new Map<string, StoredAccount>();
  let records: StoredTxtRecord[] = [];
  let fences = 0;
  const write = async <T>(work: () => T): Promise<T> => {
    await Promise.resolve();
    if (store.isReadOnly) throw new PosternError('STORE_UNAVAILABLE', 'Cannot write to the store: it is read-only');
    return work();
  };
  const holds = (lock: { subject: string; fence: number }): Row | null => {
    const row = orders.get(lock.subject);
    return row !== undefined && row.fence === lock.fence && row.holder !== null ? row : null;
  };
  const accountKey = ({ directory, binding }: { directory: string; binding: string }): string =>
    `${directory} ${binding}`;
  const store: MemoryIssuanceStore = {
    isReadOnly: false,
    steal: (subject, holder) => {
      const row = orders.get(subject);
      fences += 1;
      if (row !== undefined) orders.set(subject, { ...row, holder, fence: fences });
    },
    listCertificates: async () => [...certificates.values()],
    listIssuedSince: async (since) => [...certificates.values()].filter((one) => one.issuedAt >= since),
    certificatesOf: async (subject) => [...certificates.values()].filter((one) => one.subject === subject),
    setRenewal: (id, renewal) => write(() => patch(id, { renewal })),
    markRevoked: (id, revokedAt) => write(() => patch(id, { revokedAt })),
    deleteCertificate: (id) => write(() => certificates.delete(id)),
    renameCertificate: (id, subject) => write(() => patch(id, { subject })),
    listOrders: async () => [...orders.values()],
    lockOrder: (subject, holder, now, leaseMs) =>
      write(() => {
        const row = orders.get(subject);
        if (row !== undefined && row.holder !== null && row.holder !== holder && row.leaseUntil > now) return null;
        fences += 1;
        const locked = { subject, fence: fences, state: row?.state ?? '{}', holder, leaseUntil: now + leaseMs };
        orders.set(subject, locked);
        return locked;
      }),
    saveOrder: (lock, state, leaseUntil) =>
      write(() => {
        const row = holds(lock);
        if (row !== null) orders.set(lock.subject, { ...row, state, leaseUntil });
        return row !== null;
      }),
    releaseOrder: (lock, state) =>
      write(() => {
        const row = holds(lock);
        if (row !== null) orders.set(lock.subject, { ...row, state, holder: null });
        return row !== null;
      }),
    finishOrder: (lock, certificate) =>
      write(() => {
        if (holds(lock) === null) return false;
        orders.delete(lock.subject);
        for (const [id, one] of certificates) if (one.subject === certificate.subject) certificates.delete(id);
        certificates.set(certificate.id, certificate);
        return true;
      }),
    deleteOrder: (subject) => write(() => void orders.delete(subject)),
    renameOrder: (subject, to) =>
      write(() => {
        const row = orders.get(subject);
        if (row === undefined || orders.has(to)) return;
        orders.delete(subject);
        orders.set(to, { ...row, subject: to });
      }),
    findAccount: async (directory, binding) => accounts.get(accountKey({ directory, binding })) ?? null,
    listAccounts: async () => [...accounts.values()],
    insertAccount: (account) =>
      write(() => {
        const key = accountKey(account);
        if (!accounts.has(key)) accounts.set(key, account);
        return accounts.get(key) ?? account;
      }),
    updateAccount: (account) => write(() => void accounts.set(accountKey(account), account)),
    deleteAccount: (directory, binding) => write(() => void accounts.delete(accountKey({ directory, binding }))),
    addTxt: (record) => write(() => void records.push(record)),
    removeTxt: (record) =>
      write(() => {
        records = records.filter((one) => one.fqdn !== record.fqdn || one.value !== record.value);
      }),
    listTxt: async () => records,
  };
  const patch = (id: string, change: Partial<StoredCertificate>): void => {
    const before = certificates.get(id);
    if (before !== undefined) certificates.set(id, { ...before, ...change });
  };
  return store;
}
