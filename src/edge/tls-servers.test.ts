import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import tls from 'node:tls';
import {
  type KeyPair,
  makeCertificate,
  openRig,
  type Rig,
  type RigHost,
  type RigOptions,
  talk,
  talkTls,
} from '../../test/transport-rig.ts';
import { parseAlternativeNames } from './tls-client-certificate.ts';

const ca = makeCertificate('/CN=Client CA', 'CA');
const otherCa = makeCertificate('/CN=Other CA', 'CA');
const alice = makeCertificate('/O=Acme/CN=alice', 'email:alice@acme.test,DNS:alice.acme.test', ca);
const mallory = makeCertificate('/CN=mallory', 'DNS:m.test', otherCa);
const app = makeCertificate('/CN=app.test', 'DNS:app.test');
const other = makeCertificate('/CN=other.test', 'DNS:other.test');
const ALERT = Buffer.from('15030300020270', 'hex');

const rigs: Rig[] = [];
after(() => Promise.all(rigs.map((rig) => rig.close())));

async function tlsRig(
  hosts: [string | null, RigHost][],
  options: RigOptions = {},
): Promise<Rig & { hosts: Map<string | null, RigHost> }> {
  const map = new Map(hosts);
  const rig = await openRig({ tls: true, hosts: map, ...options });
  rigs.push(rig);
  return { ...rig, hosts: map };
}

const plain = (pair: KeyPair): RigHost => ({ pair });
const withCa = (mode: 'request' | 'require', clientCa: KeyPair = ca): RigHost => ({
  pair: app,
  clientCa: { ca: clientCa.cert, mode },
});

/** Bytes of a real client's first flight. */
async function helloBytes(servername: string): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const client = tls.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1', servername });
  client.on('error', () => undefined);
  const bytes = await new Promise<Buffer>((resolve) => {
    server.once('connection', (socket) => socket.once('data', resolve));
  });
  client.destroy();
  server.close();
  return bytes;
}

