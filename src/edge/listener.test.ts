import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';
import { after, test } from 'node:test';
import { openRig, type Rig, type RigOptions, talk, talkTls, makeCertificate } from '../../test/transport-rig.ts';
import { encodeProxyV1, encodeProxyV2 } from '../wire/proxy-protocol.ts';
import { addressKey, ConnectionLimits } from './connection-limits.ts';
import { listenError } from './listen-error.ts';
import { assertAddressFree } from './address-free.ts';
import { PeekQueue } from './peek-queue.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const from = { address: '203.0.113.9', port: 4711 };
const to = { address: '192.0.2.1', port: 443 };
const app = makeCertificate('/CN=app.test', 'DNS:app.test');

const rigs: Rig[] = [];
after(() => Promise.all(rigs.map((rig) => rig.close())));

async function rigOf(options: RigOptions = {}): Promise<Rig> {
  const rig = await openRig(options);
  rigs.push(rig);
  return rig;
}

const text = async (...all: Parameters<typeof talk>): Promise<string> => (await talk(...all)).toString('latin1');

test('a plain connection reaches the codec with all of its bytes, however they were split', async () => {
  const rig = await rigOf();
  assert.equal(await text(rig.port, REQUEST), 'http/1.1 null - direct GET / HTTP/1.1');
  assert.equal(await text(rig.port, 'P', 'OST / HTTP/1.1\r\n'), 'http/1.1 null - direct POST / HTTP/1.1');
  const facts = rig.facts[0];
  assert.equal(facts?.peerAddress, '127.0.0.1');
  assert.equal(facts?.localPort, rig.port);
  assert.equal(facts?.scheme, 'http');
  assert.equal(facts?.viaProxyProtocol, false);
});

test('the HTTP/2 preface on a plain listener goes to the HTTP/2 codec', async () => {
  const rig = await rigOf();
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  assert.equal(await text(rig.port, ...preface.split('')), 'h2 null - direct PRI * HTTP/2.0');
  assert.equal(await text(rig.port, 'PRI * HTTP/1.1\r\n\r\n'), 'http/1.1 null - direct PRI * HTTP/1.1');
});

test('PROXY v1 and v2 of a listed peer name the visitor, in whatever segments they come', async () => {
  const rig = await rigOf({ proxyPeers: ['127.0.0.0/8'] });
  const expected = 'http/1.1 null - 203.0.113.9:4711 GET / HTTP/1.1';
  for (const header of [encodeProxyV1(from, to), encodeProxyV2(from, to), encodeProxyV2(from, to, Buffer.alloc(40))]) {
    assert.equal(await text(rig.port, header, REQUEST), expected);
    assert.equal(await text(rig.port, Buffer.concat([header, Buffer.from(REQUEST)])), expected);
    assert.equal(await text(rig.port, ...[...header].map((byte) => Buffer.from([byte])), REQUEST), expected);
  }
  assert.equal(await text(rig.port, 'PROXY UNKNOWN\r\n', REQUEST), 'http/1.1 null - null:null GET / HTTP/1.1');
  assert.equal(rig.facts.at(-1)?.peerAddress, null);
  assert.deepEqual(rig.refusals, []);
});

test('a listed peer must send a PROXY header, and a right one', async () => {
  const rig = await rigOf({ proxyPeers: ['127.0.0.0/8'] });
  assert.equal(await text(rig.port, REQUEST), '');
  assert.equal(await text(rig.port, 'PROXY TCP4 1.2.3.4\r\n', REQUEST), '');
  assert.deepEqual(
    rig.refusals.map((one) => one.reason),
    ['proxy-missing', 'proxy-malformed'],
  );
  assert.equal(rig.facts.length, 0);
});

