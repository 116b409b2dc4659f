import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as h2 from '../../../test/support/http2-frames.ts';
import { PosternError } from '../../core/errors.ts';
import type { Exchange } from '../exchange.ts';
import { HeaderBlock } from '../header-block.ts';
import { openInMemory } from './_rig.ts';
import { CONNECTION_WINDOW, STREAM_WINDOW } from './receive-windows.ts';
import { BASE, data, head, Held, ok, open, request, said, WHOLE, word } from './_server-rig.ts';

suite('how a connection begins and ends', () => {
  test('our settings come first: RFC 8441 is on, priorities are off, the window of all streams is opened', () => {
    const rig = open();
    const [settings, window] = rig.frames();
    assert.equal(settings?.type, h2.SETTINGS);
    const values = new Map<number, number>();
    for (let at = 0; at < (settings?.payload.length ?? 0); at += 6)
      values.set(settings?.payload.readUInt16BE(at) ?? 0, settings?.payload.readUInt32BE(at + 2) ?? 0);
    assert.deepEqual(
      [...values],
      [
        [3, 16],
        [4, STREAM_WINDOW],
        [6, 16_384],
        [8, 1],
        [9, 1],
      ],
    );
    assert.deepEqual([window?.type, window?.payload.readUInt32BE()], [h2.WINDOW_UPDATE, CONNECTION_WINDOW - 65_535]);
    rig.close();
  });

  test('without a limit of the header, clients are told of the largest size that can be said', () => {
    for (const headerBytes of [Number.POSITIVE_INFINITY, 3_000_000_000]) {
      const rig = openInMemory(() => undefined, { headerBytes });
      const payload = rig.frames()[0]?.payload ?? Buffer.alloc(0);
      const sizes: number[] = [];
      for (let at = 0; at < payload.length; at += 6)
        if (payload.readUInt16BE(at) === 6) sizes.push(payload.readUInt32BE(at + 2));
      assert.deepEqual(sizes, [0xffffffff]);
      rig.close();
    }
  });

  test('drain() says so in two steps: what crosses the first GOAWAY is served, what comes behind the second is not', () => {
    const rig = open();
    rig.send(request(1));
    said(rig);
    rig.connection.drain();
    assert.deepEqual(said(rig), ['goaway 2147483647 0', 'ping 0']);
    rig.send(request(3), h2.frame(h2.PING, 1, 0, 'draining'));
    assert.deepEqual(said(rig), ['goaway 3 0']);
    rig.send(request(5, h2.END_HEADERS), data(5, 'x', 1));
    assert.equal(rig.seen.length, 2);
    for (const exchange of rig.seen) ok(exchange);
    assert.deepEqual(said(rig), ['headers 1', 'data 1 2 end', 'headers 3', 'data 3 2 end']);
    assert.equal(rig.socket.writableEnded, true);
    assert.ok(rig.outcomes.every(({ complete }) => complete));
    rig.close();
  });

  test('drain() does not wait long for who does not answer the ping', () => {
    const rig = open();
    rig.connection.drain();
    rig.tick(400);
    assert.equal(said(rig).includes('goaway 0 0'), false);
    rig.tick(100);
    assert.equal(said(rig).includes('goaway 0 0'), true);
    assert.equal(rig.socket.writableEnded, true);
    rig.tick(5_000);
    assert.equal(rig.socket.destroyed, true);
    rig.close();
  });

  test('GOAWAY of the client: its streams finish, then the connection ends', () => {
    const rig = open();
    rig.send(request(1), h2.frame(h2.GOAWAY, 0, 0, Buffer.alloc(8)));
    rig.connection.flush();
    assert.equal(rig.socket.writableEnded, false);
    ok(rig.seen[0] as Exchange);
    said(rig);
    assert.equal(rig.socket.writableEnded, true);
    rig.close();
  });

  test('a client that goes away ends every exchange, its body and its answer', () => {
    const sinks: Held[] = [];
    const rig = open((exchange) => {
      const sink = new Held();
      sinks.push(sink);
      exchange.body.start(sink);
    });
    rig.send(request(1, h2.END_HEADERS), request(3, h2.END_HEADERS), data(1, 'half'));
    rig.socket.emit('end');
    assert.deepEqual(
      sinks.map(({ end_ }) => end_),
      ['abort CLIENT_CLOSED', 'abort CLIENT_CLOSED'],
    );
    assert.ok(rig.outcomes.length === 2 && rig.outcomes.every(({ complete }) => !complete));
    rig.close();
  });

  test('an exception of the handler, of a sink or of a trailing call ends its stream and no other', () => {
    const rig = open((exchange) => {
      const { path } = exchange.request;
      if (path === '/throws') throw new Error('handler');
      if (path === '/sink')
        exchange.body.start({
          write: () => {
            throw new Error('sink');
          },
          flush: () => undefined,
          end: () => undefined,
          abort: () => undefined,
        });
    });
    const to = (id: number, path: string): Buffer =>
      h2.frame(
        h2.HEADERS,
        h2.END_HEADERS,
        id,
        h2.block(BASE.map(([key, value]) => [key, key === ':path' ? path : value])),
      );
    said(rig);
    rig.send(to(1, '/other'), to(3, '/throws'), to(5, '/sink'), data(5, 'x'));
    assert.deepEqual(said(rig), ['reset 3 2', 'reset 5 2']);
    assert.equal(rig.defects.length, 2);
    ok(rig.seen[0] as Exchange);
    assert.deepEqual(said(rig), ['headers 1', 'data 1 2 end', 'reset 1 0']);
    rig.close();
  });
});

