import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createUpstreams } from './forward.ts';
import type { Upstreams } from './forward.ts';
import type { ForwardPlan } from './plan.ts';
import { actionTo, FakeBody, FakeExchange, planFor, rawApp, serverAt, until, LIMITS } from './test-rig.ts';
import type { FakeRequest, RawApp } from './test-rig.ts';
import { IntervalTicker } from '../wire/ticker.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import { PosternError } from '../core/errors.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const log = { warn: () => {}, info: () => {} };

interface Rig {
  readonly app: RawApp;
  readonly upstreams: Upstreams;
  readonly action: ProxyAction;
  readonly forward: (request?: FakeRequest, more?: Partial<ForwardPlan>, body?: FakeBody) => FakeExchange;
}

const opened: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of opened) await close();
});

let time = 0;
const ticker = new IntervalTicker({ now: () => performance.now() + time, intervalMs: 1_000_000, leadMs: 0 });

async function rig(onRequest: Parameters<typeof rawApp>[0], more: Partial<ProxyAction> = {}): Promise<Rig> {
  const app = await rawApp(onRequest);
  const upstreams = createUpstreams({ clock: { now: () => Date.now() }, log, ticker, instanceId: 'test' });
  opened.push(app.close, () => upstreams.close());
  const action = actionTo([serverAt(app.port)], more);
  const forward: Rig['forward'] = (request, plan, body) => {
    const exchange = new FakeExchange(request, body);
    upstreams.forward(exchange, planFor(action, plan), exchange.report);
    return exchange;
  };
  return { app, upstreams, action, forward };
}

test('forward() relays a GET, and the next one on the same connection', async () => {
  const { app, forward } = await rig((socket) => socket.write(OK));
  for (let i = 0; i < 3; i++) {
    const exchange = await forward({}, { path: '/a', query: '?b=c' }).done;
    assert.equal(exchange.response?.status, 200);
    assert.equal(exchange.text, 'ok');
    assert.equal(exchange.length, 2);
  }
  assert.equal(app.sockets.length, 1);
  assert.equal(app.received[0]?.match(/GET \/a\?b=c HTTP\/1\.1\r\n/g)?.length, 3);
});

test('forward() waits for a connection without end where the document says so', async () => {
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): number => warnings.push(name);
  process.on('warning', onWarning);
  const { forward } = await rig((socket) => socket.write(OK));
  const exchange = await forward({}, { limits: { ...LIMITS, connectMs: Number.POSITIVE_INFINITY } }).done;
  assert.equal(exchange.response?.status, 200);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', onWarning);
  // A timer that is too long for the runtime ends at once, and is only warned of.
  assert.deepEqual(warnings, []);
});

test('forward() sends what it knows and none of what the client claims, in any spelling', async () => {
  const { app, forward } = await rig((socket) => socket.write(OK));
  const exchange = forward(
    {
      headers: {
        Host: 'evil.example',
        'X-Forwarded-For': '1.2.3.4',
        'X-Forwarded-User': 'root',
        X_Forwarded_User: 'root',
        'X.Forwarded.Email': 'root',
        'x-auth-request-user': 'root',
        'Remote-User': 'root',
        Remote_Groups: 'root',
        'Postern-Assertion': 'root',
        'X-Real_IP': '1.2.3.4',
        'CF-Connecting-IP': '1.2.3.4',
        Proxy: 'http://root',
        Forwarded: 'for=1.2.3.4',
        Content_Length: '7',
        Transfer_Encoding: 'chunked',
        TE: 'gzip',
        Connection: 'close, X-Secret, X-Forwarded-User',
        'X-Secret': 'root',
        'X-Tenant': 'root',
        x_tenant: 'root',
        Expect: '100-continue',
        Authorization: 'Basic root',
        Cookie: ['a=1', '__Host-postern=root'],
        Accept: 'text/html',
        'accept-LANGUAGE': 'ko',
      },
    },
    {
      identityHeaders: [
        ['X-Forwarded-User', 'alice'],
        ['X-Forwarded-Name', 'Ål\r\nX-Evil: 1'],
      ],
      requestHeaders: { add: { 'X-Tenant': 'blue' }, remove: [] },
      removeAuthorization: true,
      removeCookies: (value) => (value.startsWith('__Host-postern') ? null : value),
    },
  );
  await exchange.done;
  const head = app.received[0] ?? '';
  assert.ok(!head.includes('root'), head);
  assert.deepEqual(head.split('\r\n').sort(), [
    '',
    '',
    'Accept: text/html',
    'Cookie: a=1',
    'GET / HTTP/1.1',
    'Host: app.example.com',
    'Via: 1.1 postern-test',
    'X-Forwarded-For: 192.0.2.7',
    'X-Forwarded-Host: app.example.com',
    'X-Forwarded-Name: Ã\x85l  X-Evil: 1',
    'X-Forwarded-Port: 443',
    'X-Forwarded-Proto: https',
    'X-Forwarded-User: alice',
    'X-Real-IP: 192.0.2.7',
    'X-Request-Id: req-1',
    'X-Tenant: blue',
    'accept-LANGUAGE: ko',
  ]);
});

