import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createFixture, type Fixture } from '../_openssl-fixture.ts';
import { checkUpload, type UploadVerdict } from './check-upload.ts';

let fixture: Fixture;
/** openssl dates what it makes to the second, and that later than this. */
const now = Date.now() + 60_000;

/** A leaf of `ca` with extensions and options of one's own. */
function special(
  name: string,
  extensions: string,
  how: { key?: string[]; subject?: string; sign?: string[] } = {},
): void {
  const { key = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'], subject = `/CN=${name}` } = how;
  fixture.openssl('genpkey', ...key, '-out', `${name}.key`);
  fixture.openssl('req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`);
  fixture.write(`${name}.ext`, extensions);
  const issuer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '90'];
  fixture.openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...issuer,
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.pem`,
    ...(how.sign ?? []),
  );
}

const SAN = 'subjectAltName=DNS:a.example.com\n';

before(() => {
  fixture = createFixture();
  fixture.make('ca', { names: [], isCa: true });
  fixture.make('middle', { names: [], isCa: true, issuer: 'ca' });
  fixture.make('leaf', { names: ['a.example.com', '*.b.example.com'], issuer: 'middle' });
  fixture.make('other', { names: ['x.example.com'] });
  fixture.make('old', { names: ['a.example.com'], issuer: 'ca', from: -20, days: -2 });
  fixture.make('early', { names: ['a.example.com'], issuer: 'ca', from: 2 });
  fixture.make('small', { names: ['a.example.com'], issuer: 'ca', kind: 'rsa1024' });
  fixture.make('client', { names: ['a.example.com'], issuer: 'ca', usage: 'clientAuth' });
  fixture.make('nameless', { names: [], issuer: 'ca' });
  fixture.make('alone', { names: ['a.example.com'] });
  special('sha1', SAN, { sign: ['-sha1'] });
  special('curve', SAN, { key: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'] });
  special('edwards', SAN, { key: ['-algorithm', 'ED25519'] });
  special('usage', `${SAN}keyUsage=critical,keyCertSign\n`);
  special('aia', `${SAN}authorityInfoAccess=caIssuers;URI:http://ca.example/ca.crt\n`);
  special('staple', `${SAN}tlsfeature=status_request\n`);
  special('odd', SAN, { subject: '/CN=\u001b[31mred' });
});
after(() => fixture.remove());

function check(names: readonly string[], key: string, mayBeIncomplete = false): UploadVerdict {
  const certificates = names.map((name) => new X509Certificate(fixture.read(`${name}.pem`)));
  return checkUpload({ certificates, keys: [fixture.read(`${key}.key`)] }, { now, mayBeIncomplete });
}

const told = (verdict: UploadVerdict): string[] =>
  verdict.problems.map(({ check: name, message }) => `${name}: ${message}`);

test('checkUpload() puts a chain in order, leaves strangers and the root out, and says so', () => {
  const verdict = check(['ca', 'other', 'middle', 'leaf'], 'leaf');
  assert.deepEqual(told(verdict), []);
  assert.deepEqual(verdict.accepted?.names, ['a.example.com', '*.b.example.com']);
  assert.equal(verdict.accepted?.chain.split('BEGIN CERTIFICATE').length, 3);
  assert.ok(verdict.remarks.includes('Left out, since the chain does not need it: "other"'));
  assert.ok(verdict.remarks.some((text) => text.startsWith('Its root "ca" is not one that browsers have')));
});

/** What is uploaded, and every problem that is told. */
const PROBLEMS: readonly (readonly [certificates: string[], key: string, told: string[]])[] = [
  [['leaf', 'middle', 'ca'], 'other', ['key: The key does not match the certificate ("leaf", "middle", "ca")']],
  [
    ['leaf', 'ca'],
    'leaf',
    ['chain: The chain is not complete: the certificate of "middle", which issued "leaf", is missing'],
  ],
  [
    ['leaf', 'middle'],
    'leaf',
    ['chain: The chain is not complete: the certificate of "ca", which issued "middle", is missing'],
  ],
  [['small', 'ca'], 'small', ['algorithm: "small" has an RSA key of 1024 bits; at least 2048 are safe']],
  [['sha1', 'ca'], 'sha1', ['algorithm: "sha1" is signed with SHA1, which can be forged']],
  [['curve', 'ca'], 'curve', ['algorithm: "curve" has a key on the curve "secp256k1", which not all browsers know']],
  [['edwards', 'ca'], 'edwards', ['algorithm: "edwards" has a key of type "ed25519", which not all browsers know']],
  [['client', 'ca'], 'client', ['purpose: "client" is not for servers: its extended key usage lacks serverAuth']],
  [['usage', 'ca'], 'usage', ['purpose: "usage" may not sign: its key usage lacks digitalSignature']],
  [
    ['nameless', 'ca'],
    'nameless',
    [
      'names: "nameless" names no host: it has no subject alternative name, and clients have not looked at the common name for years',
    ],
  ],
  [
    ['ca'],
    'ca',
    [
      'names: "ca" names no host: it has no subject alternative name, and clients have not looked at the common name for years',
      'purpose: "ca" is the certificate of a CA, not of a server',
    ],
  ],
  [
    ['odd'],
    'odd',
    ['chain: The chain is not complete: the certificate of "ca", which issued "\\1B[31mred", is missing'],
  ],
];

