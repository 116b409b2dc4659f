import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2, { constants } from 'node:http2';
import net from 'node:net';
import { after, test } from 'node:test';
import { PosternError } from '../core/errors.ts';
import type { BodySink, ConnectionFacts, Exchange, ExchangeOutcome, HandleExchange } from './exchange.ts';
import { HeaderBlock } from './header-block.ts';
import type { Http2Exchange } from './http2-exchange.ts';
import { type Http2Connection, serveHttp2, type Http2Settings } from './http2-server.ts';
import { createTicker } from './ticker.ts';

interface Rig {
  readonly port: number;
  readonly seen: Exchange[];
  readonly outcomes: ExchangeOutcome[];
  readonly refused: string[];
  readonly connections: Http2Connection[];
  readonly tick: (ms: number) => void;
  readonly client: () => http2.ClientHttp2Session;
  readonly closed: () => number;
}

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

async function open(handle: HandleExchange, settings: Partial<Http2Settings> = {}): Promise<Rig> {
  let now = 1_000;
  let closed = 0;
  const ticker = createTicker({ intervalMs: 1_000_000, now: () => now });
  const [seen, outcomes, refused, connections]: [Exchange[], ExchangeOutcome[], string[], Http2Connection[]] = [
    [],
    [],
    [],
    [],
  ];
  const all: Http2Settings = {
    headerBytes: 8_192,
    headerCount: 50,
    targetBytes: 2_048,
    maxBodyBytes: -1,
    bodyIdleMs: 30_000,
    minBodyRate: 0,
    keepAliveMs: 75_000,
    writeIdleMs: 60_000,
    http2Streams: 64,
    ticker,
    onClose: () => closed++,
    onRefused: ({ status, rule }) => refused.push(`${status} ${rule}`),
    ...settings,
  };
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const facts: ConnectionFacts = {
      peerAddress: '127.0.0.1',
      peerPort: 1,
      viaProxyProtocol: false,
      localPort: 1,
      scheme: 'http',
      serverName: null,
      tlsVersion: null,
      clientCertificate: null,
    };
    const connection = serveHttp2(socket, facts, all, (exchange) => {
      seen.push(exchange);
      exchange.onClose = (outcome) => outcomes.push(outcome);
      handle(exchange);
    });
    connections.push(connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const sessions: http2.ClientHttp2Session[] = [];
  closers.push(() => {
    for (const session of sessions) session.destroy();
    for (const connection of connections) connection.destroy();
    ticker.close();
    server.close();
  });
  return {
    port,
    seen,
    outcomes,
    refused,
    connections,
    closed: () => closed,
    tick: (ms) => {
      now += ms;
      ticker.tick();
    },
    client: () => {
      const session = http2.connect(`http://127.0.0.1:${port}`, { settings: { enablePush: false } });
      session.on('error', () => undefined);
      sessions.push(session);
      return session;
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly raw: readonly string[];
  readonly body: string;
  readonly trailers: http2.IncomingHttpHeaders | null;
  readonly informed: http2.IncomingHttpHeaders[];
  readonly code: number;
}

async function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  let [body, status]: [string, number] = ['', 0];
  let headers: http2.IncomingHttpHeaders = {};
  let raw: readonly string[] = [];
  let trailers: http2.IncomingHttpHeaders | null = null;
  const informed: http2.IncomingHttpHeaders[] = [];
  stream.on('headers', (fields) => informed.push(fields));
  stream.on('response', (fields, _flags, rawFields) => {
    headers = fields;
    status = Number(fields[':status']);
    raw = rawFields as unknown as string[];
  });
  stream.on('trailers', (fields) => (trailers = fields));
  stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('close', resolve));
  return { status, headers, raw, body, trailers, informed, code: stream.rstCode };
}

const ok = (exchange: Exchange, body = 'ok'): void =>
  exchange.respondWhole({ status: 200, headers: HeaderBlock.from({ 'content-type': 'text/plain' }) }, body);

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

/** Collects a body and calls `done` at its end. */
function collect(exchange: Exchange, done: (text: string, trailers: HeaderBlock | null) => void): void {
  let text = '';
  exchange.body.start({
    write: (chunk) => {
      text += chunk.toString();
      return true;
    },
    flush: () => undefined,
    end: (trailers) => done(text, trailers),
    abort: (error) => done(`aborted ${error.code}`, null),
  });
}

test('serveHttp2() hands out a canonical request and sends the answer', async () => {
  const rig = await open((exchange) => ok(exchange));
  const stream = rig.client().request({
    ':path': '/a/../b%41?x=%2f',
    ':authority': 'App.Example:8443',
    cookie: ['a=1', 'b=2'],
    'x-many': ['1', '2'],
  });
  const answer = await answerOf(stream);
  assert.equal(answer.status, 200);
  assert.equal(answer.body, 'ok');
  assert.equal(answer.headers['content-length'], '2');
  const request = rig.seen[0]?.request;
  assert.equal(request?.path, '/bA');
  assert.equal(request?.query, '?x=%2f');
  assert.equal(request?.host, 'app.example');
  assert.equal(request?.port, 8443);
  assert.equal(request?.version, '2');
  assert.deepEqual(request?.headers.getAll('cookie'), ['a=1; b=2']);
  assert.deepEqual(request?.headers.getAll('x-many'), ['1', '2']);
  assert.equal(request?.headers.get('host'), 'App.Example:8443');
  assert.equal(rig.seen[0]?.body.length, 0);
  await until(() => rig.outcomes.length === 1);
  assert.deepEqual(rig.outcomes[0], { complete: true, bytesIn: 0, bytesOut: 2, status: 200 });
});

test('serveHttp2() keeps duplicates apart and drops fields of a connection from the answer', async () => {
  const rig = await open((exchange) =>
    exchange.respondWhole(
      {
        status: 200,
        headers: HeaderBlock.from({
          'Set-Cookie': ['a=1', 'b=2'],
          Connection: 'keep-alive',
          'Keep-Alive': 'x',
          'Transfer-Encoding': 'chunked',
          'Content-Length': '999',
          Upgrade: 'h2c',
        }),
      },
      'body',
    ),
  );
  const answer = await answerOf(rig.client().request({ ':path': '/' }));
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(answer.headers['content-length'], '4');
  for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade']) assert.ok(!(name in answer.headers));
});

test('a value that would become another field breaks the answer', async () => {
  for (const value of ['a\r\nx: y', 'a\0x\0y', 'a\u010Ab']) {
    const rig = await open((exchange) =>
      exchange.respondWhole({ status: 200, headers: HeaderBlock.from({ x: value }) }, 'b'),
    );
    const answer = await answerOf(rig.client().request({ ':path': '/' }));
    assert.equal(answer.status, 0);
    assert.equal(answer.code, constants.NGHTTP2_INTERNAL_ERROR);
    assert.equal(rig.outcomes[0]?.complete, false);
  }
});

test('HEAD, 204 and 304 have no body', async () => {
  const rig = await open((exchange) => {
    const status = Number(exchange.request.path.slice(1));
    const sink = exchange.respond({ status, headers: new HeaderBlock() }, status === 200 ? 5 : 0, () => undefined);
    if (status === 200) sink.write(Buffer.from('12345'));
    sink.end(null);
  });
  const client = rig.client();
  const head = await answerOf(client.request({ ':path': '/200', ':method': 'HEAD' }));
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', '5']);
  for (const status of [204, 304]) {
    const answer = await answerOf(client.request({ ':path': `/${status}` }));
    assert.deepEqual([answer.status, answer.body, answer.headers['content-length']], [status, '', undefined]);
  }
  assert.ok(rig.outcomes.every((one) => one.complete));
});

test('a gRPC-like call streams both ways and ends with trailers', async () => {
  const rig = await open((exchange) => {
    const head = { status: 200, headers: HeaderBlock.from({ 'content-type': 'application/grpc' }) };
    const out = exchange.respond(head, -1, () => undefined);
    exchange.body.start({
      write: (chunk) => out.write(Buffer.from(`echo ${chunk.toString()};`)),
      flush: () => out.flush(),
      end: (trailers) =>
        out.end(
          HeaderBlock.from({ 'grpc-status': '0', 'x-from': trailers?.get('x-client') ?? '', 'content-length': '1' }),
        ),
      abort: (error) => out.abort(error),
    });
  });
  const stream = rig
    .client()
    .request({ ':path': '/s/M', ':method': 'POST', te: 'trailers' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-client': 'yes' }));
  const answer = answerOf(stream);
  for (const word of ['one', 'two']) {
    stream.write(word);
    await once(stream, 'data');
  }
  stream.end();
  const { body, trailers, status } = await answer;
  assert.equal(status, 200);
  assert.equal(body, 'echo one;echo two;');
  assert.equal(trailers?.['grpc-status'], '0');
  assert.equal(trailers?.['x-from'], 'yes');
  assert.equal(trailers?.['content-length'], undefined);
});

test('103 goes out before the answer, and 100 once the body is wanted', async () => {
  const rig = await open((exchange) => {
    exchange.inform({ status: 103, headers: HeaderBlock.from({ link: ['</a>; rel=preload', '</b>; rel=preload'] }) });
    collect(exchange, (text) => ok(exchange, text));
  });
  const stream = rig.client().request({ ':path': '/', ':method': 'POST', expect: '100-continue' });
  stream.on('continue', () => stream.end('body'));
  const answer = await answerOf(stream);
  assert.equal(answer.body, 'body');
  assert.equal(answer.informed[0]?.[':status'], 103);
  assert.equal(answer.informed[0]?.['link'], '</a>; rel=preload, </b>; rel=preload');
});

test('RFC 8441: a WebSocket becomes a byte stream', async () => {
  const rig = await open((exchange) => {
    const headers = HeaderBlock.from({
      'Sec-WebSocket-Accept': 'x',
      'Sec-WebSocket-Protocol': 'chat',
      Upgrade: 'websocket',
    });
    const stream = exchange.acceptUpgrade({ status: 101, headers });
    stream.on('data', (chunk: Buffer) => stream.write(`echo ${chunk.toString()}`));
    stream.on('end', () => stream.end());
  });
  const client = rig.client();
  await once(client, 'remoteSettings');
  assert.equal(client.remoteSettings.enableConnectProtocol, true);
  const stream = client.request({
    ':method': 'CONNECT',
    ':protocol': 'WebSocket',
    ':path': '/ws?a',
    ':scheme': 'https',
    ':authority': 'a.test',
  });
  const answer = answerOf(stream);
  stream.write('hi');
  await once(stream, 'data');
  stream.end();
  const { status, body, headers } = await answer;
  assert.deepEqual([status, body, headers['sec-websocket-protocol']], [200, 'echo hi', 'chat']);
  assert.equal(headers['sec-websocket-accept'], undefined);
  const request = rig.seen[0]?.request;
  assert.deepEqual([request?.upgrade, request?.method, request?.path], ['websocket', 'GET', '/ws']);
  await until(() => rig.outcomes.length === 1);
  assert.equal(rig.outcomes[0]?.status, 200);
});

test('plain CONNECT gets 405', async () => {
  const rig = await open((exchange) => ok(exchange));
  const answer = await answerOf(rig.client().request({ ':method': 'CONNECT', ':authority': 'a.test:443' }));
  assert.equal(answer.status, 405);
  assert.deepEqual(rig.refused, ['405 method-connect']);
  assert.equal(rig.seen.length, 0);
});

test('a head that breaks a rule gets a 4xx and is never handed on', async () => {
  const rig = await open((exchange) => ok(exchange));
  const client = rig.client();
  const broken: [http2.OutgoingHttpHeaders, string][] = [
    [{ ':path': '/', host: 'other.test', ':authority': 'a.test' }, '400 target-authority'],
    [{ ':path': '/', ':authority': 'a.test:0' }, '400 host-port'],
    [{ ':path': '/a/../../b' }, '400'],
    [{ ':path': '/%00' }, '400'],
    [{ ':path': `/${'x'.repeat(3_000)}` }, '414 target-length'],
    [{ ':path': '/', 'x-long': 'x'.repeat(9_000) }, '431 header-bytes'],
    [{ ':path': '/', ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`x-${i}`, '1'])) }, '431 field-count'],
    [{ ':path': '/', expect: 'the unexpected' }, '417 expect'],
    [{ ':path': '/', ':scheme': 'ftp' }, '400 scheme'],
  ];
  for (const [head, expected] of broken) {
    const answer = await answerOf(client.request(head));
    assert.equal(String(answer.status), expected.slice(0, 3), expected);
    assert.ok(rig.refused.at(-1)?.startsWith(expected), `${rig.refused.at(-1)} for ${expected}`);
  }
  assert.equal(rig.seen.length, 0);
  assert.equal((await answerOf(client.request({ ':path': '/' }))).status, 200);
});