test('forward() continues the chain of a trusted proxy', async () => {
  const { app, forward } = await rig((socket) => socket.write(OK));
  const headers = {
    'X-Forwarded-For': ['203.0.113.9', '10.0.0.1'],
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Host': 'pub.example',
  };
  await forward({ headers }, { fromTrustedProxy: true, clientIp: '203.0.113.9' }).done;
  assert.match(app.received[0] ?? '', /X-Forwarded-For: 203\.0\.113\.9, 10\.0\.0\.1, 192\.0\.2\.7\r\n/);
  assert.match(app.received[0] ?? '', /X-Forwarded-Proto: http\r\nX-Forwarded-Host: pub\.example\r\n/);
  assert.match(app.received[0] ?? '', /X-Real-IP: 203\.0\.113\.9\r\n/);
});

test('forward() answers LOOP_DETECTED for a request that came through it already', async () => {
  const { app, forward } = await rig((socket) => socket.write(OK));
  const exchange = await forward({ headers: { Via: '1.1 other, 1.1 postern-test' } }).done;
  assert.equal(exchange.failure?.code, 'LOOP_DETECTED');
  assert.equal(app.sockets.length, 0);
});

test('forward() strips hop-by-hop fields, own cookies and adds edits in the response', async () => {
  const { forward } = await rig((socket) =>
    socket.write(
      'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nAlt-Svc: h3\r\nServer: x\r\n' +
        'Set-Cookie: a=1, b\r\nSet-Cookie: c=2\r\nSet-Cookie: __Host-postern=evil\r\nSet-Cookie: =__Host-postern=evil\r\nContent-Length: 0\r\n\r\n',
    ),
  );
  const responseHeaders = { add: { 'X-Frame-Options': 'DENY' }, remove: ['server'] };
  const exchange = await forward({}, { responseHeaders }).done;
  assert.deepEqual(
    [...(exchange.response?.headers ?? [])].map(([name, value]) => `${name}: ${value}`),
    ['Set-Cookie: a=1, b', 'Set-Cookie: c=2', 'X-Frame-Options: DENY'],
  );
});

test('forward() frames a request body itself: exact length, or chunked with trailers', async () => {
  const { app, forward } = await rig((socket, head) => {
    if (!head.includes('chunked') || head.includes('X-Sum')) socket.write(OK);
  });
  await forward({ method: 'PUT' }, {}, new FakeBody(5, Buffer.from('hello'))).done;
  assert.match(app.received[0] ?? '', /\r\nContent-Length: 5\r\n(?:[^\r\n]+\r\n)*\r\nhello$/);
  const body = new FakeBody(-1);
  const exchange = forward({ method: 'POST' }, {}, body);
  await until(() => body.sink !== null, 'the body starts');
  body.sink?.write(Buffer.from('abc'));
  body.sink?.write(Buffer.alloc(5_000, 'x'));
  body.sink?.flush();
  body.sink?.end(HeaderBlock.from({ 'X-Sum': '1', 'Content-Length': '3' }));
  await exchange.done;
  await until(() => app.received.join('').includes('X-Sum'), 'trailers arrive');
  const chunks = `3\\r\\nabc\\r\\n1388\\r\\nx{5000}\\r\\n0\\r\\nX-Sum: 1\\r\\n\\r\\n$`;
  assert.match(
    app.received.join(''),
    new RegExp(`\\r\\nTransfer-Encoding: chunked\\r\\n(?:[^\\r\\n]+\\r\\n)*\\r\\n${chunks}`),
  );
  await forward({ method: 'POST' }).done;
  assert.match(app.received.join(''), /Content-Length: 0\r\n(?:[^\r\n]+\r\n)*\r\n$/);
});

