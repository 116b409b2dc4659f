/** Keepers of two Posterns on a real Redis of their own. */
import { test } from 'node:test';
import { NAME, PRESENT } from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import { keyOfToken } from '../../../src/session/token.ts';
import { skipWithout } from '../../support/peers.ts';
import { startRedis } from '../../support/redis.ts';
import { Stopwatch } from '../../support/stopwatch.ts';
import { createReplicas } from './_replicas.ts';
import type { Browser } from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import type { RedisServer } from '../../support/redis.ts';
import type { Replicas } from './_replicas.ts';

export const skip: string | false = skipWithout('redis-server', 'redis-cli', 'openssl');
/** What was a session is one no more. */
export const GONE: string = PRESENT;
/** A command is answered or given up within a second; the machine may be busy. */
export const BOUNDED_MS = 5_000;

export const wait = (ms: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, ms);
  });
export const keyOf = (browser: Browser): string => `${NAME}-${keyOfToken([...browser.cookies.values()][0] ?? '')}`;

export interface Rig extends Replicas {
  readonly server: RedisServer;
}

export function withRedis(title: string, body: (rig: Rig) => Promise<void>, args: readonly string[] = []): void {
  test(title, { skip }, async () => {
    const server = await startRedis({ args });
    const replicas = createReplicas({ url: `redis://127.0.0.1:${server.port}` });
    try {
      await body({ ...replicas, server });
    } finally {
      await replicas.close();
      await server.stop();
    }
  });
}

export async function timed<T>(work: () => Promise<T> | T): Promise<{ readonly value: T; readonly ms: number }> {
  const watch = new Stopwatch();
  const value = await work();
  return { value, ms: watch.stop() };
}

export function never(): never {
  throw new Error('Cannot go on: there is no browser');
}
