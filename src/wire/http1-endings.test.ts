import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { suite, test } from 'node:test';
import type { BodySink } from './exchange.ts';
import {
  connectTo,
  echo,
  eventually,
  exchangeBytes,
  get,
  head,
  NOTHING,
  openRig,
  type Seen,
  statusesOf,
} from './http1-rig.test.ts';

suite('HTTP/1.1 server lives through closing clients', () => {
  test('a client that half closes gets its answers, pipelined ones too', async (t) => {
    const waiting: Seen[] = [];
    const rig = await openRig(t, (seen) => waiting.push(seen));
    const client = await connectTo(t, rig.port);
    client.socket.end(get('/1') + get('/2'));
    for (const path of ['/1', '/2']) {
      await eventually(() => waiting.length === 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      waiting.pop()?.exchange.respondWhole(head(), path);
    }
    assert.deepEqual(statusesOf(await client.closed()), [200, 200]);
  });

  test('a client that closed is found out, also where it waits for nothing but an answer', async (t) => {
    for (const isStreaming of [false, true]) {
      const rig = await openRig(t, (seen) => {
        if (!isStreaming) return;
        const sink = seen.exchange.respond(head(), -1, NOTHING);
        sink.write(Buffer.from('first'));
        sink.flush();
      });
      const client = await connectTo(t, rig.port);
      client.socket.write(get());
      await eventually(() => rig.seen.length === 1);
      if (isStreaming) await client.until('first\r\n');
      client.socket.destroy();
      await eventually(() => rig.connections[0] !== undefined && rig.sockets[0]?.readableEnded === true);
      rig.advance(1_100);
      await new Promise((resolve) => setTimeout(resolve, 50));
      rig.advance(1_000);
      await eventually(() => rig.seen[0]?.outcome !== null);
      assert.equal(rig.seen[0]?.outcome?.complete, false);
    }
  });

  test('a client that sent more ahead than is kept, and left, is let go of; not while it is written to', async (t) => {
    const sinks: BodySink[] = [];
    const rig = await openRig(t, (seen) => {
      const sink = seen.exchange.respond(head(), -1, NOTHING);
      sinks.push(sink);
      sink.write(Buffer.from('first'));
      sink.flush();
    });
    const client = await connectTo(t, rig.port);
    client.socket.write(get());
    await client.until('first\r\n');
    client.socket.write(get().repeat(20_000));
    await eventually(() => rig.sockets[0]?.isPaused() === true);
    rig.advance(200_000);
    sinks[0]?.write(Buffer.from('second'));
    sinks[0]?.flush();
    await client.until('second\r\n');
    client.socket.resetAndDestroy();
    rig.advance(200_000);
    const isComplete = (): boolean | undefined => rig.seen[0]?.outcome?.complete;
    assert.equal(isComplete(), undefined, 'something was written since');
    rig.advance(301_000);
    await eventually(() => isComplete() !== undefined);
    assert.deepEqual([isComplete(), rig.seen.length], [false, 1]);
  });

  test('a half-closed client that listens is asked without harm', async (t) => {
    const sinks: BodySink[] = [];
    const rig = await openRig(t, (seen) => {
      if (seen.exchange.request.path === '/stream') sinks.push(seen.exchange.respond(head(), -1, NOTHING));
      sinks[0]?.flush();
    });
    const quiet = await connectTo(t, rig.port);
    quiet.socket.end(get('/quiet'));
    const stream = await connectTo(t, rig.port);
    stream.socket.end(get('/stream'));
    await eventually(() => rig.seen.length === 2 && rig.sockets.every((socket) => socket.readableEnded));
    for (const ms of [1_100, 1_100, 10_000, 30_000]) {
      rig.advance(ms);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    sinks[0]?.write(Buffer.from('x'));
    sinks[0]?.end(null);
    rig.seen.find((one) => one.exchange.request.path === '/quiet')?.exchange.respondWhole(head(), 'done');
    assert.match(await stream.closed(), /\r\n\r\n0001\r\nx\r\n0\r\n\r\n$/);
    assert.match(await quiet.closed(), /^(?:HTTP\/1\.1 100 Continue\r\n\r\n){3}HTTP\/1\.1 200 OK\r\n[^]*done$/);
  });

  test('drain() closes idle connections after a moment and others behind one more answer', async (t) => {
    const waiting: Seen[] = [];
    const rig = await openRig(t, (seen) => {
      if (seen.exchange.request.path === '/late') seen.exchange.respondWhole(head(), 'late');
      else waiting.push(seen);
    });
    const idle = await connectTo(t, rig.port);
    const late = await connectTo(t, rig.port);
    const busy = await connectTo(t, rig.port);
    busy.socket.write(get());
    await eventually(() => waiting.length === 1 && rig.connections.length === 3);
    for (const connection of rig.connections) connection.drain();
    // Was on its way when the drain began.
    late.socket.write(get('/late'));
    assert.match(await late.closed(), /Connection: close\r\n[^]*late$/);
    rig.advance(1_000);
    assert.equal(await idle.closed(), '');
    waiting[0]?.exchange.respondWhole(head(), 'bye');
    assert.match(await busy.closed(), /Connection: close\r\n[^]*bye$/);
  });

  test('destroy() ends the exchange and tells onClose of the settings', async (t) => {
    let closed = 0;
    const rig = await openRig(t, NOTHING, { onClose: () => closed++ });
    const client = await connectTo(t, rig.port);
    client.socket.write(get());
    await eventually(() => rig.seen.length === 1);
    rig.connections[0]?.destroy();
    assert.equal(rig.seen[0]?.outcome?.complete, false);
    await eventually(() => closed === 1);
  });
});

test('an exception out of the handler breaks off its connection only', async (t) => {
  const defects: unknown[] = [];
  const answer = (seen: Seen): void => {
    if (seen.exchange.request.path === '/defect') throw new Error('defect');
    echo(seen);
  };
  const rig = await openRig(t, answer, { onDefect: (error) => defects.push(error) });
  assert.equal(await exchangeBytes(t, rig.port, get('/defect')), '');
  assert.equal(rig.seen[0]?.outcome?.complete, false);
  assert.equal(defects.length, 1);
  assert.deepEqual(statusesOf(await exchangeBytes(t, rig.port, get())), [200]);
});

suite('HTTP/1.1 server keeps time', () => {
  test('a slow head gets 408, a silent connection is closed', async (t) => {
    const rig = await openRig(t);
    const slow = await connectTo(t, rig.port);
    const silent = await connectTo(t, rig.port);
    slow.socket.write('GET / HTTP/1.1\r\nHo');
    await eventually(() => rig.connections.length === 2 && rig.connections.some((one) => !one.isIdle));
    rig.advance(14_000);
    slow.socket.write('st: a');
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(slow.text, '');
    rig.advance(1_500);
    assert.deepEqual(statusesOf(await slow.closed()), [408]);
    assert.equal(await silent.closed(), '');
  });

  test('without keep-alive each answer says that it is the last', async (t) => {
    const rig = await openRig(t, undefined, { keepAliveMs: 0 });
    const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    const text = await exchangeBytes(t, rig.port, get + get);
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*Connection: close\r\n/);
    assert.equal(rig.seen.length, 1);
  });

  test('an idle connection is closed after keepAliveMs', async (t) => {
    const rig = await openRig(t);
    const client = await connectTo(t, rig.port);
    client.socket.write(get());
    await client.until('GET / ');
    rig.advance(70_000);
    client.socket.write(get('/2'));
    await client.until('GET /2 ');
    rig.advance(76_000);
    await client.closed();
  });

  test('a body that stalls or trickles gets 408 and is aborted', async (t) => {
    const rig = await openRig(t);
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\nabc';
    const stalled = await connectTo(t, rig.port);
    stalled.socket.write(post);
    await eventually(() => rig.seen[0]?.body === 'abc');
    rig.advance(29_000);
    assert.equal(rig.seen[0]?.end, 'open');
    rig.advance(1_500);
    assert.deepEqual(statusesOf(await stalled.closed()), [408]);
    assert.equal(rig.seen[0]?.error?.code, 'REQUEST_TIMEOUT');
    const trickling = await connectTo(t, rig.port);
    trickling.socket.write(post);
    for (let i = 0; i < 3; i++) {
      await eventually(() => rig.seen[1]?.body.length === 3 + i);
      rig.advance(14_000);
      trickling.socket.write('x');
    }
    assert.deepEqual(statusesOf(await trickling.closed()), [408]);
    assert.ok(rig.refused.includes('408 body-rate'));
  });

  test('a client that takes nothing of its answer is dropped, a slow one is not', async (t) => {
    const rig = await openRig(t, (seen) => {
      const sink = seen.exchange.respond(head(), -1, () => fill());
      const fill = (): void => {
        while (sink.write(Buffer.alloc(65_536)));
      };
      fill();
    });
    const client = await connectTo(t, rig.port);
    client.socket.pause();
    client.socket.write(get());
    await eventually(() => (rig.sockets[0]?.writableLength ?? 0) > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let i = 0; i < 3; i++) {
      rig.advance(50_000);
      const before = rig.sockets[0]?.bytesWritten ?? 0;
      client.socket.resume();
      await eventually(() => (rig.sockets[0]?.bytesWritten ?? 0) > before + 8_000_000);
      client.socket.pause();
      await new Promise((resolve) => setTimeout(resolve, 50));
      rig.ticker.tick();
      assert.equal(rig.seen[0]?.outcome, null);
    }
    await eventually(() => (rig.sockets[0]?.writableLength ?? 0) > 0);
    rig.ticker.tick();
    rig.advance(61_000);
    await eventually(() => rig.seen[0]?.outcome?.complete === false);
  });
});

suite('HTTP/1.1 server holds back pressure', () => {
  test('a body that nobody takes stops the client, and is whole when it is taken', async (t) => {
    const rig = await openRig(t, NOTHING);
    const body = randomBytes(12 * 1024 * 1024);
    const client = await connectTo(t, rig.port);
    client.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    client.socket.write(body);
    await eventually(() => rig.sockets[0]?.isPaused() === true);
    assert.ok((rig.sockets[0]?.bytesRead ?? 0) < 1024 * 1024);
    const seen = rig.seen[0] as Seen;
    const got: Buffer[] = [];
    let bytes = 0;
    seen.exchange.body.start({
      write(chunk) {
        got.push(chunk);
        bytes += chunk.length;
        if (got.length % 3 !== 0) return true;
        setImmediate(() => seen.exchange.body.resume());
        return false;
      },
      flush: NOTHING,
      end: () => seen.exchange.respondWhole(head(), String(bytes)),
      abort: (error) => assert.fail(error),
    });
    await client.until(String(body.length));
    assert.ok(Buffer.concat(got).equals(body));
  });

  test('an answer larger than the client takes waits for it', async (t) => {
    const total = 24 * 1024 * 1024;
    let sent = 0;
    let refusals = 0;
    const rig = await openRig(t, (seen) => {
      const sink = seen.exchange.respond(head(), total, () => fill());
      const fill = (): void => {
        while (sent < total) {
          sent += 65_536;
          if (!sink.write(Buffer.alloc(65_536, 'x')) && sent < total) {
            refusals++;
            return;
          }
        }
        sink.end(null);
      };
      fill();
    });
    const socket = connect(rig.port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.pause();
    socket.write(get());
    await eventually(() => refusals > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok((rig.sockets[0]?.writableLength ?? 0) < 300_000);
    assert.ok(sent < total);
    let bytes = 0;
    socket.on('data', (chunk) => (bytes += chunk.length));
    socket.resume();
    await eventually(() => rig.seen[0]?.outcome?.complete === true && bytes > total);
  });

  test('requests piled up behind a slow one stop the client', async (t) => {
    const waiting: Seen[] = [];
    const rig = await openRig(t, (seen) => waiting.push(seen));
    const client = await connectTo(t, rig.port);
    const count = 40_000;
    client.socket.write(get('/x').repeat(count));
    await eventually(() => rig.sockets[0]?.isPaused() === true);
    assert.equal(waiting.length, 1);
    assert.ok((rig.sockets[0]?.bytesRead ?? 0) < 400_000);
    let answered = 0;
    while (answered < count) {
      await eventually(() => waiting.length > 0);
      waiting.pop()?.exchange.respondWhole(head(204), '');
      answered++;
    }
    await eventually(() => statusesOf(client.text.slice(-200)).length > 0 && rig.connections[0]?.isIdle === true);
  });

  test('many pipelined requests answered at once do not exhaust the stack', async (t) => {
    const rig = await openRig(t, (seen) => seen.exchange.respondWhole(head(204), ''));
    const text = await exchangeBytes(t, rig.port, get('/x').repeat(20_000));
    assert.equal(statusesOf(text).length, 20_000);
  });
});
