import assert from 'node:assert/strict';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { createFixture, type Fixture } from '../_openssl-fixture.ts';
import { readBer } from './ber.ts';
import { isPkcs12, readPkcs12 } from './pkcs12.ts';
import { decryptRc2 } from './rc2.ts';

let fixture: Fixture;

before(() => {
  fixture = createFixture();
  fixture.make('leaf', { names: ['a.example.com'], kind: 'rsa' });
});
after(() => fixture.remove());

const PASSWORD = 'pässwörd 密';
/** What OpenSSL 3, OpenSSL 1 and Windows write. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  'AES-256 with SHA-256': [],
  'RC2-40 and 3DES': ['-legacy'],
  '3DES with SHA-1': ['-legacy', '-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'],
  'RC2-128 and 2-key 3DES': ['-legacy', '-certpbe', 'PBE-SHA1-RC2-128', '-keypbe', 'PBE-SHA1-2DES'],
  'AES-128 with a MAC of SHA-512': ['-keypbe', 'AES-128-CBC', '-certpbe', 'AES-128-CBC', '-macalg', 'sha512'],
  'no MAC': ['-nomac'],
  'no encryption': ['-keypbe', 'NONE', '-certpbe', 'NONE'],
};

function exportAs(name: string, options: readonly string[], password = PASSWORD): Buffer {
  const files = ['-inkey', 'leaf.key', '-in', 'leaf.pem', '-out', `${name}.p12`];
  fixture.openssl('pkcs12', '-export', ...files, '-passout', `pass:${password}`, ...options);
  return readFileSync(fixture.path(`${name}.p12`));
}

for (const [name, options] of Object.entries(KINDS)) {
  test(`readPkcs12() reads ${name}, and knows a wrong password`, () => {
    for (const password of [PASSWORD, '']) {
      const bytes = exportAs('one', options, password);
      assert.ok(isPkcs12(bytes));
      const found = readPkcs12(bytes, password);
      assert.equal(found?.certificates.length, 1);
      const key = createPrivateKey({ key: found.keys[0] ?? Buffer.alloc(0), format: 'der', type: 'pkcs8' });
      assert.ok(new X509Certificate(found.certificates[0] ?? Buffer.alloc(0)).checkPrivateKey(key));
      assert.equal(readPkcs12(bytes, 'another'), null);
    }
  });
}

/** As some exporters write: every constructed element and octet string without a length, in pieces. */
function indefinite(bytes: Buffer): Buffer {
  const element = readBer(bytes);
  if (element.tag === 0x04 && element.content.length > 4) {
    const half = Math.floor(element.content.length / 2);
    const pieces = [element.content.subarray(0, half), element.content.subarray(half)].map((piece) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(piece.length);
      return Buffer.concat([Buffer.of(0x04, 0x84), length, piece]);
    });
    return Buffer.concat([Buffer.of(0x24, 0x80), ...pieces, Buffer.of(0, 0)]);
  }
  if ((element.tag & 0x20) === 0) return element.whole;
  const children = element.children.map((child) => indefinite(child.whole));
  return Buffer.concat([Buffer.of(element.tag, 0x80), ...children, Buffer.of(0, 0)]);
}

test('readPkcs12() reads indefinite lengths and octets in pieces', () => {
  const bytes = indefinite(exportAs('ber', ['-legacy']));
  assert.equal(readPkcs12(bytes, PASSWORD)?.keys.length, 1);
});

test('readPkcs12() finds that a file was changed, by its MAC', () => {
  const bytes = Buffer.from(exportAs('changed', []));
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  assert.equal(readPkcs12(bytes, PASSWORD), null);
});

test('readPkcs12() never does worse than a SyntaxError, whatever is in the file', () => {
  const good = exportAs('fuzz', ['-iter', '1', '-maciter']);
  const damaged = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }).map((changes) => {
    const bytes = Buffer.from(good);
    for (const [at, value] of changes) bytes[at] = value;
    return bytes;
  });
  const cut = fc.nat(good.length - 1).map((length) => good.subarray(0, length));
  fc.assert(
    fc.property(
      fc.oneof(
        damaged,
        cut,
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      ),
      (bytes) => {
        try {
          readPkcs12(bytes, 'x');
        } catch (error) {
          assert.ok(error instanceof SyntaxError, String(error));
          assert.match(error.message, /^Cannot read (?:BER|PKCS #12): /);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('readBer() refuses what nests without end, or promises more than there is', () => {
  assert.throws(() => readBer(Buffer.alloc(200, 0x30)), SyntaxError);
  assert.throws(() => readBer(Buffer.concat(Array.from({ length: 100 }, () => Buffer.of(0x30, 0x80)))), /nested|ends/);
  assert.throws(() => readBer(Buffer.of(0x04, 0x80)), /definite/);
  assert.throws(() => readBer(Buffer.of(0x04, 0x85, 1, 1, 1, 1, 1)), /too long/);
});

/** RFC 2268 section 5: one block each; in CBC with an IV of zeros, and then XORed with a padding that is known. */
const RC2_VECTORS: readonly (readonly [key: string, bits: number, plain: string, cipher: string])[] = [
  ['0000000000000000', 63, '0000000000000000', 'ebb773f993278eff'],
  ['ffffffffffffffff', 64, 'ffffffffffffffff', '278b27e42e2f0d49'],
  ['3000000000000000', 64, '1000000000000001', '30649edf9be7d2c2'],
  ['88', 64, '0000000000000000', '61a8a244adacccf0'],
  ['88bca90e90875a', 64, '0000000000000000', '6ccf4308974c267f'],
  ['88bca90e90875a7f0f79c384627bafb2', 64, '0000000000000000', '1a807d272bbe5db1'],
  ['88bca90e90875a7f0f79c384627bafb2', 128, '0000000000000000', '2269552ab0f85ca6'],
];

test('decryptRc2() decrypts the vectors of RFC 2268', () => {
  for (const [key, effectiveBits, plain, cipher] of RC2_VECTORS) {
    // The IV turns the block into seven bytes of the plain text and one of padding.
    const iv = Buffer.from(plain, 'hex');
    iv[7] = (iv[7] ?? 0) ^ 1;
    const text = decryptRc2({ key: Buffer.from(key, 'hex'), effectiveBits, iv }, Buffer.from(cipher, 'hex'));
    assert.equal(text?.toString('hex'), '00'.repeat(7), `${key} ${effectiveBits}`);
  }
});

test('isPkcs12() is false for certificates, keys and text', () => {
  const der = new X509Certificate(fixture.read('leaf.pem')).raw;
  for (const bytes of [der, Buffer.from('hello'), Buffer.alloc(0), createHash('sha256').digest()])
    assert.equal(isPkcs12(bytes), false);
});
