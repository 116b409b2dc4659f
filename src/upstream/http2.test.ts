import assert from 'node:assert/strict';
import { createServer as createHttp } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2';
import type { ClientHttp2Session, Http2Server, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { WebSocketServer } from 'ws';
import { FACTS } from '../../test/support/connection-facts.ts';
import * as frames from '../../test/support/http2-frames.ts';
import { headOf, number, startFrameApp, whole } from './_frame-app.ts';
import { createUpstreams } from './forward.ts';
import type { ForwardPlan } from './plan.ts';
import { createReport } from './plan.ts';
import { actionTo, FakeBody, FakeExchange, LIMITS, listen, planFor, rawApp, serverAt, until } from './test-rig.ts';
import type { FrameApp, FrameVisit } from './_frame-app.ts';
import type { FakeRequest } from './test-rig.ts';
import type { Lookup } from './resolve.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import type { Exchange } from '../wire/exchange.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { serveHttp2 } from '../wire/http2-server.ts';
import { createTicker, IntervalTicker } from '../wire/ticker.ts';
import { HTTP1_DEFAULTS } from '../wire/http1-settings.ts';

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.toReversed()) await close();
});
const log = { warn: () => {}, info: () => {} };
const clock = { now: () => Date.now() };

interface App {
  readonly port: number;
  readonly sessions: ServerHttp2Session[];
  readonly server: Http2Server;
}

async function http2App(
  onStream: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void,
  settings = {},
): Promise<App> {
  const sessions: ServerHttp2Session[] = [];
  const server = createHttp2({ settings, strictSingleValueFields: false });
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream, headers);
  });
  const port = await listen(server);
  closers.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port, sessions, server };
}

function forwarder(
  port: number,
  more: Partial<ProxyAction> = {},
  ticker = createTicker(),
): (request?: FakeRequest, body?: FakeBody, plan?: Partial<ForwardPlan>) => FakeExchange {
  const upstreams = createUpstreams({ clock, log, ticker });
  closers.push(() => upstreams.close());
  const action = actionTo([serverAt(port, { scheme: 'h2c' })], more);
  return (request, body, plan) => {
    const exchange = new FakeExchange(request, body);
    upstreams.forward(exchange, planFor(action, plan), exchange.report);
    return exchange;
  };
}

test("an h2c app gets requests on one connection, with lower-case names and the visitor's authority", async () => {
  const seen: Record<string, unknown>[] = [];
  const app = await http2App((stream, headers) => {
    seen.push(headers);
    stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'], 'content-length': 2 });
    stream.end('ok');
  });
  const forward = forwarder(app.port);
  const exchanges = await Promise.all(
    [1, 2, 3].map(() => forward({ headers: { 'X-Thing': ['1', '2'], Cookie: 'c=3' } }).done),
  );
  for (const one of exchanges)
    assert.deepEqual([one.text, one.length, one.response?.headers.getAll('set-cookie')], ['ok', 2, ['a=1', 'b=2']]);
  assert.equal(app.sessions.length, 1);
  assert.equal(seen[0]?.[':authority'], 'app.example.com');
  assert.equal(seen[0]?.['x-thing'], '1, 2');
  assert.equal(seen[0]?.['te'], 'trailers');
});

test('what a visitor and an app say twice passes both ways, even where once is the rule', async () => {
  const seen: string[][] = [];
  const app = await http2App(() => undefined);
  app.server.removeAllListeners('stream');
  app.server.on('stream', (stream: ServerHttp2Stream, _headers, _flags, raw: string[]) => {
    seen.push(raw.filter((_, at) => at % 2 === 1 && raw[at - 1] === 'if-none-match'));
    stream.respond([':status', '200', 'age', '1', 'age', '2'] as never);
    stream.end('ok');
  });
  const one = await forwarder(app.port)({ headers: { 'If-None-Match': ['"1"', '"2"'] } }).done;
  assert.deepEqual(seen, [['"1"', '"2"']]);
  assert.deepEqual([one.text, one.response?.headers.getAll('age')], ['ok', ['1', '2']]);
});

