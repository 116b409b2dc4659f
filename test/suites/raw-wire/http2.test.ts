/**
 * HTTP/2 frame by frame against the whole gateway (reference class F13, F14, 1.5, 1.6): what would mean
 * something else in HTTP/1.1 never reaches an app, floods end their own connection and cost nobody else
 * anything, and a WebSocket over HTTP/2 is open only where the app says so.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import http2 from 'node:http2';
import { after, before, suite, test } from 'node:test';
import { startPatience } from '../../../src/core/patience.ts';
import * as h2 from '../../support/http2-frames.ts';
import { startPostern } from '../../support/postern.ts';
import { AT_ONCE_MS } from '../../support/programs.ts';
import { Stopwatch } from '../../support/stopwatch.ts';
import { startRecordingApp } from '../../support/recording-app.ts';
import { say, startScriptedApp } from '../../support/scripted-app.ts';
import type { Fields, Http2Wire } from '../../support/http2-frames.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { RecordingApp } from '../../support/recording-app.ts';
import type { ScriptedApp } from '../../support/scripted-app.ts';

const BASE: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/x'],
  [':authority', 'app.test'],
];
const WHOLE = h2.END_STREAM | h2.END_HEADERS;

/** BASE with one value replaced. */
const having = (name: string, value: string): Fields => BASE.map(([key, old]) => [key, key === name ? value : old]);
const POST = having(':method', 'POST');
const head = (fields: Fields, flags = WHOLE, id = 1): Buffer => h2.frame(h2.HEADERS, flags, id, h2.block(fields));
const data = (text: string, flags = h2.END_STREAM): Buffer => h2.frame(h2.DATA, flags, 1, text);
const code = (value: number): Buffer => Buffer.from([0, 0, 0, value]);

/** class, frames. Each ends in a 4xx or a reset of the stream or the connection; no app sees anything. */
const REFUSED: readonly (readonly [name: string, ...frames: Buffer[]])[] = [
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings'].map(
    (name) => [`F13 field of a connection: ${name}`, head([...BASE, [name, 'x']])] as const,
  ),
  ['F13 te other than trailers', head([...BASE, ['te', 'gzip']])],
  ['F13 upper-case name', head([...BASE, ['X-Aa', 'b']])],
  ['F13 pseudo-field behind a field', head([...BASE.slice(0, 3), ['x-a', 'b'], [':authority', 'app.test']])],
  ['F13 pseudo-field twice', head([...BASE, [':path', '/y']])],
  ['F13 unknown pseudo-field', head([...BASE, [':x', 'y']])],
  ['F13 :status in a request', head([...BASE, [':status', '200']])],
  ...[
    '',
    'x',
    '*',
    '/x y',
    '/x\ty',
    '/x#y',
    '/x HTTP/1.1\r\nHost: evil',
    '/../x',
    '/%zz',
    '/x\\y',
    'https://app.test/x',
  ].map((path) => [`F13 :path ${JSON.stringify(path)}`, head(having(':path', path))] as const),
  ...['', 'GET /', 'get', 'G\x01T', 'GET\r\n'].map(
    (method) => [`F13 :method ${JSON.stringify(method)}`, head(having(':method', method))] as const,
  ),
  ['F13 :scheme that is none of ours', head(having(':scheme', 'ftp'))],
  ...['', 'a@app.test', 'app.test/x', 'app.test evil', 'app.test:x', 'app.test\r\nx: y'].map(
    (name) => [`F13 :authority ${JSON.stringify(name)}`, head(having(':authority', name))] as const,
  ),
  ['F13 :authority against Host', head([...BASE, ['host', 'evil.test']])],
  ['F13 two Hosts', head([...BASE, ['host', 'app.test'], ['host', 'app.test']])],
  ['F13 no :authority and no Host', head(BASE.slice(0, 3))],
  ['F13 no :path', head(BASE.filter(([name]) => name !== ':path'))],
  ['F13 no :method', head(BASE.slice(1))],
  ['F13 no :scheme', head(BASE.filter(([name]) => name !== ':scheme'))],
  ['F13 more DATA than Content-Length', head([...POST, ['content-length', '3']], h2.END_HEADERS), data('12345')],
  ['F13 less DATA than Content-Length', head([...POST, ['content-length', '9']], h2.END_HEADERS), data('12345')],
  ['F13 Content-Length without DATA', head([...POST, ['content-length', '9']])],
  ['F2 two lengths', head([...POST, ['content-length', '5'], ['content-length', '5']], h2.END_HEADERS), data('12345')],
  ['F2 length with a sign', head([...POST, ['content-length', '+5']], h2.END_HEADERS), data('12345')],
  ['F9 a pseudo-field in the trailers', head(POST, h2.END_HEADERS), data('12', 0), head([[':path', '/y']])],
  [
    'F9 trailers that do not end the stream',
    head(POST, h2.END_HEADERS),
    data('12', 0),
    head([['x-a', 'y']], h2.END_HEADERS),
  ],
  [
    'CONNECT',
    head([
      [':method', 'CONNECT'],
      [':authority', 'app.test:443'],
    ]),
  ],
  ['TRACE', head(having(':method', 'TRACE'))],
  ['F16 CONNECT with :protocol h2c', head([...having(':method', 'CONNECT'), [':protocol', 'h2c']], h2.END_HEADERS)],
  [':protocol without CONNECT', head([...BASE, [':protocol', 'websocket']])],
  ['an unknown expectation', head([...BASE, ['expect', 'x']])],
  ['more fields than the limit', head([...BASE, ...Array.from({ length: 120 }, (_, i) => [`x-${i}`, 'a'] as const)])],
  ['DATA before HEADERS', data('x')],
  ['a stream of the server', head(BASE, WHOLE, 2)],
  ['HEADERS on stream 0', head(BASE, WHOLE, 0)],
  ['CONTINUATION alone', h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, h2.block(BASE))],
  ['a frame between HEADERS and CONTINUATION', head(BASE, h2.END_STREAM), h2.frame(h2.PING, 0, 0, Buffer.alloc(8))],
  ['PUSH_PROMISE of a client', h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, Buffer.concat([code(2), h2.block(BASE)]))],
  ['HPACK that does not decode', h2.frame(h2.HEADERS, WHOLE, 1, Buffer.alloc(6, 0xff))],
  ['more padding than frame', h2.frame(h2.HEADERS, WHOLE | 8, 1, Buffer.concat([Buffer.from([255]), h2.block(BASE)]))],
  ['a frame larger than agreed', data('x'.repeat(20_000))],
];

