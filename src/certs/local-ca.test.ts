import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect, createServer } from 'node:tls';
import { createFixture, type Fixture } from './_openssl-fixture.ts';
import { createLocalCa, LEAF_LIFE_MS, type LocalCa } from './local-ca.ts';
import type { AddressInfo } from 'node:net';

const DAY = 86_400_000;

interface Rig {
  readonly fixture: Fixture;
  readonly directory: string;
  readonly notices: string[];
  readonly open: () => LocalCa;
  now: number;
}

function rigOf(t: TestContext): Rig {
  const fixture = createFixture();
  t.after(fixture.remove);
  const directory = fixture.path('ca');
  const notices: string[] = [];
  const rig: Rig = {
    fixture,
    directory,
    notices,
    now: Date.now(),
    open: () =>
      createLocalCa({ directory, clock: { now: () => rig.now }, onNotice: (message) => void notices.push(message) }),
  };
  return rig;
}

test('certificateFor() issues leaves that openssl accepts strictly, for names, wildcards and addresses', (t) => {
  const rig = rigOf(t);
  const ca = rig.open();
  const cases = [
    ['whoami.localhost', '-verify_hostname', 'whoami.localhost'],
    ['*.apps.test', '-verify_hostname', 'x.apps.test'],
    ['app.example.com', '-verify_hostname', 'app.example.com'],
    [`${'long-label.'.repeat(8)}test`, '-verify_hostname', `${'long-label.'.repeat(8)}test`],
    ['127.0.0.1', '-verify_ip', '127.0.0.1'],
    ['[::1]', '-verify_ip', '::1'],
  ] as const;
  for (const [index, [host, flag, value]] of cases.entries()) {
    const leaf = ca.certificateFor(host);
    rig.fixture.write(`${index}.pem`, leaf.certificatePem);
    rig.fixture.write('roots.pem', ca.exportRootPem() ?? '');
    const answer = rig.fixture.openssl(
      'verify',
      '-x509_strict',
      '-CAfile',
      'roots.pem',
      '-purpose',
      'sslserver',
      flag,
      value,
      `${index}.pem`,
    );
    assert.match(answer, /OK/);
  }
  assert.equal(ca.roots().length, 4);
  assert.equal(ca.roots()[0]?.onlyFor, null);
  const extra = ca.roots().flatMap((root) => root.onlyFor ?? []);
  assert.deepEqual(new Set(extra), new Set(['127.0.0.1', '::1', 'app.example.com']));
});

test('the root may not sign for public names or addresses, even with its key stolen', (t) => {
  const rig = rigOf(t);
  rig.open().certificateFor('a.localhost');
  const { fixture } = rig;
  fixture.write('stolen.pem', readFileSync(join(rig.directory, 'root.pem'), 'utf8'));
  fixture.write('stolen.key', readFileSync(join(rig.directory, 'root.key'), 'utf8'));
  for (const [index, name] of ['bank.example.com', '192.0.2.7'].entries()) {
    fixture.make(`evil${index}`, { names: [name], issuer: 'stolen' });
    assert.throws(() => fixture.openssl('verify', '-CAfile', 'stolen.pem', `evil${index}.pem`), /subtree violation/);
  }
  fixture.make('fine', { names: ['b.localhost'], issuer: 'stolen' });
  assert.match(fixture.openssl('verify', '-CAfile', 'stolen.pem', 'fine.pem'), /OK/);
});

test('a name outside the constraints gets a root of its own, and says so', (t) => {
  const rig = rigOf(t);
  const ca = rig.open();
  assert.notEqual(ca.certificateFor('app.example.com').root, ca.certificateFor('a.test').root);
  assert.equal(rig.notices.length, 2);
  assert.match(rig.notices[0] ?? '', /^Postern local CA [0-9a-f]{8} only for app\.example\.com was made/);
});

test('keys are readable by their owner only', (t) => {
  const rig = rigOf(t);
  rig.open().certificateFor('a.localhost');
  for (const file of ['root.key', 'leaves/a.localhost.key'])
    assert.equal(statSync(join(rig.directory, file)).mode & 0o777, 0o600);
  assert.equal(statSync(rig.directory).mode & 0o777, 0o700);
});

