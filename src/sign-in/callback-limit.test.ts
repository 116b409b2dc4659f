import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCallbackLimit, type CallbackLimit } from './callback-limit.ts';

interface Rig {
  readonly limit: CallbackLimit;
  now: number;
}

function createRig(): Rig {
  const rig: Rig = { limit: createCallbackLimit({ now: () => rig.now }), now: 1_000_000 };
  return rig;
}

/** So many codes of one address that the provider knew nothing of; how many it was asked about. */
function makeUp(limit: CallbackLimit, who: string, count: number): number {
  let asked = 0;
  for (let n = 0; n < count; n++) {
    const id = `${who} ${n} ${Math.random()}`;
    if (limit.begin(id, who).kind !== 'go') continue;
    asked++;
    limit.end(id, who, 'made-up');
  }
  return asked;
}

test('begin() lets a state through once while it is on its way, and no more once it has failed', () => {
  const { limit } = createRig();
  assert.equal(limit.begin('a', 'x').kind, 'go');
  assert.equal(limit.begin('a', 'y').kind, 'used');
  limit.end('a', 'x', 'over');
  assert.equal(limit.begin('a', 'x').kind, 'used');
  assert.equal(limit.begin('b', 'x').kind, 'go');
  limit.end('b', 'x', 'signed-in');
  assert.equal(limit.begin('b', 'x').kind, 'go', 'one that signed in is known to the store');
});

test('begin() asks whoever makes codes up for patience, and nobody else', () => {
  const rig = createRig();
  assert.equal(makeUp(rig.limit, 'mallory', 1_000), 200);
  assert.equal(rig.limit.begin('alice', 'alice').kind, 'go');
  const turn = rig.limit.begin('late', 'mallory');
  assert.deepEqual(turn, { kind: 'wait', retryAfterMs: 500 });
  rig.now += 500;
  assert.equal(rig.limit.begin('late', 'mallory').kind, 'go', 'what had to wait is not used up');
  rig.limit.end('late', 'mallory', 'made-up');
  rig.now += 60_000;
  assert.equal(makeUp(rig.limit, 'mallory', 1_000), 120, 'two a second');
});

test('begin() waits for a minute at most, whatever came at once before anything had failed', () => {
  const rig = createRig();
  const ids = Array.from({ length: 3_000 }, (_, n) => String(n));
  const running = ids.filter((id) => rig.limit.begin(id, 'mallory').kind === 'go');
  assert.equal(running.length, 2_000);
  assert.equal(rig.limit.begin('alice', 'alice').kind, 'go');
  for (const id of running) rig.limit.end(id, 'mallory', 'made-up');
  const turn = rig.limit.begin('next', 'mallory');
  assert.ok(turn.kind === 'wait' && turn.retryAfterMs > 59_000 && turn.retryAfterMs <= 60_500, JSON.stringify(turn));
});

test('begin() holds up no crowd of one address that signs in, or finds the provider away', () => {
  const { limit } = createRig();
  for (let n = 0; n < 5_000; n++) {
    assert.equal(limit.begin(String(n), 'office').kind, 'go');
    limit.end(String(n), 'office', n % 2 === 0 ? 'signed-in' : 'over');
  }
});

test('begin() keeps bounded memory over any number of addresses, and refuses nobody for it', () => {
  const { limit } = createRig();
  for (let n = 0; n < 50_000; n++) {
    assert.equal(limit.begin(String(n), `address ${n}`).kind, 'go');
    limit.end(String(n), `address ${n}`, 'made-up');
  }
  assert.equal(limit.begin('49999', 'x').kind, 'used');
  assert.equal(limit.begin('0', 'x').kind, 'go', 'forgotten: the provider refuses its code');
});