/** Frames by hand: what a decent client cannot send. */
const frame = (type: number, flags: number, id: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
};
const literal = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
const block = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]);
const BASE = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
] as const;

/** Sends frames and answers [type, id, payload] of everything until GOAWAY, RST_STREAM or END_STREAM. */
async function exchangeFrames(port: number, ...frames: Buffer[]): Promise<[type: number, payload: Buffer][]> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(Buffer.concat([PREFACE, ...frames]));
  const got: [number, Buffer][] = [];
  let rest: Buffer = Buffer.alloc(0);
  await new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const length = rest.readUIntBE(0, 3);
        const [type, flags] = [rest[3] as number, rest[4] as number];
        got.push([type, rest.subarray(9, 9 + length)]);
        rest = rest.subarray(9 + length);
        if (type === 3 || type === 7 || ((type === 0 || type === 1) && (flags & 1) === 1)) resolve();
      }
    });
  });
  socket.destroy();
  return got;
}

test('raw frames that smuggle are refused and nothing of them is handed on', async () => {
  const rig = await open((exchange) => ok(exchange));
  const END = 5;
  const heads: Record<string, readonly (readonly [string, string])[]> = {
    connection: [...BASE, ['connection', 'close']],
    'proxy-connection': [...BASE, ['proxy-connection', 'close']],
    'keep-alive': [...BASE, ['keep-alive', '1']],
    'transfer-encoding': [...BASE, ['transfer-encoding', 'chunked']],
    upgrade: [...BASE, ['upgrade', 'h2c']],
    'te: gzip': [...BASE, ['te', 'gzip']],
    'upper case': [...BASE, ['X-A', '1']],
    'value with CR LF': [...BASE, ['x-a', '1\r\nx-b: 2']],
    'value with NUL': [...BASE, ['x-a', '1\0']],
    'value with leading space': [...BASE, ['x-a', ' 1']],
    'name with colon': [...BASE, ['x:a', '1']],
    'name with space': [...BASE, ['x a', '1']],
    'empty name': [...BASE, ['', '1']],
    'duplicate :path': [...BASE, [':path', '/b']],
    'duplicate :authority': [...BASE, [':authority', 'b.test']],
    'pseudo-field late': [...BASE.slice(0, 3), ['x-a', '1'], [':authority', 'a.test']],
    'unknown pseudo-field': [...BASE, [':x', '1']],
    'empty :path': [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', ''],
      [':authority', 'a.test'],
    ],
    'relative :path': [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', 'a'],
      [':authority', 'a.test'],
    ],
    'no :path': [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'a.test'],
    ],
    'no :method': BASE.slice(1),
    'method with space': [[':method', 'GET /x'], ...BASE.slice(1)],
    'path with space': [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/a HTTP/1.1'],
      [':authority', 'a.test'],
    ],
    'no authority at all': BASE.slice(0, 3),
    'two hosts': [...BASE, ['host', 'a.test'], ['host', 'a.test']],
    ':protocol without CONNECT': [...BASE, [':protocol', 'websocket']],
  };
  for (const [what, fields] of Object.entries(heads)) {
    const got = await exchangeFrames(rig.port, frame(1, END, 1, block(fields)));
    const isReset = got.some(([type]) => type === 3 || type === 7);
    const status = got.find(([type]) => type === 1)?.[1];
    // 400 in the static table is index 12; a literal has it in its text.
    const isRefused = status !== undefined && (status[0] === 0x8c || status.includes('400'));
    // nghttp2 drops a field whose name or value is invalid, and the request goes on without it.
    const dropped = rig.seen.splice(0);
    if (what.startsWith('value') || what.startsWith('name') || what.startsWith('empty name'))
      assert.ok(
        dropped.every(({ request }) => request.headers.size === 1),
        what,
      );
    else assert.ok((isReset || isRefused) && dropped.length === 0, what);
  }
});

