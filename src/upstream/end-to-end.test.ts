import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer as createHttp, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { FACTS } from '../../test/support/connection-facts.ts';
import { createUpstreams } from './forward.ts';
import type { ForwardPlan } from './plan.ts';
import { createReport } from './plan.ts';
import { actionTo, listen, planFor, rawApp, serverAt, until } from './test-rig.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { serveHttp1 } from '../wire/http1-server.ts';
import { createTicker } from '../wire/ticker.ts';
import { HTTP1_DEFAULTS } from '../wire/http1-settings.ts';

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers) await close();
});

/** A gateway in front of the action; answers its port. Failures become a page with the code. */
async function gateway(action: ProxyAction, more: Partial<ForwardPlan> = {}): Promise<number> {
  const ticker = createTicker();
  const upstreams = createUpstreams({
    clock: { now: () => Date.now() },
    log: { warn: () => {}, info: () => {} },
    ticker,
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    serveHttp1(socket, FACTS, { ...HTTP1_DEFAULTS, ticker }, (exchange) => {
      const { path, query } = exchange.request;
      const report = createReport((error) => {
        const headers = HeaderBlock.from({ 'X-Code': error.code });
        exchange.respondWhole({ status: 502, headers }, error.message);
      });
      upstreams.forward(exchange, planFor(action, { path, query, upgradeAllowed: true, ...more }), report);
    });
  });
  const port = await listen(server);
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    ticker.close();
    return upstreams.close();
  });
  return port;
}

async function httpApp(listener: RequestListener): Promise<{ port: number; server: Server }> {
  const server = createHttp(listener);
  const port = await listen(server);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port, server };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly trailers: IncomingMessage['trailers'];
  readonly body: Buffer;
}

function ask(
  port: number,
  path: string,
  options: Parameters<typeof httpRequest>[1] = {},
  body?: Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = httpRequest({ host: '127.0.0.1', port, path, ...options }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          trailers: res.trailers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    req.on('error', reject);
    req.end(body);
  });
}

test('a node:http app answers through the gateway: bodies, chunks, trailers, 204, HEAD, errors', async () => {
  const app = await httpApp((req, res) => {
    if (req.url === '/204') {
      res.writeHead(204).end();
      return;
    }
    if (req.url === '/trailers') {
      res.writeHead(200, { Trailer: 'X-Sum' });
      res.write('part one, ');
      res.addTrailers({ 'X-Sum': '42' });
      res.end('part two');
      return;
    }
    const hash = createHash('sha256');
    req.on('data', (chunk: Buffer) => hash.update(chunk));
    req.on('end', () => res.setHeader('X-Method', req.method ?? '').end(hash.digest('hex')));
  });
  const port = await gateway(actionTo([serverAt(app.port)]));
  const body = Buffer.alloc(3_000_000, 'abc');
  const expected = createHash('sha256').update(body).digest('hex');
  const counted = await ask(port, '/', { method: 'PUT', headers: { 'Content-Length': body.length } }, body);
  assert.equal(counted.body.toString(), expected);
  const chunked = await ask(port, '/', { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } }, body);
  assert.equal(chunked.body.toString(), expected);
  assert.equal(chunked.headers['x-method'], 'POST');
  const invited = await ask(
    port,
    '/',
    { method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 3 } },
    Buffer.from('abc'),
  );
  assert.equal(invited.status, 200);
  assert.equal((await ask(port, '/204')).status, 204);
  assert.equal((await ask(port, '/', { method: 'HEAD' })).body.length, 0);
  const trailers = await ask(port, '/trailers', { headers: { TE: 'trailers', Connection: 'TE' } });
  assert.deepEqual([trailers.body.toString(), trailers.trailers['x-sum']], ['part one, part two', '42']);
});

test('an unreachable app is a 502 page with the code', async () => {
  const app = await rawApp(() => {});
  await app.close();
  const answer = await ask(await gateway(actionTo([serverAt(app.port)])), '/');
  assert.deepEqual([answer.status, answer.headers['x-code']], [502, 'UPSTREAM_UNREACHABLE']);
});

test('an app on a unix socket is reached by its path', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-unix-'));
  const path = join(folder, 'app.sock');
  const server = createHttp((req, res) => res.end(req.headers.host));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const action = actionTo([serverAt(0, { scheme: 'unix', host: path })]);
  assert.equal((await ask(await gateway(action), '/')).body.toString(), 'app.example.com');
  const missing = actionTo([serverAt(0, { scheme: 'unix', host: join(folder, 'none.sock') })]);
  assert.match((await ask(await gateway(missing), '/')).body.toString(), /the socket does not exist/);
});