/** Names and values that RFC 9113 section 8.2.1 forbids. */
const INVALID: Fields = [
  ['x a', 'b'],
  ['x:a', 'b'],
  ['x\ra', 'b'],
  ['', 'b'],
  ['x-a', 'b\r\nx-evil: c'],
  ['x-a', 'b\0c'],
  ['x-a', 'b\nc'],
];

suite('HTTP/2 frames against the whole gateway', () => {
  let postern: PosternProcess;
  let app: RecordingApp;
  let scripted: ScriptedApp;

  before(async () => {
    app = await startRecordingApp();
    scripted = await startScriptedApp();
    scripted.on('ok', say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    scripted.on('ok-chunked', say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'));
    scripted.on('large', say(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`));
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
hosts:
  app.test: { to: "http://127.0.0.1:${app.port}", allow: [public] }
  small.test: { to: "http://127.0.0.1:${app.port}", allow: [public], max_body: 10 }
  slow.test:
    write_timeout: 1s
    paths:
      /fixed: { respond: { status: 200, body: fixed }, allow: [public] }
      /*: { to: "http://127.0.0.1:${scripted.port}", allow: [public] }
  ws.test:
    paths:
      /fixed: { respond: { status: 200, body: fixed }, allow: [public] }
      /*: { to: "http://127.0.0.1:${scripted.port}", allow: [public] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
    await scripted?.close();
  });

  async function outcome(...frames: readonly Buffer[]): Promise<string> {
    const wire = await h2.openHttp2Wire(postern.https, 'app.test');
    wire.send(...frames);
    await wire.until((got) => h2.outcomeOf(got) !== 'closed');
    wire.close();
    return h2.outcomeOf(wire.frames);
  }

  /** Somebody else is served meanwhile, and at once. */
  async function assertOthersAreServed(): Promise<void> {
    const watch = new Stopwatch();
    assert.equal(await outcome(head(BASE)), 'status 200');
    assert.ok(watch.stop() < AT_ONCE_MS, 'others are served at once');
  }

  for (const [name, ...frames] of REFUSED) {
    test(`refuses ${name}`, async () => {
      app.reset();
      assert.match(await outcome(...frames), /^(?:status 4\d\d|reset [1-9]\d*|goaway [1-9]\d*)$/);
      await assertOthersAreServed();
      assert.deepEqual([app.requests.length, app.broken], [1, []], 'the app has seen the legitimate request alone');
    });
  }

  test('F13 a field with a name or value that no HTTP/1.1 message can hold has its request reset', async () => {
    for (const field of INVALID) {
      app.reset();
      assert.equal(await outcome(head([...BASE, field, ['x-fine', 'yes']])), 'reset 1', JSON.stringify(field));
      assert.deepEqual([app.requests, app.broken], [[], []]);
    }
  });

  test('F14 cookie crumbs become one field, and trailers pass without those that frame', async () => {
    app.reset();
    assert.equal(await outcome(head([...BASE, ['cookie', 'a=b'], ['cookie', 'c=d']])), 'status 200');
    assert.deepEqual(
      app.requests[0]?.fields.filter(([name]) => /cookie/i.test(name)),
      [['Cookie', 'a=b; c=d']],
    );
    app.reset();
    const trailers = head([
      ['x-ok', 'y'],
      ['x-forwarded-user', 'evil'],
    ]);
    assert.equal(await outcome(head(POST, h2.END_HEADERS), data('12345', 0), trailers), 'status 200');
    assert.deepEqual([app.requests[0]?.body, app.requests[0]?.trailers], ['12345', 'x-ok: y\r\n']);
  });

  test('a body beyond its limit gets 413, and nothing of it is complete at the app', async () => {
    app.reset();
    const small = POST.map(([name, value]) => [name, name === ':authority' ? 'small.test' : value] as const);
    const wire = await h2.openHttp2Wire(postern.https, 'small.test');
    wire.send(head(small, h2.END_HEADERS), data('x'.repeat(100), 0));
    await wire.until((got) => h2.outcomeOf(got) !== 'closed');
    assert.equal(h2.outcomeOf(wire.frames), 'status 413');
    wire.close();
    assert.deepEqual(app.requests, []);
  });

  /** What an attacker repeats, and how his connection ends. */
  const FLOODS: readonly (readonly [name: string, first: Buffer, next: (i: number) => Buffer, count: number])[] = [
    [
      'rapid reset (CVE-2023-44487)',
      Buffer.alloc(0),
      (i) => Buffer.concat([head(BASE, WHOLE, 1 + 2 * i), h2.frame(h2.RST_STREAM, 0, 1 + 2 * i, code(8))]),
      5_000,
    ],
    [
      'resets that the server is made to send (CVE-2025-8671)',
      Buffer.alloc(0),
      (i) => Buffer.concat([head(POST, h2.END_HEADERS, 1 + 2 * i), h2.frame(h2.WINDOW_UPDATE, 0, 1 + 2 * i, code(0))]),
      5_000,
    ],
    [
      'CONTINUATION flood',
      head(BASE, h2.END_STREAM),
      () => h2.frame(h2.CONTINUATION, 0, 1, h2.block([['x-a', 'a'.repeat(1_000)]])),
      10_000,
    ],
    ['empty CONTINUATION frames', head(BASE, h2.END_STREAM), () => h2.frame(h2.CONTINUATION, 0, 1), 100_000],
    ['empty DATA frames', head(POST, h2.END_HEADERS), () => data('', 0), 100_000],
    ['SETTINGS flood', Buffer.alloc(0), () => h2.frame(h2.SETTINGS, 0, 0), 100_000],
    ['broken requests', Buffer.alloc(0), (i) => head(having(':path', '/x y'), WHOLE, 1 + 2 * i), 5_000],
    ['streams beyond the limit', Buffer.alloc(0), (i) => head(POST, h2.END_HEADERS, 1 + 2 * i), 5_000],
    [
      'PRIORITY flood',
      Buffer.alloc(0),
      (i) => h2.frame(h2.PRIORITY, 0, 1 + 2 * (i % 1_000), Buffer.from([0, 0, 0, 0, 5])),
      100_000,
    ],
  ];

  test(
    '1.6 an HPACK bomb, a field of 4 kB that a frame names 4 000 times, is reset at once and makes no memory',
    { timeout: 300_000 },
    async () => {
      const before = residentBytes(postern);
      const bomb = Buffer.concat([Buffer.from([0x40]), h2.block([['x-bomb', 'b'.repeat(4_000)]]).subarray(1)]);
      /** The newest field of the dynamic table (RFC 7541 section 2.3.3). */
      const again = Buffer.alloc(4_000, 0xbe);
      app.reset();
      const wire = await h2.openHttp2Wire(postern.https, 'app.test');
      wire.send(h2.frame(h2.HEADERS, WHOLE, 1, Buffer.concat([h2.block(BASE), bomb])));
      await wire.until((got) => h2.outcomeOf(got) !== 'closed');
      assert.equal(h2.outcomeOf(wire.frames), 'status 200', 'once it is a field like any other');
      for (let id = 3; id < 4_000 && !wire.isClosed(); id += 2) {
        wire.send(h2.frame(h2.HEADERS, WHOLE, id, Buffer.concat([h2.block(BASE), again])));
        await drained(wire);
      }
      await wire.until(() => false);
      assert.ok(wire.isClosed(), 'who goes on is put off');
      assert.equal(app.requests.length, 1, 'none of them is a request');
      await assertOthersAreServed();
      assert.ok(residentBytes(postern) - before < 64 * 1024 * 1024, 'memory');
    },
  );

  for (const [name, first, next, count] of FLOODS) {
    test(`1.6 ${name}: its connection ends, others are served, memory stays`, { timeout: 300_000 }, async () => {
      const before = residentBytes(postern);
      const wire = await h2.openHttp2Wire(postern.https, 'app.test');
      wire.send(first);
      for (let i = 0; i < count && !wire.isClosed(); i += 100) {
        wire.send(...Array.from({ length: 100 }, (_, at) => next(i + at)));
        await drained(wire);
      }
      await wire.until(() => false);
      assert.ok(wire.isClosed());
      await assertOthersAreServed();
      assert.ok(residentBytes(postern) - before < 64 * 1024 * 1024, 'memory');
    });
  }

  test('1.6 a ping flood whose answers nobody reads does not grow without end', { timeout: 300_000 }, async () => {
    const before = residentBytes(postern);
    const wire = await h2.openHttp2Wire(postern.https, 'app.test');
    wire.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 1_000 }, () => h2.frame(h2.PING, 0, 0, Buffer.alloc(8))));
    for (let i = 0; i < 500 && !wire.socket.destroyed && wire.socket.writableLength < 4e6; i++) {
      wire.socket.write(pings);
      await new Promise((done) => setImmediate(done));
    }
    await assertOthersAreServed();
    assert.ok(residentBytes(postern) - before < 64 * 1024 * 1024, 'memory');
    wire.close();
  });

  test('1.6 an answer whose window never opens is reset, however small it is', { timeout: 300_000 }, async () => {
    for (const path of ['/fixed', '/ok', '/ok-chunked', '/large']) {
      const wire = await h2.openHttp2Wire(postern.https, 'slow.test');
      const own: ReadonlyMap<string, string> = new Map([
        [':path', path],
        [':authority', 'slow.test'],
      ]);
      wire.send(h2.frame(h2.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])));
      wire.send(head(BASE.map(([name, value]) => [name, own.get(name) ?? value])));
      const started = performance.now();
      await wire.until((got) => got.some(({ type }) => type === h2.RST_STREAM || type === h2.GOAWAY));
      assert.match(h2.outcomeOf(wire.frames), /^reset [1-9]/, path);
      assert.ok(performance.now() - started > 900, path);
      wire.close();
    }
  });

  test('says in words that a path cannot be read', async () => {
    const client = http2.connect(`https://127.0.0.1:${postern.https}`, {
      rejectUnauthorized: false,
      servername: 'app.test',
    });
    const stream = client.request({ ':path': '/100%', ':authority': 'app.test' });
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => (text += chunk));
    const [fields] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    await once(stream, 'end');
    client.destroy();
    assert.equal(fields[':status'], 400);
    assert.match(text, /^400 path-escape\n.*The address.*\n.*주소.*\n.*地址.*\nRequest \S+\n$/);
  });

  /** A client of RFC 8441: the status it got, what came, and whether it may take the stream for a tunnel. */
  async function openWebSocket(path: string): Promise<{ status: number; text: string }> {
    const client = http2.connect(`https://127.0.0.1:${postern.https}`, {
      rejectUnauthorized: false,
      servername: 'ws.test',
    });
    client.on('error', () => undefined);
    await new Promise((done) => client.once('remoteSettings', done));
    assert.equal(client.remoteSettings.enableConnectProtocol, true);
    const stream = client.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':path': path,
      ':authority': 'ws.test',
      'sec-websocket-version': '13',
    });
    let text = '';
    stream.on('error', () => undefined);
    const status = await new Promise<number>((done) =>
      stream.once('response', (fields) => done(fields[':status'] ?? 0)),
    );
    let stop = (): void => undefined;
    await new Promise<void>((done) => {
      stop = startPatience(10_000, done);
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        done();
      });
      stream.once('close', () => done());
    });
    stop();
    client.destroy();
    return { status, text };
  }

  test('1.5 RFC 8441: no answer but the switch itself opens a tunnel', async () => {
    scripted.on('plain', say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    scripted.on('none', say('HTTP/1.1 204 No Content\r\n\r\n'));
    scripted.on('refuses', say('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'));
    scripted.on(
      'forges',
      say(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n',
      ),
    );
    assert.equal((await openWebSocket('/plain')).status, 502);
    assert.equal((await openWebSocket('/none')).status, 502);
    assert.deepEqual(await openWebSocket('/refuses'), { status: 403, text: 'no' });
    assert.equal((await openWebSocket('/forges')).status, 502);
    assert.equal((await openWebSocket('/fixed')).status, 501, 'a fixed answer is no WebSocket');
  });
});

function residentBytes({ child }: PosternProcess): number {
  const match = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
  return Number(match?.[1]) * 1024;
}

async function drained({ socket, isClosed }: Http2Wire): Promise<void> {
  const start = performance.now();
  while (socket.writableLength > 1_000_000 && !isClosed() && performance.now() - start < 40_000) {
    await new Promise((done) => {
      setTimeout(done, 5);
    });
  }
}