test('a PROXY header of any other peer closes the connection with one log line', async () => {
  const plain = await rigOf({ proxyPeers: ['192.0.2.0/24'] });
  const tls = await rigOf({ tls: true, hosts: new Map([['app.test', { pair: app }]]) });
  for (const rig of [plain, tls]) {
    assert.equal(await text(rig.port, encodeProxyV1(from, to), REQUEST), '');
    assert.equal(await text(rig.port, encodeProxyV2(from, to), REQUEST), '');
    assert.deepEqual(
      rig.refusals.map((one) => one.reason),
      ['proxy-not-listed', 'proxy-not-listed'],
    );
    assert.equal(rig.facts.length, 0);
  }
});

test('PROXY comes before TLS', async () => {
  const hosts = new Map([['app.test', { pair: app }]]);
  const rig = await rigOf({ tls: true, hosts, proxyPeers: ['127.0.0.1'] });
  const raw = net.connect(rig.port, '127.0.0.1');
  raw.write(encodeProxyV2(from, to));
  const got = await talkTls(rig.port, { socket: raw, servername: 'app.test' });
  assert.equal(got.text, 'http/1.1 app.test - 203.0.113.9:4711 hello');
});

test('connections beyond the limits are closed at once and counted', async () => {
  const rig = await rigOf({ settings: { connectionsPerLoopback: 2 } });
  const open = [net.connect(rig.port, '127.0.0.1'), net.connect(rig.port, '127.0.0.1')];
  await Promise.all(open.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  assert.equal(await text(rig.port), '');
  assert.equal(rig.transport.stats.refused['limit'], 1);
  const closed = new Promise((resolve) => open[0]?.once('close', resolve));
  open[0]?.end();
  await closed;
  assert.equal(await text(rig.port, REQUEST), 'http/1.1 null - direct GET / HTTP/1.1');
  open[1]?.destroy();
});

test('behind a listed peer the visitors are counted, not the peer', async () => {
  const served: string[] = [];
  const rig = await rigOf({
    proxyPeers: ['127.0.0.1'],
    settings: { connectionsPerAddress: 1 },
    serve: (socket, facts) => {
      served.push(facts.peerAddress ?? '');
      socket.write('!');
      return { drain: () => undefined, destroy: () => socket.destroy() };
    },
  });
  const visit = (address: string): Promise<string> => {
    const socket = net.connect(rig.port, '127.0.0.1');
    socket.write(Buffer.concat([encodeProxyV1({ address, port: 1 }, to), Buffer.from('GET')]));
    return new Promise((resolve) => {
      socket.once('data', () => resolve('served'));
      socket.once('close', () => resolve('closed'));
    });
  };
  assert.equal(await visit('203.0.113.9'), 'served');
  assert.equal(await visit('203.0.113.9'), 'closed');
  assert.equal(await visit('203.0.113.10'), 'served');
  assert.deepEqual(served, ['203.0.113.9', '203.0.113.10']);
});

test('silent connections end at the deadline, and no timer is left', async () => {
  const rig = await rigOf({ settings: { handshakeMs: 50 } });
  assert.equal(await text(rig.port), '');
  assert.equal(rig.transport.stats.refused['handshake-timeout'], 1);
  while (rig.transport.stats.open > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(rig.transport.stats.handshaking, 0);
});

/** A pace whose turns are the test's to give. */
function heldPace(): { begin: (work: () => void) => void; next: () => Promise<void> } {
  const held: (() => void)[] = [];
  return {
    begin: (work) => held.push(work),
    async next() {
      while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
      held.shift()?.();
    },
  };
}

const tlsHosts = new Map([['app.test', { pair: app }]]);

test('a TLS connection has one turn for its handshake and one for what comes behind it', async () => {
  const pace = heldPace();
  const rig = await rigOf({ tls: true, hosts: tlsHosts, pace });
  const talking = talkTls(rig.port, { servername: 'app.test' });
  await pace.next();
  let isServed = false;
  const served = pace.next().then(() => (isServed = true));
  assert.equal(isServed, false);
  assert.deepEqual(rig.facts, [], 'nobody is served before their turn');
  assert.equal(rig.transport.stats.handshaking, 1, 'and has the deadline of a handshake until then');
  await served;
  assert.match((await talking).text, /^http\/1\.1 app\.test/);
  assert.equal(rig.transport.stats.handshaking, 0);
});

test('a connection whose turn does not come ends at the deadline, and is served no more', async () => {
  const pace = heldPace();
  const rig = await rigOf({ tls: true, hosts: tlsHosts, pace, settings: { handshakeMs: 1_000 } });
  const talking = talkTls(rig.port, { servername: 'app.test' });
  await pace.next();
  await talking;
  while (rig.transport.stats.open > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(rig.transport.stats.refused['handshake-timeout'], 1);
  await pace.next();
  assert.deepEqual(rig.facts, []);
});

test('PeekQueue gives up the oldest when it is full', () => {
  const expired: string[] = [];
  let now = 0;
  const queue = new PeekQueue({
    handshakeMs: () => 100,
    max: () => 2,
    now: () => now,
    onExpired: (_socket, reason) => expired.push(reason),
  });
  const sockets = [new net.Socket(), new net.Socket(), new net.Socket()] as const;
  for (const socket of sockets) queue.add(socket);
  assert.deepEqual(expired, ['overflow']);
  assert.ok(sockets[0].destroyed);
  queue.remove(sockets[1]);
  now = 100;
  queue.sweep();
  assert.deepEqual(expired, ['overflow', 'timeout']);
  assert.ok(!sockets[1].destroyed);
  assert.equal(queue.size, 0);
});

test('PeekQueue counts no time in which this thread stood still, and gives up all the same', async () => {
  const expired: string[] = [];
  const handshakeMs = 2_000;
  const queue = new PeekQueue({
    handshakeMs: () => handshakeMs,
    max: () => 10,
    now: () => performance.now(),
    onExpired: (_socket, reason) => expired.push(reason),
  });
  const from = performance.now();
  queue.add(new net.Socket());
  // By now the event loop turns.
  await new Promise((done) => setImmediate(done));
  // As a machine that sleeps, or a program that is paused.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * handshakeMs);
  queue.add(new net.Socket());
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(expired, [], 'what was sent meanwhile is not read yet');
  while (queue.size > 0) await new Promise((done) => setTimeout(done, 50));
  assert.deepEqual(expired, ['timeout', 'timeout']);
  assert.ok(performance.now() - from >= 3 * handshakeMs - 500);
});

test('addressKey() counts IPv6 by its /64', () => {
  assert.equal(addressKey('192.0.2.1'), '192.0.2.1');
  for (const one of ['2001:db8::1', '2001:db8:0:0:1::', '2001:db8::ffff:0:0:1']) {
    assert.equal(addressKey(one), '2001:db8:0:0::/64', one);
  }
  assert.equal(addressKey('::1'), '0:0:0:0::/64');
  assert.equal(addressKey('1::2:3:4:5:6'), '1:0:0:2::/64');
});

test('ConnectionLimits gives back what left', () => {
  const limits = new ConnectionLimits(() => ({
    connections: 2,
    connectionsPerAddress: 2,
    connectionsPerLoopback: 2,
  }));
  assert.deepEqual([limits.enter(), limits.enter(), limits.enter()], [true, true, false]);
  limits.leave();
  assert.equal(limits.enter(), true);
  const address = '2001:db8::1';
  assert.deepEqual(
    [limits.enterAddress(address), limits.enterAddress('2001:db8::2'), limits.enterAddress(address)],
    [true, true, false],
  );
  limits.leaveAddress(address);
  limits.leaveAddress(address);
  assert.deepEqual([limits.enterAddress(address), limits.enterAddress(address)], [true, true]);
});

test('listen() says who has the port, and what a low port needs', async () => {
  const rig = await rigOf();
  const failing = rig.transport.listen({ host: '127.0.0.1', port: rig.port, tls: false });
  await assert.rejects(failing, { code: 'LISTEN_FAILED', message: /another program has it/ });
  const shared = await rig.transport.listen({ host: '127.0.0.1', port: 0, tls: false, reusePort: true });
  const second = await rig.transport.listen({ host: '127.0.0.1', port: shared.port, tls: false, reusePort: true });
  assert.equal(second.port, shared.port);
  await assert.rejects(assertAddressFree({ host: '127.0.0.1', port: shared.port }), {
    code: 'LISTEN_FAILED',
  });
  const denied = Object.assign(new Error('denied'), { code: 'EACCES' });
  assert.match(
    listenError({ host: null, port: 443 }, denied).message,
    /^Cannot listen on ":443": port 443 needs CAP_NET_BIND_SERVICE/,
  );
});

const HEIR = `
  const { Transport } = await import(process.argv[1]);
  const { createIpSet } = await import(process.argv[2]);
  const settings = { connections: 9, connectionsPerAddress: 9, connectionsPerLoopback: 9, proxyPeers: createIpSet([]), handshakeMs: 1000, minVersion: 'TLSv1.2', http2: true, handshakes: 64 };
  const transport = new Transport({
    settings: () => settings, certificates: {}, ticketKeys: Buffer.alloc(48), onRefused: () => {},
    serve: (socket) => { socket.end('inherited'); return {}; },
  });
  const { port } = await transport.listen({ host: null, port: 0, tls: false, fd: 3 });
  console.log(port);
`;

test('listen() takes a socket that another process opened', async () => {
  const inherited = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => inherited.once('listening', resolve));
  const { fd } = (inherited as unknown as { _handle: { fd: number } })._handle;
  const { port } = inherited.address() as net.AddressInfo;
  const paths = ['./listener.ts', '../core/ip-address.ts'].map((one) => new URL(one, import.meta.url).href);
  const child = spawn(process.execPath, ['--input-type=module', '-e', HEIR, ...paths], {
    stdio: ['ignore', 'pipe', 'inherit', fd],
  });
  const said = await new Promise<string>((resolve) =>
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString())),
  );
  assert.equal(Number(said), port);
  inherited.close();
  assert.equal(await text(port, 'GET'), 'inherited');
  child.kill();
});

