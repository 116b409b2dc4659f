import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatSize, parseSize } from './sizes.ts';

test('parseSize() keeps powers of ten and of two apart', () => {
  assert.equal(parseSize('10MB'), 10_000_000);
  assert.equal(parseSize('512KiB'), 524_288);
  assert.equal(parseSize('7B'), 7);
  assert.equal(parseSize('0'), 0);
  assert.equal(parseSize('4096'), 4096);
  assert.equal(parseSize('10mb'), 10_000_000);
});

test('parseSize() refuses what has no exact unit', () => {
  for (const text of ['', '1.5MB', '-1B', '10 MB', 'MB', '10M', '999999999999999TiB']) {
    assert.equal(parseSize(text), null, text);
  }
});

test('formatSize() prints what parseSize() reads back', () => {
  assert.equal(formatSize(10_000_000), '10MB');
  assert.equal(formatSize(1_048_576), '1MiB');
  fc.assert(fc.property(fc.nat(), (bytes) => parseSize(formatSize(bytes)) === bytes));
});
