import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteStall } from './write-stall.ts';

test('WriteStall.hasCome() is true once nothing was taken for the time, and never where nothing waits', () => {
  const stall = new WriteStall();
  const ask = (now: number, bytesWritten: number, writableLength: number): boolean =>
    stall.hasCome(now, { bytesWritten, writableLength }, 1_000);
  assert.equal(ask(0, 0, 0), false);
  assert.equal(ask(5_000, 0, 0), false, 'nothing waits');
  assert.equal(ask(5_000, 100, 100), false);
  assert.equal(ask(5_999, 100, 100), false);
  assert.equal(ask(6_000, 100, 100), true);
  assert.equal(ask(6_000, 100, 90), false, 'it took ten bytes');
  assert.equal(ask(6_999, 200, 190), false, 'more that waits is no more taken');
  assert.equal(ask(7_000, 200, 190), true);
  assert.equal(ask(7_000, 200, 0), false);
  assert.equal(ask(60_000, 200, 0), false);
});
