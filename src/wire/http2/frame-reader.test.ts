import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as h2 from '../../../test/support/http2-frames.ts';
import { Http2ConnectionError } from './codes.ts';
import { type FrameHandler, type FrameHead, FrameReader } from './frame-reader.ts';

/** What a reader told, with DATA joined again. */
class Recorder implements FrameHandler {
  isReading = true;
  readonly told: string[] = [];
  #data = '';

  // oxlint-disable-next-line max-params -- as FrameHandler
  onFrame({ type, flags, id }: FrameHead, bytes: Buffer, from: number, to: number): void {
    this.told.push(`${type} ${flags} ${id} ${bytes.toString('hex', from, to)}`);
  }

  onDataHead({ length, flags, id }: FrameHead): void {
    this.#data = `data ${length} ${flags} ${id} `;
  }

  onData(_head: FrameHead, bytes: Buffer): void {
    this.#data += bytes.toString('hex');
  }

  onDataEnd(): void {
    this.told.push(this.#data);
  }
}

function read(...chunks: readonly Buffer[]): { told: string[]; rule: string; isPartial: boolean } {
  const recorder = new Recorder();
  const reader = new FrameReader(recorder);
  let rule = '';
  try {
    for (const chunk of chunks) reader.read(chunk);
  } catch (error) {
    assert.ok(error instanceof Http2ConnectionError);
    ({ rule } = error);
  }
  return { told: recorder.told, rule, isPartial: reader.isPartial };
}

const frame = fc
  .tuple(
    fc.integer({ min: 0, max: 12 }),
    fc.constantFrom(0, 1, 4, 8, 9, 13),
    fc.nat(7),
    fc.uint8Array({ maxLength: 40 }),
  )
  .map(([type, flags, id, payload]) => h2.frame(type, flags, id, Buffer.from(payload)));

test('FrameReader tells the same wherever the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(40), { maxLength: 30 }), (frames, cuts) => {
      const bytes = Buffer.concat([h2.PREFACE, ...frames]);
      const chunks: Buffer[] = [];
      let at = 0;
      for (const cut of cuts) {
        chunks.push(bytes.subarray(at, at + cut));
        at += cut;
      }
      chunks.push(bytes.subarray(at));
      assert.deepEqual(read(...chunks), read(bytes));
    }),
    { numRuns: 2_000 },
  );
});

test('FrameReader reads byte by byte', () => {
  const bytes = Buffer.concat([
    h2.PREFACE,
    h2.frame(h2.SETTINGS, 0, 0),
    h2.frame(h2.DATA, 8, 1, '\x02ab__'),
    h2.frame(h2.DATA, 8, 1, '\x00'),
    h2.frame(h2.PING, 0, 0, '12345678'),
    h2.frame(h2.DATA, 1, 3, ''),
  ]);
  const { told, isPartial } = read(...Array.from(bytes, (byte) => Buffer.of(byte)));
  assert.deepEqual(told, ['4 0 0 ', 'data 5 8 1 6162', 'data 1 8 1 ', '6 0 0 3132333435363738', 'data 0 1 3 ']);
  assert.equal(isPartial, false);
});

test('FrameReader does not look at the reserved bit, and refuses sizes and paddings that cannot be', () => {
  const reserved = h2.frame(h2.PING, 0, 0, '12345678');
  reserved[5] = 0x80;
  assert.equal(read(h2.PREFACE, reserved).told[0], '6 0 0 3132333435363738');
  const rules: [Buffer, string][] = [
    [Buffer.from('GET / HTTP/1.1\r\n'), 'preface'],
    [Buffer.concat([h2.PREFACE, Buffer.from([0, 0x40, 1, 0, 0, 0, 0, 0, 1])]), 'frame-size'],
    [Buffer.concat([h2.PREFACE, h2.frame(h2.DATA, 8, 1, '')]), 'padding'],
    [Buffer.concat([h2.PREFACE, h2.frame(h2.DATA, 8, 1, '\x02a')]), 'padding'],
  ];
  for (const [bytes, rule] of rules) assert.equal(read(bytes).rule, rule);
});

test('FrameReader holds no more than one frame, and says when it waits for the rest', () => {
  const head = h2.frame(h2.HEADERS, 4, 1, 'x'.repeat(100));
  assert.equal(read(h2.PREFACE.subarray(0, 5)).isPartial, true);
  assert.equal(read(h2.PREFACE).isPartial, false);
  assert.equal(read(h2.PREFACE, head.subarray(0, 4)).isPartial, true);
  assert.equal(read(h2.PREFACE, head.subarray(0, 60)).isPartial, true);
  assert.equal(read(h2.PREFACE, head).isPartial, false);
  assert.equal(
    read(h2.PREFACE, h2.frame(h2.DATA, 0, 1, 'abcdef').subarray(0, 12)).isPartial,
    false,
    'DATA is handed on',
  );
});
