import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { adviceFor, askAgainTime, brakeUntil, renewalTime, retryTime, type Life } from './schedule.ts';

const DAY = 86_400_000;
const life = (days: number, id = 'x'): Life => ({
  id,
  notBefore: 0,
  issuedAt: 0,
  notAfter: days * DAY,
});

test('renewalTime() is about two thirds of the life, and half of it below ten days', () => {
  for (const id of ['a', 'b', 'c', 'd']) {
    const long = renewalTime(life(90, id), null);
    assert.ok(long <= 60 * DAY && long >= 55 * DAY, `${long / DAY} days`);
    const short = renewalTime(life(6, id), null);
    assert.ok(short <= 3 * DAY && short >= 2.6 * DAY, `${short / DAY} days`);
    assert.equal(renewalTime(life(90, id), null), long);
  }
  const times = new Set(Array.from({ length: 50 }, (_, at) => renewalTime(life(90, `c${at}`), null)));
  assert.ok(times.size > 40, 'certificates that were issued together are renewed apart');
});

test('renewalTime() lets what came just now be, however far ahead the clock is', () => {
  assert.equal(renewalTime({ ...life(90), issuedAt: 70 * DAY }, null), 74.5 * DAY);
  assert.equal(renewalTime({ ...life(90), issuedAt: 89 * DAY }, null), 85.5 * DAY);
});

test('brakeUntil() lets three come in a day, or in a tenth of a shorter life', () => {
  assert.equal(brakeUntil(life(90), [], 0), 0);
  assert.equal(brakeUntil(life(90), [10, 20], 30), 0);
  assert.equal(brakeUntil(life(90), [10, 20, 30], 30), DAY + 10);
  assert.equal(brakeUntil(life(1 / 288), [0, 10, 20], 30), DAY / 2880);
  assert.equal(brakeUntil(life(90), [400 * DAY, 400 * DAY, 400 * DAY], 30), DAY + 30, 'the clock was set back');
});

test('renewalTime() follows the CA, but never into the last twentieth of the life', () => {
  const advice = (chosenAt: number): Parameters<typeof renewalTime>[1] => ({
    start: 0,
    end: 1,
    chosenAt,
    explanation: null,
  });
  assert.equal(renewalTime(life(90), advice(40 * DAY)), 40 * DAY);
  assert.equal(renewalTime(life(90), advice(-5 * DAY)), -5 * DAY);
  assert.equal(renewalTime(life(90), advice(89 * DAY)), 85.5 * DAY);
});

test('adviceFor() chooses within the window, once for each window', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e9 }),
      fc.integer({ min: 1, max: 1e9 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (start, length, part) => {
        const window = { start, end: start + length, explanation: null };
        const advice = adviceFor(window, null, () => part);
        assert.ok(advice.chosenAt >= start && advice.chosenAt <= start + length);
        assert.equal(adviceFor(window, advice, () => 1 - part).chosenAt, advice.chosenAt);
        assert.equal(adviceFor({ ...window, end: window.end + 1 }, advice, () => 0).chosenAt, start);
      },
    ),
  );
});

test('askAgainTime() heeds the wish of the CA within limits', () => {
  assert.equal(askAgainTime(0, null), 6 * 3_600_000);
  assert.equal(askAgainTime(0, 3_600_000), 3_600_000);
  assert.equal(askAgainTime(0, 1), 600_000);
  assert.equal(askAgainTime(0, 40 * DAY), DAY);
});

test('retryTime() grows with failures, with jitter, up to hours', () => {
  const base = [1, 2, 5, 10, 20, 30, 60, 120, 180, 360, 360].map((minutes) => minutes * 60_000);
  for (const [at, ms] of base.entries()) {
    assert.equal(
      retryTime(0, at + 1, () => 0),
      Math.round(ms * 0.8),
    );
    assert.equal(
      retryTime(0, at + 1, () => 1),
      Math.round(ms * 1.2),
    );
  }
});

test('retryTime() after failed validations leaves room in a limit of five an hour, two challenges a round', () => {
  const rounds = [0];
  for (let failures = 1; failures < 8; failures += 1)
    rounds.push(retryTime(rounds.at(-1) ?? 0, failures, () => 0.5, true));
  const minute = 60_000;
  // A bucket that holds five and gets one back every twelve minutes.
  let left = 5;
  for (const [at, time] of rounds.entries()) {
    const since = time - (rounds[at - 1] ?? 0);
    left = Math.min(5, left + since / (12 * minute)) - 2;
    assert.ok(left >= 0, `round ${at + 1} after ${time / minute} minutes`);
  }
});
