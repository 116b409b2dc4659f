import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ResponseHead } from '../exchange.ts';
import { HeaderBlock } from '../header-block.ts';
import { parseResponseHead } from '../response-head.ts';
import { HeadEncoder } from './head-encoder.ts';
import { DecodedFields, HpackDecoder } from './hpack-decoder.ts';

const LIMITS = { headerBytes: 1_000_000, headerCount: 1_000 };

class Pair {
  readonly encoder = new HeadEncoder();
  readonly decoder = new HpackDecoder();
  bytes = 0;

  read(length: number): string[] {
    assert.notEqual(length, -1);
    const into = new DecodedFields();
    this.bytes = length;
    this.decoder.decode(this.encoder.block, 0, length, into, LIMITS);
    return into.entries.map(({ name, value }) => `${name}: ${value}`);
  }

  head(head: ResponseHead, length = -1, hsts: string | null = null): string[] {
    return this.read(this.encoder.encodeHead(head, length, hsts));
  }
}

const of = (fields: Record<string, string | string[]>, status = 200): ResponseHead => ({
  status,
  headers: HeaderBlock.from({ Date: 'x', ...fields }),
});
const text = (lines: readonly string[]): ResponseHead =>
  parseResponseHead(`HTTP/1.1 200 OK\r\n${lines.map((line) => `${line}\r\n`).join('')}Content-Length: 9\r\n`, false);

test('encodeHead() drops fields of a connection and adds length, HSTS and Date', () => {
  const pair = new Pair();
  const fields = pair.head(
    {
      status: 418,
      headers: HeaderBlock.from({ 'X-A': '1', Connection: 'x', Upgrade: 'y', TE: 'z', 'Content-Length': '7' }),
    },
    5,
    'max-age=9',
  );
  const date = fields.find((field) => field.startsWith('date: '));
  assert.ok(Math.abs(Date.parse(date?.slice(6) ?? '') - Date.now()) < 60_000);
  assert.deepEqual(fields.filter((field) => field !== date).sort(), [
    ':status: 418',
    'content-length: 5',
    'strict-transport-security: max-age=9',
    'x-a: 1',
  ]);
  assert.equal(fields[0], ':status: 418');
  const own = pair.head(of({ 'Strict-Transport-Security': 'max-age=1' }), -1, 'max-age=9');
  assert.deepEqual(
    own.filter((field) => field.startsWith('strict')),
    ['strict-transport-security: max-age=1'],
  );
  assert.deepEqual(pair.head({ status: 103, headers: new HeaderBlock() }), [':status: 103'], 'no Date on 1xx');
});

test('a head that repeats is a few bytes, as fields and as text', () => {
  const page = {
    'Content-Type': 'text/html',
    'Content-Security-Policy': "default-src 'self'",
    'X-Powered-By': 'Example/1',
  };
  for (const make of [
    () => of(page),
    () => text(Object.entries({ Date: 'x', ...page }).map((one) => one.join(': '))),
  ]) {
    const pair = new Pair();
    const first = pair.head(make(), 9);
    assert.ok(pair.bytes > 60);
    for (let i = 0; i < 4; i++) {
      assert.deepEqual(pair.head(make(), 9), first);
      assert.ok(pair.bytes <= 10, `${pair.bytes} bytes`);
    }
    const other = pair.head(make(), 10);
    assert.equal(other.at(-1), 'content-length: 10');
    assert.deepEqual(other.slice(0, -1), first.slice(0, -1));
  }
});

test('cookies are never indexed (RFC 7541 section 7.1.3), and neither are values of one resource', () => {
  const pair = new Pair();
  const head = of({ 'Set-Cookie': ['a=secret', 'b=2'], ETag: '"x"' });
  pair.head(head);
  const block = Buffer.from(pair.encoder.block.subarray(0, pair.bytes));
  // Never indexed, with the name of index 55: 0x1f, then 55 - 15.
  assert.notEqual(block.indexOf(Buffer.from([0x1f, 40])), -1);
  assert.equal(block.indexOf(Buffer.from([0x0f, 40])), -1);
  const size = pair.bytes;
  pair.head(head);
  assert.ok(pair.bytes > size - 10, 'only the date came by index');
});