suite('requests', () => {
  test('what is malformed is reset with PROTOCOL_ERROR and logged by its rule (section 8.1.1)', () => {
    const cases: Record<string, h2.Fields> = {
      'field-name': [...BASE, ['x a', '1']],
      'field-value': [...BASE, ['x-a', 'b\r\nx-c: d']],
      'connection-field': [...BASE, ['connection', 'close']],
      te: [...BASE, ['te', 'gzip']],
      'pseudo-field-duplicate': [...BASE, [':path', '/b']],
      'pseudo-field-late': [...BASE.slice(0, 3), ['x-a', 'b'], [':authority', 'a.test']],
      'pseudo-field': [...BASE, [':status', '200']],
      'content-length': [...BASE, ['content-length', '+5']],
      'host-duplicate': [...BASE, ['host', 'a.test'], ['host', 'a.test']],
      method: BASE.slice(1),
      scheme: BASE.filter(([name]) => name !== ':scheme'),
      'target-form': BASE.filter(([name]) => name !== ':path'),
      protocol: [...BASE, [':protocol', 'websocket']],
    };
    for (const [rule, fields] of Object.entries(cases)) {
      const rig = open(ok);
      said(rig);
      rig.send(h2.frame(h2.HEADERS, WHOLE, 1, h2.block(fields)), request(3));
      assert.deepEqual(said(rig), ['reset 1 1', 'headers 3', 'data 3 2 end'], rule);
      assert.deepEqual(rig.refused, [`400 ${rule}`]);
      rig.close();
    }
  });

  test('a head in pieces is the same head', () => {
    const rig = open(ok);
    const block = h2.block([...BASE, ['x-a', 'b']]);
    rig.send(
      h2.frame(h2.HEADERS, h2.END_STREAM, 1, block.subarray(0, 9)),
      h2.frame(h2.CONTINUATION, 0, 1, block.subarray(9, 10)),
      h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, block.subarray(10)),
    );
    assert.equal(rig.seen[0]?.request.headers.get('x-a'), 'b');
    assert.equal(rig.seen[0]?.body.length, 0);
    rig.close();
  });

  test('fields that repeat are read once, marked, and read anew as soon as one differs', () => {
    const rig = open(ok);
    const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
    const send = (id: number, ...parts: Buffer[]): void =>
      rig.send(h2.frame(h2.HEADERS, WHOLE, id, Buffer.concat(parts)));
    const path = (text: string): Buffer => Buffer.concat([Buffer.from([0x04, text.length]), Buffer.from(text)]);
    // POST, https; authority, x-a and cookie go into the table (RFC 7541 section 6.2.1). Without a path it is malformed.
    send(1, hex('83 87 41 06 612e74657374 40 03 782d61 01 62 60 03 633d31'));
    assert.equal(rig.seen.length, 0);
    send(3, hex('83 87 84 c0 bf be'));
    send(5, hex('83 87 84 c0 bf be'));
    send(7, hex('83 87'), path('/7'), hex('c0 bf be'));
    send(9, hex('83 87'), path('/9'), hex('c0 bf be 00 03 782d63 01 64'));
    // The same bytes behind a change of the table are other fields.
    send(11, hex('83 87 84 c0 bf be 40 03 782d65 01 66'));
    send(13, hex('83 87 84 c1 c0 bf'));
    const [one, two, three, four, , six] = rig.seen.map((exchange) => exchange.request);
    assert.equal(one?.headers.get('x-a'), 'b');
    assert.equal(two?.headers, one?.headers);
    assert.equal(two?.headers.isRemembered, true);
    assert.deepEqual([three?.headers, three?.path], [one?.headers, '/7']);
    assert.notEqual(four?.headers, one?.headers);
    assert.deepEqual([four?.headers.get('x-c'), four?.headers.isRemembered], ['d', false]);
    assert.equal(six?.headers.get('x-a'), 'b');
    assert.equal(six?.headers.get('x-e'), undefined);
    rig.close();
  });

  test('more streams than agreed are refused, and may be sent again (section 8.7)', () => {
    const rig = open();
    for (let id = 1; id <= 35; id += 2) rig.send(request(id));
    assert.deepEqual(said(rig).slice(-2), ['reset 33 7', 'reset 35 7']);
    assert.equal(rig.seen.length, 16);
    rig.close();
  });
});

