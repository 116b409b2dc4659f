import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { suite, test } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { FACTS } from '../../test/support/connection-facts.ts';
import { TLS_CERTIFICATE, TLS_KEY } from './_tls-fixture.ts';
import { PosternError } from '../core/errors.ts';
import { HeaderBlock } from './header-block.ts';
import {
  connectTo,
  echo,
  eventually,
  exchangeBytes,
  get,
  head,
  NOTHING,
  openRig,
  readBody,
  type Seen,
  statusesOf,
} from './http1-rig.test.ts';
import { serveHttp1 } from './http1-server.ts';
import { HTTP1_DEFAULTS } from './http1-settings.ts';
import { createTicker } from './ticker.ts';

const broken = new PosternError('UPSTREAM_TRUNCATED', 'The app broke off');

/** Everything but the Date, which differs by the second. */
const withoutDate = (text: string): string => text.replaceAll(/Date: .+\r\n/g, '');

suite('HTTP/1.1 server frames answers (reference 1.4, F10)', () => {
  test('fields of the connection are written by the codec, and only once', async (t) => {
    const fields = {
      Connection: 'close, x',
      'Keep-Alive': 'timeout=5',
      'transfer-encoding': 'gzip',
      'Content-Length': '99',
    };
    const rig = await openRig(t, (seen) => {
      seen.exchange.respondWhole(
        head(200, { ...fields, Upgrade: 'h2c', 'Set-Cookie': ['a=1', 'b=2'], ETag: 'x' }),
        'ok',
      );
    });
    const text = await exchangeBytes(t, rig.port, get());
    const wanted = 'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nETag: x\r\nContent-Length: 2\r\n\r\nok';
    assert.equal(withoutDate(text), wanted);
    assert.match(text, /\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
  });

  test('a Date that the app sent stays the only one', async (t) => {
    const rig = await openRig(t, (seen) => seen.exchange.respondWhole(head(200, { Date: 'then' }), ''));
    assert.deepEqual((await exchangeBytes(t, rig.port, get())).match(/Date: .+/g), ['Date: then']);
  });

  test('unknown length is chunked toward 1.1, with trailers, and ends with the connection toward 1.0', async (t) => {
    const rig = await openRig(t, (seen) => {
      const sink = seen.exchange.respond(head(), -1, NOTHING);
      for (const text of ['one', 'two']) sink.write(Buffer.from(text));
      sink.flush();
      sink.write(Buffer.from('three'));
      sink.end(HeaderBlock.from({ 'Grpc-Status': '0', Host: 'evil' }));
    });
    const chunked = 'Transfer-Encoding: chunked\r\n\r\n6\r\nonetwo\r\n5\r\nthree\r\n0\r\nGrpc-Status: 0\r\n\r\n';
    assert.equal(withoutDate(await exchangeBytes(t, rig.port, get())), `HTTP/1.1 200 OK\r\n${chunked}`);
    const old = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
    assert.equal(
      withoutDate(await exchangeBytes(t, rig.port, old)),
      'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nonetwothree',
    );
  });

  test('HEAD, 204, 205 and 304 have no body, whatever is written', async (t) => {
    const rig = await openRig(t, (seen) => {
      const { path } = seen.exchange.request;
      const sink = seen.exchange.respond(head(Number(path.slice(1, 4))), path.endsWith('-') ? -1 : 5, NOTHING);
      sink.write(Buffer.from('hello'));
      sink.end(null);
    });
    const fieldsOf = async (method: string, path: string): Promise<string> => {
      const text = await exchangeBytes(t, rig.port, `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.ok(text.endsWith('\r\n\r\n'), text);
      return withoutDate(text).split('\r\n').slice(1, -2).join(';');
    };
    assert.equal(await fieldsOf('HEAD', '/200'), 'Content-Length: 5');
    assert.equal(await fieldsOf('HEAD', '/200-'), '');
    assert.equal(await fieldsOf('GET', '/204'), '');
    assert.equal(await fieldsOf('GET', '/204-'), '');
    assert.equal(await fieldsOf('GET', '/304'), '');
    assert.equal(await fieldsOf('GET', '/205'), 'Content-Length: 0');
  });

  test('HTTP/1.0 keeps the connection where it asks and the length is known', async (t) => {
    const rig = await openRig(t);
    const old = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
    const text = await exchangeBytes(t, rig.port, old + old);
    assert.deepEqual(statusesOf(text), [200, 200]);
    assert.match(text, /Connection: keep-alive\r\n/);
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, 'GET / HTTP/1.0\r\n\r\n'.repeat(2))), [200]);
  });

  test('a body shorter or longer than its length breaks the connection', async (t) => {
    for (const body of ['short', 'this one is longer than ten']) {
      const rig = await openRig(t, (seen) => {
        const sink = seen.exchange.respond(head(), 10, NOTHING);
        sink.write(Buffer.from(body));
        sink.end(null);
      });
      const text = await exchangeBytes(t, rig.port, get() + get());
      assert.ok(statusesOf(text).length <= 1);
      assert.doesNotMatch(text, /longer/);
      await eventually(() => rig.seen[0]?.outcome !== null);
      assert.equal(rig.seen[0]?.outcome?.complete, false);
    }
  });

  test('abort() in the middle shows as a chunked body without its end', async (t) => {
    const rig = await openRig(t, (seen) => {
      const sink = seen.exchange.respond(head(), -1, NOTHING);
      sink.write(Buffer.from('part'));
      sink.flush();
      setImmediate(() => sink.abort(broken));
    });
    const text = await exchangeBytes(t, rig.port, get());
    assert.match(text, /\r\n\r\n4\r\npart\r\n$/);
    assert.deepEqual(rig.seen[0]?.outcome, { complete: false, bytesIn: 0, bytesOut: 4, status: 200 });
  });

  test('abort() toward HTTP/1.0 is a reset, for a close would look complete', async (t) => {
    const rig = await openRig(t, (seen) => {
      const sink = seen.exchange.respond(head(), -1, NOTHING);
      sink.write(Buffer.from('part'));
      sink.flush();
      setTimeout(() => sink.abort(broken), 20);
    });
    const client = await connectTo(t, rig.port);
    const failed = once(client.socket, 'error');
    client.socket.write('GET / HTTP/1.0\r\n\r\n');
    const [error] = (await failed) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
  });

  test('a value with a line break, as latin1 or beyond, never reaches the client', async (t) => {
    for (const value of ['a\r\nX-Evil: 1', 'a\nX-Evil: 1', 'a\u010d\u010aX-Evil: 1', 'a\0', 'a\r']) {
      const rig = await openRig(t, (seen) => seen.exchange.respondWhole(head(200, { X: value }), 'ok'));
      assert.equal(await exchangeBytes(t, rig.port, get()), '', JSON.stringify(value));
    }
  });

  test('onClose tells bytes and status of both directions', async (t) => {
    const rig = await openRig(t);
    await exchangeBytes(
      t,
      rig.port,
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    );
    assert.deepEqual(rig.seen[0]?.outcome, { complete: true, bytesIn: 3, bytesOut: 10, status: 200 });
  });

  test('late calls after the client has gone do nothing', async (t) => {
    const waiting: Seen[] = [];
    const rig = await openRig(t, (seen) => waiting.push(seen));
    const client = await connectTo(t, rig.port);
    client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n');
    await eventually(() => waiting.length === 1);
    client.socket.resetAndDestroy();
    const seen = waiting[0] as Seen;
    await eventually(() => seen.outcome !== null);
    assert.equal(seen.outcome?.complete, false);
    readBody(seen, NOTHING);
    assert.equal(seen.end, 'aborted');
    seen.exchange.inform(head(103));
    seen.exchange.respondWhole(head(), 'late');
    seen.exchange.abort(broken);
  });
});

suite('HTTP/1.1 server answers early', () => {
  test('an early answer to a large upload is read by the client, though it goes on sending', async (t) => {
    const rig = await openRig(t, (seen) => seen.exchange.respondWhole(head(413), 'too large'));
    const socket = connect(rig.port, '127.0.0.1');
    t.after(() => socket.destroy());
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    const size = 8 * 1024 * 1024;
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size));
    socket.end();
    const [hadError] = (await once(socket, 'close')) as [boolean];
    assert.equal(hadError, false);
    assert.match(text, /^HTTP\/1\.1 413 .+\r\n(?:.+\r\n)*Connection: close\r\n\r\ntoo large$/);
    assert.equal(rig.seen.length, 1);
  });

  test('an answer before a short body was read keeps the connection', async (t) => {
    const rig = await openRig(t, (seen) => {
      seen.exchange.respondWhole(head(401), 'no');
      readBody(seen, NOTHING);
    });
    const client = await connectTo(t, rig.port);
    client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
    await client.until('no');
    client.socket.write(`def${get('/2')}`);
    await eventually(() => rig.seen.length === 2);
    assert.equal(rig.seen[1]?.exchange.request.path, '/2');
    assert.equal(rig.seen[0]?.end, 'aborted');
  });

  test('cancel() reads over a short body and the answer may come later', async (t) => {
    const rig = await openRig(t, (seen) => {
      seen.exchange.body.cancel();
      setImmediate(() => seen.exchange.respondWhole(head(), 'ok'));
    });
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc';
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, post + post)), [200, 200]);
  });

  test('cancel() of an endless body closes behind the answer', async (t) => {
    const rig = await openRig(t, (seen) => {
      seen.exchange.body.cancel();
      setImmediate(() => seen.exchange.respondWhole(head(), 'ok'));
    });
    const client = await connectTo(t, rig.port);
    client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    assert.match(await client.closed(), /Connection: close\r\n[^]*ok$/);
  });

  test('setBodyLimits() ends a chunked body that grows too large with 413', async (t) => {
    const rig = await openRig(t, (seen) => {
      seen.exchange.setBodyLimits({ maxBodyBytes: 5 });
      readBody(seen, NOTHING);
    });
    const chunked =
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n';
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, chunked)), [413]);
    assert.equal(rig.seen[0]?.error?.code, 'PAYLOAD_TOO_LARGE');
    const counted = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef';
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, counted)), [413]);
    assert.equal(rig.seen[1]?.body, '');
  });
});

suite('HTTP/1.1 server hands sockets over', () => {
  const upgrade = get('/ws', 'Connection: keep-alive, Upgrade', 'Upgrade: WebSocket', 'Sec-WebSocket-Key: abc');

  test('acceptUpgrade() answers 101 and gives the stream with early bytes', async (t) => {
    const rig = await openRig(t, (seen) => {
      const stream = seen.exchange.acceptUpgrade(head(101, { 'Sec-WebSocket-Accept': 'x', Connection: 'close' }));
      stream.on('data', (chunk: Buffer) => stream.write(`<${chunk.toString('latin1')}>`));
      stream.on('end', () => stream.end());
      stream.resume();
    });
    const client = await connectTo(t, rig.port);
    client.socket.write(`${upgrade}early`);
    const text = await client.until('<early>');
    assert.match(
      text,
      /^HTTP\/1\.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n/,
    );
    client.socket.write('GET / HTTP/1.1\r\n\r\n');
    await client.until('<GET / HTTP/1.1\r\n\r\n>');
    assert.equal(rig.seen[0]?.outcome, null);
    client.socket.end();
    await client.closed();
    await eventually(() => rig.seen[0]?.outcome !== null);
    assert.deepEqual(rig.seen[0]?.outcome, { complete: true, bytesIn: 23, bytesOut: 27, status: 101 });
  });

  test('acceptUpgrade() is refused where nobody asked', async (t) => {
    const rig = await openRig(t, (seen) => {
      assert.throws(() => seen.exchange.acceptUpgrade(head(101)), TypeError);
      echo(seen);
    });
    assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, get())), [200]);
  });

  test('abort() closes a tunnel', async (t) => {
    const rig = await openRig(t, (seen) => seen.exchange.acceptUpgrade(head(101)).resume());
    const client = await connectTo(t, rig.port);
    client.socket.write(upgrade);
    await client.until('\r\n\r\n');
    rig.seen[0]?.exchange.abort(broken);
    await client.closed();
    await eventually(() => rig.seen[0]?.outcome?.status === 101);
  });
});

suite('HTTP/1.1 server over TLS', () => {
  test('requests, half-close and a large answer work as over plain TCP', async (t) => {
    const ticker = createTicker();
    const large = Buffer.alloc(3_000_000, 'x');
    const server = createTlsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE }, (socket) => {
      serveHttp1(socket, { ...FACTS, scheme: 'https' }, { ...HTTP1_DEFAULTS, ticker }, (exchange) => {
        setTimeout(() => exchange.respondWhole(head(), exchange.request.path === '/large' ? large : 'small'), 10);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    t.after(() => ticker.close());
    const socket = connectTls({
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
    });
    socket.allowHalfOpen = true;
    await once(socket, 'secureConnect');
    let bytes = 0;
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      text = chunk.toString('latin1');
    });
    socket.end(get('/small') + get('/large') + get('/small'));
    await once(socket, 'end');
    assert.ok(bytes > large.length);
    assert.ok(text.endsWith('small'));
  });
});
