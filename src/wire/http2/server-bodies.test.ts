import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { suite, test } from 'node:test';
import * as h2 from '../../../test/support/http2-frames.ts';
import type { Exchange } from '../exchange.ts';
import { HeaderBlock } from '../header-block.ts';
import { type MemoryRig } from './_rig.ts';
import { CONNECTION_WINDOW, STREAM_WINDOW } from './receive-windows.ts';
import { data, Held, ok, open, request, said, WHOLE, word } from './_server-rig.ts';

suite('bodies', () => {
  test('what nobody takes is not granted again; what was taken is', () => {
    const sink = new Held();
    const rig = open((exchange) => void exchange);
    rig.send(request(1, h2.END_HEADERS));
    said(rig);
    for (let i = 0; i < 16; i++) rig.send(data(1, Buffer.alloc(16_384)));
    assert.deepEqual(said(rig), [], 'the window is used up');
    const [exchange] = rig.seen as [Exchange];
    sink.isOpen = false;
    exchange.body.start(sink);
    assert.equal(sink.bytes, 16_384, 'a chunk was taken, and no more');
    sink.isOpen = true;
    exchange.body.resume();
    assert.equal(sink.bytes, STREAM_WINDOW);
    // The stream is read, so it gets what there is for all.
    assert.deepEqual(said(rig), [
      `window 1 ${STREAM_WINDOW / 2 + CONNECTION_WINDOW - STREAM_WINDOW}`,
      `window 1 ${STREAM_WINDOW / 2}`,
    ]);
    rig.send(data(1, 'x', 1));
    assert.equal(sink.end_, 'end ');
    rig.close();
  });

  test('who sends more than was granted is stopped: the stream, or the connection (section 6.9.1)', () => {
    const rig = open();
    rig.send(request(1, h2.END_HEADERS));
    said(rig);
    for (let i = 0; i < 17; i++) rig.send(data(1, Buffer.alloc(16_384)));
    assert.deepEqual(said(rig), ['reset 1 3']);
    rig.close();
    const all = open();
    for (let id = 1; id < 11; id += 2) {
      all.send(request(id, h2.END_HEADERS));
      for (let i = 0; i < 16; i++) all.send(data(id, Buffer.alloc(16_384)));
    }
    assert.equal(said(all).at(-1), 'goaway 9 3');
    all.close();
  });

  test('padding counts, and is granted again', () => {
    const sink = new Held();
    const rig = open((exchange) => exchange.body.start(sink));
    rig.send(request(1, h2.END_HEADERS));
    said(rig);
    const padded = Buffer.concat([Buffer.of(255), Buffer.from('ab'), Buffer.alloc(255)]);
    for (let i = 0; i < 600; i++) rig.send(data(1, padded, 8));
    assert.equal(sink.bytes, 1_200);
    assert.ok(said(rig).some((frame) => frame.startsWith('window 1 ')));
    rig.close();
  });

  test('trailers of the client come with the end, without those that frame or identify', () => {
    const sink = new Held();
    const rig = open((exchange) => exchange.body.start(sink));
    rig.send(
      request(1, h2.END_HEADERS),
      data(1, 'body'),
      h2.frame(
        h2.HEADERS,
        WHOLE,
        1,
        h2.block([
          ['x-sum', '7'],
          ['x-forwarded-for', '1'],
        ]),
      ),
    );
    assert.deepEqual([sink.text, sink.end_], ['body', 'end 7']);
    rig.close();
  });

  test('behind an early answer what is on its way is dropped, and granted to the others', () => {
    const rig = open(ok);
    rig.send(request(1, h2.END_HEADERS));
    assert.deepEqual(said(rig).slice(-3), ['headers 1', 'data 1 2 end', 'reset 1 0']);
    for (let i = 0; i < 40; i++) rig.send(data(1, Buffer.alloc(16_384)));
    rig.send(h2.frame(h2.HEADERS, WHOLE, 1, h2.block([['x-sum', '7']])), h2.frame(h2.WINDOW_UPDATE, 0, 1, word(1)));
    assert.deepEqual(said(rig), [`window 0 ${CONNECTION_WINDOW / 2}`]);
    rig.close();
  });
});

suite('tunnels of RFC 8441', () => {
  const CONNECT: h2.Fields = [
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'https'],
    [':path', '/ws'],
    [':authority', 'a.test'],
  ];
  const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

  function tunnel(): { rig: MemoryRig; accept: () => Duplex } {
    const rig = open();
    rig.send(h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.block(CONNECT)));
    said(rig);
    const accept = (): Duplex =>
      (rig.seen[0] as Exchange).acceptUpgrade({ status: 101, headers: HeaderBlock.from({ Date: 'x' }) });
    return { rig, accept };
  }

  test('what came before it was open is in it, and both ends close in their own time', async () => {
    const { rig, accept } = tunnel();
    rig.send(data(1, 'early'));
    const stream = accept();
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    rig.send(data(1, ' late', 1));
    await settle();
    assert.equal(text, 'early late');
    stream.write('and back');
    stream.end();
    await settle();
    assert.deepEqual(said(rig), ['headers 1', 'data 1 8 end']);
    assert.equal(rig.outcomes[0]?.complete, true);
    assert.equal(rig.connection.isIdle, true);
    rig.close();
  });

  test('a tunnel that is destroyed is reset with CANCEL, and one that the client resets is destroyed', async () => {
    const { rig, accept } = tunnel();
    const stream = accept();
    stream.destroy();
    await settle();
    assert.deepEqual(said(rig), ['headers 1', 'reset 1 8'].slice(1));
    rig.close();
    const other = tunnel();
    const second = other.accept();
    other.rig.send(h2.frame(h2.RST_STREAM, 0, 1, word(8)));
    await settle();
    assert.equal(second.destroyed, true);
    assert.equal(other.rig.outcomes.length, 1);
    other.rig.close();
  });

  test('a tunnel that nobody reads is not granted more', async () => {
    const { rig, accept } = tunnel();
    const stream = accept();
    said(rig);
    for (let i = 0; i < 16; i++) rig.send(data(1, Buffer.alloc(16_384)));
    await settle();
    assert.deepEqual(said(rig), []);
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await settle();
    await settle();
    assert.equal(bytes, STREAM_WINDOW);
    assert.ok(said(rig).some((frame) => frame.startsWith('window 1')));
    rig.close();
  });
});
