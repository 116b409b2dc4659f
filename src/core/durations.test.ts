import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatDuration, LONGEST_TIMER_MS, parseDuration, timerMs } from './durations.ts';

test('parseDuration() reads units that fall from left to right', () => {
  assert.equal(parseDuration('12h'), 43_200_000);
  assert.equal(parseDuration('1h30m'), 5_400_000);
  assert.equal(parseDuration('1m500ms'), 60_500);
  assert.equal(parseDuration('2d'), 172_800_000);
  assert.equal(parseDuration('0'), 0);
  assert.equal(parseDuration('0s'), 0);
});

test('parseDuration() refuses what has no unit, two of a unit, or units that rise', () => {
  for (const text of ['', '5', '-1s', '1.5h', '1m1h', '1s1s', '1 s', '1H', 's', '10sx', '9999999999999w']) {
    assert.equal(parseDuration(text), null, text);
  }
});

test('formatDuration() prints what parseDuration() reads back', () => {
  assert.equal(formatDuration(5_400_000), '1h30m');
  assert.equal(formatDuration(Number.POSITIVE_INFINITY), 'unlimited');
  fc.assert(fc.property(fc.nat({ max: 2 ** 40 }), (ms) => parseDuration(formatDuration(ms)) === ms));
});

test('timerMs() makes of "unlimited" a timer that the runtime can run', () => {
  assert.equal(timerMs(5_000), 5_000);
  assert.equal(timerMs(Number.POSITIVE_INFINITY), LONGEST_TIMER_MS);
});