test('a restart uses what is on disk, and renews a leaf before it expires', (t) => {
  const rig = rigOf(t);
  const first = rig.open().certificateFor('a.localhost');
  assert.equal(rig.open().certificateFor('a.localhost').certificatePem, first.certificatePem);
  rig.now += LEAF_LIFE_MS * 0.6;
  assert.equal(rig.open().certificateFor('a.localhost').certificatePem, first.certificatePem);
  rig.now += LEAF_LIFE_MS * 0.1;
  const renewed = rig.open().certificateFor('a.localhost');
  assert.notEqual(renewed.certificatePem, first.certificatePem);
  assert.equal(renewed.root, first.root);
  assert.equal(rig.notices.length, 1);
});

test('a leaf never outlives its root; an expired root is replaced and kept aside', (t) => {
  const rig = rigOf(t);
  const first = rig.open().certificateFor('a.localhost');
  rig.now += 3640 * DAY;
  const late = rig.open().certificateFor('a.localhost');
  assert.equal(late.root, first.root);
  const end = new X509Certificate(rig.open().exportRootPem() ?? '').validToDate.getTime();
  assert.equal(late.notAfter, end);
  assert.equal(rig.open().certificateFor('a.localhost').certificatePem, late.certificatePem);
  rig.now = end + DAY;
  assert.notEqual(rig.open().certificateFor('a.localhost').root, first.root);
  assert.match(rig.notices.join('\n'), /has expired: a new root replaces it/);
  assert.equal(rig.open().roots().length, 1);
});

test('a root without its key is never replaced silently', (t) => {
  const rig = rigOf(t);
  rig.open().certificateFor('a.localhost');
  const pem = readFileSync(join(rig.directory, 'root.pem'), 'utf8');
  rmSync(join(rig.directory, 'root.key'));
  assert.throws(() => rig.open().certificateFor('a.localhost'), { code: 'TLS_BAD_CERTIFICATE' });
  assert.equal(readFileSync(join(rig.directory, 'root.pem'), 'utf8'), pem);
});

test('a damaged or foreign leaf is issued again', (t) => {
  const rig = rigOf(t);
  const stem = join(rig.directory, 'leaves', 'a.localhost');
  const first = rig.open().certificateFor('a.localhost');
  rig.open().certificateFor('b.localhost');
  for (const damage of [
    () => writeFileSync(`${stem}.pem`, 'nonsense'),
    () => rmSync(`${stem}.key`),
    () => {
      writeFileSync(`${stem}.pem`, readFileSync(join(rig.directory, 'leaves', 'b.localhost.pem')));
      writeFileSync(`${stem}.key`, readFileSync(join(rig.directory, 'leaves', 'b.localhost.key')));
    },
  ]) {
    damage();
    const again = rig.open().certificateFor('a.localhost');
    assert.notEqual(again.certificatePem, first.certificatePem);
    assert.equal(new X509Certificate(again.certificatePem).subjectAltName, 'DNS:a.localhost');
  }
});

test('a name that is no host name never becomes a file', (t) => {
  const ca = rigOf(t).open();
  for (const name of ['../x', 'a/b', '', '.', '*', 'a..b', 'a\0b', '-']) {
    assert.throws(() => ca.certificateFor(name), { code: 'TLS_BAD_CERTIFICATE' }, name);
  }
});

test('a TLS client that trusts the exported root completes a handshake, another does not', async (t) => {
  const rig = rigOf(t);
  const ca = rig.open();
  const { certificatePem: cert, keyPem: key } = ca.certificateFor('a.localhost');
  const server = createServer({ cert, key }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const trusting = connect({ port, host: '127.0.0.1', servername: 'a.localhost', ca: ca.exportRootPem() ?? '' });
  await once(trusting, 'secureConnect');
  assert.equal(trusting.authorized, true);
  trusting.destroy();
  const stranger = connect({ port, host: '127.0.0.1', servername: 'a.localhost' });
  await assert.rejects(once(stranger, 'secureConnect'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
});

test('removeEnded() removes leaves that have ended, and nothing else', async (t) => {
  const rig = rigOf(t);
  const ca = rig.open();
  await ca.removeEnded();
  for (const name of ['a.localhost', 'b.localhost']) ca.certificateFor(name);
  const leaves = join(rig.directory, 'leaves');
  await ca.removeEnded();
  assert.equal(readdirSync(leaves).length, 4);
  const ended = new Date(rig.now - LEAF_LIFE_MS - DAY);
  for (const file of ['a.localhost.pem', 'a.localhost.key']) utimesSync(join(leaves, file), ended, ended);
  for (const file of ['root.pem', 'root.key']) utimesSync(join(rig.directory, file), ended, ended);
  await ca.removeEnded();
  assert.deepEqual(readdirSync(leaves).sort(), ['b.localhost.key', 'b.localhost.pem']);
  assert.ok(ca.exportRootPem());
});
