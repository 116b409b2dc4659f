import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { createFixture, type Fixture } from './_openssl-fixture.ts';
import { createCertificateKeeper, type CertificateKeeper } from './certificate-keeper.ts';
import { LEAF_LIFE_MS } from './local-ca.ts';
import type { CertificateSet } from './certificate-set.ts';
import type { TlsDocument, TlsHost } from './provision.ts';

interface Rig {
  readonly fixture: Fixture;
  readonly keeper: CertificateKeeper;
  readonly lines: string[];
  readonly sets: CertificateSet[];
  /** The next set that the keeper hands out. */
  readonly nextSet: () => Promise<CertificateSet>;
  /** The next line of the log. */
  readonly nextLine: () => Promise<string>;
  now: number;
}

function rigOf(t: TestContext): Rig {
  const fixture = createFixture();
  const lines: string[] = [];
  const sets: CertificateSet[] = [];
  let sawSet: ((set: CertificateSet) => void) | null = null;
  let sawLine: ((line: string) => void) | null = null;
  const log = (level: string) => (facts: object, message: string) => {
    const line = `${level} ${(facts as { code?: string }).code ?? '-'} ${message.replaceAll(`${fixture.folder}/`, '')}`;
    lines.push(line);
    sawLine?.(line);
  };
  const rig: Rig = {
    fixture,
    lines,
    sets,
    now: Date.now(),
    nextSet: async () => new Promise((resolve) => (sawSet = resolve)),
    nextLine: async () => new Promise((resolve) => (sawLine = resolve)),
    keeper: createCertificateKeeper({
      caDirectory: fixture.path('ca'),
      clock: { now: () => rig.now },
      logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      onChange: (set) => {
        sets.push(set);
        sawSet?.(set);
      },
      pollMs: 50,
      settleMs: 20,
    }),
  };
  t.after(async () => {
    await rig.keeper.close();
    fixture.remove();
  });
  return rig;
}

function documentOf(host: Partial<TlsHost>, certificates: TlsDocument['tls']['certificates'] = []): TlsDocument {
  const one: TlsHost = {
    name: 'a.test',
    tls: { kind: 'automatic' },
    clientAuth: null,
    at: ['hosts', 'a.test'],
    ...host,
  };
  return {
    tls: { minVersion: 'TLSv1.2', certificates },
    acme: null,
    hosts: [one],
    fallback: null,
    signIn: { url: null },
  };
}

function pair(fixture: Fixture, folder = '.'): TlsHost['tls'] {
  return {
    kind: 'files',
    files: { certificate: fixture.path(`${folder}/live.pem`), key: fixture.path(`${folder}/live.key`), at: ['tls'] },
  };
}

function install(fixture: Fixture, name: string, folder = '.'): void {
  for (const end of ['pem', 'key'])
    writeFileSync(fixture.path(`${folder}/live.${end}`), readFileSync(fixture.path(`${name}.${end}`)));
}

test('a pair written over in place is picked up', async (t) => {
  const rig = rigOf(t);
  rig.fixture.make('one', { names: ['a.test'] });
  rig.fixture.make('two', { names: ['a.test'] });
  install(rig.fixture, 'one');
  const first = await rig.keeper.prepare(documentOf({ tls: pair(rig.fixture) }));
  rig.keeper.adopt(first);
  const next = rig.nextSet();
  install(rig.fixture, 'two');
  const set = await next;
  assert.notDeepEqual(set.hosts.get('a.test'), first.set.hosts.get('a.test'));
  assert.equal(set.certificates[0]?.certificatePem, rig.fixture.read('two.pem'));
});

test('a folder that is a symlink to the current version is followed (Kubernetes, certbot)', async (t) => {
  const rig = rigOf(t);
  for (const name of ['one', 'two']) {
    rig.fixture.make(name, { names: ['a.test'] });
    mkdirSync(rig.fixture.path(`v-${name}`));
    install(rig.fixture, name, `v-${name}`);
  }
  symlinkSync('v-one', rig.fixture.path('data'));
  rig.keeper.adopt(await rig.keeper.prepare(documentOf({ tls: pair(rig.fixture, 'data') })));
  const next = rig.nextSet();
  symlinkSync('v-two', rig.fixture.path('data.new'));
  renameSync(rig.fixture.path('data.new'), rig.fixture.path('data'));
  assert.equal((await next).certificates[0]?.certificatePem, rig.fixture.read('two.pem'));
});

test('a bad replacement keeps the old certificate and is logged once', async (t) => {
  const rig = rigOf(t);
  rig.fixture.make('one', { names: ['a.test'] });
  rig.fixture.make('wrong-name', { names: ['b.test'] });
  install(rig.fixture, 'one');
  const first = await rig.keeper.prepare(documentOf({ tls: pair(rig.fixture) }));
  rig.keeper.adopt(first);
  const logged = rig.nextLine();
  writeFileSync(rig.fixture.path('live.pem'), 'half a fi');
  assert.match(
    await logged,
    /^error TLS_BAD_CERTIFICATE "\.?\/?live\.pem" is not PEM.*; the certificate in use stays$/,
  );
  await rig.keeper.review();
  await rig.keeper.review();
  assert.equal(rig.lines.length, 1);
  const again = rig.nextLine();
  install(rig.fixture, 'wrong-name');
  // Between the two files a mismatch may be seen; what counts is that the last verdict names the host.
  for (let line = await again; !line.includes('but not host "a.test"');) line = await rig.nextLine();
  await rig.keeper.review();
  assert.deepEqual(rig.sets, []);
  rmSync(rig.fixture.path('live.pem'));
  await rig.keeper.review();
  assert.deepEqual(rig.sets, []);
});

