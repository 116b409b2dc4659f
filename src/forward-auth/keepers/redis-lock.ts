/**
 * A lock over replicas: a key with a random token that ends by itself unless its holder renews it, and that
 * only its holder takes away. Whoever holds it must look again at what it is for: somebody else may have
 * done the work meanwhile.
 */
import { randomUUID } from 'node:crypto';
import { PosternError } from '../../core/errors.ts';
import type { RedisLink } from './redis-link.ts';

/** A holder that dies is waited for so long. */
const LEASE_MS = 6_000;
const RENEW_MS = 2_000;
const POLL_MS = 25;
const MAX_POLL_MS = 250;
/** Longer than a token endpoint may take. */
const PATIENCE_MS = 20_000;

const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;
const RENEW = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;

export async function withRedisLock<T>(link: RedisLink, name: string, work: () => Promise<T>): Promise<T> {
  const token = randomUUID();
  await acquire(link, name, token);
  const renewing = setInterval(() => {
    // Lost in an outage: the work goes on, and what it writes is only written where the session still is.
    link.run((redis) => redis.eval(RENEW, 1, name, token, LEASE_MS)).catch(() => {});
  }, RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(renewing);
    await link.run((redis) => redis.eval(RELEASE, 1, name, token)).catch(() => {});
  }
}

async function acquire(link: RedisLink, name: string, token: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let pause = POLL_MS; ; pause = Math.min(pause * 1.5, MAX_POLL_MS)) {
    if ((await link.run((redis) => redis.set(name, token, 'PX', LEASE_MS, 'NX'))) === 'OK') return;
    if (performance.now() > deadline)
      throw new PosternError('STORE_UNAVAILABLE', 'Cannot lock the session: another Postern holds it');
    await new Promise((done) => {
      setTimeout(done, pause);
    });
  }
}