test('bodies and trailers pass both ways; 103 is relayed', async () => {
  let got = '';
  const trailers: unknown[] = [];
  const app = await http2App((stream) => {
    stream.additionalHeaders({ ':status': 103, link: '</a>' });
    stream.on('trailers', (headers) => trailers.push(headers['x-up']));
    stream.on('data', (chunk: Buffer) => (got += chunk.toString()));
    stream.on('end', () => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-down': '2', 'set-cookie': 'evil=1' }));
      stream.end('answer');
    });
  });
  const forward = forwarder(app.port);
  const body = new FakeBody(-1);
  const exchange = forward({ method: 'POST', version: '2' }, body);
  await until(() => body.sink !== null, 'the body starts');
  body.sink?.write(Buffer.from('question'));
  body.sink?.flush();
  body.sink?.end(HeaderBlock.from({ 'X-Up': '1' }));
  await exchange.done;
  assert.deepEqual([got, trailers, exchange.text], ['question', ['1'], 'answer']);
  assert.deepEqual(exchange.trailers?.keys, ['x-down']);
  assert.equal(exchange.informed[0]?.status, 103);
});

test('an h2c app that informs without end is broken off', async () => {
  const app = await http2App((stream) => {
    stream.on('error', () => undefined);
    for (let i = 0; i < 40; i++) stream.additionalHeaders({ ':status': 103, link: '</style.css>' });
    stream.respond({ ':status': 200 });
    stream.end('late');
  });
  const exchange = await forwarder(app.port)().done;
  assert.equal(exchange.failure?.code, 'UPSTREAM_BAD_RESPONSE');
  assert.ok(exchange.informed.length <= 32);
});

test('a reset in the middle of an answer breaks the exchange, whatever its code', async () => {
  const ways: ((stream: ServerHttp2Stream) => unknown)[] = [
    (stream) => stream.destroy(new Error('INTERNAL_ERROR')),
    (stream) => stream.destroy(new DOMException('CANCEL', 'AbortError')),
    (stream) => stream.session?.destroy(),
    (stream) => stream.session?.socket.destroy(),
  ];
  for (const way of ways) {
    let half: ServerHttp2Stream | null = null;
    const app = await http2App((stream) => {
      half = stream;
      stream.respond({ ':status': 200 });
      stream.write('half');
    });
    const exchange = forwarder(app.port)();
    await until(() => exchange.text === 'half', 'it begins');
    way(half as unknown as ServerHttp2Stream);
    await exchange.done;
    assert.equal(exchange.error?.code, 'UPSTREAM_TRUNCATED', String(way));
  }
});

test('a client that leaves resets the stream, and the connection lives on', async () => {
  const closed: number[] = [];
  const app = await http2App((stream) => {
    stream.on('close', () => closed.push(stream.rstCode));
    stream.respond({ ':status': 200 });
    stream.write('begin');
  });
  const forward = forwarder(app.port);
  const exchange = forward();
  await until(() => exchange.text === 'begin', 'it begins');
  exchange.leave();
  await until(() => closed.length === 1, 'the app sees it');
  assert.equal(closed[0], 8);
  const next = forward();
  await until(() => next.text === 'begin', 'the next begins');
  next.leave();
  assert.equal(app.sessions.length, 1);
});

test('a refused stream is sent again, even a POST; one that was seen is not', async () => {
  let count = 0;
  const app = await http2App((stream) => {
    if (++count === 1) return stream.close(0x7);
    if (count === 3) return stream.close(0x2);
    stream.respond({ ':status': 200 });
    stream.end('ok');
  });
  const forward = forwarder(app.port);
  const again = await forward({ method: 'POST' }).done;
  assert.deepEqual([again.text, again.report.retries], ['ok', 1]);
  assert.equal((await forward({ method: 'POST' }).done).failure?.code, 'UPSTREAM_UNREACHABLE');
  assert.equal(count, 3);
});

async function frameApp(answer: (visit: FrameVisit) => void): Promise<FrameApp> {
  const app = await startFrameApp(answer);
  closers.push(app.close);
  return app;
}

