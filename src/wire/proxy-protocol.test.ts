import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  encodeProxyV1,
  encodeProxyV2,
  looksLikeProxyHeader,
  parseProxyHeader,
  type ProxyEndpoint,
} from './proxy-protocol.ts';

const four: ProxyEndpoint = { address: '192.0.2.7', port: 51_000 };
const fourTo: ProxyEndpoint = { address: '198.51.100.1', port: 443 };
const six: ProxyEndpoint = { address: '2001:db8::7', port: 51_000 };
const sixTo: ProxyEndpoint = { address: '2001:db8:0:1::1', port: 443 };
const line = (text: string): ReturnType<typeof parseProxyHeader> => parseProxyHeader(Buffer.from(text));

test('parseProxyHeader() reads what both encoders write', () => {
  for (const [from, to] of [
    [four, fourTo],
    [six, sixTo],
  ] as const) {
    for (const bytes of [
      encodeProxyV1(from, to),
      encodeProxyV2(from, to),
      encodeProxyV2(from, to, Buffer.alloc(300)),
    ]) {
      const answer = parseProxyHeader(Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1')]));
      assert.deepEqual(answer, { kind: 'header', length: bytes.length, isLocal: false, source: from, destination: to });
    }
  }
});

test('parseProxyHeader() makes unknown peers null', () => {
  const unix = encodeProxyV2(four, fourTo, Buffer.alloc(216 - 12));
  unix[13] = 0x31;
  for (const bytes of [
    Buffer.from('PROXY UNKNOWN\r\n'),
    Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'),
    encodeProxyV2(null, null),
    encodeProxyV2(null, null, Buffer.from([4, 0, 1, 0])),
    unix,
  ]) {
    assert.deepEqual(parseProxyHeader(bytes), {
      kind: 'header',
      length: bytes.length,
      // What a listed peer sends for itself (health checks) has the peer's own address.
      isLocal: bytes[12] === 0x20,
      source: null,
      destination: null,
    });
  }
});

test('parseProxyHeader() gives a mapped IPv4 address its one spelling', () => {
  const answer = line('PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n');
  assert.ok(answer.kind === 'header');
  assert.equal(answer.source?.address, '192.0.2.7');
});

test('parseProxyHeader() refuses every other spelling', () => {
  for (const text of [
    'PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\n',
    'PROXY TCP4  192.0.2.7 198.51.100.1 51000 443\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 051000 443\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n',
    'PROXY TCP4 192.0.2.07 198.51.100.1 1 443\r\n',
    'PROXY TCP4 2001:db8::7 ::1 1 443\r\n',
    'PROXY TCP6 192.0.2.7 198.51.100.1 1 443\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 443\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 1 443 5\r\n',
    'PROXY UDP4 192.0.2.7 198.51.100.1 1 443\r\n',
    'PROXY \r\n',
    `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`,
  ]) {
    assert.equal(line(text).kind, 'malformed', text);
  }
  const edits: readonly [at: number, byte: number][] = [
    [12, 0x11],
    [12, 0x22],
    [13, 0x12],
    [13, 0x41],
    [13, 0x21],
    [14, 0xff],
  ];
  for (const [at, byte] of edits) {
    const bytes = encodeProxyV2(four, fourTo);
    bytes[at] = byte;
    assert.equal(parseProxyHeader(bytes).kind, 'malformed', `byte ${at}`);
  }
});

test('parseProxyHeader() knows other protocols by their first bytes', () => {
  assert.equal(line('POST / HTTP/1.1\r\n').kind, 'absent');
  assert.equal(line('P').kind, 'need-more');
  assert.equal(line('PROXY').kind, 'need-more');
  assert.equal(line('\r\n\r\nGET').kind, 'absent');
  assert.equal(parseProxyHeader(Buffer.from([22, 3])).kind, 'absent');
  assert.equal(looksLikeProxyHeader(Buffer.from('PROXY ')), true);
  assert.equal(looksLikeProxyHeader(Buffer.from('PRI ')), false);
  assert.equal(looksLikeProxyHeader(encodeProxyV2(null, null)), true);
});

const port = fc.integer({ min: 0, max: 65_535 });
const endpoint4 = fc.record({ address: fc.ipV4(), port }, { noNullPrototype: true });
const endpoint6 = fc.record(
  {
    address: fc
      .array(fc.integer({ min: 1, max: 0xffff }), { minLength: 8, maxLength: 8 })
      .map((groups) => groups.map((group) => group.toString(16)).join(':')),
    port,
  },
  { noNullPrototype: true },
);

test('parseProxyHeader() round trips, and every prefix needs more', () => {
  const pairs = fc.oneof(fc.tuple(endpoint4, endpoint4), fc.tuple(endpoint6, endpoint6));
  fc.assert(
    fc.property(pairs, fc.boolean(), fc.nat(), ([from, to], isSecond, cut) => {
      const bytes = isSecond ? encodeProxyV2(from, to) : encodeProxyV1(from, to);
      assert.deepEqual(parseProxyHeader(bytes), {
        kind: 'header',
        isLocal: false,
        length: bytes.length,
        source: from,
        destination: to,
      });
      assert.equal(parseProxyHeader(bytes.subarray(0, cut % bytes.length)).kind, 'need-more');
    }),
  );
});

test('parseProxyHeader() never throws', () => {
  const start = fc.constantFrom(
    Buffer.from('PROXY '),
    Buffer.from('PROXY TCP4 '),
    encodeProxyV2(four, fourTo).subarray(0, 13),
    Buffer.alloc(0),
  );
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 300 }), (head, tail) => {
      const answer = parseProxyHeader(Buffer.concat([head, tail]));
      assert.ok(answer.kind !== 'header' || answer.length <= head.length + tail.length);
    }),
    { numRuns: 2_000 },
  );
});