test('TlsServers serves each name its certificate and tells the codec the protocol', async () => {
  const rig = await tlsRig([
    ['app.test', plain(app)],
    ['other.test', plain(other)],
  ]);
  for (const [servername, pair] of [
    ['app.test', app],
    ['other.test', other],
  ] as const) {
    const got = await talkTls(rig.port, { servername, ca: pair.cert, rejectUnauthorized: true });
    assert.equal(got.error, null);
    assert.equal(got.text, `http/1.1 ${servername} - direct hello`);
  }
  const h2 = await talkTls(rig.port, { servername: 'APP.test', ALPNProtocols: ['h2', 'http/1.1'] });
  assert.equal(h2.alpn, 'h2');
  assert.equal(h2.text, 'h2 app.test - direct hello');
  assert.equal(rig.facts.at(-1)?.tlsVersion, 'TLSv1.3');
  const acme = await talkTls(rig.port, { servername: 'app.test', ALPNProtocols: ['acme-tls/1'] });
  assert.equal(acme.error, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
});

test('a handshake for TLS-ALPN-01 gets the challenge certificate and nothing after it, and only for its name', async () => {
  const challenge = makeCertificate('/CN=challenge', 'DNS:new.test');
  const context = tls.createSecureContext({ cert: challenge.cert, key: challenge.key });
  const rig = await tlsRig([['app.test', plain(app)]], {
    challengeFor: (name) => (name === 'new.test' ? context : null),
  });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { maxVersion, ALPNProtocols: ['acme-tls/1'] };
    const known = await talkTls(rig.port, {
      ...options,
      servername: 'new.test',
      ca: challenge.cert,
      rejectUnauthorized: true,
    });
    assert.deepEqual([known.alpn, known.text], ['acme-tls/1', ''], maxVersion);
    const other = await talkTls(rig.port, { ...options, servername: 'app.test' });
    assert.notEqual(other.error, null);
  }
  // Together with another protocol it is no challenge (RFC 8737 section 3), and visitors never get that certificate.
  const both = await talkTls(rig.port, { servername: 'new.test', ALPNProtocols: ['acme-tls/1', 'http/1.1'] });
  assert.equal(both.error, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  const visitor = await talkTls(rig.port, { servername: 'new.test' });
  assert.equal(visitor.error, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  assert.equal(rig.facts.length, 0);
});

test('TlsServers takes a ClientHello that comes one byte a segment', async () => {
  const rig = await tlsRig([['app.test', plain(app)]]);
  const raw = net.connect({ port: rig.port, host: '127.0.0.1', noDelay: true });
  await new Promise((resolve) => raw.once('connect', resolve));
  let chain = Promise.resolve();
  const drip = new (class extends PassThrough {})();
  drip.on('data', (bytes: Buffer) => {
    for (const byte of bytes) {
      chain = chain.then(() => new Promise((resolve) => raw.write(Buffer.from([byte]), () => setImmediate(resolve))));
    }
  });
  const { Duplex } = await import('node:stream');
  const slow = Duplex.from({ readable: raw, writable: drip });
  const client = tls.connect({
    socket: slow,
    servername: 'app.test',
    rejectUnauthorized: false,
  });
  client.on('error', () => undefined);
  client.on('secureConnect', () => client.write('hello\r\n'));
  const [text] = (await new Promise<Buffer[]>((resolve) => client.once('data', (chunk) => resolve([chunk])))) as [
    Buffer,
  ];
  assert.equal(text.toString(), 'http/1.1 app.test - direct hello');
  client.destroy();
  raw.destroy();
});

test('TlsServers resumes sessions of TLS 1.2 and 1.3 with the right name', async () => {
  const rig = await tlsRig([['app.test', plain(app)]]);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { servername: 'app.test', minVersion: version, maxVersion: version };
    const first = await talkTls(rig.port, options);
    assert.ok(first.session);
    const second = await talkTls(rig.port, { ...options, session: first.session });
    assert.equal(second.reused, true, version);
    assert.equal(second.text, 'http/1.1 app.test - direct hello', version);
  }
});

test('TlsServers resumes on another worker with the same ticket keys, and not after a rotation', async () => {
  const ticketKeys = randomBytes(48);
  const one = await tlsRig([['app.test', plain(app)]], { ticketKeys });
  const two = await tlsRig([['app.test', plain(app)]], { ticketKeys });
  const { session } = await talkTls(one.port, { servername: 'app.test' });
  assert.ok(session);
  assert.equal((await talkTls(two.port, { servername: 'app.test', session })).reused, true);
  two.transport.setTicketKeys(randomBytes(48));
  const rotated = await talkTls(two.port, { servername: 'app.test', session });
  assert.equal(rotated.reused, false);
  assert.equal(rotated.text, 'http/1.1 app.test - direct hello');
});

test('an unknown name gets the alert unrecognized_name, seven bytes, and one log line', async () => {
  const rig = await tlsRig([['app.test', plain(app)]]);
  assert.deepEqual(await talk(rig.port, await helloBytes('unknown.test')), ALERT);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const got = await talkTls(rig.port, { servername: 'unknown.test', minVersion: version, maxVersion: version });
    assert.equal(got.error, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME', version);
  }
  assert.equal((await talkTls(rig.port, {})).error, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  assert.deepEqual(
    rig.refusals.map((one) => [one.reason, one.serverName, one.peerAddress]),
    [
      ['no-certificate', 'unknown.test', '127.0.0.1'],
      ['no-certificate', 'unknown.test', '127.0.0.1'],
      ['no-certificate', 'unknown.test', '127.0.0.1'],
      ['no-certificate', null, '127.0.0.1'],
    ],
  );
});

test("a removed host's old ticket does not get in", async () => {
  const rig = await tlsRig([['app.test', plain(app)]]);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { servername: 'app.test', minVersion: version, maxVersion: version };
    rig.hosts.set('app.test', plain(app));
    const { session } = await talkTls(rig.port, options);
    assert.ok(session);
    rig.hosts.delete('app.test');
    const again = await talkTls(rig.port, { ...options, session });
    assert.equal(again.error, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME', version);
  }
});

test('a client without a name gets the context for null, by both protocols', async () => {
  const rig = await tlsRig([[null, plain(app)]]);
  const got = await talkTls(rig.port, { ALPNProtocols: ['h2'] });
  assert.equal(got.alpn, 'h2');
  assert.equal(got.text, 'h2 null - direct hello');
  const again = await talkTls(rig.port, { session: got.session! });
  assert.equal(again.text, 'http/1.1 null - direct hello');
});

test('a broken record after a nameless handshake closes the connection', async () => {
  const rig = await tlsRig([[null, plain(app)]]);
  const raw = net.connect(rig.port, '127.0.0.1');
  const client = tls.connect({ socket: raw, rejectUnauthorized: false });
  client.on('error', () => undefined);
  await new Promise((resolve) => client.once('secureConnect', resolve));
  raw.write(Buffer.concat([Buffer.from('1703030020', 'hex'), Buffer.alloc(32)]));
  await new Promise((resolve) => raw.once('close', resolve));
  assert.equal(rig.transport.stats.handshaking, 0);
});

test('mode "require" refuses the handshake without a certificate and with a stranger\'s', async () => {
  const rig = await tlsRig([['app.test', withCa('require')]]);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { servername: 'app.test', minVersion: version, maxVersion: version };
    const none = await talkTls(rig.port, options);
    assert.equal(none.text, '', version);
    const stranger = await talkTls(rig.port, { ...options, ...mallory });
    assert.equal(stranger.text, '', version);
    const known = await talkTls(rig.port, { ...options, ...alice });
    assert.equal(known.text, 'http/1.1 app.test alice direct hello', version);
  }
  const facts = rig.facts.at(-1)?.clientCertificate;
  assert.deepEqual(facts?.emails, ['alice@acme.test']);
  assert.deepEqual(facts?.dnsNames, ['alice.acme.test']);
  assert.equal(facts?.subject, 'O=Acme, CN=alice');
  assert.match(facts?.fingerprint ?? '', /^[0-9a-f]{64}$/);
  assert.equal(facts?.policy, 'policy-require');
});

test('mode "request" lets a stranger in without his certificate counting', async () => {
  const rig = await tlsRig([['app.test', withCa('request')]]);
  assert.equal((await talkTls(rig.port, { servername: 'app.test' })).text, 'http/1.1 app.test - direct hello');
  assert.equal(
    (await talkTls(rig.port, { servername: 'app.test', ...mallory })).text,
    'http/1.1 app.test - direct hello',
  );
  assert.equal(
    (await talkTls(rig.port, { servername: 'app.test', ...alice })).text,
    'http/1.1 app.test alice direct hello',
  );
});

test('a certificate counts only where its chain ends at a CA of the policy, whatever the context trusts', async () => {
  const hosts = new Map<string | null, RigHost>([['app.test', withCa('request')]]);
  const rig = await openRig({ tls: true, hosts });
  rigs.push(rig);
  // The context trusts the other CA, as one built without `ca` trusts the public roots.
  hosts.set('app.test', {
    pair: app,
    get clientCa() {
      return { ca: new Error().stack?.includes('contextFor') ? otherCa.cert : ca.cert, mode: 'request' as const };
    },
  });
  const got = await talkTls(rig.port, { servername: 'app.test', ...mallory });
  assert.equal(got.text, 'http/1.1 app.test - direct hello');
});

test('a ticket of the plain server opens no connection with client certificates, and none is resumed there', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const rig = await tlsRig([['app.test', plain(app)]]);
    const options = { servername: 'app.test', minVersion: version, maxVersion: version };
    const { session } = await talkTls(rig.port, options);
    assert.ok(session);
    rig.hosts.set('app.test', withCa('require'));
    const ticketOnly = await talkTls(rig.port, { ...options, session });
    assert.equal(ticketOnly.text, '', version);
    const known = await talkTls(rig.port, { ...options, session, ...alice });
    assert.equal(known.reused, false, version);
    assert.equal(known.text, 'http/1.1 app.test alice direct hello', version);
    const again = await talkTls(rig.port, {
      ...options,
      ...alice,
      ...(known.session ? { session: known.session } : {}),
    });
    assert.equal(again.reused, false, version);
    rig.hosts.set('app.test', withCa('require', otherCa));
    const oldCa = await talkTls(rig.port, {
      ...options,
      ...alice,
      ...(again.session ? { session: again.session } : {}),
    });
    assert.equal(oldCa.text, '', version);
  }
});

