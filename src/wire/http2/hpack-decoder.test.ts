import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { COMPRESSION_ERROR, Http2ConnectionError } from './codes.ts';
import { type DecodeLimits, DecodedFields, HpackDecoder } from './hpack-decoder.ts';

const LIMITS: DecodeLimits = { headerBytes: 16_384, headerCount: 100 };

function decode(decoder: HpackDecoder, hex: string | Buffer, limits = LIMITS): string[] {
  const bytes = typeof hex === 'string' ? Buffer.from(hex.replaceAll(' ', ''), 'hex') : hex;
  const into = new DecodedFields();
  decoder.decode(bytes, 0, bytes.length, into, limits);
  return into.entries.map(({ name, value }) => `${name}: ${value}`);
}

function rule(hex: string, decoder = new HpackDecoder()): string {
  try {
    decode(decoder, hex);
  } catch (error) {
    assert.ok(error instanceof Http2ConnectionError);
    assert.equal(error.code, COMPRESSION_ERROR);
    return error.rule;
  }
  return '';
}

test('HpackDecoder decodes the requests of RFC 7541 appendix C.3 and C.4, one after the other', () => {
  const authority = ':authority: www.example.com';
  const expected = [
    [':method: GET', ':scheme: http', ':path: /', authority],
    [':method: GET', ':scheme: http', ':path: /', authority, 'cache-control: no-cache'],
    [':method: GET', ':scheme: https', ':path: /index.html', authority, 'custom-key: custom-value'],
  ];
  const plain = new HpackDecoder();
  assert.deepEqual(
    [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ].map((hex) => decode(plain, hex)),
    expected,
  );
  const coded = new HpackDecoder();
  assert.deepEqual(
    [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ].map((hex) => decode(coded, hex)),
    expected,
  );
});

test('HpackDecoder evicts as in RFC 7541 appendix C.6', () => {
  const decoder = new HpackDecoder();
  const [one, , three] = [
    // With a table of 256 bytes.
    '3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
    '4883 640e ffc1 c0bf',
    '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
  ].map((hex) => decode(decoder, hex));
  assert.deepEqual(one, [
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ]);
  assert.deepEqual(three, [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ]);
  assert.equal(rule('c1', decoder), 'hpack-index', 'three are left, and no fourth');
});

test('literals without indexing and never indexed leave the table as it was (section 6.2)', () => {
  const decoder = new HpackDecoder();
  const { generation } = decoder;
  assert.deepEqual(decode(decoder, '000161 0162 100163 0164'), ['a: b', 'c: d']);
  assert.equal(decoder.generation, generation);
  assert.equal(rule('be', decoder), 'hpack-index');
});

test('an entry larger than the table empties it (section 4.4)', () => {
  const decoder = new HpackDecoder();
  decode(decoder, '400161 0162');
  assert.deepEqual(decode(decoder, 'be'), ['a: b']);
  const large = Buffer.concat([
    Buffer.from('400163', 'hex'),
    Buffer.from([0x7f, 0x81, 0x1f]),
    Buffer.alloc(4_096, 'x'),
  ]);
  assert.equal(decode(decoder, large)[0]?.length, 4_099);
  assert.equal(rule('be', decoder), 'hpack-index');
});

test('HpackDecoder refuses what breaks the format, each by its rule', () => {
  assert.equal(rule('80'), 'hpack-index-zero');
  assert.equal(rule('be'), 'hpack-index');
  assert.equal(rule('ff80808080808000'), 'hpack-integer', 'an integer without end (section 5.1)');
  assert.equal(rule('ffffffffff7f'), 'hpack-integer', 'an integer that overflows');
  assert.equal(rule('ff'), 'hpack-truncated');
  assert.equal(rule('40'), 'hpack-truncated');
  assert.equal(rule('400a61'), 'hpack-truncated', 'a name longer than its block');
  assert.equal(rule('400161'), 'hpack-truncated', 'no value');
  assert.equal(rule('400161 0561'), 'hpack-truncated');
  assert.equal(rule('400161 81ff'), 'hpack-huffman');
  assert.equal(rule('3fe21f'), 'hpack-table-size', 'a table of 4097 bytes (section 6.3)');
  assert.equal(rule('82 20'), 'hpack-table-size-late', 'a change of size behind a field (section 4.2)');
  assert.equal(rule('20 3fe11f 82'), '');
});

test('CVE-2016-6581, the HPACK bomb: nothing is kept beyond the limits, and the table stays right', () => {
  const decoder = new HpackDecoder();
  const into = new DecodedFields();
  const bomb = Buffer.concat([
    Buffer.from('400162', 'hex'),
    Buffer.from([0x7f, 0x81, 0x1e]),
    Buffer.alloc(3_968, 'x'),
    Buffer.alloc(16_000, 0xbe),
  ]);
  decoder.decode(bomb, 0, bomb.length, into, LIMITS);
  assert.equal(into.isTooLarge, true);
  assert.ok(into.entries.length <= 4, `${into.entries.length} entries are kept`);
  assert.equal(decode(decoder, 'be')[0]?.length, 3_971);
  const many = Buffer.alloc(10_000, 0x84);
  decoder.decode(many, 0, many.length, into, { headerBytes: 1_000_000, headerCount: 100 });
  assert.equal(into.isTooMany, true);
  assert.ok(into.entries.length < 300);
});

test('HpackDecoder throws nothing but Http2ConnectionError, whatever it is given', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }), (blocks) => {
      const decoder = new HpackDecoder();
      try {
        for (const block of blocks) decode(decoder, Buffer.from(block));
      } catch (error) {
        assert.ok(error instanceof Http2ConnectionError);
      }
    }),
    { numRuns: 3_000 },
  );
});