test('local certificates are renewed while Postern runs', async (t) => {
  const rig = rigOf(t);
  const first = await rig.keeper.prepare(documentOf({}));
  rig.keeper.adopt(first);
  rig.now += LEAF_LIFE_MS * 0.5;
  await rig.keeper.review();
  assert.equal(rig.sets.length, 0);
  rig.now += LEAF_LIFE_MS * 0.2;
  await rig.keeper.review();
  assert.equal(rig.sets.length, 1);
  assert.notDeepEqual(rig.sets[0]?.hosts.get('a.test'), first.set.hosts.get('a.test'));
});

test('a certificate that comes close to its end is warned of, again each day', async (t) => {
  const rig = rigOf(t);
  rig.fixture.make('one', { names: ['a.test'] });
  install(rig.fixture, 'one');
  rig.keeper.adopt(await rig.keeper.prepare(documentOf({ tls: pair(rig.fixture) })));
  rig.now += 62 * 86_400_000;
  await rig.keeper.review();
  await rig.keeper.review();
  assert.equal(rig.lines.length, 1);
  assert.match(rig.lines[0] ?? '', /^warn - Certificate ".*live\.pem" expires within 30 days/);
  rig.now += 25 * 3_600_000;
  await rig.keeper.review();
  assert.equal(rig.lines.length, 2);
});

test('a client CA file that goes bad keeps the policy in force', async (t) => {
  const rig = rigOf(t);
  rig.fixture.make('ca', { names: [], isCa: true });
  const clientAuth = { caFile: rig.fixture.path('ca.pem'), mode: 'require', at: ['x'] } as const;
  const first = await rig.keeper.prepare(documentOf({ clientAuth }));
  rig.keeper.adopt(first);
  writeFileSync(clientAuth.caFile, '');
  await rig.keeper.review();
  assert.equal(rig.sets.length, 0);
  assert.match(rig.lines.at(-1) ?? '', /^error TLS_BAD_CERTIFICATE "ca\.pem" holds no PEM certificate/);
  rig.fixture.make('ca', { names: [], isCa: true });
  await rig.keeper.review();
  assert.notEqual(rig.sets.at(0)?.clientAuth.policies[0]?.policyId, first.set.clientAuth.policies[0]?.policyId);
});

function manyHosts(count: number): TlsDocument {
  const [one] = documentOf({}).hosts;
  assert.ok(one);
  return { ...documentOf({}), hosts: Array.from({ length: count }, (_, i) => ({ ...one, name: `h${i}.test` })) };
}

test('certificateOnVisit() makes the certificate of a host when somebody comes, once, and for no other name', async (t) => {
  const rig = rigOf(t);
  rig.keeper.adopt(await rig.keeper.prepare(manyHosts(40)));
  const before = rig.keeper.current()?.certificates.length;
  const late = rig.keeper.certificateOnVisit('H39.test');
  assert.equal(late?.host, 'h39.test');
  assert.deepEqual(late.entry.names, ['h39.test']);
  assert.deepEqual(rig.keeper.certificateOnVisit('h39.test'), late);
  const set = rig.keeper.current();
  assert.equal(set?.certificates.length, (before ?? 0) + 1);
  assert.deepEqual(set?.hosts.get('h39.test'), [late.entry.id]);
  for (const name of ['h0.test', 'nobody.test', 'x.h39.test', ''])
    assert.equal(rig.keeper.certificateOnVisit(name), null);
});

test('a certificate of a first visit stays over reviews, reloads and restarts, and is renewed', async (t) => {
  const rig = rigOf(t);
  rig.keeper.adopt(await rig.keeper.prepare(manyHosts(40)));
  const late = rig.keeper.certificateOnVisit('h39.test');
  assert.ok(late);
  await rig.keeper.review();
  assert.deepEqual(rig.sets, []);
  const reloaded = await rig.keeper.prepare(manyHosts(41));
  assert.deepEqual(reloaded.set.hosts.get('h39.test'), [late.entry.id]);
  assert.equal(reloaded.set.onVisit.has('h39.test'), false);
  const again = createCertificateKeeper({
    caDirectory: rig.fixture.path('ca'),
    clock: { now: () => rig.now },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    onChange() {},
  });
  t.after(() => again.close());
  again.adopt(await again.prepare(manyHosts(40)));
  assert.deepEqual(again.current()?.hosts.get('h39.test'), []);
  assert.deepEqual(again.certificateOnVisit('h39.test'), late);
  rig.now += LEAF_LIFE_MS * 0.7;
  const changed = rig.nextSet();
  await rig.keeper.review();
  const renewed = (await changed).hosts.get('h39.test');
  assert.equal(renewed?.length, 1);
  assert.notDeepEqual(renewed, [late.entry.id]);
});

test('certificateOnVisit() says once that a certificate cannot be issued', async (t) => {
  const rig = rigOf(t);
  rig.keeper.adopt(await rig.keeper.prepare(manyHosts(40)));
  rmSync(rig.fixture.path('ca/leaves'), { recursive: true });
  writeFileSync(rig.fixture.path('ca/leaves'), 'in the way');
  assert.equal(rig.keeper.certificateOnVisit('h39.test'), null);
  assert.equal(rig.keeper.certificateOnVisit('h38.test'), null);
  const said = rig.lines.filter((line) => line.includes('Cannot issue a local certificate'));
  assert.equal(said.length, 1);
});
