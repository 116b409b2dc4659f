import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createTouches } from './touches.ts';
import type { Touches } from './touches.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Rig {
  readonly touches: Touches;
  readonly written: (readonly [string, number])[];
  readonly state: { idleMs: number; isDown: boolean };
}

function rigOf(idleMs: number): Rig {
  const written: (readonly [string, number])[] = [];
  const state = { idleMs, isDown: false };
  const store = {
    async touch(seen: readonly (readonly [string, number])[]): Promise<void> {
      await turn();
      if (state.isDown) throw new Error('down');
      written.push(...seen);
    },
  };
  return { touches: createTouches(store, () => state.idleMs), written, state };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

test('add() knows every use at once and writes one in ten minutes', async () => {
  const { touches, written } = rigOf(2 * HOUR);
  const start = 10 * HOUR;
  for (let minute = 0; minute < 60; minute++) {
    const at = start + minute * MINUTE;
    touches.add('a', at);
    await settled();
    await touches.flush(at);
    assert.equal(touches.lastSeen('a'), at);
  }
  assert.deepEqual(
    written.map(([, at]) => (at - start) / MINUTE),
    [0, 10, 20, 30, 40, 50],
  );
});

test('flush() writes the last use of what is not used any more, long before it has idled for too long', async () => {
  for (const idleMs of [2 * HOUR, MINUTE]) {
    const { touches, written } = rigOf(idleMs);
    const start = 10 * HOUR;
    touches.add('a', start);
    await settled();
    touches.add('a', start + 1_000);
    await settled();
    assert.deepEqual(written, [['a', start]]);
    for (let at = start + 2_000; at < start + idleMs / 3; at += 2_000) await touches.flush(at);
    assert.deepEqual(written, [
      ['a', start],
      ['a', start + 1_000],
    ]);
    await touches.flush(start + idleMs + 2 * MINUTE);
    assert.equal(touches.lastSeen('a'), 0, 'it is let go of once it has idled for too long');
  }
});

test('flush() writes what is unwritten once sessions may idle for less, whatever is on its way to the store', async () => {
  const { touches, written, state } = rigOf(2 * HOUR);
  touches.add('a', HOUR);
  await settled();
  await touches.flush(HOUR);
  touches.add('a', HOUR + 9 * MINUTE);
  touches.add('b', HOUR + 9 * MINUTE);
  await turn();
  state.idleMs = 5 * MINUTE;
  // "b" is being written: whoever sweeps now ends what the store has not heard of for five minutes.
  await touches.flush(HOUR + 9 * MINUTE);
  assert.deepEqual(written.at(-1), ['a', HOUR + 9 * MINUTE]);
});

test('flush() writes what is unwritten once sessions may idle for less', async () => {
  const { touches, written, state } = rigOf(2 * HOUR);
  touches.add('a', HOUR);
  await settled();
  await touches.flush(HOUR);
  touches.add('a', HOUR + MINUTE);
  state.idleMs = 5 * MINUTE;
  await touches.flush(HOUR + MINUTE);
  assert.deepEqual(written.at(-1), ['a', HOUR + MINUTE]);
});

test('awaitUse() lets the next use reach the store at once', async () => {
  const { touches, written } = rigOf(2 * HOUR);
  touches.add('a', HOUR);
  await settled();
  touches.awaitUse(['a', 'unknown']);
  touches.add('a', HOUR + 1_000);
  await settled();
  assert.deepEqual(written.at(-1), ['a', HOUR + 1_000]);
});

test('a store that fails loses nothing: it counts here and is written later; flushAll() leaves nothing unwritten', async () => {
  const { touches, written, state } = rigOf(2 * HOUR);
  state.isDown = true;
  touches.add('a', HOUR);
  await settled();
  assert.deepEqual(written, []);
  assert.equal(touches.lastSeen('a'), HOUR);
  state.isDown = false;
  await touches.flush(HOUR + 2_000);
  assert.deepEqual(written, [['a', HOUR]]);
  touches.add('a', HOUR + 3_000);
  touches.add('b', HOUR + 3_000);
  await touches.flushAll();
  assert.deepEqual(new Map(written).get('a'), HOUR + 3_000);
  assert.deepEqual(new Map(written).get('b'), HOUR + 3_000);
});

test('seed() spares a write of what the store has just said, and hides no use', async () => {
  const { touches, written } = rigOf(2 * HOUR);
  touches.seed('a', HOUR);
  touches.add('a', HOUR + 9 * MINUTE);
  await settled();
  assert.deepEqual(written, []);
  touches.seed('a', HOUR);
  assert.equal(touches.lastSeen('a'), HOUR + 9 * MINUTE);
  touches.add('a', HOUR + 10 * MINUTE);
  await settled();
  assert.deepEqual(written, [['a', HOUR + 10 * MINUTE]]);
});

test('forget() lets go of what is over, written or not', async () => {
  const { touches, written, state } = rigOf(2 * HOUR);
  state.isDown = true;
  touches.add('a', HOUR);
  await settled();
  touches.forget(['a', 'unknown']);
  state.isDown = false;
  await touches.flushAll();
  assert.deepEqual(written, []);
  assert.equal(touches.lastSeen('a'), 0);
});
