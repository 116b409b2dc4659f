/**
 * Passwords of machines (`service:`). An unknown name is checked against the hashes of some known
 * service, always the same one for a name, and is wrong whatever comes out: it costs the same.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { HashPool } from './hash-pool.ts';

export interface ServicePasswordsDeps {
  readonly pool: Pick<HashPool, 'verify'>;
  /** Name -> hashes, of the running document. */
  readonly services: () => ReadonlyMap<string, readonly string[]>;
}

export type VerifyService = (service: string, password: string, peer: string) => Promise<'ok' | 'wrong' | 'busy'>;

export function createServicePasswords(deps: ServicePasswordsDeps): VerifyService {
  const secret = randomBytes(32);
  return async (service, password, peer) => {
    const services = deps.services();
    const own = services.get(service);
    const hashes = own ?? decoys(services, createHmac('sha256', secret).update(service).digest());
    for (const hash of hashes.length === 0 ? [null] : hashes) {
      const answer = await deps.pool.verify(hash, password, peer);
      if (answer === 'busy') return 'busy';
      if (answer === 'ok' && own !== undefined) return 'ok';
    }
    return 'wrong';
  };
}

function decoys(services: ReadonlyMap<string, readonly string[]>, digest: Buffer): readonly string[] {
  const all = [...services.values()];
  return all.length === 0 ? [] : (all[digest.readUInt32BE(0) % all.length] ?? []);
}
