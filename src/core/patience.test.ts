import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { startPatience } from './patience.ts';

const MS = 200;

/** As a machine that sleeps, or a program that is paused: nothing of this thread runs. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('startPatience() comes to an end by itself, once, and not before its time', async () => {
  const from = performance.now();
  let ends = 0;
  await new Promise<void>((done) => {
    startPatience(MS, () => {
      ends++;
      done();
    });
  });
  // A millisecond: timers are kept in whole ones.
  assert.ok(performance.now() - from >= MS - 4);
  await new Promise((done) => setTimeout(done, 2 * MS));
  assert.equal(ends, 1);
});

test('startPatience() takes an answer that came while this thread stood still', async () => {
  const { port1, port2 } = new MessageChannel();
  try {
    const first = new Promise<string>((done) => {
      startPatience(MS, () => done('over'));
      port1.on('message', () => done('answered'));
    });
    // By now the event loop turns.
    await new Promise((done) => setImmediate(done));
    port2.postMessage('answer');
    standStill(5 * MS);
    assert.equal(await first, 'answered');
  } finally {
    port1.close();
  }
});

test('startPatience() that was stopped never ends', async () => {
  let isOver = false;
  startPatience(20, () => (isOver = true))();
  await new Promise((done) => setTimeout(done, 200));
  assert.ok(!isOver);
});
