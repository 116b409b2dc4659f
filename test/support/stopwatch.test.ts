import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stopwatch } from './stopwatch.ts';

test('Stopwatch counts the time in which somebody looked, and little of that in which all stood still', () => {
  let now = 5_000;
  const watch = new Stopwatch(() => now);
  for (let looks = 0; looks < 40; looks++) {
    now += 100;
    assert.equal(watch.ms, (looks + 1) * 100);
  }
  now += 60_000;
  assert.equal(watch.ms, 4_250);
  now += 100;
  assert.equal(watch.stop(), 4_350);
});

test('Stopwatch looks by itself while something else is waited for', async () => {
  const watch = new Stopwatch();
  await new Promise((done) => setTimeout(done, 1_000));
  const ms = watch.stop();
  assert.ok(ms > 400, `${ms} ms`);
});
