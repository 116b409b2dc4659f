import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseRetryAfter } from './retry-after.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');

test('parseRetryAfter() reads seconds and dates', () => {
  assert.equal(parseRetryAfter('120', NOW), NOW + 120_000);
  assert.equal(parseRetryAfter(' 0 ', NOW), NOW);
  assert.equal(parseRetryAfter('Thu, 26 Nov 2026 12:05:00 GMT', NOW), NOW + 300_000);
  // Past is now, and nobody means more than a month.
  assert.equal(parseRetryAfter('Thu, 26 Nov 2026 11:00:00 GMT', NOW), NOW);
  assert.equal(parseRetryAfter('999999999', NOW), NOW + 31 * 86_400_000);
  assert.equal(parseRetryAfter('Thu, 26 Nov 2099 11:00:00 GMT', NOW), NOW + 31 * 86_400_000);
});

test('parseRetryAfter() takes nothing else', () => {
  for (const text of [undefined, '', '-1', '1.5', '1e3', 'soon', '2026-11-26', '0x10', 'Thu'])
    assert.equal(parseRetryAfter(text, NOW), null, String(text));
  fc.assert(
    fc.property(fc.string(), (text) => {
      const at = parseRetryAfter(text, NOW);
      assert.ok(at === null || (at >= NOW && at <= NOW + 31 * 86_400_000));
    }),
  );
});
