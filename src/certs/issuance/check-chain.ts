/** Whether a chain that came from a CA is what was ordered: for our key, for all the names, and not at its end already. */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { AcmeFailure } from '../acme/failure.ts';
import { listNames } from '../acme/order.ts';
import { coversName, namesOf } from '../names.ts';
import { arrangeChain } from './arrange-chain.ts';
import type { AcmeCa, Wanted } from './wanted.ts';
import type { Clock } from '../../core/clock.ts';
import type { IssuanceStore } from '../../core/issuance-store.ts';

export interface CheckedChain {
  readonly chain: string;
  /** Why it cannot be used. */
  readonly wrong: AcmeFailure | null;
  /** Name of the issuer that it lacks; null for none. */
  readonly lacks: string | null;
}

export interface ChainOrder {
  readonly key: KeyObject;
  readonly wanted: Wanted;
  readonly ca: AcmeCa;
}

export async function checkChain(
  pem: string,
  { key, wanted, ca }: ChainOrder,
  { store, clock }: { readonly store: Pick<IssuanceStore, 'listCertificates'>; readonly clock: Clock },
): Promise<CheckedChain> {
  const now = clock.now();
  const earlier = async (): Promise<readonly string[]> => (await store.listCertificates()).map((one) => one.chain);
  const arranged = await arrangeChain(pem, key, { earlier, roots: ca.rootsPem, now });
  const { pem: chain, lacks } = arranged ?? { pem, lacks: null };
  return { chain, lacks, wrong: wrongWith(chain, { isOurs: arranged !== null, wanted, now }, ca) };
}

function wrongWith(
  chain: string,
  { isOurs, wanted, now }: { readonly isOurs: boolean; readonly wanted: Wanted; readonly now: number },
  ca: AcmeCa,
): AcmeFailure | null {
  const leaf = new X509Certificate(chain);
  const names = namesOf(leaf);
  const missing = wanted.names.filter((name) => !coversName(names, name));
  const step = `use the certificate of ${ca.name}`;
  if (missing.length === 0 && isOurs) return isOver(leaf, now, step);
  const because = isOurs ? `it does not cover ${listNames(missing)}` : 'it is not for the key that was sent';
  return new AcmeFailure({
    kind: 'malformed',
    step,
    because,
    remedy: 'it is ordered anew; ask the CA if this stays so',
  });
}

/** Nothing is ordered over and over where the clock is wrong: what the CA issued is asked for again, and used one day. */
function isOver(leaf: X509Certificate, now: number, step: string): AcmeFailure | null {
  if (leaf.validToDate.getTime() > now) return null;
  const clock = new Date(now).toISOString().slice(0, 16);
  const because = `it was good until ${leaf.validTo}, and this machine's clock says ${clock}Z`;
  return new AcmeFailure({ kind: 'refused', step, because, remedy: 'set the clock; the certificate is used then' });
}
