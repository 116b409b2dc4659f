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
  // And what this process had of the processor in it.
  const { ms } = watch;
  assert.ok(ms >= 4_250 && ms < 10_000, `${ms} ms`);
  now += 100;
  assert.equal(watch.stop(), ms + 100);
});

test('Stopwatch counts what keeps this process from looking by its own work', () => {
  const watch = new Stopwatch();
  const before = process.cpuUsage();
  for (let spent = { user: 0, system: 0 }; spent.user + spent.system < 1_500_000; spent = process.cpuUsage(before))
    Array.from({ length: 10_000 }, String).join('');
  const ms = watch.stop();
  assert.ok(ms >= 600, `${ms} ms`);
});

test('Stopwatch looks by itself while something else is waited for', async () => {
  const watch = new Stopwatch();
  await new Promise((done) => setTimeout(done, 1_000));
  const ms = watch.stop();
  assert.ok(ms > 400, `${ms} ms`);
});
