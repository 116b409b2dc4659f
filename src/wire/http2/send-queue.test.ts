import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as h2 from '../../../test/support/http2-frames.ts';
import { HeaderBlock } from '../header-block.ts';
import { type MemoryRig, openInMemory } from './_rig.ts';
import { SendQueue } from './send-queue.ts';
import { type Outlet, type SendOwner, SendStream } from './send-stream.ts';

const BASE: h2.Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
];
const get = (id: number): Buffer => h2.frame(h2.HEADERS, 5, id, h2.block(BASE));
const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const opens = (id: number, bytes: number): Buffer => h2.frame(h2.WINDOW_UPDATE, 0, id, word(bytes));

/** Answers every request with so many bytes. */
function open(bytes: number): MemoryRig {
  const rig = openInMemory((exchange) =>
    exchange.respondWhole({ status: 200, headers: HeaderBlock.from({ Date: 'x' }) }, Buffer.alloc(bytes, 'x')),
  );
  rig.send(h2.PREFACE, h2.frame(h2.SETTINGS, 0, 0), h2.frame(h2.SETTINGS, 1, 0));
  return rig;
}

/** [stream, bytes] of each DATA frame since the last call. */
function dataOf(rig: MemoryRig): [number, number][] {
  const frames = rig.frames().filter(({ type }) => type === h2.DATA);
  rig.socket.bytes.length = 0;
  return frames.map(({ id, payload }) => [id, payload.length]);
}

test('streams take turns, a frame each', () => {
  const rig = open(40_000);
  rig.send(opens(0, 1_000_000), get(1), get(3), get(5));
  // The socket takes 64 KiB at a time.
  const sent = [...dataOf(rig), ...dataOf(rig)];
  assert.deepEqual(
    sent.map(([id]) => id),
    [1, 3, 5, 1, 3, 5, 1, 3, 5],
  );
  assert.deepEqual(
    sent.map(([, bytes]) => bytes),
    [16_384, 16_384, 16_384, 16_384, 16_384, 16_384, 7_232, 7_232, 7_232],
  );
  assert.deepEqual(
    rig.outcomes.map(({ complete, bytesOut }) => [complete, bytesOut]),
    [
      [true, 40_000],
      [true, 40_000],
      [true, 40_000],
    ],
  );
  rig.close();
});

test('streams that wait for the window of the connection go on when it opens, in turns', () => {
  const rig = open(50_000);
  rig.send(get(1), get(3));
  let sent = 0;
  for (let i = 0; i < 4; i++) for (const [, bytes] of dataOf(rig)) sent += bytes;
  assert.equal(sent, 65_535);
  for (let i = 0; i < 5; i++) {
    rig.send(opens(0, 7_000));
    for (const [, bytes] of dataOf(rig)) sent += bytes;
  }
  assert.equal(sent, 100_000);
  assert.ok(rig.outcomes.every(({ complete }) => complete));
  rig.close();
});

test('a stream whose own window is shut leaves the turn to others', () => {
  const rig = open(1_000);
  rig.send(h2.frame(h2.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(100)])), get(1), get(3));
  assert.deepEqual(dataOf(rig), [
    [1, 100],
    [3, 100],
  ]);
  rig.send(opens(3, 900));
  assert.deepEqual(dataOf(rig), [[3, 900]]);
  // Section 6.9.2: the window of an open stream moves with the setting, here by 900.
  rig.send(h2.frame(h2.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(1_000)])));
  assert.deepEqual(dataOf(rig), [[1, 900]]);
  rig.close();
});

test('a window made negative by a setting has to be made up for (section 6.9.2)', () => {
  const rig = open(1_000);
  const window = (bytes: number): Buffer =>
    h2.frame(h2.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(bytes)]));
  rig.send(window(600), get(1));
  assert.deepEqual(dataOf(rig), [[1, 600]]);
  rig.send(window(100), opens(1, 400));
  assert.deepEqual(dataOf(rig), []);
  rig.send(opens(1, 101));
  assert.deepEqual(dataOf(rig), [[1, 1]]);
  rig.close();
});

test('what one turn brings leaves in one write', () => {
  const rig = open(100);
  rig.frames();
  rig.socket.bytes.length = 0;
  rig.send(Buffer.concat([get(1), get(3), get(5), h2.frame(h2.PING, 0, 0, '12345678')]));
  rig.connection.flush();
  assert.equal(rig.socket.bytes.length, 1);
  assert.deepEqual(
    rig.frames().map(({ type }) => type),
    [h2.HEADERS, h2.DATA, h2.HEADERS, h2.DATA, h2.HEADERS, h2.DATA, h2.PING],
  );
  rig.close();
});

test('streams that were reset while no window opens, or nobody reads, are let go', () => {
  const encoder = { encodeHead: () => 0, block: Buffer.alloc(0) };
  const writer = { isBlocked: false, headers: () => undefined };
  const outlet = { writer, encoder, window: 0, sent: () => undefined, queue: () => undefined } as unknown as Outlet;
  const owner: SendOwner = { onSendEnd: () => undefined, onSent: () => undefined, onUnsendable: () => undefined };
  for (const isBlocked of [false, true]) {
    const queue = new SendQueue();
    let most = 0;
    for (let id = 1; id < 20_000; id += 2) {
      const stream = new SendStream(id, 1_000, outlet, owner);
      stream.begin({ status: 200, headers: new HeaderBlock() }, 5, null);
      stream.push(Buffer.from('hello'));
      queue.add(stream);
      queue.run({ isBlocked });
      if (id % 100 !== 1) stream.stop();
      most = Math.max(most, queue.size);
    }
    // A hundred that are open, and twice as many again at most before it is looked.
    assert.ok(most < 500, `${most} wait`);
    assert.ok(queue.size >= 100);
  }
});