test('a name whose values never repeat does not drive the others out of the table', () => {
  const pair = new Pair();
  pair.head(of({ 'Content-Type': 'text/html; charset=utf-8', 'X-Frame-Options': 'DENY' }));
  for (let i = 0; i < 500; i++) pair.head(of({ 'X-Runtime': String(i), 'X-Frame-Options': 'DENY' }));
  pair.head(of({ 'Content-Type': 'text/html; charset=utf-8', 'X-Frame-Options': 'DENY' }));
  assert.ok(pair.bytes <= 6, `${pair.bytes} bytes`);
});

test('resize() follows SETTINGS_HEADER_TABLE_SIZE, down and up between two heads (section 4.2)', () => {
  const pair = new Pair();
  const head = of({ 'X-A': 'one', 'X-B': 'two' });
  const fields = pair.head(head);
  pair.encoder.resize(0);
  assert.deepEqual(pair.head(head), fields);
  assert.equal(pair.encoder.block[0], 0x20);
  pair.encoder.resize(100);
  assert.deepEqual(pair.head(head), fields);
  pair.encoder.resize(0);
  pair.encoder.resize(1_000_000);
  assert.deepEqual(pair.head(head), fields);
  assert.equal(pair.encoder.block.toString('hex', 0, 4), '203fe11f', 'first nothing, then no more than we use');
});

test('a value that could become another field makes the head unsendable, and the table stays right', () => {
  const pair = new Pair();
  for (const value of ['a\r\nb: c', 'a\0', '\u010a', ' a']) {
    assert.equal(pair.encoder.encodeHead(of({ 'X-New': 'fine', 'X-Bad': value }), -1, null), -1);
    assert.deepEqual(pair.head(of({ 'X-Other': value.length.toString() })).length, 3);
  }
});

test('encodeTrailers() leaves out what may not stand there, and answers 0 where nothing is left', () => {
  const pair = new Pair();
  assert.equal(pair.encoder.encodeTrailers(HeaderBlock.from({ 'Content-Length': '1', 'X-Bad': 'a\n' })), 0);
  const length = pair.encoder.encodeTrailers(HeaderBlock.from({ 'Grpc-Status': '0', Cookie: 'a=b' }));
  assert.deepEqual(pair.read(length), ['grpc-status: 0']);
});

test('whatever heads a connection sends, in whatever order, they are decoded as they were', () => {
  const name = fc.constantFrom('X-A', 'x-b', 'Content-Type', 'Set-Cookie', 'Vary', 'ETag', 'Cache-Control', 'X-Long');
  const value = fc.oneof(
    fc.constantFrom('', 'a', 'text/html', 'no-cache', 'Accept-Encoding'),
    fc
      .string({ unit: fc.constantFrom('a', 'Z', '0', '9', ' ', ';', '=', '/', '-', '\u00e4'), maxLength: 40 })
      .map((one) => one.trim()),
    fc.integer({ min: 1, max: 3_000 }).map((size) => 'y'.repeat(size)),
  );
  const head = fc.record({
    status: fc.constantFrom(200, 204, 301, 404, 503),
    fields: fc.array(fc.tuple(name, value), { maxLength: 6 }),
    isText: fc.boolean(),
    length: fc.constantFrom(-1, 0, 17),
    resize: fc.option(fc.constantFrom(0, 64, 4_096, 100_000), { freq: 6, nil: null }),
  });
  fc.assert(
    fc.property(fc.array(head, { maxLength: 30 }), (heads) => {
      const pair = new Pair();
      for (const { status, fields, isText, length, resize } of heads) {
        if (resize !== null) pair.encoder.resize(resize);
        const lines = [['Date', 'x'] as const, ...fields];
        const made = isText ? text(lines.map((one) => one.join(': '))) : of({}, status);
        if (!isText) for (const [key, one] of fields) made.headers.append(key, one);
        const expected = [
          `:status: ${isText ? 200 : status}`,
          ...lines.map(([key, one]) => `${key.toLowerCase()}: ${one}`),
        ];
        if (length >= 0) expected.push(`content-length: ${length}`);
        assert.deepEqual(pair.head(made, length), expected);
      }
    }),
  );
});
