import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCountsMemory, SharedCounts } from './shared-counts.ts';

test('SharedCounts sums over workers, and forgets a worker that is gone', () => {
  const memory = createCountsMemory(3);
  const [one, two] = [new SharedCounts(memory, 0), new SharedCounts(memory, 2)];
  assert.equal(one.addAddress('192.0.2.1', 1), 1);
  assert.equal(two.addAddress('192.0.2.1', 1), 2);
  assert.equal(one.addAddress('192.0.2.1', 1), 3);
  assert.deepEqual([one.addOpen(1), two.addOpen(1)], [1, 2]);
  one.clear();
  assert.equal(two.addAddress('192.0.2.1', 1), 2);
  assert.equal(two.addAddress('192.0.2.1', -1), 1);
  assert.equal(two.addOpen(-1), 0);
});

test('SharedCounts is never too low, and hardly ever too high', () => {
  const memory = createCountsMemory(2);
  const [one, two] = [new SharedCounts(memory, 0), new SharedCounts(memory, 1)];
  for (let i = 0; i < 5_000; i++) (i % 2 === 0 ? one : two).addAddress(`198.51.${i >> 8}.${i & 255}`, 1);
  let tooHigh = 0;
  for (let i = 0; i < 5_000; i++) {
    const count = one.addAddress(`198.51.${i >> 8}.${i & 255}`, 1);
    assert.ok(count >= 2);
    if (count > 2) tooHigh++;
    one.addAddress(`198.51.${i >> 8}.${i & 255}`, -1);
  }
  assert.ok(tooHigh < 750, `${tooHigh} of 5000 addresses count too many`);
});
