/**
 * SIGTERM with work under way: what was taken is answered, uploads come to their end, tunnels close, load
 * balancers are told, the exit code is 0, and nothing holds the process beyond limits.drain.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { request } from 'node:https';
import { connect as connectHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { Stopwatch } from '../../support/stopwatch.ts';

/** Well above what an end takes that does not wait for it, on a machine that is busy. */
const DRAIN_MS = 15_000;

suite('SIGTERM with work under way', () => {
  let app: Server;
  let postern: PosternProcess;
  let release: () => void = () => undefined;
  let arrived: string[] = [];
  /** Codes of the close frames that apps got. */
  let toldApps: number[] = [];

  before(async () => {
    app = createServer((req, res) => {
      let bytes = 0;
      req.on('data', (chunk: Buffer) => (bytes += chunk.length));
      arrived.push(req.url ?? '');
      if (req.url?.startsWith('/events') === true) {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' });
        res.write('data: hello\n\n');
        if (req.url === '/events/answer') release = () => void res.end('data: done\n\n');
      } else if (req.url === '/held') release = () => void res.end('held');
      else if (req.url !== '/never') req.on('end', () => res.end(`got ${bytes}`));
    });
    new WebSocketServer({ server: app }).on('connection', (socket) => {
      socket.on('close', (code) => toldApps.push(code));
      socket.send('hello');
    });
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
  });
  after(() => {
    app.closeAllConnections();
    app.close();
  });
  afterEach(async () => {
    await postern?.close('SIGKILL');
  });
  beforeEach(async () => {
    arrived = [];
    toldApps = [];
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
limits: { drain: ${DRAIN_MS}ms }
hosts:
  app.localhost: { tls: local, to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", allow: [public] }
`,
    });
  });

  const where = (): object => ({
    host: '127.0.0.1',
    port: postern.https,
    servername: 'app.localhost',
    rejectUnauthorized: false,
    agent: false,
  });

  const ask = (path: string, write?: (req: ReturnType<typeof request>) => void): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = { host: `app.localhost:${postern.https}` };
      const req = request({ ...where(), path, method: write === undefined ? 'GET' : 'POST', headers }, (res) => {
        let text = `${res.statusCode} `;
        res.on('data', (chunk: Buffer) => (text += chunk.toString()));
        res.on('end', () => resolve(text));
        res.on('error', reject);
      });
      req.on('error', reject);
      if (write === undefined) req.end();
      else write(req);
    });

  test('requests are answered, an upload ends, a WebSocket closes, exit code 0', { timeout: 300_000 }, async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, {
      ...where(),
      headers: { host: `app.localhost:${postern.https}` },
    });
    await new Promise((done, fail) => {
      socket.once('message', done);
      socket.once('error', fail);
    });
    const socketClosed = new Promise((done) => socket.once('close', done));
    const held = ask('/held');
    let parts = 0;
    const upload = ask('/upload', (req) => {
      const timer = setInterval(() => {
        req.write('x'.repeat(1_000));
        if (++parts < 10) return;
        clearInterval(timer);
        req.end();
      }, 150);
    });
    const session = connectHttp2(`https://127.0.0.1:${postern.https}`, where());
    const stream = session.request({
      ':path': '/upload',
      ':method': 'POST',
      ':authority': `app.localhost:${postern.https}`,
    });
    const overHttp2 = new Promise<string>((done, fail) => {
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      stream.on('end', () => done(text));
      stream.on('error', fail);
    });
    stream.write('first');
    await until(() => arrived.length === 3 && parts > 1, 'all requests have arrived');

    const health = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${postern.health}${path}`);
    assert.equal((await health('/readyz')).status, 200);
    const watch = new Stopwatch();
    const ended = postern.close('SIGTERM');
    await until(async () => (await health('/readyz')).status === 503, 'it says that it is not ready');
    assert.match(await (await health('/readyz')).text(), /not ready: it is ending/);
    assert.equal((await health('/healthz')).status, 200, 'it lives');
    assert.match(await (await health('/metrics')).text(), /^postern_ready 0$/m);
    release();
    stream.end('last');
    assert.equal(await held, '200 held');
    assert.equal(await overHttp2, 'got 9');
    assert.equal(await upload, '200 got 10000');
    await socketClosed;
    assert.equal(await ended, 0);
    assert.ok(watch.stop() < DRAIN_MS + 5_000);
    assert.doesNotMatch(postern.output(), /INTERNAL/);
    session.destroy();
  });

  test('an open WebSocket does not hold it: it ends after a second or two', { timeout: 300_000 }, async () => {
    const headers = { host: `app.localhost:${postern.https}` };
    const sockets = Array.from({ length: 20 }, () => {
      return new WebSocket(`wss://127.0.0.1:${postern.https}/ws`, { ...where(), headers });
    });
    await Promise.all(
      sockets.map((one) => {
        one.on('error', () => undefined);
        return new Promise((done) => one.once('message', done));
      }),
    );
    const closedAt: number[] = [];
    const codes = new Set<number>();
    for (const one of sockets)
      one.once('close', (code) => {
        codes.add(code);
        closedAt.push(performance.now());
      });
    const begunAt = performance.now();
    const watch = new Stopwatch();
    const ended = postern.close('SIGTERM');
    assert.equal(await ended, 0);
    assert.ok(watch.stop() < DRAIN_MS - 1_500, 'it did not wait for limits.drain');
    await until(() => closedAt.length === sockets.length, 'all were told');
    assert.ok(Math.min(...closedAt) - begunAt > 500, 'what is under way may come home');
    assert.deepEqual([...codes], [1001], 'by a close frame: going away (RFC 6455 section 7.4.1)');
    await until(() => toldApps.length === sockets.length, 'the apps too');
    assert.deepEqual(new Set(toldApps), new Set([1001]));
  });

  test(
    'an event stream that is an answer comes to its end; who comes back meanwhile is let go',
    { timeout: 300_000 },
    async () => {
      const answer = ask('/events/answer');
      await until(() => arrived.length === 1, 'the stream has begun');
      const session = connectHttp2(`https://127.0.0.1:${postern.https}`, where());
      session.on('error', () => undefined);
      await new Promise((done) => session.once('remoteSettings', done));
      const isTold = new Promise((done) => session.once('goaway', done).once('close', done));
      const watch = new Stopwatch();
      const ended = postern.close('SIGTERM');
      // A worker has begun to end, and the others with it.
      await isTold;
      await sleep(300);
      const cameBack = ask('/events').catch((error: unknown) => String(error));
      assert.match(await cameBack, /aborted|ECONNRESET|hang up/);
      session.destroy();
      assert.ok(watch.ms < DRAIN_MS - 1_500, 'it does not hold the end');
      release();
      assert.equal(await answer, '200 data: hello\n\ndata: done\n\n');
      assert.equal(await ended, 0);
      assert.ok(watch.stop() < DRAIN_MS - 1_000, 'it did not wait for limits.drain');
    },
  );

  test('a request that is never answered holds it no longer than limits.drain', { timeout: 300_000 }, async () => {
    const never = ask('/never').catch((error: unknown) => String(error));
    await until(() => arrived.length === 1, 'the request has arrived');
    const watch = new Stopwatch();
    assert.equal(await postern.close('SIGTERM'), 0);
    assert.ok(watch.stop() < DRAIN_MS + 5_000);
    assert.match(await never, /hang up|ECONNRESET/);
  });

  test('connections at rest do not hold it', { timeout: 300_000 }, async () => {
    const sessions = Array.from({ length: 5 }, () => connectHttp2(`https://127.0.0.1:${postern.https}`, where()));
    await Promise.all(sessions.map((one) => new Promise((done) => one.once('remoteSettings', done))));
    await sleep(50);
    const watch = new Stopwatch();
    assert.equal(await postern.close('SIGTERM'), 0);
    assert.ok(watch.stop() < DRAIN_MS - 1_500, 'it did not wait for limits.drain');
    for (const session of sessions) session.destroy();
  });
});
