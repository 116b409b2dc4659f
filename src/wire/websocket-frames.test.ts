import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { closeFrame, FrameFollower } from './websocket-frames.ts';

interface Frame {
  readonly opcode: number;
  readonly isMasked: boolean;
  readonly length: number;
}

/** With the shortest length that it fits, as RFC 6455 wants, or a longer one, as some send. */
function frame({ opcode, isMasked, length }: Frame, form = 0): Buffer {
  const mask = isMasked ? 0x80 : 0;
  const long = Buffer.alloc(10);
  long[1] = mask | 127;
  long.writeBigUInt64BE(BigInt(length), 2);
  const middle = Buffer.from([0, mask | 126, (length >> 8) & 255, length & 255]);
  const short = Buffer.from([0, mask | length]);
  let head = long;
  if (form < 1 && length < 126) head = short;
  else if (form < 2 && length < 65_536) head = middle;
  head[0] = 0x80 | opcode;
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0, 7), Buffer.alloc(length, 0x88)]);
}

const frames = fc.record({
  opcode: fc.constantFrom(0, 1, 2, 9, 10),
  isMasked: fc.boolean(),
  length: fc.constantFrom(0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000),
});

test('FrameFollower stands between frames exactly where one ends, however the bytes are split', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(frames, fc.nat(2)), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 8 }),
      (list, steps) => {
        const parts = list.map(([one, form]) => frame(one, form));
        const ends = new Set<number>([0]);
        let total = 0;
        for (const part of parts) ends.add((total += part.length));
        const bytes = Buffer.concat(parts);
        const follower = new FrameFollower();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const to = Math.min(bytes.length, at + (steps[i % steps.length] as number));
          follower.follow(bytes.subarray(at, to));
          at = to;
          assert.equal(follower.isBetweenFrames, ends.has(at), `at ${at}`);
        }
        assert.equal(follower.hasClosed, false);
      },
    ),
  );
});

test('FrameFollower byte by byte: between frames only at their ends, and it knows a close frame', () => {
  const bytes = Buffer.concat([frame({ opcode: 1, isMasked: true, length: 3 }), closeFrame(1000, false)]);
  const follower = new FrameFollower();
  const between: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    follower.follow(bytes.subarray(at, at + 1));
    if (follower.isBetweenFrames) between.push(at + 1);
    assert.equal(follower.hasClosed, at >= 9);
  }
  assert.deepEqual(between, [9, bytes.length]);
});

test('FrameFollower is never between frames behind a length that nobody sends', () => {
  const follower = new FrameFollower();
  follower.follow(Buffer.from([0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]));
  follower.follow(Buffer.alloc(100_000));
  assert.equal(follower.isBetweenFrames, false);
});

test('closeFrame() is what a server and a client would send', () => {
  assert.deepEqual([...closeFrame(1001, false)], [0x88, 2, 0x03, 0xe9]);
  const masked = closeFrame(1008, true);
  const unmasked = [...masked.subarray(6)].map((byte, i) => byte ^ (masked[2 + i] as number));
  assert.deepEqual([...masked.subarray(0, 2), ...unmasked], [0x88, 0x82, 0x03, 0xf0]);
});
