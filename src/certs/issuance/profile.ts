/** Which of a CA's profiles an order is for. */
import { isIP } from 'node:net';
import type { AcmeClient } from '../acme/client.ts';
import type { AcmeCa } from './wanted.ts';

/** Addresses are certified for six days only, in a profile of that name, where the CA has one. */
// oxlint-disable-next-line max-params -- what is ordered where
export async function profileFor(
  names: readonly string[],
  ca: AcmeCa,
  client: AcmeClient,
  signal: AbortSignal,
): Promise<string | null> {
  if (ca.profile !== null || !names.some((name) => isIP(name) !== 0)) return ca.profile;
  const { meta } = await client.directory(signal);
  return Object.hasOwn(meta?.profiles ?? {}, 'shortlived') ? 'shortlived' : null;
}
