import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCallbackLimit, type CallbackLimit, type Comer } from './callback-limit.ts';

interface Rig {
  readonly limit: CallbackLimit;
  now: number;
}

function createRig(): Rig {
  const rig: Rig = { limit: createCallbackLimit({ now: () => rig.now }), now: 1_000_000 };
  return rig;
}

/** A stranger at an address of IPv4. */
function at(who: string, network: string | null = null): Comer {
  return { who, network, isKnown: false };
}

/** So many codes of one address that the provider knew nothing of; how many it was asked about. */
function makeUp(limit: CallbackLimit, comer: Comer, count: number): number {
  let asked = 0;
  for (let n = 0; n < count; n++) {
    const id = `${comer.who} ${n} ${Math.random()}`;
    if (limit.begin(id, comer).kind !== 'go') continue;
    asked++;
    limit.end(id, comer, 'made-up');
  }
  return asked;
}

test('begin() lets a state through once while it is on its way, and no more once it has failed', () => {
  const { limit } = createRig();
  assert.equal(limit.begin('a', at('x')).kind, 'go');
  assert.equal(limit.begin('a', at('y')).kind, 'used');
  limit.end('a', at('x'), 'over');
  assert.equal(limit.begin('a', at('x')).kind, 'used');
  assert.equal(limit.begin('b', at('x')).kind, 'go');
  limit.end('b', at('x'), 'signed-in');
  assert.equal(limit.begin('b', at('x')).kind, 'go', 'one that signed in is known to the store');
});

test('begin() asks whoever makes codes up for patience, and nobody else', () => {
  const rig = createRig();
  assert.equal(makeUp(rig.limit, at('mallory'), 1_000), 200);
  assert.equal(rig.limit.begin('alice', at('alice')).kind, 'go');
  const turn = rig.limit.begin('late', at('mallory'));
  assert.deepEqual(turn, { kind: 'wait', retryAfterMs: 500 });
  rig.now += 500;
  assert.equal(rig.limit.begin('late', at('mallory')).kind, 'go', 'what had to wait is not used up');
  rig.limit.end('late', at('mallory'), 'made-up');
  rig.now += 60_000;
  assert.equal(makeUp(rig.limit, at('mallory'), 1_000), 120, 'two a second');
});

test('begin() waits for a minute at most, whatever came at once before anything had failed', () => {
  const rig = createRig();
  const ids = Array.from({ length: 3_000 }, (_, n) => String(n));
  const running = ids.filter((id) => rig.limit.begin(id, at('mallory')).kind === 'go');
  assert.equal(running.length, 2_000);
  assert.equal(rig.limit.begin('alice', at('alice')).kind, 'go');
  for (const id of running) rig.limit.end(id, at('mallory'), 'made-up');
  const turn = rig.limit.begin('next', at('mallory'));
  assert.ok(turn.kind === 'wait' && turn.retryAfterMs > 59_000 && turn.retryAfterMs <= 60_500, JSON.stringify(turn));
});

test('begin() holds up no crowd of one address that signs in, or finds the provider away', () => {
  const { limit } = createRig();
  for (let n = 0; n < 5_000; n++) {
    assert.equal(limit.begin(String(n), at('office')).kind, 'go');
    limit.end(String(n), at('office'), n % 2 === 0 ? 'signed-in' : 'over');
  }
});

test('begin() keeps bounded memory over any number of addresses, and refuses nobody for it', () => {
  const { limit } = createRig();
  for (let n = 0; n < 50_000; n++) {
    assert.equal(limit.begin(String(n), at(`address ${n}`)).kind, 'go');
    limit.end(String(n), at(`address ${n}`), 'made-up');
  }
  assert.equal(limit.begin('49999', at('x')).kind, 'used');
  assert.equal(limit.begin('0', at('x')).kind, 'go', 'forgotten: the provider refuses its code');
});

test('begin() counts the networks of one subscriber of IPv6 together', () => {
  const rig = createRig();
  const asked = (first: number, count: number, network: string): number => {
    let sum = 0;
    for (let n = first; n < first + count; n++) sum += makeUp(rig.limit, at(`${network}:${n}::/64`, network), 50);
    return sum;
  };
  assert.equal(asked(0, 1_000, '2001:db8:1'), 1_000);
  const next = at('2001:db8:1:ffff::/64', '2001:db8:1');
  assert.ok(rig.limit.begin('x', next).kind === 'wait', 'one more of it waits');
  assert.equal(rig.limit.begin('y', at('2001:db8:2:1::/64', '2001:db8:2')).kind, 'go', 'its neighbour does not');
  rig.now += 1_000;
  assert.equal(rig.limit.begin('x', next).kind, 'go');
  const known = { who: 'browser 1', network: null, isKnown: true };
  assert.equal(rig.limit.begin('z', known).kind, 'go');
});

test('begin() bounds what strangers everywhere make up, and leaves each a few tries', () => {
  const rig = createRig();
  let asked = 0;
  for (let n = 0; n < 30_000; n++) asked += makeUp(rig.limit, at(`address ${n}`, `network ${n}`), 4);
  assert.ok(asked <= 30_000 * 3 + 5_000, `${asked}`);
  assert.equal(makeUp(rig.limit, at('newcomer'), 10), 3);
  assert.equal(rig.limit.begin('a', { who: 'browser 1', network: null, isKnown: true }).kind, 'go');
  rig.now += 120_000;
  assert.equal(makeUp(rig.limit, at('later'), 10), 10, 'and it is forgotten');
});
