/**
 * Reads what the store has of certificates and orders. Rows of the time when a list of names had one certificate only
 * do not say that theirs is of RSA: they get their subject here, so that the ECDSA one may stand beside and nothing is
 * ordered again.
 */
import { createPrivateKey } from 'node:crypto';
import { KEY_PURPOSE, openIssued, subjectFor, type Issued, type Seal } from './issued.ts';
import { parseOrderState, type OrderState } from './order-state.ts';
import { nameSetOf, subjectOf } from './wanted.ts';
import type { IssuanceStore, StoredOrder } from '../../core/issuance-store.ts';

export interface StoredIssuance {
  readonly certificates: readonly Issued[];
  /** Subjects of certificates whose key does not open, or that are damaged. */
  readonly unusable: readonly string[];
  readonly states: Map<string, OrderState>;
}

interface Deps {
  readonly store: IssuanceStore;
  readonly seal: Seal;
}

export async function readStored(deps: Deps): Promise<StoredIssuance> {
  const certificates: Issued[] = [];
  const unusable: string[] = [];
  for (const stored of await deps.store.listCertificates()) {
    const issued = openIssued(stored, deps.seal);
    if (issued === null) unusable.push(stored.subject);
    else certificates.push(await named(issued, deps));
  }
  const states = new Map<string, OrderState>();
  for (const order of await deps.store.listOrders()) {
    const state = parseOrderState(order.state);
    states.set(await subjectOfOrder(order, state, deps), state);
  }
  return { certificates, unusable, states };
}

async function named(issued: Issued, { store }: Deps): Promise<Issued> {
  const { stored, entry } = issued;
  const subject = subjectFor(stored, entry.keyType);
  if (subject === stored.subject) return issued;
  // A store that cannot write now is told of by whatever is written next, and this is done at the next start.
  await store.renameCertificate(stored.id, subject).catch(() => undefined);
  return { ...issued, stored: { ...stored, subject } };
}

/** An order that runs has its key already, which tells. */
async function subjectOfOrder({ subject }: StoredOrder, state: OrderState, { store, seal }: Deps): Promise<string> {
  const pem = state.sealedKey === null ? null : seal.unseal(KEY_PURPOSE, state.sealedKey);
  if (pem === null || createPrivateKey(pem).asymmetricKeyType !== 'rsa') return subject;
  const marked = subjectOf(nameSetOf(subject).split(' '), true);
  if (subject === marked) return subject;
  await store.renameOrder(subject, marked).catch(() => undefined);
  return marked;
}