test('a link below the folder of a path with values of users leads nowhere', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-own-'));
  const base = join(folder, 'run');
  for (const name of ['alice', 'bob']) mkdirSync(join(folder, 'real', name), { recursive: true });
  // The folder itself may be one: the operator has made it.
  symlinkSync('real', base);
  const secret = join(folder, 'real', 'bob', 'app.sock');
  const own = join(folder, 'real', 'alice', 'app.sock');
  const server = createHttp((_req, res) => res.end('bob'));
  const other = createHttp((_req, res) => res.end('alice'));
  await new Promise<void>((resolve) => server.listen(secret, resolve));
  await new Promise<void>((resolve) => other.listen(own, resolve));
  closers.push(() => {
    for (const one of [server, other]) {
      one.closeAllConnections();
      one.close();
    }
    rmSync(folder, { recursive: true, force: true });
  });
  const open = async (path: string): Promise<string> => {
    const at = serverAt(0, { scheme: 'unix', host: join(base, path), ownBelow: `${base}/` });
    return (await ask(await gateway(actionTo([at])), '/')).body.toString();
  };
  assert.deepEqual([await open('alice/app.sock'), await open('bob/app.sock')], ['alice', 'bob']);
  assert.match(await open('alice/none.sock'), /the socket does not exist/);
  symlinkSync(secret, join(folder, 'real', 'alice', 'link.sock'));
  assert.match(await open('alice/link.sock'), /a link leads from there to ".*bob\/app\.sock"/);
  symlinkSync('../bob', join(folder, 'real', 'alice', 'sub'));
  assert.match(await open('alice/sub/app.sock'), /a link leads from there/);
  assert.match(await open('alice/../alice/sub/app.sock'), /a link leads from there/);
  linkSync(secret, join(folder, 'real', 'alice', 'hard.sock'));
  assert.match(await open('alice/hard.sock'), /it has another name/);
});

test('300 requests of 20 clients get each their own answer', async () => {
  const app = await httpApp((req, res) => {
    const answer = `answer to ${req.url}`;
    if (Number(req.url?.slice(1)) % 3 === 0) setImmediate(() => res.end(answer));
    else res.end(answer);
  });
  const port = await gateway(actionTo([serverAt(app.port)], { maxConnections: 8 }));
  await Promise.all(
    Array.from({ length: 20 }, async (_, client) => {
      for (let i = 0; i < 15; i++) {
        const path = `/${client * 100 + i}`;
        assert.equal((await ask(port, path)).body.toString(), `answer to ${path}`);
      }
    }),
  );
});

/** App and client run in this process too, so the bound is loose; a body held back would be 200 MB. */
const FLAT_BYTES = 120_000_000;

async function memoryWhile(job: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
  await job();
  clearInterval(timer);
  return most - before;
}

test('200 MB down to a slow client and 200 MB up stay flat in memory', async () => {
  const size = 200_000_000;
  const chunk = Buffer.alloc(1_000_000, 'x');
  const app = await httpApp((req, res) => {
    if (req.method === 'PUT') {
      let got = 0;
      req.on('data', (part: Buffer) => (got += part.length));
      req.on('end', () => res.end(String(got)));
      return;
    }
    res.writeHead(200, { 'Content-Length': size });
    let sent = 0;
    const more = (): void => {
      while (sent < size) {
        sent += chunk.length;
        if (!res.write(chunk)) return void res.once('drain', more);
      }
      res.end();
    };
    more();
  });
  const port = await gateway(actionTo([serverAt(app.port)]));
  const download = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let got = 0;
      let pauses = 0;
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
      );
      socket.on('data', (part) => {
        got += part.length;
        if (got > pauses * 20_000_000) {
          pauses++;
          socket.pause();
          setTimeout(() => socket.resume(), 30);
        }
      });
      socket.on('end', () => (got > size ? resolve() : reject(new Error(`only ${got}`))));
      socket.on('error', reject);
    });
  await download();
  assert.ok((await memoryWhile(download)) < FLAT_BYTES);
  const upload = async (): Promise<void> => {
    const got = await new Promise<string>((resolve, reject) => {
      const req = httpRequest(
        { host: '127.0.0.1', port, method: 'PUT', headers: { 'Content-Length': size } },
        (res) => {
          res.on('data', (part: Buffer) => resolve(part.toString()));
        },
      );
      req.on('error', reject);
      let sent = 0;
      const more = (): void => {
        while (sent < size) {
          sent += chunk.length;
          if (!req.write(chunk)) return void req.once('drain', more);
        }
        req.end();
      };
      more();
    });
    assert.equal(got, String(size));
  };
  await upload();
  assert.ok((await memoryWhile(upload)) < FLAT_BYTES);
});

