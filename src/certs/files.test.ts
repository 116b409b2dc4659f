import assert from 'node:assert/strict';
import { chmodSync, mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createFixture, type Fixture } from './_openssl-fixture.ts';
import { createCertificateReader, type CheckedPair } from './files.ts';

const AT = ['hosts', 'a.test', 'tls'];
const DAY = 86_400_000;
let fixture: Fixture;

before(() => {
  fixture = createFixture();
  fixture.make('root', { names: [], isCa: true });
  fixture.make('middle', { names: [], isCa: true, issuer: 'root' });
  fixture.make('leaf', { names: ['a.test'], issuer: 'middle' });
  fixture.make('other', { names: ['a.test'] });
});
after(() => fixture.remove());

function read(certificate: string, key: string, now: number = Date.now()): CheckedPair {
  return createCertificateReader()({ certificate: fixture.path(certificate), key: fixture.path(key), at: AT }, now);
}

/** The one error's message and place; fails where the pair was accepted. */
function errorOf({ entry, diagnostics }: CheckedPair): string {
  assert.equal(entry, null);
  assert.equal(diagnostics.length, 1);
  const [one] = diagnostics;
  assert.equal(one?.severity, 'error');
  assert.equal(one?.code, 'TLS_BAD_CERTIFICATE');
  return `${one?.path.join('.')}: ${one?.message.replaceAll(`${fixture.folder}/`, '')}`;
}

test('a good pair has its names, its end and an id that depends on the content only', () => {
  const { entry, diagnostics } = read('other.pem', 'other.key');
  assert.deepEqual(diagnostics, []);
  assert.deepEqual(entry?.names, ['a.test']);
  assert.equal(entry?.keyType, 'ec');
  assert.ok(Math.abs((entry?.notAfter ?? 0) - Date.now() - 90 * DAY) < 60_000);
  fixture.write('copy.pem', `Bag Attributes\n  name: x\n${fixture.read('other.pem')}\n`);
  assert.equal(read('copy.pem', 'other.key').entry?.id, entry?.id);
});

test('a chain in any order is sent leaf first, without strangers, and the operator is told', () => {
  const [leaf, middle, root, stranger] = ['leaf', 'middle', 'root', 'other'].map((name) => fixture.read(`${name}.pem`));
  fixture.write('ordered.pem', `${leaf}${middle}${root}`);
  fixture.write('mixed.pem', `${root}${stranger}${middle}${leaf}`);
  const ordered = read('ordered.pem', 'leaf.key');
  const mixed = read('mixed.pem', 'leaf.key');
  assert.deepEqual(ordered.diagnostics, []);
  assert.equal(mixed.entry?.certificatePem, ordered.entry?.certificatePem);
  assert.match(mixed.diagnostics[0]?.message ?? '', /is not in order/);
  assert.equal(mixed.diagnostics[0]?.severity, 'warning');
});

test('what cannot be used is named with its reason', () => {
  mkdirSync(fixture.path('folder'), { recursive: true });
  fixture.write('empty.pem', '');
  fixture.write('torn.pem', fixture.read('other.pem').slice(0, 300));
  fixture.write('spoilt.pem', fixture.read('other.pem').replace(/\n[A-Za-z0-9+/]{64}\n/, '\nAAAA\n'));
  fixture.openssl('pkcs8', '-topk8', '-in', 'other.key', '-out', 'locked.key', '-passout', 'pass:x');
  const cases: [certificate: string, key: string, expected: string][] = [
    ['missing.pem', 'other.key', 'certificate: File "missing.pem" does not exist'],
    ['other.pem', 'missing.key', 'key: File "missing.key" does not exist'],
    ['folder', 'other.key', 'certificate: "folder" is a folder, not a file'],
    ['empty.pem', 'other.key', 'certificate: "empty.pem" is not PEM: it holds no "-----BEGIN CERTIFICATE-----"'],
    ['torn.pem', 'other.key', 'certificate: "torn.pem" holds PEM blocks, but no whole CERTIFICATE'],
    ['spoilt.pem', 'other.key', 'certificate: Certificate 1 of 1 in "spoilt.pem" does not parse'],
    ['other.key', 'other.key', 'certificate: "other.key" holds a private key, not a certificate'],
    ['other.pem', 'other.pem', 'key: "other.pem" holds a certificate, not a private key'],
    ['other.pem', 'empty.pem', 'key: "empty.pem" is not a PEM private key'],
    ['other.pem', 'locked.key', 'key: Key "locked.key" is encrypted, and nobody is there to type its passphrase'],
    ['other.pem', 'leaf.key', 'key: Key "leaf.key" does not match certificate "other.pem" (CN=other)'],
  ];
  for (const [certificate, key, expected] of cases)
    assert.equal(errorOf(read(certificate, key)), `hosts.a.test.tls.${expected}`);
});

