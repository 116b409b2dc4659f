import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { after, test } from 'node:test';
import { createTicker } from './ticker.ts';
import { joinTunnel, type Tunnel } from './tunnel.ts';

interface Rig {
  readonly client: net.Socket;
  readonly app: net.Socket;
  readonly tunnel: Tunnel;
  readonly ends: [toApp: number, toClient: number][];
  readonly inner: readonly [client: net.Socket, app: net.Socket];
  readonly tick: (ms: number) => void;
}

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

/** Two ends of one connection. */
async function pair(): Promise<[outer: net.Socket, inner: net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const outer = net.connect({
    port: (server.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  const [inner] = (await once(server, 'connection')) as [net.Socket];
  await new Promise((resolve) => (outer.connecting ? outer.once('connect', resolve) : resolve(null)));
  server.close();
  closers.push(
    () => outer.destroy(),
    () => inner.destroy(),
  );
  return [outer, inner];
}

async function open(idleMs = Infinity, isWebSocket = false): Promise<Rig> {
  let now = 1_000;
  const ticker = createTicker({ intervalMs: 1_000_000, leadMs: 0, now: () => now });
  const [[client, clientInner], [app, appInner]] = [await pair(), await pair()];
  const ends: [number, number][] = [];
  const tunnel = joinTunnel(clientInner, appInner, {
    idleMs,
    ticker,
    isWebSocket,
    onClose: (a, b) => ends.push([a, b]),
  });
  const tick = (ms: number): void => {
    now += ms;
    ticker.tick();
  };
  return { client, app, tunnel, ends, inner: [clientInner, appInner], tick };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

const read = async (socket: net.Socket): Promise<string> => ((await once(socket, 'data')) as [Buffer])[0].toString();

test('joinTunnel() carries bytes both ways and counts them', async () => {
  const { client, app, tunnel, ends } = await open();
  client.write('ping');
  assert.equal(await read(app), 'ping');
  app.write('pong!');
  assert.equal(await read(client), 'pong!');
  const closed = Promise.all([
    once(client.resume(), 'close').catch(() => 0),
    once(app.resume(), 'close').catch(() => 0),
  ]);
  client.on('end', () => client.end());
  app.on('end', () => app.end());
  tunnel.close();
  await closed;
  assert.deepEqual(ends, [[4, 5]]);
});

test('joinTunnel() lets each end finish on its own, with everything that was said', async () => {
  const { client, app, ends } = await open();
  client.end('question');
  let question = '';
  app.on('data', (chunk) => (question += chunk.toString()));
  await once(app, 'end');
  assert.equal(question, 'question');
  app.end(Buffer.alloc(3_000_000));
  let bytes = 0;
  client.on('data', (chunk) => (bytes += chunk.length));
  await once(client, 'end');
  assert.equal(bytes, 3_000_000);
  await until(() => ends.length === 1);
  assert.deepEqual(ends, [[8, 3_000_000]]);
});

test('joinTunnel() breaks the other end where one breaks off', async () => {
  for (const isClient of [true, false]) {
    const { client, app, ends } = await open();
    const [broken, other] = isClient ? [client, app] : [app, client];
    other.on('error', () => undefined);
    broken.resetAndDestroy();
    other.on('end', () => other.end());
    other.resume();
    await once(other, 'close');
    assert.equal(ends.length, 1);
  }
});

test('joinTunnel() holds a fast end back for a slow one', async () => {
  const { client, app, inner } = await open();
  app.pause();
  let sent = 0;
  while (sent < 400) {
    sent++;
    if (client.write(Buffer.alloc(65_536))) continue;
    const drained = await Promise.race([
      once(client, 'drain').then(() => true),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 200)),
    ]);
    if (!drained) break;
  }
  assert.ok(sent < 400, 'the client was never held back');
  assert.ok(inner[1].writableLength < 200_000, `${inner[1].writableLength} bytes wait`);
  let bytes = 0;
  app.on('data', (chunk) => (bytes += chunk.length));
  app.resume();
  client.end();
  await once(app, 'end');
  assert.equal(bytes, sent * 65_536);
});

test('joinTunnel() closes after silence, and not before', async () => {
  const { client, app, ends, tick } = await open(60_000);
  tick(59_000);
  client.write('x');
  await read(app);
  tick(59_000);
  assert.equal(ends.length, 0);
  tick(60_001);
  assert.deepEqual(ends, [[1, 0]]);
  client.resume();
  await once(client, 'end');
});

test('joinTunnel() does not keep a half-closed tunnel for ever', async () => {
  const { client, app, ends, tick } = await open();
  tick(10_000_000);
  client.end();
  await once(app.resume(), 'end');
  tick(299_000);
  assert.equal(ends.length, 0);
  tick(2_000);
  assert.equal(ends.length, 1);
});

test('joinTunnel() closes at once where one end is gone already', async () => {
  const [[, client], [app, appInner]] = [await pair(), await pair()];
  client.destroy();
  let ended = 0;
  joinTunnel(client, appInner, { idleMs: Infinity, onClose: () => ended++ });
  app.resume();
  await once(app, 'end');
  assert.equal(ended, 1);
});

test('joinTunnel() resets an HTTP/2 stream whose app breaks off', async () => {
  const [app, appInner] = await pair();
  let ended = 0;
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 });
    joinTunnel(stream, appInner, { idleMs: Infinity, onClose: () => ended++ });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = http2.connect(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
  await once(session, 'remoteSettings');
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/',
    ':scheme': 'http',
    ':authority': 'a',
  });
  stream.on('error', () => undefined);
  stream.write('hi');
  assert.equal(await read(app), 'hi');
  app.write('yes');
  assert.equal(((await once(stream, 'data')) as [Buffer])[0].toString(), 'yes');
  app.resetAndDestroy();
  await new Promise((resolve) => stream.once('close', resolve));
  assert.notEqual(stream.rstCode, 0);
  assert.equal(ended, 1);
  session.destroy();
  server.close();
});