test('a Content-Length that is not the sum of DATA never completes a body', async () => {
  for (const [length, data] of [
    ['3', '12345'],
    ['9', '12345'],
  ] as const) {
    const ends: string[] = [];
    const rig = await open((exchange) => collect(exchange, (text) => ends.push(text)));
    const got = await exchangeFrames(
      rig.port,
      frame(1, 4, 1, block([...BASE, ['content-length', length]])),
      frame(0, 1, 1, Buffer.from(data)),
    );
    assert.ok(
      got.some(([type]) => type === 3 || type === 7),
      length,
    );
    await until(() => ends.length === 1);
    assert.deepEqual(ends, ['aborted CLIENT_CLOSED']);
  }
});

test('rapid resets end the connection with ENHANCE_YOUR_CALM', async () => {
  const rig = await open(() => undefined);
  const flood: Buffer[] = [];
  for (let id = 1; id < 1_000; id += 2) {
    flood.push(frame(1, 5, id, block(BASE)), frame(3, 0, id, Buffer.from([0, 0, 0, 8])));
  }
  const socket = net.connect(rig.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(PREFACE);
  let got: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => (got = Buffer.concat([got, chunk])));
  for (const part of flood) socket.write(part);
  await once(socket, 'close');
  // GOAWAY: type 7, stream 0, last id, error 11.
  const at = got.indexOf(Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0]));
  assert.notEqual(at, -1);
  assert.equal(got.readUInt32BE(at + 13), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  assert.ok(rig.refused.includes('429 rapid-reset'));
  await until(() => rig.closed() === 1);
  assert.equal(rig.outcomes.filter((one) => one.complete).length, 0);
});

