import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { SessionCache } from './session-cache.ts';
import type { BearerView, SessionAnswer } from './ports.ts';

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

test('SessionCache waits longer for the answer about whom it knows nothing of than for one about an entry', async () => {
  const view = {
    key: 'known',
    identity: { kind: 'token', name: 'ci' },
    expiresAt: Number.MAX_SAFE_INTEGER,
    lastSeenAt: 0,
  } as const;
  let isBusy = false;
  const cache = new SessionCache<BearerView>({
    // Of a machine that has other things to do; of what is known it never comes.
    find: (key) =>
      new Promise((done) => {
        if (!isBusy) done({ kind: 'found', session: view });
        else if (key !== view.key) setTimeout(done, 2_500, { kind: 'absent' });
      }),
    clock: { now: () => Date.now() },
    isConfirmed: () => !isBusy,
    limits: () => ({ staleForMs: 600_000, idleMs: Number.POSITIVE_INFINITY }),
    onAbsent: () => undefined,
  });
  const before = await cache.find(view.key);
  isBusy = true;
  const [unknown, known] = await Promise.all([cache.find('unknown'), cache.find(view.key)]);
  assert.equal(unknown, 'absent', 'not "unavailable", which is a 503');
  assert.equal(known, before);
});
