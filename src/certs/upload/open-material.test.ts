import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createFixture, type Fixture } from '../_openssl-fixture.ts';
import { openMaterial, type MaterialFile } from './open-material.ts';
import type { UploadMaterial } from './check-upload.ts';

let fixture: Fixture;

before(() => {
  fixture = createFixture();
  fixture.make('ca', { names: [], isCa: true });
  fixture.make('leaf', { names: ['a.example.com'], issuer: 'ca', kind: 'rsa' });
  fixture.write('both.pem', fixture.read('leaf.key') + fixture.read('leaf.pem') + fixture.read('ca.pem'));
  fixture.openssl('pkcs8', '-topk8', '-in', 'leaf.key', '-out', 'pkcs8.key', '-passout', 'pass:secret');
  const traditional = ['-traditional', '-des3', '-passout', 'pass:secret'];
  fixture.openssl('pkey', '-in', 'leaf.key', '-out', 'traditional.key', ...traditional);
  fixture.openssl(
    'pkcs8',
    '-topk8',
    '-in',
    'leaf.key',
    '-outform',
    'DER',
    '-out',
    'sealed.der',
    '-passout',
    'pass:secret',
  );
  fixture.openssl('pkey', '-in', 'leaf.key', '-outform', 'DER', '-out', 'key.der');
  fixture.openssl('x509', '-in', 'leaf.pem', '-outform', 'DER', '-out', 'leaf.der');
  fixture.openssl('crl2pkcs7', '-nocrl', '-certfile', 'leaf.pem', '-certfile', 'ca.pem', '-out', 'chain.p7b');
  fixture.openssl('crl2pkcs7', '-nocrl', '-certfile', 'leaf.pem', '-outform', 'DER', '-out', 'der.p7b');
  fixture.openssl('pkey', '-in', 'leaf.key', '-pubout', '-out', 'public.pem');
  const bag = ['-inkey', 'leaf.key', '-in', 'leaf.pem', '-certfile', 'ca.pem', '-passout', 'pass:secret'];
  fixture.openssl('pkcs12', '-export', '-legacy', ...bag, '-out', 'leaf.pfx');
});
after(() => fixture.remove());

const file = (name: string): MaterialFile => ({ path: name, bytes: readFileSync(fixture.path(name)) });

async function open(
  certificate: string,
  key: string | null,
  password: string | null = 'secret',
): Promise<UploadMaterial & { asked: number }> {
  let asked = 0;
  const ask = async (): Promise<string> => {
    asked += 1;
    return password ?? '';
  };
  const sources = { certificate: file(certificate), key: key === null ? null : file(key) };
  return { ...(await openMaterial({ ...sources, password: password === null ? null : ask })), asked };
}

const GOOD: readonly (readonly [certificate: string, key: string | null, certificates: number, asked: number])[] = [
  ['leaf.pem', 'leaf.key', 1, 0],
  ['both.pem', null, 2, 0],
  ['leaf.key', 'leaf.pem', 1, 0],
  ['both.pem', 'both.pem', 2, 0],
  ['leaf.pem', 'pkcs8.key', 1, 1],
  ['leaf.pem', 'traditional.key', 1, 1],
  ['leaf.pem', 'sealed.der', 1, 1],
  ['leaf.der', 'key.der', 1, 0],
  ['chain.p7b', 'leaf.key', 2, 0],
  ['der.p7b', 'leaf.key', 1, 0],
  ['leaf.pfx', null, 2, 1],
  ['leaf.pfx', 'pkcs8.key', 2, 1],
];

for (const [certificate, key, count, asked] of GOOD) {
  test(`openMaterial() opens ${certificate} with ${key ?? 'the key in it'}`, async () => {
    const found = await open(certificate, key);
    assert.equal(found.certificates.length, count);
    assert.equal(found.keys.length, 1);
    assert.equal(found.asked, asked, 'a password is asked for once at most');
    assert.ok(
      found.certificates.some((one) => one.serialNumber === new X509Certificate(fixture.read('leaf.pem')).serialNumber),
    );
  });
}

test('openMaterial() reads UTF-16, as Windows saves text', async () => {
  fixture.write('plain.pem', fixture.read('leaf.pem'));
  const bytes = Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(fixture.read('leaf.pem'), 'utf16le')]);
  const certificate = { path: 'wide.pem', bytes };
  assert.equal((await openMaterial({ certificate, key: file('leaf.key'), password: null })).certificates.length, 1);
});

const BAD: readonly (readonly [certificate: string, key: string | null, password: string | null, says: string])[] = [
  ['leaf.csr', 'leaf.key', null, '"leaf.csr" holds a request for a certificate (CSR), not a certificate'],
  ['leaf.pem', 'public.pem', null, '"public.pem" holds a public key, not a certificate or private key'],
  ['leaf.key', null, null, '"leaf.key" holds a private key, but no certificate'],
  ['leaf.pem', 'ca.pem', null, '"ca.pem" holds a certificate, but no private key'],
  ['leaf.pem', null, null, '"leaf.pem" holds no private key'],
  ['leaf.pem', 'pkcs8.key', 'wrong', 'The password does not open "pkcs8.key"'],
  ['leaf.pem', 'traditional.key', 'wrong', 'The password does not open "traditional.key"'],
  ['leaf.pem', 'sealed.der', 'wrong', 'The password does not open "sealed.der"'],
  ['leaf.pfx', null, 'wrong', 'The password does not open "leaf.pfx"'],
  ['leaf.pem', 'pkcs8.key', null, '"pkcs8.key" is encrypted, and there is no terminal to ask for its password'],
  ['leaf.pfx', null, null, '"leaf.pfx" is encrypted, and there is no terminal to ask for its password'],
  ['cut.pem', 'leaf.key', null, '"cut.pem" holds the beginning of a PEM block without its end'],
  ['broken.pem', 'leaf.key', null, 'A certificate in "broken.pem" does not parse'],
  ['leaf.pem', 'broken.key', null, 'The private key in "broken.key" does not parse'],
  ['leaf.pem', 'ssh.key', null, '"ssh.key" holds a key in the format of OpenSSH'],
  ['text', 'leaf.key', null, '"text" is neither PEM nor DER nor PKCS #12'],
  ['empty', 'leaf.key', null, '"empty" is neither PEM nor DER nor PKCS #12'],
];

test('openMaterial() says what is wrong with a file, and a remedy', async () => {
  fixture.write('cut.pem', fixture.read('leaf.pem').slice(0, 200));
  fixture.write('broken.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  fixture.write('broken.key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
  fixture.write('ssh.key', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n');
  fixture.write('text', 'hello');
  fixture.write('empty', '');
  for (const [certificate, key, password, says] of BAD)
    await assert.rejects(
      open(certificate, key, password).then(() => assert.fail(`opened: ${says}`)),
      (error: Error & { remedy?: string }) => {
        assert.equal(error.message, says);
        assert.ok((error.remedy ?? '').length > 0);
        return true;
      },
    );
});
