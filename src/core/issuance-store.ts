/**
 * The durable store as far as certificates from CAs go: what was issued, orders under way, accounts, and TXT
 * records that are still to be removed. Keys arrive here sealed. Every write resolves when it would survive
 * a power cut; a failing store rejects with STORE_UNAVAILABLE.
 *
 * An order is worked on by whoever holds its lock. Each lock has a fence, higher than all before; a write
 * with an old fence does nothing and answers false, so that a holder that was away too long cannot spoil
 * what the next one does.
 */

export interface StoredCertificate {
  /** Hash of the chain. */
  readonly id: string;
  /** What it was ordered as: its names in order, with one space between, and the kind of key where it is RSA. */
  readonly subject: string;
  /** URL of the CA's directory. */
  readonly directory: string;
  /** PEM, leaf first. */
  readonly chain: string;
  readonly sealedKey: string;
  readonly issuedAt: number;
  readonly revokedAt: number | null;
  /** JSON of whoever schedules renewals. */
  readonly renewal: string | null;
}

export interface StoredOrder {
  readonly subject: string;
  readonly fence: number;
  /** JSON of whoever orders; keys in it are sealed. */
  readonly state: string;
}

export interface OrderLock {
  readonly subject: string;
  readonly fence: number;
}

export interface StoredAccount {
  readonly directory: string;
  /** Key id of an external account binding; "" without one. */
  readonly binding: string;
  /** Null until the CA has answered. */
  readonly url: string | null;
  readonly sealedKey: string;
}

export interface StoredTxtRecord {
  readonly provider: string;
  readonly fqdn: string;
  readonly value: string;
}

/** One certificate that a CA has issued, kept longer than the certificate. */
export interface IssuanceEvent {
  readonly directory: string;
  readonly subject: string;
  readonly issuedAt: number;
}

export interface IssuanceStore {
  listCertificates(): Promise<readonly StoredCertificate[]>;
  /** What was issued since then, the newest first; older entries are forgotten some day. */
  listIssuedSince(since: number): Promise<readonly IssuanceEvent[]>;
  certificatesOf(subject: string): Promise<readonly StoredCertificate[]>;
  setRenewal(id: string, renewal: string | null): Promise<void>;
  markRevoked(id: string, at: number): Promise<void>;
  deleteCertificate(id: string): Promise<boolean>;
  renameCertificate(id: string, subject: string): Promise<void>;

  listOrders(): Promise<readonly StoredOrder[]>;
  /** Null while somebody else holds it. The holder itself gets it again, with a higher fence. */
  lockOrder(subject: string, holder: string, now: number, leaseMs: number): Promise<StoredOrder | null>;
  /** Keeps the state and the lock; false where the lock is another's by now. */
  saveOrder(lock: OrderLock, state: string, leaseUntil: number): Promise<boolean>;
  /** Lets the lock go and keeps the state, for a later try. */
  releaseOrder(lock: OrderLock, state: string): Promise<boolean>;
  /** In one step: the certificate takes the place of those before it, and the order is no more. */
  finishOrder(lock: OrderLock, certificate: StoredCertificate): Promise<boolean>;
  deleteOrder(subject: string): Promise<void>;
  /** Nothing where the other name is taken. */
  renameOrder(subject: string, to: string): Promise<void>;

  findAccount(directory: string, binding: string): Promise<StoredAccount | null>;
  listAccounts(): Promise<readonly StoredAccount[]>;
  /** Whoever comes first wins; answers the account that is there now. */
  insertAccount(account: StoredAccount): Promise<StoredAccount>;
  updateAccount(account: StoredAccount): Promise<void>;
  deleteAccount(directory: string, binding: string): Promise<void>;

  addTxt(record: StoredTxtRecord): Promise<void>;
  removeTxt(record: StoredTxtRecord): Promise<void>;
  listTxt(): Promise<readonly StoredTxtRecord[]>;
}