async function webSocketApp(): Promise<{ port: number; requests: IncomingMessage[] }> {
  const app = await httpApp((_req, res) => res.writeHead(404).end('no socket here'));
  const requests: IncomingMessage[] = [];
  const sockets = new WebSocketServer({ server: app.server as ReturnType<typeof createHttp>, path: '/ws' });
  sockets.on('connection', (socket, req) => {
    requests.push(req);
    socket.send('welcome');
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  sockets.on('error', () => {});
  return { port: app.port, requests };
}

test('a WebSocket passes, with what came early, both ways, and its close', async () => {
  const app = await webSocketApp();
  const port = await gateway(actionTo([serverAt(app.port)]), { identityHeaders: [['X-Forwarded-User', 'alice']] });
  const client = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers: { 'X-Forwarded-User': 'root' } });
  const got: Buffer[] = [];
  client.on('message', (data) => got.push(data as Buffer));
  await new Promise((resolve) => client.once('open', resolve));
  const big = Buffer.alloc(500_000, 'y');
  client.send('hello');
  client.send(big);
  await until(() => got.length === 3, 'welcome and two echoes');
  assert.equal(got[0]?.toString(), 'welcome');
  assert.equal(got[1]?.toString(), 'hello');
  assert.ok(big.equals(got[2] as Buffer));
  assert.equal(app.requests[0]?.headers['x-forwarded-user'], 'alice');
  const closed = new Promise((resolve) => client.once('close', resolve));
  client.close(1000);
  assert.equal(await closed, 1000);
});

test('an app that does not switch answers as usual; one that switches to something else is a 502', async () => {
  const app = await webSocketApp();
  const port = await gateway(actionTo([serverAt(app.port)]));
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
  };
  const plain = await ask(port, '/other', { headers });
  assert.equal(plain.status, 400, 'ws refuses the path itself');
  const odd = await rawApp((socket) =>
    socket.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
  );
  closers.push(odd.close);
  const answer = await ask(await gateway(actionTo([serverAt(odd.port)])), '/', { headers });
  assert.deepEqual([answer.status, answer.headers['x-code']], [502, 'UPSTREAM_BAD_RESPONSE']);
});

test('a WebSocket without a proper key, or of another version, never reaches the app', async () => {
  const app = await rawApp(() => {});
  closers.push(app.close);
  const port = await gateway(actionTo([serverAt(app.port)]));
  for (const more of [
    {},
    { 'Sec-WebSocket-Key': 'short' },
    { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '8' },
    { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': ['13', '8'] },
  ]) {
    const answer = await ask(port, '/', { headers: { Connection: 'Upgrade', Upgrade: 'websocket', ...more } });
    assert.equal(answer.headers['x-code'], 'BAD_REQUEST');
  }
  assert.equal(app.sockets.length, 0);
});

test('Upgrade: h2c and upgrades that the route does not permit become plain requests', async () => {
  const app = await rawApp((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  closers.push(app.close);
  const open = await gateway(actionTo([serverAt(app.port)]));
  const shut = await gateway(actionTo([serverAt(app.port)]), { upgradeAllowed: false });
  const h2c = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' };
  assert.equal((await ask(open, '/', { headers: h2c })).body.toString(), 'ok');
  const ws = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
  };
  assert.equal((await ask(shut, '/', { headers: ws })).body.toString(), 'ok');
  assert.doesNotMatch(app.received.join('').toLowerCase(), /upgrade|h2c|http2-settings/);
});

test('server-sent events arrive one by one', async () => {
  const events: (() => void)[] = [];
  const app = await httpApp((_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.write('data: 1\n\n');
    events.push(() => res.end('data: 2\n\n'));
  });
  const port = await gateway(actionTo([serverAt(app.port)]));
  const seen: string[] = [];
  httpRequest({ host: '127.0.0.1', port }, (res) =>
    res.on('data', (chunk: Buffer) => seen.push(chunk.toString())),
  ).end();
  await until(() => seen.join('') === 'data: 1\n\n', 'the first');
  events[0]?.();
  await until(() => seen.join('') === 'data: 1\n\ndata: 2\n\n', 'the second');
});

test('a client that leaves in the middle of an answer ends the request at the app', async () => {
  let isClosed = false;
  const app = await httpApp((_req, res) => {
    res.write('begin');
    res.on('close', () => (isClosed = true));
  });
  const port = await gateway(actionTo([serverAt(app.port)]));
  const req = httpRequest({ host: '127.0.0.1', port }, (res) => res.once('data', () => res.destroy()));
  req.on('error', () => {});
  req.end();
  await until(() => isClosed, 'the app sees it');
});
