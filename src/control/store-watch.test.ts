import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchStore } from './store-watch.ts';

test('watchStore() says since when the store does not answer', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let [kind, now] = ['absent', 1_000];
  const watch = watchStore({
    sessions: { find: () => Promise.resolve({ kind }) },
    clock: { now: () => now },
  });
  const passes = async (ms: number): Promise<void> => {
    now += ms;
    t.mock.timers.tick(ms);
    await Promise.resolve();
  };
  assert.deepEqual([watch.isAnswering(), watch.silentMs()], [true, 0]);
  await passes(500);
  kind = 'unavailable';
  await passes(500);
  assert.deepEqual([watch.isAnswering(), watch.silentMs()], [false, 500]);
  await passes(500);
  assert.equal(watch.silentMs(), 1_000);
  kind = 'found';
  await passes(500);
  assert.deepEqual([watch.isAnswering(), watch.silentMs()], [true, 0]);
  watch.stop();
});