test(
  'a file that may not be read says for whom',
  { skip: process.getuid?.() === 0 ? 'root may read everything' : false },
  () => {
    fixture.write('secret.pem', fixture.read('other.pem'));
    chmodSync(fixture.path('secret.pem'), 0);
    assert.match(errorOf(read('secret.pem', 'other.key')), /may not be read by user id \d+$/);
  },
);

test('expired, not yet valid, not for servers, nameless and weak certificates are errors', () => {
  fixture.make('old', { names: ['a.test'], from: -9, days: -2 });
  fixture.make('future', { names: ['a.test'], from: 2 });
  fixture.make('client', { names: ['a.test'], usage: 'clientAuth' });
  fixture.make('nameless', { names: [] });
  fixture.make('weak', { names: ['a.test'], kind: 'rsa1024' });
  assert.match(errorOf(read('old.pem', 'old.key')), /certificate: Certificate "old\.pem" expired on \d{4}-\d\d-\d\d$/);
  assert.match(errorOf(read('future.pem', 'future.key')), /"future\.pem" is not valid before 2/);
  assert.match(errorOf(read('client.pem', 'client.key')), /is not for servers/);
  assert.match(errorOf(read('nameless.pem', 'nameless.key')), /names no host/);
  assert.match(errorOf(read('weak.pem', 'weak.key')), /is refused by OpenSSL: .*too small/);
});

test('a certificate that ends soon warns at 30, 14, 7 and 1 days', () => {
  const end = Date.now() + 90 * DAY;
  for (const [left, expected] of [
    [31, null],
    [29, '30 days'],
    [13, '14 days'],
    [6, '7 days'],
    [0.5, '1 day'],
  ] as const) {
    const { entry, diagnostics } = read('other.pem', 'other.key', end - left * DAY);
    assert.notEqual(entry, null);
    assert.equal(diagnostics[0]?.message.replace(/.*expires within (.*), on.*/, '$1') ?? null, expected);
  }
});

test('a reader looks at a file again once it changed, and judges the time each time', () => {
  const readAgain = createCertificateReader();
  const pair = { certificate: fixture.write('turn.pem', 'x'), key: fixture.path('other.key'), at: AT };
  assert.equal(readAgain(pair, Date.now()).entry, null);
  fixture.write('turn.pem', fixture.read('other.pem'));
  assert.notEqual(readAgain(pair, Date.now()).entry, null);
  assert.match(readAgain(pair, Date.now() + 91 * DAY).diagnostics[0]?.message ?? '', /expired on/);
});

test('a certificate that demands a stapled OCSP answer is used, and explained', () => {
  const { openssl } = fixture;
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'staple.key'];
  const names = ['-subj', '/CN=a.test', '-addext', 'subjectAltName=DNS:a.test', '-addext', 'tlsfeature=status_request'];
  openssl('req', '-x509', '-days', '60', ...key, ...names, '-out', 'staple.pem');
  const { entry, diagnostics } = read('staple.pem', 'staple.key');
  assert.notEqual(entry, null);
  assert.match(diagnostics.map((one) => one.message).join(), /demands a stapled OCSP answer \("must-staple"\)/);
});
