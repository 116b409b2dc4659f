import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { createFixture } from './_openssl-fixture.ts';
import { writeChallengeCertificate, writeSigningRequest } from './x509-writer.ts';

const fixture = createFixture();
after(() => fixture.remove());

const KEYS = {
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

for (const [kind, keys] of Object.entries(KEYS)) {
  test(`writeSigningRequest() of a ${kind} key is one that openssl verifies, with all of its names`, () => {
    const names = ['a.example.com', '*.example.com', '192.0.2.1', '2001:db8::1'];
    const der = writeSigningRequest({ names, ...keys });
    writeFileSync(fixture.path('request.der'), der);
    const text = fixture.openssl('req', '-inform', 'DER', '-in', 'request.der', '-noout', '-verify', '-text');
    assert.match(
      text,
      /DNS:a\.example\.com, DNS:\*\.example\.com, IP Address:192\.0\.2\.1, IP Address:2001:DB8:0:0:0:0:0:1/,
    );
    assert.match(text, /Subject: *\n/);
  });
}

test('writeChallengeCertificate() names one host and holds the digest in a critical extension (RFC 8737)', () => {
  const digest = Buffer.alloc(32, 0xab);
  const validity = { notBefore: Date.now() - 1000, notAfter: Date.now() + 86_400_000 };
  fixture.write(
    'challenge.pem',
    writeChallengeCertificate({ name: 'a.example.com', digest, ...validity, ...KEYS['P-256'] }),
  );
  const text = fixture.openssl('x509', '-in', 'challenge.pem', '-noout', '-text');
  assert.match(text, /DNS:a\.example\.com\n/);
  assert.match(text, /1\.3\.6\.1\.5\.5\.7\.1\.31: critical/);
  assert.ok(fixture.openssl('asn1parse', '-in', 'challenge.pem').includes(`0420${'AB'.repeat(32)}`));
});