test('a body shorter than announced aborts the connection and never completes the request', async () => {
  const { app, forward } = await rig(() => {});
  const body = new FakeBody(10);
  const exchange = forward({ method: 'PUT' }, {}, body);
  await until(() => body.sink !== null && app.sockets.length === 1, 'the body starts');
  body.sink?.write(Buffer.from('short'));
  body.sink?.end(null);
  await exchange.done;
  assert.equal(exchange.failure?.code, 'BAD_REQUEST');
  await until(() => app.sockets[0]?.destroyed === true, 'the app sees the connection end');
});

test('a client that leaves destroys the connection to the app', async () => {
  const { app, forward } = await rig(() => {});
  const exchange = forward();
  await until(() => app.received[0]?.includes('\r\n\r\n') === true, 'the request arrives');
  exchange.leave();
  await until(() => app.sockets[0]?.destroyed === true, 'the app sees it');
});

const BAD: Readonly<Record<string, string>> = {
  'Content-Length and Transfer-Encoding':
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'Transfer-Encoding on HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'two Content-Length': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok',
  'Content-Length list': 'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok',
  'Content-Length +2': 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok',
  'gzip, chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'status 2x0': 'HTTP/1.1 2x0 OK\r\n\r\n',
  'status 99': 'HTTP/1.1 099 OK\r\n\r\n',
  'status 2000': 'HTTP/1.1 2000 OK\r\n\r\n',
  'HTTP/2.0': 'HTTP/2.0 200 OK\r\n\r\n',
  garbage: 'SSH-2.0-OpenSSH_9\r\n',
  '101 unasked': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
  'folded field': 'HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\nContent-Length: 0\r\n\r\n',
  'bare LF in a field': 'HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\nContent-Length: 0\r\n\r\n',
  'space before colon': 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n',
  'CR in the reason': 'HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n',
  'too many fields': `HTTP/1.1 200 OK\r\n${'A: 1\r\n'.repeat(501)}\r\n`,
  'a head of 70 000 bytes': `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}\r\n\r\n`,
  'half a head, then the end': 'HTTP/1.1 200 OK\r\nContent-Le',
};

for (const [name, bytes] of Object.entries(BAD)) {
  test(`an answer with ${name} is UPSTREAM_BAD_RESPONSE and its connection is not reused`, async () => {
    const { app, forward } = await rig((socket) => (name.endsWith('end') ? socket.end(bytes) : socket.write(bytes)));
    const exchange = await forward().done;
    assert.equal(exchange.failure?.code, 'UPSTREAM_BAD_RESPONSE');
    assert.equal(exchange.response, null);
    await until(() => app.sockets[0]?.destroyed === true, 'the connection closes');
  });
}

