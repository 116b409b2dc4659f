import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { HeldBytes } from './held-bytes.ts';

test('add() keeps crumbs in few pieces, whatever they were cut from', () => {
  const held = new HeldBytes();
  const read = Buffer.alloc(65_536, 'x');
  for (let i = 0; i < 100_000; i++) held.add(read.subarray(7, 8));
  assert.equal(held.length, 100_000);
  const pieces: Buffer[] = [];
  for (let piece = held.take(); piece !== null; piece = held.take()) pieces.push(piece);
  assert.ok(pieces.length <= 12, `${pieces.length} pieces`);
  assert.ok(pieces.every(({ buffer }) => buffer !== read.buffer && buffer.byteLength <= 16_384));
  assert.equal(Buffer.concat(pieces).length, 100_000);
  assert.equal(held.length, 0);
});

test('take() gives the bytes back in order, however they came and were taken', () => {
  const sizes = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 500, max: 20_000 }));
  const step = fc.record({ add: sizes, take: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const held = new HeldBytes();
      const sent: Buffer[] = [];
      const got: Buffer[] = [];
      let next = 0;
      const take = (): boolean => {
        const piece = held.take();
        if (piece !== null) got.push(piece);
        return piece !== null;
      };
      for (const { add, take: takes } of steps) {
        const chunk = Buffer.from(Array.from({ length: add }, () => next++ & 255));
        sent.push(chunk);
        held.add(chunk);
        if (takes) take();
      }
      while (take());
      assert.ok(Buffer.concat(got).equals(Buffer.concat(sent)));
      assert.equal(held.length, 0);
    }),
  );
});
