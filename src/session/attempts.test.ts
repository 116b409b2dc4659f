import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAttempts } from './attempts.ts';
import { createGuessLimit } from './guess-limit.ts';

function rig(maxEntries?: number): {
  attempts: ReturnType<typeof createAttempts>;
  clock: { now: () => number; at: number };
} {
  const clock = { at: 1_000_000, now: () => clock.at };
  return { clock, attempts: createAttempts({ clock, ...(maxEntries === undefined ? {} : { maxEntries }) }) };
}

test('begin() slows a guesser down by doubling waits with a cap', () => {
  const { attempts, clock } = rig();
  for (let n = 0; n < 5; n++) assert.deepEqual(attempts.begin('bob', '192.0.2.1'), { kind: 'go' });
  const waits: number[] = [];
  for (let n = 0; n < 9; n++) {
    const answer = attempts.begin('bob', '192.0.2.1');
    assert.equal(answer.kind, 'wait');
    const wait = answer.kind === 'wait' ? answer.retryAfterMs : 0;
    waits.push(wait);
    // A try while waiting does not make it longer.
    assert.deepEqual(attempts.begin('bob', '192.0.2.1'), answer);
    clock.at += wait;
    assert.deepEqual(attempts.begin('bob', '192.0.2.1'), { kind: 'go' });
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test('begin() counts every spelling of a name as one account', () => {
  const { attempts } = rig();
  for (const name of ['bob', 'Bob', 'BOB ', 'ｂｏｂ', ' bob'])
    assert.equal(attempts.begin(name, '192.0.2.1').kind, 'go');
  assert.equal(attempts.begin('bOb', '192.0.2.1').kind, 'wait');
});

test('failures from many addresses hold back neither a fresh address nor one that is known', () => {
  const { attempts } = rig();
  assert.equal(attempts.begin('bob', '198.51.100.7').kind, 'go');
  attempts.succeed('bob', '198.51.100.7');
  for (let n = 0; n < 200; n++) attempts.begin('bob', `203.0.113.${n}`);
  assert.equal(attempts.begin('bob', '203.0.113.1').kind, 'wait', 'a second try of a guessing address waits');
  assert.equal(attempts.begin('bob', '198.51.100.7').kind, 'go');
  assert.equal(attempts.begin('bob', '198.51.100.7').kind, 'go', 'a typing error is no lock-out');
  assert.equal(attempts.begin('bob', '192.0.2.99').kind, 'go');
});

test('one address that tries many accounts is slowed down; succeeding with its own buys nothing', () => {
  const { attempts } = rig();
  for (let n = 0; n < 30; n++) {
    assert.equal(attempts.begin(`user${n}`, '2001:db8::1').kind, 'go');
  }
  attempts.begin('mallory', '192.0.2.200');
  attempts.succeed('mallory', '192.0.2.200');
  assert.equal(attempts.begin('user99', '2001:db8::2').kind, 'wait');
  assert.equal(attempts.begin('user99', '192.0.2.3').kind, 'go');
});

test('succeed() forgets, cancel() takes back, time fades', () => {
  const { attempts, clock } = rig();
  for (let n = 0; n < 5; n++) attempts.begin('bob', null);
  attempts.cancel('bob', null);
  assert.equal(attempts.begin('bob', null).kind, 'go');
  assert.equal(attempts.begin('bob', null).kind, 'wait');
  attempts.succeed('bob', null);
  assert.equal(attempts.begin('bob', null).kind, 'go');
  for (let n = 0; n < 10; n++) attempts.begin('eve', null);
  clock.at += 15 * 60_000;
  assert.equal(attempts.begin('eve', null).kind, 'go');
});

test('a hundred thousand names do not grow memory past the bound or disturb others', () => {
  const { attempts } = rig(1_000);
  for (let n = 0; n < 100_000; n++)
    attempts.begin(`name${n}`, `2001:db8:${(n >> 8).toString(16)}:${(n & 255).toString(16)}::1`);
  assert.ok(attempts.size <= 6_000);
  assert.equal(attempts.begin('bob', '192.0.2.1').kind, 'go');
});

test('a neighbour behind one address never keeps out who has signed in there, days later either', () => {
  const { attempts, clock } = rig();
  assert.equal(attempts.begin('alice', '192.0.2.1').kind, 'go');
  attempts.succeed('alice', '192.0.2.1');
  clock.at += 20 * 24 * 3_600_000;
  // Somebody at the same address tries every name, and takes each turn as soon as there is one.
  for (let n = 0; n < 200; n++) {
    attempts.begin(`name-${n}`, '192.0.2.1');
    clock.at += 1_000;
  }
  assert.equal(attempts.begin('name-x', '192.0.2.1').kind, 'wait');
  assert.equal(attempts.begin('alice', '192.0.2.1').kind, 'go');
});

test('a clock that is set back keeps nobody out for longer than the wait', () => {
  const { attempts, clock } = rig();
  const guesses = createGuessLimit(clock);
  for (let n = 0; n < 5; n++) {
    attempts.begin('bob', '192.0.2.1');
    guesses.begin('bob');
  }
  clock.at -= 6 * 3_600_000;
  assert.deepEqual(attempts.begin('bob', '192.0.2.1'), { kind: 'wait', retryAfterMs: 1_000 });
  assert.equal(guesses.begin('bob'), 2_000);
  clock.at += 2_000;
  assert.deepEqual(attempts.begin('bob', '192.0.2.1'), { kind: 'go' });
  assert.equal(guesses.begin('bob'), 0);
});

test('one subscriber of IPv6 is no crowd of fresh addresses, for one account and for many', () => {
  const guesses = (nameOf: (n: number) => string, network = '2001:db8:1'): number => {
    const { attempts } = rig();
    let tried = 0;
    for (let n = 0; n < 5_000; n++)
      if (attempts.begin(nameOf(n), `${network}:${n.toString(16)}::1`).kind === 'go') tried++;
    assert.equal(attempts.begin('bob', '2001:db8:2::1').kind, 'go', 'who is elsewhere is not held back');
    return tried;
  };
  assert.equal(
    guesses(() => 'bob'),
    20,
  );
  assert.equal(
    guesses((n) => `user${n}`),
    120,
  );
  // Who has signed in there before is held back by no neighbour.
  const { attempts } = rig();
  assert.equal(attempts.begin('bob', '2001:db8:1::7').kind, 'go');
  attempts.succeed('bob', '2001:db8:1::7');
  for (let n = 1; n < 500; n++) attempts.begin('bob', `2001:db8:1:${n.toString(16)}::1`);
  assert.equal(attempts.begin('bob', '2001:db8:1::7').kind, 'go');
});