test('a reset with NO_ERROR before END_STREAM breaks the exchange, also while it is held back; behind it the answer is whole', async () => {
  const ping = frames.frame(frames.PING, 0, 0, Buffer.alloc(8));
  for (const isHeldBack of [false, true]) {
    for (const endsFirst of [false, true]) {
      const how = `held back: ${isHeldBack}, ends first: ${endsFirst}`;
      const app = await frameApp(({ id, send }) => {
        const last = frames.frame(frames.DATA, endsFirst ? frames.END_STREAM : 0, id, 'last');
        const reset = frames.frame(frames.RST_STREAM, 0, id, number(0));
        send(headOf(id), frames.frame(frames.DATA, 0, id, 'first'), last, reset, ping);
      });
      const exchange = forwarder(app.port)();
      exchange.accepts = !isHeldBack;
      await until(() => app.pongs() === 1, 'all of it was read');
      if (isHeldBack) assert.equal(exchange.text, 'first', how);
      exchange.accepts = true;
      exchange.resume();
      await exchange.done;
      assert.equal(exchange.error?.code, endsFirst ? undefined : 'UPSTREAM_TRUNCATED', how);
      if (endsFirst) assert.equal(exchange.text, 'firstlast', how);
    }
  }
});

test('a request that an app reset, or answered by what is no HTTP/2, is not sent again', async () => {
  const ways: ((visit: FrameVisit) => void)[] = [
    ...[0, 2, 8, 11].map(
      (code) =>
        ({ id, send }: FrameVisit) =>
          send(frames.frame(frames.RST_STREAM, 0, id, number(code))),
    ),
    ({ id, send }) => send(headOf(id, '2000')),
    ({ send }) => send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')),
  ];
  for (const way of ways) {
    const app = await frameApp((visit) => (visit.count === 0 ? whole(visit) : way(visit)));
    const forward = forwarder(app.port);
    assert.equal((await forward().done).text, 'whole');
    const exchange = await forward().done;
    assert.equal(exchange.failure?.code, 'UPSTREAM_UNREACHABLE', String(way));
    assert.deepEqual([app.seen(), exchange.report.retries], [2, 0], String(way));
  }
});

test('a malformed answer breaks its own exchange; what waits beside it, and is idempotent, is sent again', async () => {
  const length: frames.Fields = [
    [':status', '200'],
    ['content-length', '1'],
  ];
  const headed = frames.block(length);
  const ways: readonly [method: string, head: (id: number) => Buffer][] = [
    ['HEAD', headOf],
    ['GET', (id) => headOf(id, '204')],
    ['GET', (id) => headOf(id, '304')],
    ['GET', (id) => frames.frame(frames.HEADERS, frames.END_HEADERS, id, headed)],
  ];
  for (const [method, head] of ways) {
    const waiting: FrameVisit[] = [];
    const app = await frameApp((visit) => {
      if (visit.count > 2) return whole(visit);
      waiting.push(visit);
      const { id, send } = visit;
      if (waiting.length === 3)
        send(head(id), frames.frame(frames.DATA, frames.END_STREAM, id, 'a body that may not be'));
    });
    const forward = forwarder(app.port);
    const before = forward();
    await until(() => app.seen() === 1, 'it waits');
    const posted = forward({ method: 'POST' });
    await until(() => app.seen() === 2, 'both wait');
    const malformed = forward({ method });
    assert.equal((await malformed.done).error?.code, 'UPSTREAM_TRUNCATED', method);
    assert.deepEqual([(await before.done).text, before.report.retries], ['whole', 1], method);
    assert.equal((await posted.done).failure?.code, 'UPSTREAM_UNREACHABLE', 'the app may have acted on it');
    assert.equal(app.seen(), 4, 'nothing else was sent again');
  }
});

test('a connection that ends under a request on it, used before: what is idempotent is sent again', async () => {
  const ways: ((socket: Socket) => unknown)[] = [
    (socket) => socket.destroy(),
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.end(),
  ];
  for (const way of ways) {
    const app = await frameApp((visit) => (visit.count === 1 ? way(visit.socket) : whole(visit)));
    const forward = forwarder(app.port);
    await forward().done;
    const exchange = await forward().done;
    assert.deepEqual([exchange.text, exchange.report.retries], ['whole', 1], String(way));
  }
});

test('what is above the last stream of a GOAWAY is sent again, even a POST and whatever its code (section 6.8)', async () => {
  for (const code of [0, 11]) {
    const app = await frameApp((visit) => {
      if (visit.count !== 1) return whole(visit);
      visit.send(frames.frame(frames.GOAWAY, 0, 0, Buffer.concat([number(1), number(code)])));
    });
    const forward = forwarder(app.port);
    await forward().done;
    const exchange = await forward({ method: 'POST' }).done;
    assert.deepEqual([exchange.text, exchange.report.retries], ['whole', 1], String(code));
  }
});