test('a certificate is swapped between two connections without touching the first', async () => {
  const rig = await tlsRig([['app.test', plain(app)]]);
  const first = tls.connect({ port: rig.port, host: '127.0.0.1', servername: 'app.test', rejectUnauthorized: false });
  await new Promise((resolve) => first.once('secureConnect', resolve));
  rig.hosts.set('app.test', plain(other));
  const second = tls.connect({ port: rig.port, host: '127.0.0.1', servername: 'app.test', rejectUnauthorized: false });
  await new Promise((resolve) => second.once('secureConnect', resolve));
  assert.equal(second.getPeerX509Certificate()?.subject, 'CN=other.test');
  second.destroy();
  first.write('hello\r\n');
  const [text] = (await new Promise<Buffer[]>((resolve) => first.once('data', (chunk) => resolve([chunk])))) as [
    Buffer,
  ];
  assert.equal(text.toString(), 'http/1.1 app.test - direct hello');
  first.destroy();
});

test('the context chosen for the ClientHello is the one that is served', async () => {
  const contexts = [app, other].map((pair) => tls.createSecureContext(pair));
  const asked: (readonly number[] | null | undefined)[] = [];
  const rig = await tlsRig([], {
    certificates: {
      contextFor: (_name, offer) => {
        asked.push(offer?.signatureSchemes);
        return contexts[offer === undefined ? 1 : 0] ?? null;
      },
      clientAuthFor: () => null,
    },
  });
  const got = await talkTls(rig.port, { servername: 'app.test', ca: app.cert, rejectUnauthorized: true });
  assert.equal(got.error, null);
  assert.ok(asked[0]?.includes(0x0403));
});

