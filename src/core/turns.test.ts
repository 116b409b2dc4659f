import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAtOnce, runInTurns, type Work } from './turns.ts';

function* count(to: number): Work<number> {
  let sum = 0;
  for (let i = 1; i <= to; i++) {
    sum += i;
    yield;
  }
  return sum;
}

test('runAtOnce() runs work to its end', () => {
  assert.equal(runAtOnce(count(100)), 5_050);
});

test('runInTurns() comes to the same, and lets others have their turn', async () => {
  let turns = 0;
  const timer = setInterval(() => undefined, 1_000);
  const look = (): void => {
    turns++;
    immediate = setImmediate(look);
  };
  let immediate = setImmediate(look);
  assert.equal(await runInTurns(count(100), 0), 5_050);
  clearImmediate(immediate);
  clearInterval(timer);
  assert.ok(turns > 10, `${turns} turns`);
});

test('runInTurns() rejects with what the work throws', async () => {
  function* broken(): Work<never> {
    yield;
    throw new RangeError('broken');
  }
  await assert.rejects(runInTurns(broken(), 0), RangeError);
});
