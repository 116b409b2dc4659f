import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTimeLimit } from './time-limit.ts';

test('createTimeLimit() ends with the time in which somebody looked, not with that in which all stood still', () => {
  let now = 5_000;
  const isOver = createTimeLimit(10_000, () => now);
  const lookAfter = (ms: number): boolean => {
    now += ms;
    return isOver();
  };
  for (let looks = 0; looks < 40; looks++) assert.equal(lookAfter(100), false);
  assert.equal(lookAfter(3_600_000), false, 'two of the six seconds that were left');
  assert.equal(lookAfter(2_000), false);
  assert.equal(lookAfter(2_000), false);
  assert.equal(lookAfter(1), true);
});