test('TLS below 1.2 and plain HTTP are told so', async () => {
  const rig = await tlsRig([['app.test', plain(app)]]);
  const old = await talkTls(rig.port, {
    servername: 'app.test',
    minVersion: 'TLSv1.1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  });
  assert.equal(old.error, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  const http = await talk(rig.port, 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
  assert.match(http.toString(), /^HTTP\/1\.1 400 .*\r\n\r\n.*https:\/\//s);
  assert.equal(rig.refusals.at(-1)?.reason, 'plain-on-tls');
});

test('a ClientHello that is cut off or malformed ends in an alert or at the deadline', async () => {
  const rig = await tlsRig([['app.test', plain(app)]], { settings: { handshakeMs: 100 } });
  const bytes = await helloBytes('app.test');
  assert.equal((await talk(rig.port, bytes.subarray(0, 100))).length, 0);
  assert.equal(rig.transport.stats.refused['handshake-timeout'], 1);
  assert.deepEqual(await talk(rig.port, Buffer.from([22, 3, 1, 0, 0])), Buffer.from('15030300020232', 'hex'));
  // The hello is whole, and the client stops there: the handshake has the same deadline.
  assert.ok((await talk(rig.port, bytes)).length > 100);
  assert.equal(rig.transport.stats.refused['handshake-timeout'], 2);
  assert.equal(rig.transport.stats.handshaking, 0);
});

test('parseAlternativeNames() reads names and takes no quoted text for one', () => {
  assert.deepEqual(parseAlternativeNames('DNS:A.example, email:bob@x.test, IP Address:1.2.3.4, DNS:*.b.example'), {
    dnsNames: ['a.example', '*.b.example'],
    emails: ['bob@x.test'],
  });
  assert.deepEqual(parseAlternativeNames('DNS:"a.example, email:evil@x.test", DNS:c.example'), {
    dnsNames: ['c.example'],
    emails: [],
  });
  assert.deepEqual(parseAlternativeNames(''), { dnsNames: [], emails: [] });
});