test('bytes behind a complete answer close the connection', async () => {
  const { app, forward } = await rig((socket) => socket.write(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`));
  for (let i = 0; i < 2; i++) assert.equal((await forward().done).text, 'ok');
  assert.equal(app.sockets.length, 2);
});

test('bytes on an idle connection close it', async () => {
  const { app, forward } = await rig((socket) => socket.write(OK));
  await forward().done;
  app.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
  await until(() => app.sockets[0]?.destroyed === true, 'the connection closes');
  assert.equal((await forward().done).text, 'ok');
  assert.equal(app.sockets.length, 2);
});

test('HEAD, 204 and 304 have no body, whatever their fields say', async () => {
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n',
    'HTTP/1.1 204 No\r\n\r\n',
    'HTTP/1.1 304 No\r\nContent-Length: 9\r\nETag: "a"\r\n\r\n',
  ];
  const { app, forward } = await rig((socket) => socket.write(answers.shift() as string));
  const head = await forward({ method: 'HEAD' }).done;
  const noContent = await forward().done;
  const notModified = await forward().done;
  assert.deepEqual([head.length, noContent.length, notModified.length], [9, 0, 9]);
  assert.deepEqual([head.bytes, noContent.bytes, notModified.bytes], [0, 0, 0]);
  assert.equal(app.sockets.length, 1);
});

test('a chunked answer arrives decoded, with the trailers that the client asked for', async () => {
  const { forward } = await rig((socket) =>
    socket.write(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\nSet-Cookie: evil=1\r\n\r\n',
    ),
  );
  const exchange = await forward({ headers: { TE: 'trailers' } }).done;
  assert.deepEqual([exchange.text, exchange.length], ['abcde', -1]);
  assert.deepEqual(exchange.trailers?.keys, ['x-sum']);
  assert.equal((await forward().done).trailers, null);
});

test('an answer that ends with the connection is complete, and the connection is gone', async () => {
  const { app, forward } = await rig((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nuntil the end'));
  assert.equal((await forward().done).text, 'until the end');
  assert.equal((await forward().done).text, 'until the end');
  assert.equal(app.sockets.length, 2);
});

test('an answer in single bytes is the same answer', async () => {
  const { forward } = await rig((socket) => {
    const bytes = Buffer.from(
      'HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    );
    const step = (i: number): void => {
      if (i < bytes.length) socket.write(bytes.subarray(i, i + 1), () => step(i + 1));
    };
    socket.setNoDelay(true);
    step(0);
  });
  const exchange = await forward().done;
  assert.equal(exchange.text, 'hello');
  assert.deepEqual(
    exchange.informed.map((head) => [head.status, head.headers.get('link')]),
    [[103, '</a>']],
  );
});

for (const [name, bytes] of [
  ['Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'],
  ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel'],
] as const) {
  test(`a truncated ${name} answer breaks the exchange visibly`, async () => {
    const { forward } = await rig((socket) => socket.end(bytes));
    const exchange = await forward().done;
    assert.equal(exchange.response?.status, 200);
    assert.equal(exchange.error?.code, 'UPSTREAM_TRUNCATED');
    assert.equal(exchange.report.errorCode, 'UPSTREAM_TRUNCATED');
  });
}

test('broken chunked framing breaks the exchange', async () => {
  const { forward } = await rig((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n'),
  );
  assert.equal((await forward().done).error?.code, 'UPSTREAM_BAD_RESPONSE');
});

test('the stale keep-alive race: an idempotent request is sent again on a fresh connection', async () => {
  const { app, forward } = await rig((socket, _head, connection) => {
    if (connection === 0 && app.received[0]?.match(/GET/g)?.length === 2) socket.destroy();
    else socket.write(OK);
  });
  await forward().done;
  const exchange = await forward().done;
  assert.equal(exchange.text, 'ok');
  assert.equal(exchange.report.retries, 1);
  assert.equal(app.sockets.length, 2);
});

test('a POST on a connection that the app closed is not repeated', async () => {
  const { app, forward } = await rig((socket, head) => (head.startsWith('POST') ? socket.destroy() : socket.write(OK)));
  await forward().done;
  const exchange = await forward({ method: 'POST' }).done;
  assert.equal(exchange.failure?.code, 'UPSTREAM_UNREACHABLE');
  assert.equal(app.received.join('').match(/POST/g)?.length, 1);
});

test('a GET whose fresh connection is closed without an answer is not repeated', async () => {
  const { app, forward } = await rig((socket) => socket.destroy());
  assert.equal((await forward().done).failure?.code, 'UPSTREAM_UNREACHABLE');
  assert.equal(app.sockets.length, 1);
});

test('an app that says how long it keeps connections is never given one that is nearly over', async () => {
  const { app, forward } = await rig((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok'),
  );
  await forward().done;
  time += 1_100;
  ticker.tick();
  await until(() => app.sockets[0]?.destroyed === true, 'we close first');
});

test('an early answer is relayed; the body stops and the connection is not reused', async () => {
  const { app, forward } = await rig((socket) =>
    socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig'),
  );
  const body = new FakeBody(1_000_000);
  const exchange = forward({ method: 'POST' }, {}, body);
  await until(() => body.sink !== null, 'the body starts');
  body.sink?.write(Buffer.from('first'));
  body.sink?.flush();
  await exchange.done;
  assert.deepEqual([exchange.response?.status, exchange.text, body.isCancelled], [413, 'big', true]);
  await until(() => app.sockets[0]?.destroyed === true, 'the connection closes');
});

/** It answers and closes with bytes of the body unread, which are answered by a reset; then more of the body comes. */
async function answerAndReset(answer: string): Promise<{ readonly exchange: FakeExchange; readonly body: FakeBody }> {
  const { app, forward } = await rig((socket) => void socket.pause());
  const body = new FakeBody(1_000_000);
  const exchange = forward({ method: 'POST' }, {}, body);
  await until(() => app.received[0]?.endsWith('\r\n\r\n') === true, 'the head is read');
  const socket = app.sockets[0];
  body.sink?.write(Buffer.alloc(1_000, 'a'));
  body.sink?.flush();
  socket?.write(answer);
  socket?.destroy();
  // In the same turn of the loop: the answer and the reset are in the kernel, and nobody has read them.
  for (let i = 0; i < 3; i++) body.sink?.write(Buffer.alloc(1_000, 'b'));
  body.sink?.flush();
  await exchange.done;
  return { exchange, body };
}

test('an answer in full reaches the client, though the app closed before it had read the body (RFC 9112 section 9.6)', async () => {
  for (const answer of [
    'HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig',
    'HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbig\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbig',
  ]) {
    const { exchange, body } = await answerAndReset(answer);
    assert.deepEqual([exchange.text, exchange.failure, body.isCancelled], ['big', null, true], answer);
  }
});

test('an answer whose end a reset may have cut is not taken for a whole one', async () => {
  const { exchange } = await answerAndReset('HTTP/1.1 413 Too Large\r\n\r\nbig');
  assert.equal(exchange.error?.code, 'UPSTREAM_TRUNCATED');
  const none = await answerAndReset('');
  assert.equal(none.exchange.failure?.code, 'UPSTREAM_UNREACHABLE');
  const half = await answerAndReset('HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\nbig');
  assert.equal(half.exchange.error?.code, 'UPSTREAM_TRUNCATED');
});

test('an app that answers while it reads gets the rest of the body', async () => {
  const { app, forward } = await rig((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n'),
  );
  const body = new FakeBody(6);
  const exchange = forward({ method: 'POST' }, {}, body);
  await until(() => exchange.text === 'hi', 'the answer begins');
  body.sink?.write(Buffer.from('abcdef'));
  body.sink?.end(null);
  await until(() => app.received[0]?.endsWith('abcdef') === true, 'the rest arrives');
  app.sockets[0]?.write('0\r\n\r\n');
  await exchange.done;
  assert.equal(exchange.error, null);
});

test('a body that breaks off destroys the connection and names the reason', async () => {
  const { app, forward } = await rig(() => {});
  const body = new FakeBody(100);
  const exchange = forward({ method: 'POST' }, {}, body);
  await until(() => body.sink !== null, 'the body starts');
  body.sink?.abort(new PosternError('PAYLOAD_TOO_LARGE', 'Too large'));
  await exchange.done;
  assert.equal(exchange.failure?.code, 'PAYLOAD_TOO_LARGE');
  await until(() => app.sockets[0]?.destroyed === true, 'the connection closes');
});

test('a slow client stops the reading of the answer, and resume() goes on', async () => {
  const size = 20_000_000;
  const { app, forward } = await rig((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size, 'x'));
  });
  const exchange = forward();
  exchange.accepts = false;
  await until(() => exchange.bytes > 0, 'the answer begins');
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(exchange.bytes <= 65_536, `${exchange.bytes}`);
  assert.ok((app.sockets[0]?.writableLength ?? 0) > 1_000_000);
  exchange.accepts = true;
  exchange.resume();
  await exchange.done;
  assert.equal(exchange.bytes, size);
});

test('an app that reads slowly stops the body, and is sent the rest later', async () => {
  const { app, forward } = await rig((socket) => socket.pause());
  const body = new FakeBody(-1);
  const exchange = forward({ method: 'PUT' }, {}, body);
  await until(() => body.sink !== null && app.sockets.length === 1, 'the body starts');
  const chunk = Buffer.alloc(65_536, 'x');
  let sent = 0;
  while (body.sink?.write(chunk) === true && sent < 1_000) sent++;
  body.sink?.flush();
  assert.ok(sent < 200, `${sent} chunks were taken`);
  app.sockets[0]?.resume();
  await until(() => body.resumes > 0, 'the body goes on');
  exchange.leave();
});

test('a connection refused is UPSTREAM_UNREACHABLE, and the next server is tried', async () => {
  const { app, upstreams, forward } = await rig((socket) => socket.write(OK));
  const gone = await rawApp(() => {});
  await gone.close();
  const action = actionTo([serverAt(gone.port), serverAt(app.port)], { balance: 'first' });
  const first = await forward({ method: 'POST' }, { action }).done;
  assert.deepEqual([first.text, first.report.retries, first.report.server], ['ok', 1, `http://127.0.0.1:${app.port}`]);
  const second = await forward({}, { action }).done;
  assert.equal(second.report.retries, 0, 'the broken one is set aside');
  const only = await forward({}, { action: actionTo([serverAt(gone.port)]) }).done;
  assert.equal(only.failure?.code, 'UPSTREAM_UNREACHABLE');
  assert.match(only.failure?.message ?? '', /refused/);
  assert.ok(upstreams);
});

test('an app that does not answer in time is UPSTREAM_TIMEOUT', async () => {
  const { app, forward } = await rig(() => {});
  const exchange = forward();
  await until(() => app.received[0]?.includes('\r\n\r\n') === true, 'the request arrives');
  time += LIMITS.firstByteMs + 1_000;
  ticker.tick();
  await exchange.done;
  assert.equal(exchange.failure?.code, 'UPSTREAM_TIMEOUT');
});

test('an app that falls silent breaks the exchange, an event stream does not', async () => {
  const { app, forward } = await rig((socket, head) => {
    const type = head.includes('sse') ? 'text/event-stream' : 'text/plain';
    socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`);
  });
  const plain = forward();
  const stream = forward({}, { path: '/sse' });
  await until(() => plain.text === 'hi' && stream.text === 'hi', 'both begin');
  time += LIMITS.upstreamIdleMs + 1_000;
  ticker.tick();
  await plain.done;
  assert.equal(plain.error?.code, 'UPSTREAM_TIMEOUT');
  assert.equal(stream.error, null);
  app.sockets[1]?.write('0\r\n\r\n');
  assert.equal((await stream.done).error, null);
});

test('connections are bounded: the rest waits, and UPSTREAM_BUSY comes in time', async () => {
  const { app, forward } = await rig(() => {}, { maxConnections: 2 });
  const exchanges = [forward(), forward(), forward(), forward()];
  await until(
    () => app.sockets.length === 2 && app.received.every((one) => one.includes('\r\n\r\n')),
    'two get through',
  );
  app.sockets[0]?.write(OK);
  await until(() => exchanges.some((one) => one.text === 'ok'), 'one is answered');
  await until(() => (app.received[0]?.match(/GET/g)?.length ?? 0) === 2, 'the next one follows on its connection');
  time += LIMITS.connectMs + 1_000;
  ticker.tick();
  await (exchanges[3] as FakeExchange).done;
  assert.equal(exchanges[3]?.failure?.code, 'UPSTREAM_BUSY');
  assert.equal(app.sockets.length, 2);
});

test("Host is kept, the upstream's own, or fixed", async () => {
  const { app, forward, action } = await rig((socket) => socket.write(OK));
  await forward({}, { action: { ...action, hostHeader: 'upstream' } }).done;
  await forward({}, { action: { ...action, hostHeader: { fixed: 'fixed.example' } } }).done;
  const hosts = [...app.received.join('').matchAll(/\nHost: (\S+)/g)].map((match) => match[1]);
  assert.deepEqual(hosts, [`127.0.0.1:${app.port}`, 'fixed.example']);
});

test('a path that would be another request is never written', async () => {
  const { app, forward } = await rig((socket) => socket.write(OK));
  assert.equal((await forward({}, { path: '/a HTTP/1.1\r\nX: y' }).done).failure?.code, 'INTERNAL');
  assert.equal(app.sockets.length, 0);
});

test('retain() keeps connections over a reload, and lets go of what no route uses', async () => {
  const { app, upstreams, forward, action } = await rig((socket) => socket.write(OK));
  const first = upstreams.retain([action]);
  await forward().done;
  const again = actionTo([serverAt(app.port)]);
  const second = upstreams.retain([again]);
  first();
  await forward({}, { action: again }).done;
  assert.equal(app.sockets.length, 1);
  second();
  await until(() => app.sockets[0]?.destroyed === true, 'the idle connection closes');
  assert.deepEqual([...upstreams.stats()], []);
});