test('abort() resets the stream so that half an answer is not taken for a whole', async () => {
  const rig = await open((exchange) => {
    const sink = exchange.respond({ status: 200, headers: new HeaderBlock() }, -1, () => undefined);
    sink.write(Buffer.from('half'));
    sink.flush();
    setImmediate(() => sink.abort(new PosternError('UPSTREAM_TRUNCATED', 'x')));
  });
  // The sink of an exchange that is told to abort does the same.
  const answer = await answerOf(rig.client().request({ ':path': '/' }));
  assert.equal(answer.code, constants.NGHTTP2_INTERNAL_ERROR);
  await until(() => rig.outcomes.length === 1);
  assert.equal(rig.outcomes[0]?.complete, false);
});

test('an answer shorter or longer than its length is reset', async () => {
  for (const text of ['123', '1234567']) {
    const rig = await open((exchange) => {
      const sink = exchange.respond({ status: 200, headers: new HeaderBlock() }, 5, () => undefined);
      sink.write(Buffer.from(text));
      sink.end(null);
    });
    assert.equal((await answerOf(rig.client().request({ ':path': '/' }))).code, constants.NGHTTP2_INTERNAL_ERROR);
  }
});

test('a client that goes away ends the exchange and the body', async () => {
  const ends: string[] = [];
  const rig = await open((exchange) => collect(exchange, (text) => ends.push(text)));
  const client = rig.client();
  const stream = client.request({ ':path': '/', ':method': 'POST' });
  stream.on('error', () => undefined);
  stream.write('part');
  await until(() => rig.seen.length === 1);
  // Not close(): that ends the stream before it resets it.
  stream.destroy(new Error('gone'));
  await until(() => rig.outcomes.length === 1);
  assert.deepEqual(ends, ['aborted CLIENT_CLOSED']);
  assert.equal(rig.outcomes[0]?.complete, false);
  const second = client.request({ ':path': '/', ':method': 'POST' });
  second.on('error', () => undefined);
  second.write('part');
  await until(() => rig.seen.length === 2);
  client.destroy();
  await until(() => rig.outcomes.length === 2 && rig.closed() === 1);
});

