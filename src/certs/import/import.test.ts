import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { createFixture, type Fixture } from '../_openssl-fixture.ts';
import { openIssued } from '../issuance/issued.ts';
import { adoptable } from './adoptable.ts';
import { UnusableEntry } from './found.ts';
import { detectKind, readSource } from './read-source.ts';

let fixture: Fixture;

before(() => {
  fixture = createFixture();
  fixture.make('one', { names: ['b.example.com', 'a.example.com'] });
  fixture.make('other', { names: ['x.example.com'] });
  fixture.make('old', { names: ['a.example.com'], from: -20, days: -2 });
});
after(() => fixture.remove());

const nobody = (): null => null;
const SERVER = 'https://ca.example:14000/dir';

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function certbotFolder(name: string): string {
  const folder = join(fixture.folder, name);
  const conf = (server: string): string =>
    `version = 2.1.0\narchive_dir = /etc/letsencrypt/archive/x\n[renewalparams]\naccount = 0123456789abcdef\nserver = ${server}\n`;
  for (const lineage of ['one', 'lost', 'gone']) put(join(folder, 'renewal', `${lineage}.conf`), conf(SERVER));
  put(join(folder, 'renewal', 'odd.conf'), 'version = 2.1.0\n');
  for (const lineage of ['one', 'lost']) {
    put(join(folder, 'archive', lineage, 'fullchain2.pem'), 'older');
    put(join(folder, 'archive', lineage, 'fullchain10.pem'), fixture.read('one.pem'));
    put(join(folder, 'archive', lineage, 'privkey10.pem'), fixture.read('one.key'));
  }
  mkdirSync(join(folder, 'live', 'one'), { recursive: true });
  symlinkSync('../../archive/one/fullchain10.pem', join(folder, 'live', 'one', 'fullchain.pem'));
  symlinkSync('../../archive/one/privkey10.pem', join(folder, 'live', 'one', 'privkey.pem'));
  mkdirSync(join(folder, 'live', 'stray'));
  put(join(folder, 'live', 'README'), 'hello');
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const account = join(folder, 'accounts', 'ca.example:14000', 'dir', '0123456789abcdef');
  put(join(account, 'private_key.json'), JSON.stringify(key));
  put(join(account, 'regr.json'), JSON.stringify({ body: {}, uri: 'https://ca.example/acct/1' }));
  return folder;
}

test('readSource() reads a certbot folder, a copy without links too, and names what is of no use', () => {
  const path = certbotFolder('certbot');
  assert.equal(detectKind(path), 'certbot');
  const found = readSource({ path, kind: 'certbot', directoryFor: nobody });
  assert.deepEqual(
    found.certificates.map(({ place, directory, chain }) => [place, directory, chain]),
    [
      ['live/lost', SERVER, fixture.read('one.pem')],
      ['live/one', SERVER, fixture.read('one.pem')],
    ],
  );
  assert.deepEqual(
    found.accounts.map(({ place, directory, url }) => [place, directory, url]),
    [['account 0123456789abcdef', SERVER, 'https://ca.example/acct/1']],
  );
  assert.deepEqual(found.unusable, [
    { place: 'live/gone', reason: 'neither live/gone nor archive/gone has its files' },
    { place: 'live/odd', reason: 'renewal/odd.conf names no CA ("server")' },
    { place: 'live/stray', reason: 'renewal/stray.conf is missing, which says what CA it is of' },
  ]);
});

test('readSource() reads what Caddy keeps for wildcards, and names files that are missing', () => {
  const path = join(fixture.folder, 'xdg');
  const at = join(path, 'caddy', 'certificates', 'ca.example-dir');
  const wild = join(at, 'wildcard_.example.com', 'wildcard_.example.com');
  put(`${wild}.crt`, fixture.read('one.pem'));
  put(`${wild}.key`, fixture.read('one.key'));
  put(`${wild}.json`, JSON.stringify({ sans: ['*.example.com'], issuer_data: { ca: SERVER, url: '' } }));
  put(join(at, 'half', 'half.json'), JSON.stringify({ issuer_data: { ca: SERVER } }));
  put(join(at, 'odd', 'odd.json'), JSON.stringify({ sans: [] }));
  assert.equal(detectKind(path), 'caddy');
  const found = readSource({ path, kind: 'caddy', directoryFor: nobody });
  assert.equal(found.certificates[0]?.directory, SERVER);
  assert.match(found.unusable[0]?.reason ?? '', /half\.crt" is missing$/);
  assert.match(found.unusable[1]?.reason ?? '', /does not say what CA it is of/);
});

test("readSource() reads Traefik's file, and names entries that are not as they should be", () => {
  const path = fixture.path('acme.json');
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const good = {
    domain: { main: 'a.example.com' },
    certificate: base64(fixture.read('one.pem')),
    key: base64(fixture.read('one.key')),
  };
  const account = { Email: '', Registration: { uri: 'https://ca.example/acct/1' }, PrivateKey: base64('no key') };
  writeFileSync(
    path,
    JSON.stringify({
      le: { Account: account, Certificates: [good, { domain: {} }] },
      none: { Account: null, Certificates: null },
      odd: 5,
    }),
  );
  assert.equal(detectKind(path), 'traefik');
  const found = readSource({ path, kind: 'traefik', directoryFor: (url) => (url === '' ? null : SERVER) });
  assert.deepEqual([found.certificates.length, found.accounts.length], [1, 0]);
  assert.deepEqual(found.unusable, [
    { place: 'resolver le, certificate 2', reason: 'it is not as Traefik writes it' },
    { place: 'resolver le, account', reason: 'its key does not parse' },
    {
      place: 'resolver none',
      reason: 'the file does not say what CA it used (account without a URL): name it with --ca URL',
    },
    { place: 'resolver odd', reason: 'it is not as Traefik writes it' },
  ]);
});

test('detectKind() knows none of what is something else', () => {
  writeFileSync(fixture.path('text'), 'hello');
  assert.equal(detectKind(fixture.path('text')), null);
  mkdirSync(fixture.path('empty'));
  assert.equal(detectKind(fixture.path('empty')), null);
  assert.throws(() => detectKind(fixture.path('nothing')), UnusableEntry);
  rmSync(fixture.path('empty'), { recursive: true });
});

const seal = { seal: (_: string, text: string) => text, unseal: (_: string, sealed: string) => sealed };

test('adoptable() checks key, time, names and CA', () => {
  const terms = {
    seal,
    now: Date.now(),
    caName: () => 'CA',
    isForTrials: (directory: string) => directory.includes('staging'),
  };
  const check = (certificate: string, key: string, directory = SERVER): string => {
    const pair = { chain: fixture.read(`${certificate}.pem`), keyPem: fixture.read(`${key}.key`) };
    try {
      return adoptable({ place: '', directory, ...pair }, terms).subject;
    } catch (error) {
      assert.ok(error instanceof UnusableEntry);
      return error.message;
    }
  };
  assert.equal(check('one', 'one'), 'a.example.com b.example.com');
  assert.equal(check('one', 'other'), 'its key is not the key of its certificate');
  assert.match(check('old', 'old'), /^it expired on /);
  assert.equal(check('one', 'one', 'https://staging.example/dir'), 'it is of CA, which nobody trusts');
  assert.equal(
    check('one', 'one', 'http://ca.example/dir'),
    'its CA "http://ca.example/dir" is not the https URL of a directory',
  );
  const pair = { chain: fixture.read('one.pem'), keyPem: fixture.read('one.key') };
  const stored = adoptable({ place: '', directory: SERVER, ...pair }, terms);
  assert.equal(openIssued(stored, seal)?.renewal.isImported, true);
});