test('drain() lets what runs finish, serves late comers, then closes the rest before the deadline', async () => {
  const drained: string[] = [];
  const rig = await rigOf({
    serve: (socket) => {
      socket.on('data', (chunk) => {
        if (chunk.toString() === 'end') socket.end('bye');
      });
      return { drain: () => drained.push('drain'), destroy: () => socket.destroy() };
    },
  });
  const open = async (): Promise<net.Socket> => {
    const before = rig.transport.stats.accepted;
    const socket = net.connect(rig.port, '127.0.0.1');
    socket.write('x');
    while (rig.transport.stats.accepted === before || rig.transport.stats.handshaking > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    return socket;
  };
  const [short, tunnel] = [await open(), await open()];
  // Long enough for a busy machine: whoever comes in its last quarter finds nobody.
  const done = rig.transport.drain(2_000);
  assert.deepEqual(drained, ['drain', 'drain']);
  const late = await open();
  assert.deepEqual(drained, ['drain', 'drain', 'drain']);
  short.end('end');
  const [answer] = await new Promise<Buffer[]>((resolve) => short.once('data', (chunk) => resolve([chunk])));
  assert.equal(answer?.toString(), 'bye');
  await done;
  assert.equal(rig.transport.stats.open, 0);
  for (const socket of [tunnel, late]) {
    if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  }
  const refused = net.connect(rig.port, '127.0.0.1');
  const [error] = await new Promise<NodeJS.ErrnoException[]>((resolve) =>
    refused.once('error', (cause) => resolve([cause])),
  );
  assert.equal(error?.code, 'ECONNREFUSED');
});