test('an early answer stops the upload without blame', async () => {
  const rig = await open((exchange) => ok(exchange, 'enough'));
  const stream = rig.client().request({ ':path': '/', ':method': 'POST' });
  stream.write(Buffer.alloc(1_000));
  const answer = await answerOf(stream);
  assert.deepEqual([answer.status, answer.body, answer.code], [200, 'enough', constants.NGHTTP2_NO_ERROR]);
  await until(() => rig.outcomes.length === 1);
  assert.equal(rig.outcomes[0]?.complete, true);
});

test('a body beyond its limit gets 413, by Content-Length or by count', async () => {
  const ends: string[] = [];
  const rig = await open((exchange) => collect(exchange, (text) => ends.push(text)), { maxBodyBytes: 10 });
  const client = rig.client();
  const counted = client.request({ ':path': '/', ':method': 'POST', 'content-length': '11' });
  assert.equal((await answerOf(counted)).status, 413);
  const streamed = client.request({ ':path': '/', ':method': 'POST' });
  streamed.write(Buffer.alloc(20));
  assert.equal((await answerOf(streamed)).status, 413);
  assert.deepEqual(ends, ['aborted PAYLOAD_TOO_LARGE', 'aborted PAYLOAD_TOO_LARGE']);
});

test('back-pressure holds both directions', async () => {
  let sink: BodySink | null = null;
  let [resumed, refused] = [0, 0];
  const rig = await open((exchange) => {
    if (exchange.request.method === 'GET') {
      sink = exchange.respond({ status: 200, headers: new HeaderBlock() }, -1, () => resumed++);
      return;
    }
    exchange.body.start({
      write: () => {
        refused++;
        return false;
      },
      flush: () => undefined,
      end: () => ok(exchange),
      abort: () => undefined,
    });
  });
  const client = rig.client();
  const up = client.request({ ':path': '/', ':method': 'POST' });
  let sent = 0;
  while (up.write(Buffer.alloc(65_536)) || sent < 40) {
    if (++sent > 200) break;
  }
  await until(() => refused > 0);
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
  const held = (rig.seen[0] as Http2Exchange).stream.readableLength;
  assert.ok(held <= 400_000, `${held} bytes are held`);
  assert.ok(refused < 5);
  up.close();
  const down = client.request({ ':path': '/' });
  down.pause();
  await until(() => sink !== null);
  let writes = 0;
  while ((sink as unknown as BodySink).write(Buffer.alloc(65_536))) {
    (sink as unknown as BodySink).flush();
    if (++writes > 1_000) assert.fail('write() never said stop');
    await new Promise((resolve) => setImmediate(resolve));
  }
  (sink as unknown as BodySink).flush();
  assert.equal(resumed, 0);
  down.resume();
  await until(() => resumed === 1);
  down.close();
});

