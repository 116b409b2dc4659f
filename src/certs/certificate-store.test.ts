import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test, type TestContext } from 'node:test';
import { connect, createServer, type ConnectionOptions, type Server, type TLSSocket } from 'node:tls';
import { createFixture, type Fixture } from './_openssl-fixture.ts';
import { EMPTY_CERTIFICATE_SET, type CertificateEntry, type CertificateSet } from './certificate-set.ts';
import {
  createCertificateStore,
  TLS_CIPHERS,
  TLS_GROUPS,
  type CertificateStore,
  type ClientOffer,
} from './certificate-store.ts';
import { createCertificateReader } from './files.ts';
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';

let fixture: Fixture;
const entries: Record<string, CertificateEntry> = {};

before(() => {
  fixture = createFixture();
  const read = createCertificateReader();
  const make = (name: string, names: string[], kind: 'ec' | 'rsa'): void => {
    const { entry } = read({ ...fixture.make(name, { names, kind }), at: [] }, Date.now());
    assert.ok(entry);
    entries[name] = entry;
  };
  make('a', ['a.test'], 'ec');
  make('a2', ['a.test'], 'ec');
  make('rsa', ['a.test'], 'rsa');
  make('wild', ['*.b.test'], 'ec');
  make('rest', ['rest.test', '*.rest.test'], 'ec');
  fixture.make('ca', { names: [], isCa: true });
  fixture.make('client', { names: ['client'], issuer: 'ca', usage: 'clientAuth' });
  fixture.make('foreign', { names: ['client'], usage: 'clientAuth' });
});
after(() => fixture.remove());

function entry(name: string): CertificateEntry {
  const found = entries[name];
  assert.ok(found);
  return found;
}

function setOf(part: Partial<CertificateSet>, ...names: string[]): CertificateSet {
  return { ...EMPTY_CERTIFICATE_SET, certificates: names.map(entry), ...part };
}

function hosts(table: Record<string, string[]>): ReadonlyMap<string, readonly string[]> {
  return new Map(Object.entries(table).map(([host, names]) => [host, names.map((name) => entry(name).id)]));
}

interface Rig {
  readonly server: Server;
  readonly port: number;
  /** Fingerprint of what is served to a name. */
  readonly ask: (servername: string | undefined, options?: ConnectionOptions) => Promise<TLSSocket>;
}

async function serve(t: TestContext, store: CertificateStore): Promise<Rig> {
  const server = createServer({
    ciphers: TLS_CIPHERS,
    ecdhCurve: TLS_GROUPS,
    SNICallback: (name, done) => {
      const context = store.contextFor(name);
      if (context === null) done(new Error('unknown name'));
      else done(null, context);
    },
  });
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sockets: TLSSocket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const ask: Rig['ask'] = async (servername, options) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ...(servername === undefined ? {} : { servername }),
      ...options,
    });
    sockets.push(socket);
    await once(socket, 'secureConnect');
    return socket;
  };
  return { server, port, ask };
}

function idOf(socket: TLSSocket): string {
  const raw = socket.getPeerX509Certificate();
  assert.ok(raw);
  const found = Object.entries(entries).find(
    ([, one]) => new X509Certificate(one.certificatePem).fingerprint256 === raw.fingerprint256,
  );
  return found?.[0] ?? 'unknown';
}

test('contextFor() serves exact names, one label of a wildcard, and nothing to unknown names', async (t) => {
  const store = createCertificateStore(
    setOf(
      {
        hosts: hosts({ 'a.test': ['a'], '*.b.test': ['wild'], 'off.rest.test': [] }),
        others: hosts({ 'rest.test': ['rest'], '*.rest.test': ['rest'] }),
      },
      'a',
      'wild',
      'rest',
    ),
  );
  const rig = await serve(t, store);
  const served = async (name: string): Promise<string> => idOf(await rig.ask(name));
  assert.equal(await served('a.test'), 'a');
  assert.equal(await served('A.Test'), 'a');
  assert.equal(await served('x.b.test'), 'wild');
  assert.equal(await served('y.rest.test'), 'rest');
  for (const name of [
    'b.test',
    'x.y.b.test',
    'c.test',
    'sub.a.test',
    'off.rest.test',
    'x.y.rest.test',
    '',
    '.b.test',
  ]) {
    assert.equal(store.contextFor(name), null, name);
  }
  assert.equal(store.contextFor(null), null);
  await assert.rejects(rig.ask('c.test'));
});

test('contextFor() serves a client without a name only what the set says', async (t) => {
  const { id } = entry('rest');
  const store = createCertificateStore(setOf({ hosts: hosts({ 'a.test': ['a'] }), withoutName: [id] }, 'a', 'rest'));
  assert.notEqual(store.contextFor(null), null);
  const server = createServer({ SNICallback: (_name, done) => done(null, store.contextFor(null) ?? undefined) });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const socket = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    servername: 'any.test',
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  assert.equal(idOf(socket), 'rest');
  socket.destroy();
});

