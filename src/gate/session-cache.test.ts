import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { SessionCache } from './session-cache.ts';
import type { SessionAnswer } from './ports.ts';

test('SessionCache takes the answer that came while its thread stood still, however long that was', async () => {
  const { port1: worker, port2 } = new MessageChannel();
  const cache = new SessionCache({
    find: () =>
      new Promise<SessionAnswer>((done) => {
        worker.once('message', () => done({ kind: 'absent' }));
      }),
    clock: { now: () => Date.now() },
    isConfirmed: () => true,
    limits: () => ({ staleForMs: 60_000, idleMs: 60_000 }),
    onAbsent: () => undefined,
  });
  try {
    const answer = cache.find('key');
    // By now the event loop turns.
    await new Promise((done) => setImmediate(done));
    port2.postMessage('answer');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
    assert.equal(await answer, 'absent', 'not "unavailable", which is a 503');
  } finally {
    worker.close();
  }
});
