import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeHuffman, encodeHuffman, huffmanBytes } from './huffman.ts';

function decode(bytes: Buffer): string | null {
  const into = Buffer.alloc(bytes.length * 2);
  const size = decodeHuffman(bytes, 0, bytes.length, into);
  return size === -1 ? null : into.toString('latin1', 0, size);
}

function encode(text: string): Buffer {
  const into = Buffer.alloc(huffmanBytes(text) + 8, 0xaa);
  const end = encodeHuffman(text, into, 3);
  assert.equal(end - 3, huffmanBytes(text));
  return into.subarray(3, end);
}

test('encodeHuffman() and decodeHuffman() agree with the examples of RFC 7541 appendix C', () => {
  const examples = {
    'www.example.com': 'f1e3c2e5f23a6ba0ab90f4ff',
    'no-cache': 'a8eb10649cbf',
    'custom-key': '25a849e95ba97d7f',
    'custom-value': '25a849e95bb8e8b4bf',
    'Mon, 21 Oct 2013 20:13:21 GMT': 'd07abe941054d444a8200595040b8166e082a62d1bff',
    'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1':
      '94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
  };
  for (const [text, hex] of Object.entries(examples)) {
    assert.equal(encode(text).toString('hex'), hex);
    assert.equal(decode(Buffer.from(hex, 'hex')), text);
  }
});

test('decodeHuffman() gives back any bytes that encodeHuffman() was given', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = Buffer.from(bytes).toString('latin1');
      assert.equal(decode(encode(text)), text);
    }),
  );
});

test('every symbol has a code of its own', () => {
  for (let code = 0; code < 256; code++)
    assert.equal(decode(encode(String.fromCharCode(code))), String.fromCharCode(code));
});

test('decodeHuffman() refuses padding of eight bits, padding that is not all ones, and EOS (section 5.2)', () => {
  // "0" is 00000, "a" is 00011.
  assert.equal(decode(Buffer.from([0b00000_111])), '0');
  assert.equal(decode(Buffer.from([0b00000_111, 0xff])), null, 'eleven bits of padding');
  assert.equal(decode(Buffer.from([0xff])), null, 'eight bits of padding');
  assert.equal(decode(Buffer.from([0b00000_110])), null, 'a zero in the padding');
  assert.equal(decode(Buffer.from([0b00000_000])), null, 'zeros as padding');
  assert.equal(decode(Buffer.from([0xff, 0xff, 0xff, 0xff])), null, 'EOS and two ones');
  assert.equal(decode(Buffer.from([0b00000_111, 0xff, 0xff, 0xff, 0xff])), null, 'a symbol, then EOS');
});

test('what decodeHuffman() takes is what encodeHuffman() would have written', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      const text = decode(Buffer.from(bytes));
      if (text !== null) assert.equal(encode(text).toString('hex'), Buffer.from(bytes).toString('hex'));
    }),
    { numRuns: 2_000 },
  );
});
