import { assertAddressFree } from '../edge/address-free.ts';
import { addressKeyOf } from '../edge/listeners.ts';
import type { Listen } from '../config/document.ts';

/** Of those that no worker listens on yet, nor systemd. */
export async function assertAddressesFree(
  next: Listen,
  before: Listen | null,
  sockets: Readonly<Record<string, number>>,
): Promise<void> {
  const known = new Set([...(before?.http ?? []), ...(before?.https ?? [])].map(addressKeyOf));
  for (const { host, port } of [...next.http, ...next.https]) {
    const key = addressKeyOf({ host, port });
    if (!known.has(key) && !(key in sockets)) await assertAddressFree({ host, port });
  }
}
