import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createUseReport, noteEveryMs } from './use-report.ts';

test('noteEveryMs() is a minute at most, and never makes a session seem idle for more than a sixtieth', () => {
  assert.equal(noteEveryMs(12 * 3_600_000, Infinity), 60_000);
  assert.equal(noteEveryMs(30 * 60_000, Infinity), 30_000);
  assert.equal(noteEveryMs(1_000, Infinity), 1_000);
  assert.equal(noteEveryMs(Number.POSITIVE_INFINITY, Infinity), 60_000);
  assert.equal(noteEveryMs(12 * 3_600_000, 10_000), 2_500, 'providers ask about sessions in use');
  assert.equal(noteEveryMs(12 * 3_600_000, 300_000), 60_000);
});

test('createUseReport() hands on a hundred thousand sessions in slices, each once', () => {
  const batches: (readonly (readonly [string, number])[])[] = [];
  const use = createUseReport((seen) => batches.push(seen));
  for (let i = 0; i < 100_000; i++) use.note(`key ${i % 50_000}`, i);
  let now = 1_000_000;
  for (let tick = 0; tick < 60; tick++) use.flushWhenDue((now += 250));
  assert.ok(batches.every((batch) => batch.length <= 1_000));
  const all = batches.flat();
  assert.equal(all.length, 50_000);
  assert.deepEqual(all[0], ['key 0', 50_000]);
  assert.equal(new Set(all.map(([key]) => key)).size, 50_000);
});

test('createUseReport() gathers for five seconds once nothing waits', () => {
  const batches: (readonly (readonly [string, number])[])[] = [];
  const use = createUseReport((seen) => batches.push(seen));
  use.note('a', 1);
  use.flushWhenDue(10_000);
  use.note('a', 2);
  use.flushWhenDue(14_999);
  assert.equal(batches.length, 1);
  use.flushWhenDue(15_000);
  assert.deepEqual(batches, [[['a', 1]], [['a', 2]]]);
});
