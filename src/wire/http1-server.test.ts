import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import { HeaderBlock } from './header-block.ts';
import { connectTo, eventually, exchangeBytes, openRig, readBody, type Seen, statusesOf } from './http1-rig.test.ts';

const OK = { status: 200, headers: new HeaderBlock() };
const GOOD = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n';

/** Sends what must be refused with a good request behind it: nothing of either may reach the handler. */
async function assertRefused(
  t: TestContext,
  payloads: readonly (readonly [bytes: string, status: number])[],
): Promise<void> {
  const rig = await openRig(t);
  for (const [bytes, status] of payloads) {
    const text = await exchangeBytes(t, rig.port, bytes + GOOD);
    assert.deepEqual(statusesOf(text), [status], JSON.stringify(bytes));
    assert.match(text, /\r\nConnection: close\r\n/, JSON.stringify(bytes));
    assert.match(text, new RegExp(`\r\n\r\n${status} [a-z0-9.-]+\nRequest id-\\d+\n$`), JSON.stringify(bytes));
    assert.equal(rig.seen.length, 0, JSON.stringify(bytes));
  }
  assert.equal(rig.refused.length, payloads.length);
}

const post = (...lines: string[]): string =>
  `POST / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;

suite('HTTP/1.1 server refuses ambiguous requests (reference 1.1)', () => {
  test('F1: Content-Length beside Transfer-Encoding', async (t) => {
    await assertRefused(t, [
      [`${post('Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\nG`, 400],
      [`${post('Transfer-Encoding: chunked', 'Content-Length: 3')}8\r\nSMUGGLED\r\n0\r\n\r\n`, 400],
      [`${post('Transfer-Encoding: identity', 'Content-Length: 3')}abc`, 400],
    ]);
  });

  test('F2: several or odd Content-Length', async (t) => {
    const odd = ['1, 1', '', '+1', '-1', '0x1', '1_0', '1Z', '1 ,', '1;', '99999999999999999999', '١'];
    await assertRefused(t, [
      [`${post('Content-Length: 1', 'Content-Length: 1')}x`, 400],
      [`${post('Content-Length: 1', 'Content-Length: 2')}xx`, 400],
      ...odd.map((text) => [`${post(`Content-Length: ${Buffer.from(text).toString('latin1')}`)}x`, 400] as const),
    ]);
  });

  test('F3: Transfer-Encoding that is not one final chunked', async (t) => {
    const body = '1\r\nx\r\n0\r\n\r\n';
    const codings: [string[], number][] = [
      [['Transfer-Encoding: gzip, chunked'], 501],
      [['Transfer-Encoding: chunked, chunked'], 400],
      [['Transfer-Encoding: \xa0chunked'], 400],
      [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], 400],
      [['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], 400],
      [['Transfer-Encoding: xchunked'], 400],
      [['Transfer-Encoding:\x0bchunked'], 400],
      [['Transfer-Encoding: chunked, identity'], 400],
      [["Transfer-Encoding: 'chunked'"], 400],
      [['Transfer_Encoding: chunked', 'Transfer-Encoding : chunked'], 400],
    ];
    await assertRefused(
      t,
      codings.map(([lines, status]) => [post(...lines) + body, status] as const),
    );
  });

  test('F4: Transfer-Encoding on HTTP/1.0', async (t) => {
    await assertRefused(t, [['POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400]]);
  });

  test('F5: folded lines, blanks before the colon, empty and missing names', async (t) => {
    const lines = [' X: folded', 'X: a\r\n b', 'X : a', 'X\t: a', ': a', 'no colon', 'X-\xe9: a', 'X[]: a', '\x00X: a'];
    await assertRefused(t, [
      ...lines.map((line) => [post(line), 400] as const),
      ['GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400],
    ]);
  });

  test('F6: bare LF, bare CR and NUL anywhere', async (t) => {
    await assertRefused(t, [
      ['GET / HTTP/1.1\nHost: a\n\n', 400],
      ['GET / HTTP/1.1\nHost: a\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: a\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: a\r\n\n', 400],
      ['GET / HTTP/1.1\rHost: a\r\r', 400],
      ['GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\r\nHost: a\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: a\r\r\n\r\n', 400],
      ['GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n', 400],
      ['\0', 400],
      ['\r\n'.repeat(9), 400],
      ['\n', 400],
    ]);
  });

  test('1.2: Host, absolute form, target and version that node:http lets pass', async (t) => {
    const hosts = ['', 'a@b', 'a/b', 'a,b', 'a b', 'a:b', 'a:99999', '[::1', 'é'];
    const start = (line: string): string => `${line}\r\nHost: a\r\n\r\n`;
    await assertRefused(t, [
      ...hosts.map((host) => [`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400] as const),
      ['GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\n\r\n', 400],
      [start('GET http://evil/ HTTP/1.1'), 400],
      [start('GET /a\\..\\b HTTP/1.1'), 400],
      [start('GET /a#b HTTP/1.1'), 400],
      [start('GET /%zz HTTP/1.1'), 400],
      [start('GET /%00 HTTP/1.1'), 400],
      [start('GET /../a HTTP/1.1'), 400],
      [start('GET * HTTP/1.1'), 400],
      [start('GET / HTTP/2.0'), 505],
      [start('GET / HTTP/0.9'), 505],
      ['GET /\r\n', 400],
      [start('CONNECT a:443 HTTP/1.1'), 405],
      [start('TRACE / HTTP/1.1'), 405],
      [start('post / HTTP/1.1'), 400],
      [post('Expect: something'), 417],
    ]);
  });

  test('1.2: more fields, bytes or target than the limits', async (t) => {
    await assertRefused(t, [
      [post(...Array.from({ length: 2_100 }, (_, i) => `X-${i}: a`)), 431],
      [post(...Array.from({ length: 200 }, () => `X: a`)), 431],
      [post(`X: ${'a'.repeat(40_000)}`), 431],
      [`GET /${'a'.repeat(8_192)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
      [`GET /${'a'.repeat(100_000)}`, 414],
    ]);
  });

  test('1.2: "//evil" is a path', async (t) => {
    const rig = await openRig(t);
    assert.match(
      await exchangeBytes(t, rig.port, 'GET //evil.com/x HTTP/1.1\r\nHost: a\r\n\r\n'),
      /\nGET \/evil\.com\/x $/,
    );
    assert.equal(rig.seen[0]?.exchange.request.host, 'a');
  });
});

suite('HTTP/1.1 server reads bodies (reference 1.1)', () => {
  test('F7: a broken chunk aborts what was begun, and answers 400', async (t) => {
    const rig = await openRig(t);
    const broken = [
      '0x1\r\nx',
      '+1\r\nx',
      '1_\r\nx',
      ' 1\r\nx',
      '1 \r\nx',
      '\r\n',
      '20000000000000\r\n',
      'zz\r\n',
      '1\nx\n',
    ];
    broken.push(
      '1\r\nxy\r\n',
      '1\r\nx\n',
      '1;a\nb\r\n',
      '1\r\nx\r\n0\r\nA: b\nC: d\r\n\r\n',
      '1\r\nx\r\n0\r\nA : b\r\n\r\n',
    );
    for (const [i, chunk] of broken.entries()) {
      const text = await exchangeBytes(t, rig.port, `${post('Transfer-Encoding: chunked')}2\r\nok\r\n${chunk}${GOOD}`);
      assert.deepEqual(statusesOf(text), [400], JSON.stringify(chunk));
      const seen = rig.seen[i] as Seen;
      assert.equal(seen.end, 'aborted', JSON.stringify(chunk));
      assert.equal(seen.error?.code, 'BAD_REQUEST');
      assert.equal(rig.seen.length, i + 1, 'Nothing after the broken body is read as a request');
    }
  });

  test('F8: chunk extensions are read over, and bounded', async (t) => {
    const rig = await openRig(t);
    const head = post('Transfer-Encoding: chunked');
    assert.match(await exchangeBytes(t, rig.port, `${head}2;a="b;c"\r\nok\r\n0;x\r\n\r\n`), /POST \/ ok$/);
    const flood = `1;${'e'.repeat(1_000)}\r\nx\r\n`.repeat(20);
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, `${head}${flood}0\r\n\r\n`)), [413]);
    assert.equal(rig.seen[1]?.end, 'aborted');
  });

  test('F9: trailers that frame, route or identify are dropped', async (t) => {
    const rig = await openRig(t);
    const trailers = 'X-Sum: 1\r\nContent-Length: 3\r\nHost: evil\r\nX_Forwarded_For: 1.1.1.1\r\nAuthorization: x\r\n';
    await exchangeBytes(t, rig.port, `${post('Transfer-Encoding: chunked')}2\r\nok\r\n0\r\n${trailers}\r\n`);
    assert.deepEqual([...(rig.seen[0]?.trailers ?? [])], [['X-Sum', '1', 'x-sum']]);
  });

  test('F10: a body shorter than its length is aborted, never ended', async (t) => {
    const rig = await openRig(t);
    const text = await exchangeBytes(t, rig.port, `${post('Content-Length: 10')}short`);
    assert.deepEqual(statusesOf(text), [400]);
    assert.equal(rig.seen[0]?.end, 'aborted');
    assert.equal(rig.seen[0]?.error?.code, 'CLIENT_CLOSED');
    await exchangeBytes(t, rig.port, `${post('Transfer-Encoding: chunked')}5\r\nhello\r\n`);
    assert.equal(rig.seen[1]?.end, 'aborted');
  });

  test('F12: GET, HEAD and DELETE with a body keep it, and the next request its place', async (t) => {
    const rig = await openRig(t);
    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS']) {
      const request = `${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /`;
      assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, request + GOOD)), [200, 200], method);
    }
    assert.deepEqual(
      rig.seen.map((one) => one.body),
      ['GET /', '', 'GET /', '', 'GET /', '', 'GET /', ''],
    );
  });

  test('requests of a client that reads no answer wait, and are answered once it reads', async (t) => {
    const body = Buffer.alloc(10_000, 'x');
    const rig = await openRig(t, ({ exchange }) => exchange.respondWhole(OK, body), { writeIdleMs: 600_000 });
    const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true });
    t.after(() => socket.destroy());
    const [count, most] = [3_000, 1_000_000];
    socket.pause();
    socket.write(GOOD.repeat(count));
    // Until what the kernel takes is full.
    let waiting = -1;
    await eventually(() => {
      const before = waiting;
      waiting = rig.sockets[0]?.writableLength ?? -1;
      return waiting > 0 && waiting === before;
    });
    assert.ok(waiting < most, `${waiting} bytes of answers wait`);
    rig.advance(50_000);
    rig.advance(50_000);
    let bytes = 0;
    socket.on('data', (chunk) => (bytes += chunk.length));
    socket.resume();
    socket.end();
    await eventually(() => socket.readableEnded);
    assert.equal(rig.seen.length, count);
    assert.ok(bytes > count * body.length);
  });

  test('F15: pipelined requests are handed out one by one and answered in order', async (t) => {
    const waiting: Seen[] = [];
    const rig = await openRig(t, (seen) => waiting.push(seen));
    const client = await connectTo(t, rig.port);
    client.socket.write(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    for (const path of ['/1', '/2', '/3']) {
      await eventually(() => waiting.length === 1);
      const seen = waiting.pop() as Seen;
      assert.equal(seen.exchange.request.path, path);
      await new Promise(setImmediate);
      assert.equal(waiting.length, 0, 'No request is handed out while one is open');
      seen.exchange.respondWhole(OK, `<${path}>`);
    }
    await client.until('</3>');
    assert.ok(client.text.indexOf('</1>') < client.text.indexOf('</2>'));
  });

  test('F16: after a refused Upgrade what follows is HTTP, and h2c is never offered', async (t) => {
    const rig = await openRig(t);
    const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ';
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    const text = await exchangeBytes(
      t,
      rig.port,
      `${upgrade}h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n${preface}`,
    );
    assert.deepEqual(statusesOf(text), [200, 505]);
    assert.equal(rig.seen[0]?.exchange.request.upgrade, null);
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, `${upgrade}websocket\r\n\r\n${GOOD}`)), [200, 200]);
    assert.equal(rig.seen[1]?.exchange.request.upgrade, 'websocket');
  });

  test('any split of the bytes gives the same requests', async (t) => {
    const rig = await openRig(t);
    const bytes = `\r\n${post('Transfer-Encoding: chunked')}2\r\nok\r\n0\r\nX: y\r\n\r\n${post('Content-Length: 3')}abc${GOOD}`;
    for (let cut = 1; cut < bytes.length; cut++) {
      const client = await connectTo(t, rig.port);
      client.socket.setNoDelay(true);
      client.socket.write(bytes.slice(0, cut));
      await new Promise(setImmediate);
      client.socket.end(bytes.slice(cut));
      const text = await client.closed();
      assert.deepEqual(statusesOf(text), [200, 200, 200], String(cut));
      client.socket.destroy();
    }
    const byByte = await connectTo(t, rig.port);
    byByte.socket.setNoDelay(true);
    for (const letter of bytes) {
      byByte.socket.write(letter);
      await new Promise(setImmediate);
    }
    byByte.socket.end();
    assert.deepEqual(statusesOf(await byByte.closed()), [200, 200, 200]);
    assert.ok(rig.seen.every((one) => one.end === 'ended' && ['ok', 'abc', ''].includes(one.body)));
  });
});