test('deadlines: slow body 408, stalled reader reset, idle connection closed', async () => {
  const rig = await open((exchange) => {
    if (exchange.request.method === 'POST') collect(exchange, () => undefined);
    else {
      const sink = exchange.respond({ status: 200, headers: new HeaderBlock() }, -1, () => undefined);
      while (sink.write(Buffer.alloc(65_536))) sink.flush();
      sink.flush();
    }
  });
  const client = rig.client();
  const slow = client.request({ ':path': '/', ':method': 'POST' });
  slow.write('x');
  await until(() => rig.seen.length === 1);
  rig.tick(30_001);
  assert.equal((await answerOf(slow)).status, 408);
  const stalled = client.request({ ':path': '/' });
  stalled.on('error', () => undefined);
  await until(() => rig.seen.length === 2);
  rig.tick(60_001);
  await until(() => rig.outcomes.length === 2);
  assert.equal(rig.outcomes[1]?.complete, false);
  client.destroy();
  const idle = rig.client();
  await once(idle, 'remoteSettings');
  rig.tick(75_001);
  await once(idle, 'close');
});

test('drain() lets open streams finish and takes no new ones', async () => {
  const rig = await open(() => undefined);
  const client = rig.client();
  const stream = client.request({ ':path': '/' });
  const answer = answerOf(stream);
  await until(() => rig.seen.length === 1);
  rig.connections[0]?.drain();
  await once(client, 'goaway');
  ok(rig.seen[0] as Exchange);
  assert.equal((await answer).body, 'ok');
  await once(client, 'close');
  await until(() => rig.closed() === 1);
});

test('hundreds of streams and a large body pass over one connection', async () => {
  const rig = await open((exchange) => {
    if (exchange.request.path === '/big') collect(exchange, (text) => ok(exchange, String(text.length)));
    else ok(exchange, exchange.request.path);
  });
  const client = rig.client();
  await once(client, 'remoteSettings');
  const big = client.request({ ':path': '/big', ':method': 'POST' });
  big.end(Buffer.alloc(3_000_000, 'a'));
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => answerOf(client.request({ ':path': `/${i}` }))),
  );
  answers.forEach((answer, i) => assert.equal(answer.body, `/${i}`));
  assert.equal((await answerOf(big)).body, '3000000');
});
