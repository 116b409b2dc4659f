import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actionTo, FakeBody, FakeExchange, rawApp, serverAt, until, LIMITS } from './test-rig.ts';
import { PosternError } from '../core/errors.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { OK, passes, rig } from './_forward-rig.ts';

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

/** What is used from now on counts as used a moment ago, however long the test takes. */
const haveJustUsed = (): void => passes(600_000);

test('the stale keep-alive race: an idempotent request is sent again with its body, whole or still on its way', async () => {
  const stale = async (): Promise<Awaited<ReturnType<typeof rig>>> => {
    haveJustUsed();
    const made = await rig((socket, head, connection) => {
      if (connection === 0 && !head.startsWith('GET')) socket.destroy();
      else if (head.startsWith('GET')) socket.write(OK);
    });
    await made.forward().done;
    return made;
  };
  const answerOnceWhole = async ({ app }: Awaited<ReturnType<typeof rig>>, end: string): Promise<string> => {
    await until(() => app.received[1]?.endsWith(end) === true, 'all of it came again');
    app.sockets[1]?.write(OK);
    return app.received[1] ?? '';
  };

  const known = await stale();
  const put = known.forward({ method: 'PUT' }, {}, new FakeBody(5, Buffer.from('hello')));
  assert.match(await answerOnceWhole(known, 'hello'), /Content-Length: 5\r\n.*\r\n\r\nhello$/s);
  assert.deepEqual([(await put.done).text, put.report.retries], ['ok', 1]);

  const slow = await stale();
  const body = new FakeBody(-1);
  const remove = slow.forward({ method: 'DELETE' }, {}, body);
  body.sink?.write(Buffer.from('fir'));
  body.sink?.flush();
  await until(() => slow.app.sockets.length === 2, 'a fresh connection');
  body.sink?.write(Buffer.from('st'));
  body.sink?.flush();
  body.sink?.end(HeaderBlock.from({ 'X-Sum': '7' }));
  assert.match(await answerOnceWhole(slow, '\r\n\r\n'), /\r\nfir\r\n.*st\r\n0\r\nX-Sum: 7\r\n\r\n$/s);
  assert.deepEqual([(await remove.done).text, remove.report.retries], ['ok', 1]);
});

test('the stale keep-alive race: no body is kept that is large', async () => {
  haveJustUsed();
  const { app, forward } = await rig((socket, head, connection) => {
    if (head.startsWith('GET')) socket.write(OK);
    else if (connection === 0) setImmediate(() => socket.destroy());
  });
  await forward().done;
  const large = forward({ method: 'PUT' }, {}, new FakeBody(70_000, Buffer.alloc(70_000, 'a')));
  assert.equal((await large.done).failure?.code, 'UPSTREAM_UNREACHABLE');
  assert.equal(app.received.join('').match(/PUT/g)?.length, 1);
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
  passes(1_100);
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

test('an app that began to answer is not silent while it is sent the body, and is behind its end', async () => {
  const { app, forward } = await rig((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n'),
  );
  const body = new FakeBody(30);
  const exchange = forward({ method: 'POST' }, {}, body);
  await until(() => exchange.text === 'hi', 'the answer begins');
  for (let i = 0; i < 3; i++) {
    body.sink?.write(Buffer.from('0123456789'));
    body.sink?.flush();
    passes(LIMITS.upstreamIdleMs + 1_000);
  }
  body.sink?.end(null);
  passes(LIMITS.upstreamIdleMs - 1_000);
  await until(() => app.received[0]?.endsWith('0123456789'.repeat(3)) === true, 'all of it arrives');
  assert.equal(exchange.error, null);
  passes(2_000);
  assert.equal((await exchange.done).error?.code, 'UPSTREAM_TIMEOUT');
});

test('an app that began to answer and is sent nothing more is silent', async () => {
  const { forward } = await rig((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n'),
  );
  const exchange = forward({ method: 'POST' }, {}, new FakeBody(30));
  await until(() => exchange.text === 'hi', 'the answer begins');
  passes(LIMITS.upstreamIdleMs + 1_000);
  assert.equal((await exchange.done).error?.code, 'UPSTREAM_TIMEOUT');
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
  passes(LIMITS.firstByteMs + 1_000);
  await exchange.done;
  assert.equal(exchange.failure?.code, 'UPSTREAM_TIMEOUT');
});

test('an app that says that it is at work (102, 103) is waited for anew from then on', async () => {
  const { app, forward } = await rig(() => {});
  const exchange = forward();
  await until(() => app.received[0]?.includes('\r\n\r\n') === true, 'the request arrives');
  for (let i = 1; i <= 3; i++) {
    passes(LIMITS.firstByteMs - 1_000);
    app.sockets[0]?.write('HTTP/1.1 102 Processing\r\n\r\n');
    await until(() => exchange.informed.length === i, 'it is passed on');
  }
  assert.equal(exchange.failure, null);
  passes(LIMITS.firstByteMs + 1_000);
  assert.equal((await exchange.done).failure?.code, 'UPSTREAM_TIMEOUT');
});

test('an app that falls silent breaks the exchange, an event stream does not', async () => {
  const { app, forward } = await rig((socket, head) => {
    const type = head.includes('sse') ? 'text/event-stream' : 'text/plain';
    socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`);
  });
  const plain = forward();
  const stream = forward({}, { path: '/sse' });
  await until(() => plain.text === 'hi' && stream.text === 'hi', 'both begin');
  passes(LIMITS.upstreamIdleMs + 1_000);
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
  passes(LIMITS.connectMs + 1_000);
  await (exchanges[3] as FakeExchange).done;
  assert.equal(exchanges[3]?.failure?.code, 'UPSTREAM_BUSY');
  assert.equal(app.sockets.length, 2);
});