suite('HTTP/1.1 server waits with 100-continue (reference 1.4)', () => {
  const expecting = (length: number, version = '1.1'): string =>
    `POST / HTTP/${version}\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;

  test('100 is sent when somebody takes the body', async (t) => {
    const waiting: Seen[] = [];
    const rig = await openRig(t, (seen) => waiting.push(seen));
    const client = await connectTo(t, rig.port);
    client.socket.write(expecting(2));
    await eventually(() => waiting.length === 1);
    assert.equal(client.text, '');
    const seen = waiting[0] as Seen;
    readBody(seen, () => seen.exchange.respondWhole(OK, seen.body));
    assert.equal(await client.until('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
    client.socket.write('hi');
    await client.until('\r\n\r\nhi');
    client.socket.write(GOOD);
    await eventually(() => waiting.length === 2);
  });

  test('a refusal before the body closes, for the client may still send it', async (t) => {
    const rig = await openRig(t, (seen) =>
      seen.exchange.respondWhole({ status: 413, headers: new HeaderBlock() }, 'no'),
    );
    const client = await connectTo(t, rig.port);
    client.socket.write(expecting(5));
    const text = await client.closed();
    assert.deepEqual(statusesOf(text), [413]);
    assert.match(text, /Connection: close\r\n/);
  });

  test('no 100 where the body is here already, and never for HTTP/1.0', async (t) => {
    const rig = await openRig(t);
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, `${expecting(2)}hi`)), [200]);
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, `${expecting(2, '1.0')}hi`)), [200]);
  });

  test('inform() relays 103 to HTTP/1.1 only', async (t) => {
    const rig = await openRig(t, (seen) => {
      seen.exchange.inform({ status: 103, headers: HeaderBlock.from({ Link: '</a.css>' }) });
      seen.exchange.respondWhole(OK, 'ok');
    });
    const text = await exchangeBytes(t, rig.port, GOOD);
    assert.match(text, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, 'GET / HTTP/1.0\r\n\r\n')), [200]);
  });
});