suite('answers', () => {
  test('retract() takes back an answer of which nothing has left', () => {
    const rig = open();
    rig.send(request(1));
    said(rig);
    const [exchange] = rig.seen as [Exchange];
    const sink = exchange.respond(head, -1, () => undefined);
    sink.write(Buffer.from('half'));
    assert.equal(exchange.retract?.(), true);
    exchange.respondWhole({ status: 502, headers: new HeaderBlock() }, 'sorry');
    assert.deepEqual(said(rig), ['headers 1', 'data 1 5 end']);
    assert.deepEqual(rig.outcomes, [{ complete: true, bytesIn: 0, bytesOut: 5, status: 502 }]);
    rig.send(request(3));
    const second = rig.seen[1] as Exchange;
    second.respond(head, -1, () => undefined);
    assert.deepEqual(said(rig), ['headers 3']);
    assert.equal(second.retract?.(), false, 'its head has left');
    rig.close();
  });

  test('endWith() uses the bytes up before it returns, whatever stands in the way', () => {
    for (const window of [65_535, 3]) {
      const rig = open();
      rig.send(h2.frame(h2.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(window)])), request(1));
      said(rig);
      const bytes = Buffer.from('12345');
      const sink = (rig.seen[0] as Exchange).respond(head, 5, () => undefined);
      sink.endWith?.(bytes, 0, bytes.length);
      bytes.fill('x');
      rig.send(h2.frame(h2.WINDOW_UPDATE, 0, 1, word(10)));
      const text = rig
        .frames()
        .filter(({ type }) => type === h2.DATA)
        .map(({ payload }) => payload.toString());
      assert.equal(text.join(''), '12345');
      rig.close();
    }
  });

  test('a reset by the client stops the answer and tells whoever gives it', () => {
    const rig = open();
    rig.send(request(1));
    const [exchange] = rig.seen as [Exchange];
    const sink = exchange.respond(head, -1, () => undefined);
    sink.write(Buffer.from('one'));
    rig.connection.flush();
    rig.send(h2.frame(h2.RST_STREAM, 0, 1, word(8)));
    assert.deepEqual(rig.outcomes, [{ complete: false, bytesIn: 0, bytesOut: 3, status: 200 }]);
    assert.equal(sink.write(Buffer.from('two')), true);
    sink.end(null);
    exchange.abort(new PosternError('INTERNAL', 'x'));
    said(rig);
    assert.deepEqual(said(rig), []);
    rig.close();
  });
});
