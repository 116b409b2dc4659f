import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { HeadBuffer } from './http1-head-buffer.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';

const LIMITS = { headerBytes: 300, targetBytes: 50 };

/** What came of the pieces: text and how many bytes were taken, the status, or nothing yet. */
function collect(pieces: readonly Buffer[], limits = LIMITS): string {
  const buffer = new HeadBuffer(limits);
  let taken = 0;
  try {
    for (const piece of pieces) {
      const end = buffer.add(piece, 0);
      if (end !== -1) return `${taken + end} ${JSON.stringify(buffer.text())}`;
      taken += piece.length;
    }
  } catch (error) {
    assert.ok(error instanceof HttpSyntaxError, String(error));
    return `${error.status} ${error.rule}`;
  }
  return 'incomplete';
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

test('HeadBuffer collects a head and leaves what follows', () => {
  assert.equal(
    collect([bytes('\r\nGET / HT'), bytes('TP/1.1\r\nA: \xe9\r\n\r'), bytes('\nrest')]),
    '26 "GET / HTTP/1.1\\r\\nA: é\\r\\n"',
  );
});

test('HeadBuffer refuses at once what can never become a head', () => {
  const refusals: [string, string][] = [
    ['GET /\n', '400 bare-lf'],
    ['GET /\rX', '400 bare-cr'],
    ['\0', '400 control-character'],
    ['\x16\x03\x01', '400 control-character'],
    ['\r\n'.repeat(5), '400 empty-lines'],
    [`GET /${'a'.repeat(200)}`, '414 target-length'],
    [`GET / HTTP/1.1\r\nA: ${'a'.repeat(400)}`, '431 header-bytes'],
    ['A: b\r\n'.repeat(60), '431 header-bytes'],
  ];
  for (const [text, wanted] of refusals) assert.equal(collect([bytes(text)]), wanted, JSON.stringify(text));
  assert.equal(collect([bytes('GET / HTTP/1.1\r\nA')]), 'incomplete');
  assert.equal(
    collect([bytes(`GET / HTTP/1.1\r\nA: ${'a'.repeat(5_000)}\r\n\r\n`)], {
      headerBytes: 6_000,
      targetBytes: 50,
    }).slice(0, 5),
    '5023 ',
  );
});

test('HeadBuffer answers the same however its bytes are split', () => {
  const text = fc.array(fc.constantFrom('GET / HTTP/1.1', '\r\n', '\r', '\n', 'A: b', 'x', '\0', '\t'), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(text, (parts) => {
      const all = bytes(parts.join(''));
      const byByte = Array.from(all, (byte) => Buffer.of(byte));
      assert.equal(collect(byByte), collect([all]));
    }),
    { seed: 11, numRuns: 2_000 },
  );
});