test('ECDSA and RSA certificates of one name serve each client what it can verify', async (t) => {
  const store = createCertificateStore(setOf({ hosts: hosts({ 'a.test': ['rsa', 'a'] }) }, 'a', 'rsa'));
  // As the edge does it: it has read the ClientHello before the handshake begins.
  const modern = {
    versions: [0x0304, 0x0303],
    cipherSuites: [0x1301, 0xc02b, 0xc02f],
    signatureSchemes: [0x0804, 0x0403],
  };
  let offer: ClientOffer | undefined;
  const rig = await serve(t, {
    ...store,
    contextFor: (name) => store.contextFor(name, offer),
  });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    offer = modern;
    assert.equal(idOf(await rig.ask('a.test', { maxVersion })), 'a', maxVersion);
    offer = { ...modern, signatureSchemes: [0x0804, 0x0401] };
    assert.equal(
      idOf(await rig.ask('a.test', { maxVersion, sigalgs: 'rsa_pss_rsae_sha256:RSA+SHA256' })),
      'rsa',
      maxVersion,
    );
    offer = undefined;
    assert.equal(idOf(await rig.ask('a.test', { maxVersion })), 'a', maxVersion);
  }
  // It knows ECDSA signatures, but its suites are for RSA: what OpenSSL sends with -cipher and no -sigalgs.
  offer = { ...modern, versions: [0x0303], cipherSuites: [0xc02f, 0xc030] };
  const old = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384' } as const;
  assert.equal(idOf(await rig.ask('a.test', old)), 'rsa');
  offer = { ...modern, versions: [0x0303], cipherSuites: [0xc02f], signatureSchemes: null };
  assert.equal(idOf(await rig.ask('a.test', old)), 'rsa');
});

test('replace() serves the new certificate to new connections and leaves open ones alone', async (t) => {
  const store = createCertificateStore(setOf({ hosts: hosts({ 'a.test': ['a'], 'x.b.test': ['wild'] }) }, 'a', 'wild'));
  const rig = await serve(t, store);
  const open = await rig.ask('a.test');
  const kept = store.contextFor('x.b.test');
  store.replace(setOf({ hosts: hosts({ 'a.test': ['a2'], 'x.b.test': ['wild'] }) }, 'a2', 'wild'));
  assert.equal(idOf(await rig.ask('a.test')), 'a2');
  open.write('still here');
  const [echo] = (await once(open, 'data')) as [Buffer];
  assert.equal(echo.toString(), 'still here');
  assert.equal(idOf(open), 'a');
  assert.equal(store.contextFor('x.b.test'), kept);
  store.replace(EMPTY_CERTIFICATE_SET);
  assert.equal(store.contextFor('a.test'), null);
});

test('contexts are made once, when first asked for', () => {
  const many = new Map(Array.from({ length: 10_000 }, (_, index) => [`h${index}.test`, [entry('a').id]] as const));
  const names = Array.from({ length: 10_000 }, (_, index) => `h${index}.test`);
  const certificates = [{ ...entry('a'), names }];
  const startedAt = process.cpuUsage();
  const store = createCertificateStore({ ...EMPTY_CERTIFICATE_SET, certificates, hosts: many });
  const spent = process.cpuUsage(startedAt);
  assert.ok(spent.user + spent.system < 500_000);
  assert.equal(store.contextFor('h1.test'), store.contextFor('h9999.test'));
});

test('clientAuthFor() follows exact hosts, then wildcards, then the default', () => {
  const policy = (policyId: string): CertificateSet['clientAuth']['policies'][number] => ({
    policyId,
    ca: [],
    mode: 'require',
  });
  const store = createCertificateStore(
    setOf({
      clientAuth: {
        policies: [policy('p1'), policy('p2')],
        hosts: new Map([
          ['open.b.test', null],
          ['*.b.test', 'p1'],
        ]),
        others: 'p2',
        withoutName: 'p2',
      },
    }),
  );
  const of = (name: string | null): string | null => store.clientAuthFor(name)?.policyId ?? null;
  assert.equal(of('X.B.test'), 'p1');
  assert.equal(of('open.b.test'), null);
  assert.equal(of('deep.x.b.test'), 'p1');
  assert.equal(of('z.test'), 'p2');
  assert.equal(of(null), 'p2');
});