test('what an h2c app has not looked at is sent again with its body, even a POST; what it may have, where it is idempotent', async () => {
  const closings = {
    POST: ({ send }: FrameVisit) => send(frames.frame(frames.GOAWAY, 0, 0, Buffer.concat([number(1), number(0)]))),
    PUT: ({ socket }: FrameVisit) => void socket.destroy(),
  };
  for (const [method, closeIt] of Object.entries(closings)) {
    const app = await frameApp((visit) => (visit.count === 1 ? closeIt(visit) : whole(visit)));
    const forward = forwarder(app.port);
    await forward().done;
    const exchange = await forward({ method }, new FakeBody(5, Buffer.from('hello'))).done;
    assert.deepEqual([exchange.text, exchange.report.retries], ['whole', 1], method);
    assert.match(app.received().at(-1) ?? '', /hello/, method);
  }
});

test('an h2c app may say 500 fields, as over HTTP/1.1, and not more', async () => {
  for (const count of [500, 501]) {
    const app = await frameApp(({ id, send }) => {
      const fields = Array.from({ length: count }, (_, at) => [`x-${at}`, 'a'] as const);
      const block = frames.block([[':status', '200'], ...fields]);
      send(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, id, block));
    });
    const exchange = await forwarder(app.port)().done;
    if (count === 500) assert.equal(exchange.response?.headers.size, 500);
    else assert.equal(exchange.failure?.code, 'UPSTREAM_UNREACHABLE');
  }
});

test('a status beyond 599 is UPSTREAM_BAD_RESPONSE, as over HTTP/1.1', async () => {
  const app = await frameApp(({ id, send }) => send(headOf(id, '600')));
  assert.equal((await forwarder(app.port)().done).failure?.code, 'UPSTREAM_BAD_RESPONSE');
});

test('an h2c app whose name is never resolved is UPSTREAM_TIMEOUT; one whose address is old is looked for anew', async () => {
  let offset = 0;
  const ticker = new IntervalTicker({ now: () => performance.now() + offset, intervalMs: 1_000_000, leadMs: 0 });
  const app = await http2App((stream) => stream.respond({ ':status': 204 }, { endStream: true }));
  let known: readonly string[] | null = null;
  let asked = 0;
  const lookup: Lookup = (_host, done) => {
    asked++;
    if (known !== null) done(null, known);
  };
  const upstreams = createUpstreams({ clock, log, ticker, lookup });
  closers.push(() => upstreams.close());
  const ask = (host: string): FakeExchange => {
    const exchange = new FakeExchange();
    const action = actionTo([serverAt(app.port, { scheme: 'h2c', host })]);
    upstreams.forward(exchange, planFor(action), exchange.report);
    return exchange;
  };
  const lost = ask('lost.internal');
  await until(() => asked === 1, 'it is asked for');
  offset += LIMITS.connectMs + 1_000;
  ticker.tick();
  assert.equal((await lost.done).failure?.code, 'UPSTREAM_TIMEOUT');
  known = ['127.0.0.3'];
  await ask('moved.internal').done;
  known = ['127.0.0.1'];
  assert.equal((await ask('moved.internal').done).response?.status, 204);
});

test('GOAWAY: streams under way end, the next request opens a new connection', async () => {
  const pending: ServerHttp2Stream[] = [];
  const app = await http2App((stream) => {
    stream.respond({ ':status': 200 });
    if (pending.push(stream) > 1) stream.end('ok');
  });
  const forward = forwarder(app.port);
  const first = forward();
  await until(() => first.response !== null, 'it begins');
  app.sessions[0]?.goaway(0);
  // Its answer comes when the client has read what was sent before.
  await new Promise((resolve) => app.sessions[0]?.ping(resolve));
  assert.equal((await forward().done).text, 'ok');
  assert.equal(app.sessions.length, 2);
  pending[0]?.end('late');
  assert.equal((await first.done).text, 'late');
});

test('more connections are opened where streams are exhausted', async () => {
  const open: ServerHttp2Stream[] = [];
  const app = await http2App(
    (stream) => {
      stream.respond({ ':status': 200 });
      open.push(stream);
    },
    { maxConcurrentStreams: 2 },
  );
  const forward = forwarder(app.port);
  const warm = forward();
  await until(() => open.length === 1, 'settings are known');
  const rest = [forward(), forward(), forward(), forward()];
  await until(() => open.length === 5, 'all arrive');
  assert.equal(app.sessions.length, 3);
  for (const stream of open) stream.end();
  await Promise.all([warm, ...rest].map((one) => one.done));
});

