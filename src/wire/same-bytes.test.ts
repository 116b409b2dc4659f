import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { KnownBytes } from './same-bytes.ts';

test('KnownBytes.areAt() is true exactly where the bytes are the same, at any place and for any length', () => {
  const known = new KnownBytes();
  const parts = fc.record({
    learnt: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    before: fc.uint8Array({ maxLength: 9 }),
    after: fc.uint8Array({ maxLength: 9 }),
    changed: fc.nat(60),
    by: fc.integer({ min: 0, max: 255 }),
  });
  fc.assert(
    fc.property(parts, ({ learnt, before, after, changed, by }) => {
      known.learn(learnt);
      const bytes = Buffer.concat([before, learnt, after]);
      const at = before.length;
      assert.equal(known.length, learnt.length);
      assert.equal(known.areAt(bytes, at, bytes.length), true);
      assert.equal(known.areAt(bytes, at, at + learnt.length - 1), false, 'the last byte has not come');
      const place = at + (changed % learnt.length);
      bytes[place] = (bytes[place] as number) ^ by;
      assert.equal(known.areAt(bytes, at, bytes.length), by === 0);
    }),
  );
});

test('KnownBytes.areAt() keeps a copy, and knows nothing before it was told', () => {
  const known = new KnownBytes();
  const bytes = Buffer.from('HTTP/1.1 200 OK');
  assert.equal(known.areAt(bytes, 0, bytes.length), false);
  known.learn(bytes);
  bytes[3] = 0;
  assert.equal(known.areAt(bytes, 0, bytes.length), false, 'the same buffer with other bytes');
  assert.equal(known.areAt(Buffer.from('HTTP/1.1 200 OK!'), 0, 16), true);
});
