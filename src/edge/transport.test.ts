import assert from 'node:assert/strict';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { makeCertificate, openRig, talk } from '../../test/transport-rig.ts';
import { Stopwatch } from '../../test/support/stopwatch.ts';
import type { Exchange } from '../wire/exchange.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { serveHttp1 } from '../wire/http1-server.ts';
import { HTTP1_DEFAULTS } from '../wire/http1-settings.ts';
import { serveHttp2 } from '../wire/http2-server.ts';
import { createTicker } from '../wire/ticker.ts';
import type { ServeConnection } from './connection.ts';

const app = makeCertificate('/CN=localhost', 'DNS:localhost');
const ticker = createTicker();
const settings = { ...HTTP1_DEFAULTS, ticker, http2Streams: 100 };

const answer = (exchange: Exchange): void => {
  const { request, connection } = exchange;
  const out = exchange.respond(
    { status: 200, headers: HeaderBlock.from({ 'X-Name': String(connection.serverName) }) },
    -1,
    () => exchange.body.resume(),
  );
  out.write(Buffer.from(`${request.version} ${request.path} `));
  exchange.body.start(out);
};
const serve: ServeConnection = (socket, facts, protocol) =>
  protocol === 'h2' ? serveHttp2(socket, facts, settings, answer) : serveHttp1(socket, facts, settings, answer);

const tlsRig = await openRig({ tls: true, serve, hosts: new Map([['localhost', { pair: app }]]) });
const plainRig = await openRig({ serve });
after(async () => {
  await Promise.all([tlsRig.close(), plainRig.close()]);
  ticker.close();
});

async function post2(url: string, body: Buffer): Promise<string> {
  const session = http2.connect(url, { rejectUnauthorized: false });
  const stream = session.request({ ':method': 'POST', ':path': '/up' });
  stream.end(body);
  let bytes = '';
  for await (const chunk of stream) bytes += String(chunk).slice(0, 20) + (chunk as Buffer).length;
  session.close();
  return bytes;
}

test('one TLS port speaks both protocols with the codecs of the house', async () => {
  const url = `https://localhost:${tlsRig.port}`;
  const one = await new Promise<string>((resolve, reject) => {
    const req = https.request(`${url}/one`, { method: 'POST', ca: app.cert, agent: false }, (res) => {
      let text = String(res.headers['x-name']);
      res.on('data', (chunk: Buffer) => (text += ` ${chunk.toString()}`));
      res.on('end', () => resolve(text));
    });
    req.on('error', reject);
    req.end('body');
  });
  assert.match(one, /^localhost 1\.1 \/one/);
  assert.match(one, /body$/);
  assert.match(await post2(url, Buffer.alloc(300_000)), /^2 \/up/);
});

test('a plain port speaks HTTP/1.1 and HTTP/2 with prior knowledge', async () => {
  const got = await talk(plainRig.port, 'GET /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.match(got.toString(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*1\.1 \/p/);
  assert.match(await post2(`http://127.0.0.1:${plainRig.port}`, Buffer.alloc(300_000)), /^2 \/up/);
});

type Leaves = (raw: net.Socket, socket: tls.TLSSocket) => void;

/** In TLS 1.3 the client is done before its last flight is sent. */
const MOMENTS: Readonly<Record<string, (leave: () => void, raw: net.Socket, socket: tls.TLSSocket) => void>> = {
  'before its hello': (leave, raw) => void raw.once('connect', leave),
  'behind its hello': (leave, raw) => void raw.once('connect', () => setImmediate(leave)),
  'before its last flight': (leave, _raw, socket) => void socket.once('secureConnect', leave),
  'behind its last flight': (leave, _raw, socket) => void socket.once('secureConnect', () => setImmediate(leave)),
  'once it is served': (leave, _raw, socket) => void socket.once('secureConnect', () => setTimeout(leave, 20)),
};
const WAYS: Readonly<Record<string, Leaves>> = {
  destroy: (_raw, socket) => void socket.destroy(),
  close_notify: (_raw, socket) => void socket.end(),
  FIN: (raw) => void raw.end(),
  RST: (raw) => void raw.resetAndDestroy(),
};

test('a client that leaves in its TLS handshake, or right behind it, is let go of at once', async () => {
  // No deadline of a codec ever comes, that of a handshake in a minute: only the client's leaving can end a connection.
  const still = createTicker({ intervalMs: 1_000_000 });
  const patient: ServeConnection = (socket, facts, protocol) => {
    const calm = { ...settings, ticker: still };
    return protocol === 'h2' ? serveHttp2(socket, facts, calm, answer) : serveHttp1(socket, facts, calm, answer);
  };
  const hosts = new Map([
    ['localhost', { pair: app }],
    [null, { pair: app }],
  ]);
  const { transport, port, close } = await openRig({
    tls: true,
    serve: patient,
    hosts,
    settings: { handshakeMs: 60_000 },
  });
  let clients = 0;
  const comeAndGo = async (when: string, way: string, options: tls.ConnectionOptions): Promise<void> => {
    const raw = net.connect(port, '127.0.0.1').on('error', () => undefined);
    const socket = tls.connect({ socket: raw, rejectUnauthorized: false, ...options }).on('error', () => undefined);
    MOMENTS[when]?.(() => WAYS[way]?.(raw, socket), raw, socket);
    clients++;
    while (transport.stats.accepted < clients || transport.stats.open > 0) await sleep(2);
    assert.equal(transport.stats.handshaking, 0);
    socket.destroy();
    raw.destroy();
  };
  for (const when of Object.keys(MOMENTS))
    for (const way of Object.keys(WAYS)) {
      await comeAndGo(when, way, { servername: 'localhost', maxVersion: 'TLSv1.2' });
      await comeAndGo(when, way, { servername: 'localhost', ALPNProtocols: ['h2'] });
      await comeAndGo(when, way, { servername: 'localhost' });
      await comeAndGo(when, way, { servername: '' });
    }
  assert.deepEqual(
    Object.keys(transport.stats.refused).filter((reason) => reason !== 'closed-early'),
    [],
  );
  still.close();
  await close();
});

test('drain() ends both codecs in order', async () => {
  const session = http2.connect(`http://127.0.0.1:${plainRig.port}`);
  const stream = session.request({ ':method': 'POST', ':path': '/last' });
  stream.write('a');
  await new Promise((resolve) => stream.once('data', resolve));
  const goaway = new Promise((resolve) => session.once('goaway', resolve));
  const drained = plainRig.transport.drain(60_000);
  await goaway;
  stream.end('b');
  let rest = '';
  stream.on('data', (chunk: Buffer) => (rest += chunk.toString()));
  await new Promise((resolve) => stream.once('close', resolve));
  assert.match(rest, /b$/);
  const watch = new Stopwatch();
  await drained;
  assert.ok(watch.stop() < 20_000, 'it does not wait for the deadline');
});

test('HTTP/2 is answered to a client that names no host, as browsers do for https://192.0.2.1/', async (t) => {
  const rig = await openRig({ tls: true, serve, hosts: new Map([[null, { pair: app }]]) });
  t.after(() => rig.close());
  assert.match(await post2(`https://127.0.0.1:${rig.port}`, Buffer.from('body')), /^2 \/up/);
});