test('an h2c app that does not answer is UPSTREAM_TIMEOUT, and others get a new connection', async () => {
  let offset = 0;
  const ticker = new IntervalTicker({ now: () => performance.now() + offset, intervalMs: 1_000_000, leadMs: 0 });
  let count = 0;
  const app = await http2App((stream) => {
    if (++count === 1) return;
    stream.respond({ ':status': 200 });
    stream.end('ok');
  });
  const forward = forwarder(app.port, {}, ticker);
  const exchange = forward();
  await until(() => count === 1, 'it arrives');
  offset += LIMITS.firstByteMs + 1_000;
  ticker.tick();
  assert.equal((await exchange.done).failure?.code, 'UPSTREAM_TIMEOUT');
  assert.equal((await forward().done).text, 'ok');
  assert.equal(app.sessions.length, 2);
});

test('an h2c app that says that it is at work (102) is waited for anew from then on', async () => {
  let offset = 0;
  const ticker = new IntervalTicker({ now: () => performance.now() + offset, intervalMs: 1_000_000, leadMs: 0 });
  let stream: ServerHttp2Stream | null = null;
  const app = await http2App((one) => (stream = one));
  const exchange = forwarder(app.port, {}, ticker)();
  await until(() => stream !== null, 'it arrives');
  for (let i = 1; i <= 2; i++) {
    offset += LIMITS.firstByteMs - 1_000;
    ticker.tick();
    (stream as ServerHttp2Stream | null)?.additionalHeaders({ ':status': 102 });
    await until(() => exchange.informed.length === i, 'it is passed on');
  }
  assert.equal(exchange.failure, null);
  exchange.leave();
});

test('an h2c app that began to answer is not silent while it is sent the body, and is behind its end', async () => {
  let offset = 0;
  const ticker = new IntervalTicker({ now: () => performance.now() + offset, intervalMs: 1_000_000, leadMs: 0 });
  const passes = (ms: number): void => {
    offset += ms;
    ticker.tick();
  };
  let got = 0;
  const app = await http2App((stream) => {
    stream.respond({ ':status': 200 });
    stream.write('hi');
    stream.on('data', (chunk: Buffer) => (got += chunk.length));
  });
  const body = new FakeBody(30);
  const exchange = forwarder(app.port, {}, ticker)({ method: 'POST' }, body);
  await until(() => exchange.text === 'hi', 'the answer begins');
  for (let i = 1; i <= 3; i++) {
    body.sink?.write(Buffer.from('0123456789'));
    await until(() => got === i * 10, 'it arrives');
    passes(LIMITS.upstreamIdleMs + 1_000);
  }
  body.sink?.end(null);
  passes(LIMITS.upstreamIdleMs - 1_000);
  assert.equal(exchange.error, null);
  passes(2_000);
  assert.equal((await exchange.done).error?.code, 'UPSTREAM_TIMEOUT');
});

test('what is no HTTP/2 app fails in time, and an unreachable one at once', async () => {
  const raw = await rawApp(() => {});
  raw.server.on('connection', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  closers.push(raw.close);
  const exchange = await forwarder(raw.port)().done;
  assert.equal(exchange.failure?.code, 'UPSTREAM_UNREACHABLE');
  const gone = await rawApp(() => {});
  await gone.close();
  assert.equal((await forwarder(gone.port)().done).failure?.code, 'UPSTREAM_UNREACHABLE');
});

test('gRPC errors that we make have a gRPC status', async () => {
  const gone = await rawApp(() => {});
  await gone.close();
  const exchange = await forwarder(gone.port)(
    { method: 'POST', version: '2', headers: { 'content-type': 'application/grpc+proto' } },
    new FakeBody(-1),
  ).done;
  assert.equal(exchange.failure, null);
  assert.deepEqual([exchange.response?.status, exchange.response?.headers.get('grpc-status')], [200, '14']);
});

async function http2Gateway(action: ProxyAction): Promise<number> {
  const ticker = createTicker();
  const upstreams = createUpstreams({ clock, log, ticker });
  const settings = { ...HTTP1_DEFAULTS, http2Streams: 100, ticker };
  const handle = (exchange: Exchange): void => {
    const { path, query } = exchange.request;
    const report = createReport((error) =>
      exchange.respondWhole({ status: 502, headers: HeaderBlock.from({ 'x-code': error.code }) }, ''),
    );
    upstreams.forward(exchange, planFor(action, { path, query, upgradeAllowed: true }), report);
  };
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    serveHttp2(socket, FACTS, settings, handle);
  });
  const port = await listen(server);
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await upstreams.close();
    ticker.close();
  });
  return port;
}

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
const method = (name: string, streams: boolean): grpc.MethodDefinition<Buffer, Buffer> => ({
  path: `/postern.Test/${name}`,
  requestStream: streams,
  responseStream: streams,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
});
const SERVICE = { Echo: method('Echo', false), Chat: method('Chat', true), Fail: method('Fail', false) };

