import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actionTo, FakeBody, serverAt, until, LIMITS } from './test-rig.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { OK, rig } from './_forward-rig.ts';

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
