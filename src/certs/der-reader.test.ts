import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readCertificateIdentity, readElement } from './der-reader.ts';
import { octets, sequence, tlv } from './der.ts';
import { writeLeaf, writeRoot } from './x509-writer.ts';

const root = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const validity = { notBefore: Date.now(), notAfter: Date.now() + 86_400_000 };
const rootPem = writeRoot({ ...validity, commonName: 'A root', permitted: ['test'], ...root });
const leafPem = writeLeaf({
  ...validity,
  name: 'a.test',
  publicKey: leaf.publicKey,
  issuer: { commonName: 'A root', ...root },
});

test('readCertificateIdentity() finds serial and authority key id of a certificate', () => {
  const certificate = new X509Certificate(leafPem);
  const { serial, authorityKeyId } = readCertificateIdentity(certificate.raw);
  assert.equal(serial.toString('hex').toUpperCase().replace(/^00/, ''), certificate.serialNumber);
  assert.equal(authorityKeyId?.length, 20);
  assert.ok(new X509Certificate(rootPem).raw.includes(authorityKeyId));
});

test('readCertificateIdentity() answers null where there is no authority key id', () => {
  assert.equal(readCertificateIdentity(new X509Certificate(rootPem).raw).authorityKeyId, null);
});

test('readElement() reads what tlv() wrote', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70_000 }), (bytes) => {
      const { tag, content, end } = readElement(octets(bytes), 0);
      assert.equal(tag, 4);
      assert.deepEqual(content, Buffer.from(bytes));
      assert.equal(end, octets(bytes).length);
    }),
    { numRuns: 50 },
  );
});

test('readCertificateIdentity() throws nothing but SyntaxError', () => {
  const good = new X509Certificate(leafPem).raw;
  const spoilt = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })).map(([at, byte]) => {
    const copy = Buffer.from(good);
    copy[at] = byte;
    return copy;
  });
  const cut = fc.nat(good.length).map((length) => good.subarray(0, length));
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => sequence(tlv(0x30, bytes)));
  fc.assert(
    fc.property(fc.oneof(spoilt, cut, any), (der) => {
      try {
        readCertificateIdentity(der);
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