test('checkUpload() says which checks failed, all at once, each with a remedy', () => {
  for (const [certificates, key, wanted] of PROBLEMS) {
    const verdict = check(certificates, key);
    assert.deepEqual(told(verdict), wanted);
    assert.equal(verdict.accepted, null);
    for (const { remedy } of verdict.problems) assert.ok(remedy.length > 10);
  }
});

test('checkUpload() names the day on which a certificate ended, and the moment from which one counts', () => {
  // Of the certificate itself: by the clock it would be another day for a test that runs at midnight.
  const [, end = ''] = fixture.openssl('x509', '-in', 'old.pem', '-noout', '-enddate').split('=');
  const day = new Date(end).toISOString().slice(0, 10);
  const { problems, accepted } = check(['old', 'ca'], 'old');
  assert.deepEqual(
    problems.map(({ message }) => message),
    [`"old" expired on ${day}`],
  );
  assert.equal(accepted, null);
  assert.match(told(check(['early', 'ca'], 'early')).join(), /^time: "early" is not valid before .*Z$/);
});

test('checkUpload() names the place of a missing issuer, and takes the chain where clients have it', () => {
  const verdict = check(['aia'], 'aia');
  assert.match(verdict.problems[0]?.remedy ?? '', /the CA offers it at http:\/\/ca\.example\/ca\.crt/);
  assert.ok(check(['aia'], 'aia', true).accepted !== null);
});

test('checkUpload() takes a self-signed certificate, and says what clients think of it', () => {
  const verdict = check(['alone'], 'alone');
  assert.ok(verdict.accepted !== null);
  assert.match(verdict.remarks.join(), /"alone" is self-signed: clients refuse it/);
});

test('checkUpload() takes a certificate that demands stapling, and explains that nobody staples', () => {
  const verdict = check(['staple', 'ca'], 'staple');
  assert.ok(verdict.accepted !== null);
  assert.match(verdict.remarks.join(), /must-staple.*CAs have ended OCSP/);
});

test('checkUpload() knows an origin certificate of Cloudflare, which needs no chain', () => {
  fixture.openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'cf.key');
  const subject =
    '/C=US/O=CloudFlare, Inc./OU=CloudFlare Origin SSL Certificate Authority/L=San Francisco/ST=California';
  fixture.openssl('req', '-x509', '-key', 'cf.key', '-subj', subject, '-days', '99', '-out', 'cf.pem');
  fixture.openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'origin.key');
  fixture.openssl(
    'req',
    '-new',
    '-key',
    'origin.key',
    '-subj',
    '/O=CloudFlare, Inc./CN=CloudFlare Origin Certificate',
    '-out',
    'origin.csr',
  );
  fixture.write(
    'origin.ext',
    'subjectAltName=DNS:*.example.com,DNS:example.com\nextendedKeyUsage=clientAuth,serverAuth\n',
  );
  const issuer = ['-CA', 'cf.pem', '-CAkey', 'cf.key', '-CAcreateserial', '-days', '90', '-extfile', 'origin.ext'];
  fixture.openssl('x509', '-req', '-in', 'origin.csr', ...issuer, '-out', 'origin.pem');
  const verdict = check(['origin'], 'origin');
  assert.deepEqual(told(verdict), []);
  assert.match(
    verdict.remarks.join('\n'),
    /only Cloudflare trusts it[^]*trusted_proxies: cloudflare[^]*authenticated origin pulls/,
  );
});
