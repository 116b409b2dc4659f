/**
 * Runs an order through to the end at a CA for trials, with an account and a key that nobody keeps. What is
 * stored and what is in use stay as they are.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { createAccount } from '../acme/account.ts';
import { accountKeyOf, newAccountKeyPem } from '../acme/jws.ts';
import { runOrder, type OrderDeps } from '../acme/order.ts';
import { writeSigningRequest } from '../x509-writer.ts';
import { newKeyPem } from './key-type.ts';
import { profileFor } from './profile.ts';
import type { AcmeCa, Wanted } from './wanted.ts';

export interface Rehearsal {
  readonly wanted: Wanted;
  readonly ca: AcmeCa;
  readonly email: string | null;
}

export async function rehearseOrder(
  { wanted, ca, email }: Rehearsal,
  deps: Pick<OrderDeps, 'client' | 'answers' | 'report'>,
  signal: AbortSignal,
): Promise<void> {
  const key = await accountKeyOf(newAccountKeyPem());
  const kid = await createAccount(deps.client, { key, email, eab: ca.eab }, signal);
  const privateKey = createPrivateKey(await newKeyPem(wanted.keyType));
  const request = {
    names: wanted.names,
    challenges: wanted.policy.challenges,
    profile: await profileFor(wanted.names, ca, deps.client, signal),
    replaces: null,
    preferredChain: null,
    csr: writeSigningRequest({ names: wanted.names, publicKey: createPublicKey(privateKey), privateKey }),
  };
  await runOrder(request, { ...deps, signer: { key, kid }, begun: null, saveUrl: async () => {} }, signal);
}