async function grpcApp(): Promise<number> {
  const server = new grpc.Server();
  server.addService(SERVICE, {
    Echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      const trailer = new grpc.Metadata();
      trailer.set('x-after', 'yes');
      done(null, Buffer.concat([Buffer.from('echo '), call.request]), trailer);
    },
    Chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (chunk: Buffer) => call.write(Buffer.concat([Buffer.from('re '), chunk])));
      call.on('end', () => call.end());
    },
    Fail: (_call: unknown, done: grpc.sendUnaryData<Buffer>) =>
      done({ code: grpc.status.NOT_FOUND, details: 'no such thing' }),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  closers.push(() => server.forceShutdown());
  return port;
}

test('gRPC end to end: unary with trailers, a failure with its status, and a conversation', async () => {
  const port = await http2Gateway(actionTo([serverAt(await grpcApp(), { scheme: 'h2c' })]));
  const Client = grpc.makeGenericClientConstructor(SERVICE, 'Test');
  const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  closers.push(() => client.close());
  const call = (
    name: string,
    data: string,
  ): Promise<{ error: grpc.ServiceError | null; value: string; after: unknown }> =>
    new Promise((resolve) => {
      let after: unknown;
      const unary = (
        client as unknown as Record<
          string,
          (data: Buffer, done: (error: grpc.ServiceError | null, value?: Buffer) => void) => grpc.ClientUnaryCall
        >
      )[name];
      const running = unary?.call(client, Buffer.from(data), (error, value) => {
        setImmediate(() => resolve({ error, value: value?.toString() ?? '', after }));
      });
      running?.on('status', (status) => (after = status.metadata.get('x-after')[0]));
    });
  const echo = await call('Echo', 'hello');
  assert.deepEqual([echo.error, echo.value, echo.after], [null, 'echo hello', 'yes']);
  const fail = await call('Fail', '');
  assert.deepEqual([fail.error?.code, fail.error?.details], [grpc.status.NOT_FOUND, 'no such thing']);
  const chat = (client as unknown as { Chat: () => grpc.ClientDuplexStream<Buffer, Buffer> }).Chat();
  const heard: string[] = [];
  chat.on('data', (chunk: Buffer) => heard.push(chunk.toString()));
  for (const word of ['one', 'two', 'three']) {
    chat.write(Buffer.from(word));
    await until(() => heard.includes(`re ${word}`), word);
  }
  const ended = new Promise((resolve) => chat.on('end', resolve));
  chat.end();
  await ended;
});

test('a WebSocket over HTTP/2 (RFC 8441) becomes one over HTTP/1.1', async () => {
  const app = createHttp();
  const sockets = new WebSocketServer({ server: app });
  sockets.on('connection', (socket) => socket.send('welcome'));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets.clients) socket.terminate();
    app.close();
  });
  const port = await http2Gateway(actionTo([serverAt((app.address() as AddressInfo).port)]));
  const session: ClientHttp2Session = connectHttp2(`http://127.0.0.1:${port}`);
  closers.push(() => session.destroy());
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/chat',
      ':scheme': 'http',
      ':authority': 'app.example.com',
      'sec-websocket-version': '13',
    },
    { endStream: false },
  );
  const status = await new Promise<number | undefined>((resolve) =>
    stream.once('response', (headers) => resolve(headers[':status'])),
  );
  assert.equal(status, 200);
  let got = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => (got = Buffer.concat([got, chunk])));
  await until(() => got.includes('welcome'), 'the first frame');
  assert.equal(got[0], 0x81);
  stream.destroy();
});
