import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPeriodicWork, TICKET_KEYS_BYTES } from './periodic-work.ts';

test('startPeriodicWork() does each by its own clock, goes on behind a failure, and stops', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const count = { tick: 0, sweep: 0, rotate: 0, sign: 0 };
  const told: string[] = [];
  const stop = startPeriodicWork({
    log: { error: (_facts: unknown, message: string) => void told.push(message) },
    refresher: {
      tick() {
        count.tick++;
        return count.tick === 1 ? Promise.reject(new Error('the store is away')) : Promise.resolve();
      },
    },
    sessions: { sweep: () => Promise.resolve(count.sweep++) },
    assertionKeys: { tick: () => Promise.resolve(count.sign++) },
    pool: {
      replaceTicketKeys(keys) {
        assert.equal(keys.length, TICKET_KEYS_BYTES);
        count.rotate++;
      },
    },
  });
  t.mock.timers.tick(4_000);
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(count, { tick: 4, sweep: 2, rotate: 0, sign: 0 });
  assert.deepEqual(told, ['Cannot look for grants to renew']);
  t.mock.timers.tick(6 * 3_600_000);
  assert.deepEqual([count.rotate, count.sign], [1, 6]);
  stop();
  const before = { ...count };
  t.mock.timers.tick(6 * 3_600_000);
  assert.deepEqual(count, before);
});
