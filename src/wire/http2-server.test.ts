import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants, type OutgoingHttpHeaders } from 'node:http2';
import { test } from 'node:test';
import { answerOf, collect, ok, open, until } from '../../test/http2-rig.ts';
import { PosternError } from '../core/errors.ts';
import type { BodySink, Exchange } from './exchange.ts';
import { HeaderBlock } from './header-block.ts';
import type { Http2RequestBody } from './http2/request-body.ts';

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

test('serveHttp2() sends what an app says twice, even where once is the rule', async () => {
  const twice = { Date: ['a', 'b'], 'X-Content-Type-Options': ['nosniff', 'nosniff'], ETag: ['"1"', '"2"'] };
  const rig = await open((exchange) =>
    exchange.respondWhole({ status: 200, headers: HeaderBlock.from(twice) }, 'body'),
  );
  const request = rig.client().request({ ':path': '/' });
  const raw = await new Promise<string[]>((done, fail) => {
    request.on('response', (_headers, _flags, fields: string[]) => done(fields));
    request.on('error', fail);
  });
  request.resume();
  const values = (name: string): string[] => raw.filter((_, at) => at % 2 === 1 && raw[at - 1] === name);
  assert.deepEqual(values('date'), ['a', 'b']);
  assert.deepEqual(values('x-content-type-options'), ['nosniff', 'nosniff']);
  assert.deepEqual(values('etag'), ['"1"', '"2"']);
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
  const broken: [OutgoingHttpHeaders, string][] = [
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
    if (answer.status === 431) assert.match(answer.body, new RegExp(`^${expected}\nZu groß: 쿠키\n`));
    assert.ok(rig.refused.at(-1)?.startsWith(expected), `${rig.refused.at(-1)} for ${expected}`);
  }
  assert.equal(rig.seen.length, 0);
  assert.equal((await answerOf(client.request({ ':path': '/' }))).status, 200);
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
  const held = (rig.seen[0] as Exchange & { readonly body: Http2RequestBody }).body.heldBytes;
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