test('a context trusts the CAs of its policy and no others, public ones included', async (t) => {
  const policies = [{ policyId: 'p', ca: [fixture.read('ca.pem')], mode: 'require' as const }];
  const clientAuth = { policies, hosts: new Map([['a.test', 'p']]), others: null, withoutName: null };
  const store = createCertificateStore(
    setOf({ hosts: hosts({ 'a.test': ['a'], 'x.b.test': ['wild'] }), clientAuth }, 'a', 'wild'),
  );
  const seen: boolean[] = [];
  // The server itself trusts the foreign certificate: only the context's own CAs may count.
  const server = createServer({
    requestCert: true,
    rejectUnauthorized: false,
    ca: [fixture.read('foreign.pem'), fixture.read('ca.pem')],
    SNICallback: (name, done) => done(null, store.contextFor(name) ?? undefined),
  });
  server.on('secureConnection', (socket) => {
    seen.push(socket.authorized);
    socket.end('x');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const ask = async (servername: string, name: string): Promise<boolean | undefined> => {
    const { port } = server.address() as AddressInfo;
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername,
      rejectUnauthorized: false,
      cert: fixture.read(`${name}.pem`),
      key: fixture.read(`${name}.key`),
    });
    await once(socket.resume(), 'close');
    return seen.pop();
  };
  assert.equal(await ask('a.test', 'client'), true);
  assert.equal(await ask('a.test', 'foreign'), false);
  assert.equal(await ask('x.b.test', 'client'), false);
  assert.equal(await ask('x.b.test', 'foreign'), false);
});

/** Bytes that the server sends for one handshake. */
async function flightOf(rig: Rig, options: ConnectionOptions): Promise<number> {
  let bytes = 0;
  const relay = createTcpServer((client: Socket) => {
    const server = connectTcp(rig.port, '127.0.0.1');
    server.on('data', (chunk: Buffer) => (bytes += chunk.length));
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
    client.pipe(server).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const socket = await rig.ask('a.test', { ...options, port: (relay.address() as AddressInfo).port });
  // The certificate is read by then, and one answer proves that nothing of the handshake is still on its way.
  socket.write('x');
  await once(socket, 'data');
  socket.destroy();
  relay.close();
  return bytes;
}

test('contextFor() gives contexts that send certificates compressed (RFC 8879)', async (t) => {
  const chain = { ...entry('a'), certificatePem: entry('a').certificatePem + entry('rest').certificatePem };
  const rig = await serve(
    t,
    createCertificateStore({
      ...EMPTY_CERTIFICATE_SET,
      certificates: [chain],
      hosts: new Map([['a.test', [chain.id]]]),
    }),
  );
  const plain = await flightOf(rig, {});
  for (const algorithm of ['zlib', 'zstd'] as const) {
    const compressed = await flightOf(rig, { certificateCompression: [algorithm] });
    assert.ok(compressed < plain - 100, `${algorithm}: ${compressed} of ${plain}`);
  }
});

test('contextFor() has brotli too for a name that is asked for often', async (t) => {
  const rig = await serve(t, createCertificateStore(setOf({ hosts: hosts({ 'a.test': ['a'] }) }, 'a')));
  const brotli = { certificateCompression: ['brotli' as const] };
  const first = await flightOf(rig, brotli);
  for (let i = 0; i < 20; i++) (await rig.ask('a.test')).destroy();
  const later = await flightOf(rig, brotli);
  assert.ok(later < first, `${later} of ${first}`);
});

test('contextFor() prefers a key exchange that quantum computers do not break', async (t) => {
  const rig = await serve(t, createCertificateStore(setOf({ hosts: hosts({ 'a.test': ['a'] }) }, 'a')));
  const groupOf = (socket: TLSSocket): unknown => (socket.getEphemeralKeyInfo() as { name?: string }).name;
  assert.equal(groupOf(await rig.ask('a.test')), 'X25519MLKEM768');
  assert.equal(groupOf(await rig.ask('a.test', { ecdhCurve: 'X25519' })), 'X25519');
  assert.equal(groupOf(await rig.ask('a.test', { ecdhCurve: 'P-256:P-384' })), 'prime256v1');
  await assert.rejects(rig.ask('a.test', { ecdhCurve: 'P-521' }));
});

test('a host without a certificate takes one at its first visit, and no other name does', () => {
  const store = createCertificateStore({
    ...EMPTY_CERTIFICATE_SET,
    certificates: [],
    hosts: new Map([
      ['a.test', []],
      ['*.b.test', []],
      ['other.test', []],
    ]),
    onVisit: new Set(['a.test', '*.b.test']),
  });
  const asked = ['a.test', 'A.test', 'x.b.test', 'x.y.b.test', 'b.test', 'other.test', 'nobody.test'];
  assert.deepEqual(asked.filter(store.isOnVisit), ['a.test', 'A.test', 'x.b.test']);
  assert.equal(store.contextFor('a.test'), null);
  store.add({ host: 'a.test', entry: entry('a') });
  const context = store.contextFor('a.test');
  assert.ok(context);
  store.add({ host: 'a.test', entry: entry('a') });
  assert.equal(store.contextFor('a.test'), context);
  // A set of a reload that knows no such host any more.
  store.replace(setOf({ hosts: hosts({ 'a.test': [] }) }));
  store.add({ host: 'a.test', entry: entry('a') });
  assert.equal(store.contextFor('a.test'), null);
  assert.equal(EMPTY_CERTIFICATE_SET.certificates.length + EMPTY_CERTIFICATE_SET.hosts.size, 0);
});