/** Everything that comes until the end. */
async function drain(socket: net.Socket): Promise<Buffer> {
  const got: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => got.push(chunk));
  await new Promise((resolve) => {
    socket.once('end', resolve);
    socket.once('close', resolve);
  });
  return Buffer.concat(got);
}

test('end() tells both ends of a WebSocket by a close frame, and passes nothing more', async () => {
  const { client, app, tunnel, ends } = await open(Infinity, true);
  app.write(Buffer.from([0x81, 2, 0x68, 0x69]));
  client.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61]));
  await Promise.all([once(client, 'readable'), once(app, 'readable')]);
  const [fromApp, fromClient] = [drain(client), drain(app)];
  tunnel.end(1008);
  client.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x62]));
  app.write(Buffer.from([0x81, 1, 0x62]));
  assert.deepEqual([...(await fromApp)], [0x81, 2, 0x68, 0x69, 0x88, 2, 0x03, 0xf0], '1008 to the client');
  const told = await fromClient;
  assert.deepEqual([...told.subarray(0, 9)], [0x81, 0x81, 0, 0, 0, 0, 0x61, 0x88, 0x82]);
  const [a = 0, b = 0] = [told[13], told[14]];
  assert.equal(((a ^ (told[9] ?? 0)) << 8) | (b ^ (told[10] ?? 0)), 1001, 'the client goes away');
  assert.equal(told.length, 15);
  client.end();
  app.end();
  await until(() => ends.length === 1);
});

test('end() breaks off what stands in the middle of a frame, and adds no second close frame', async () => {
  const { client, app, tunnel, ends, tick } = await open(Infinity, true);
  app.write(Buffer.from([0x82, 100, 1, 2, 3]));
  client.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
  const [fromApp, fromClient] = [drain(client), drain(app)];
  await until(() => tunnel.bytesToApp === 8 && tunnel.bytesToClient === 5);
  tunnel.end(1001);
  assert.deepEqual([...(await fromApp)], [0x82, 100, 1, 2, 3]);
  assert.deepEqual([...(await fromClient)], [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
  tick(1_000);
  await until(() => ends.length === 1);
});

test('end() waits for nobody longer than a moment, and a tunnel of something else it breaks at once', async () => {
  const silent = await open(Infinity, true);
  silent.tunnel.end(1001);
  silent.tick(200);
  assert.equal(silent.ends.length, 0);
  silent.tick(100);
  assert.equal(silent.ends.length, 1);
  await until(() => silent.inner.every((one) => one.destroyed));
  const other = await open();
  other.tunnel.end(1001);
  assert.equal(other.ends.length, 1);
});
