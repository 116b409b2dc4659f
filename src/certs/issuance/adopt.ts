/**
 * Takes over a certificate, or an account, that another ACME client had: what Postern has itself and is at least as
 * good stays. Nothing is asked of a CA.
 */
import { createPublicKey } from 'node:crypto';
import { accountKeyOf } from '../acme/jws.ts';
import { ACCOUNT_PURPOSE } from './ca-sessions.ts';
import type { Issued, Seal } from './issued.ts';
import type { Clock } from '../../core/clock.ts';
import type { IssuanceStore, StoredCertificate } from '../../core/issuance-store.ts';

export type Adoption =
  | 'adopted'
  /** It is there already. */
  | 'known'
  /** There is another one for the same names that is good for longer. */
  | 'better'
  /** An order for the same names runs. */
  | 'locked';

export interface AdoptionDeps {
  readonly store: IssuanceStore;
  readonly clock: Clock;
  readonly holder: string;
}

/** `best`: when the one that is in use for the same names ends. */
export interface Candidate {
  readonly stored: StoredCertificate;
  readonly notAfter: number;
  readonly best: number | null;
}

const LEASE_MS = 10_000;

/** When what is in use ends; null where nothing is, or where it is of no use any more. */
export function bestOf(issued: Issued | null, now: number): number | null {
  if (issued === null || issued.stored.revokedAt !== null || issued.entry.notAfter <= now) return null;
  return issued.entry.notAfter;
}

export async function adoptCertificate(
  { stored, notAfter, best }: Candidate,
  { store, clock, holder }: AdoptionDeps,
  dryRun: boolean,
): Promise<Adoption> {
  const before = await store.certificatesOf(stored.subject);
  if (before.some((one) => one.id === stored.id)) return 'known';
  if (best !== null && best >= notAfter) return 'better';
  if (dryRun) return 'adopted';
  const lock = await store.lockOrder(stored.subject, holder, clock.now(), LEASE_MS);
  return lock !== null && (await store.finishOrder(lock, stored)) ? 'adopted' : 'locked';
}

export interface AdoptableAccount {
  readonly directory: string;
  readonly url: string | null;
  readonly keyPem: string;
}

export type AccountAdoption =
  | 'adopted'
  | 'known'
  /** There is another one with this CA. */
  | 'other'
  /** Its kind of key signs in no way that is known here. */
  | 'unsupported';

export async function adoptAccount(
  { directory, url, keyPem }: AdoptableAccount,
  { store, seal }: { readonly store: IssuanceStore; readonly seal: Seal },
  dryRun: boolean,
): Promise<AccountAdoption> {
  try {
    await accountKeyOf(keyPem);
  } catch {
    return 'unsupported';
  }
  const before = await store.findAccount(directory, '');
  if (before !== null) {
    const known = seal.unseal(ACCOUNT_PURPOSE, before.sealedKey);
    return known !== null && createPublicKey(known).equals(createPublicKey(keyPem)) ? 'known' : 'other';
  }
  if (dryRun) return 'adopted';
  await store.insertAccount({ directory, binding: '', url, sealedKey: seal.seal(ACCOUNT_PURPOSE, keyPem) });
  return 'adopted';
}
