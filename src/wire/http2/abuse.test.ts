/** Each way in which clients have been found to wear out servers, and how far it gets here. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { suite, test } from 'node:test';
import * as h2 from '../../../test/support/http2-frames.ts';
import type { BodySink, Exchange, HandleExchange } from '../exchange.ts';
import { HeaderBlock } from '../header-block.ts';
import { type MemoryRig, openInMemory } from './_rig.ts';

const BASE: h2.Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
];
const START = Buffer.concat([h2.PREFACE, h2.frame(h2.SETTINGS, 0, 0), h2.frame(h2.SETTINGS, 1, 0)]);
const WHOLE = h2.END_STREAM | h2.END_HEADERS;
const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const get = (id: number): Buffer => h2.frame(h2.HEADERS, WHOLE, id, h2.block(BASE));
const post = (id: number): Buffer => h2.frame(h2.HEADERS, h2.END_HEADERS, id, h2.block(BASE));
const waits: HandleExchange = () => undefined;
const says =
  (body: Buffer | string): HandleExchange =>
  (exchange) =>
    exchange.respondWhole({ status: 200, headers: HeaderBlock.from({ Date: 'x' }) }, body);

function open(handle: HandleExchange = waits, settings: Parameters<typeof openInMemory>[1] = {}): MemoryRig {
  const rig = openInMemory(handle, settings);
  rig.send(START);
  return rig;
}

/** Sends until the connection ends, and answers how often and by what code. */
function flood(
  rig: MemoryRig,
  next: (i: number) => Buffer,
  most = 20_000,
): { sent: number; code: number; rule: string } {
  let sent = 0;
  while (sent < most && goAwayOf(rig) === -1) rig.send(next(sent++));
  const code = goAwayOf(rig);
  rig.close();
  return { sent, code, rule: rig.refused.at(-1) ?? '' };
}

/** The code of GOAWAY, -1 before. */
function goAwayOf(rig: MemoryRig): number {
  const goAway = rig.socket.bytes.length === 0 ? undefined : rig.frames().findLast(({ type }) => type === h2.GOAWAY);
  rig.connection.flush();
  return goAway === undefined ? -1 : goAway.payload.readUInt32BE(4);
}

suite('abuse ends its own connection', () => {
  test('CVE-2023-44487, rapid reset: 200 at once', () => {
    const rig = open();
    const { sent, code, rule } = flood(rig, (i) =>
      Buffer.concat([get(1 + 2 * i), h2.frame(h2.RST_STREAM, 0, 1 + 2 * i, word(8))]),
    );
    assert.deepEqual([sent, code, rule], [201, 11, '429 rapid-reset']);
    assert.equal(rig.outcomes.length, 201);
  });

  test('rapid reset without blame counts as well, and earns back 20 a second', () => {
    const rig = open();
    let id = 1;
    const reset = (): void => {
      rig.send(get(id), h2.frame(h2.RST_STREAM, 0, id, word(0)));
      id += 2;
    };
    for (let i = 0; i < 200; i++) reset();
    rig.tick(1_000);
    for (let i = 0; i < 20; i++) reset();
    assert.equal(goAwayOf(rig), -1);
    reset();
    assert.equal(goAwayOf(rig), 11);
    rig.close();
  });

  test('CVE-2025-8671, MadeYouReset: whatever fault makes us reset counts', () => {
    const faults: Record<string, (id: number) => Buffer> = {
      'a window that opens by nothing': (id) => h2.frame(h2.WINDOW_UPDATE, 0, id, word(0)),
      'a window that opens too far': (id) => h2.frame(h2.WINDOW_UPDATE, 0, id, word(0x7fffffff)),
      'a priority of the wrong size': (id) => h2.frame(h2.PRIORITY, 0, id, Buffer.alloc(4)),
      'a priority that depends on itself': (id) =>
        h2.frame(h2.PRIORITY, 0, id, Buffer.concat([word(id), Buffer.of(1)])),
      'DATA behind the end': (id) => h2.frame(h2.DATA, 0, id, 'x'),
      'HEADERS behind the end': (id) => get(id),
    };
    for (const [what, fault] of Object.entries(faults)) {
      const { sent, code } = flood(open(), (i) => Buffer.concat([get(1 + 2 * i), fault(1 + 2 * i)]));
      assert.deepEqual([sent, code], [201, 11], what);
    }
    const malformed = h2.block([...BASE, ['X-Upper', '1']]);
    assert.equal(
      flood(open(), (i) => h2.frame(h2.HEADERS, WHOLE, 1 + 2 * i, malformed)).sent,
      201,
      'malformed requests',
    );
    assert.equal(flood(open(waits, { http2Streams: 2 }), (i) => get(1 + 2 * i)).sent, 203, 'streams beyond the limit');
  });

  test('CVE-2019-9512, 9513, 9515, 9518 and CVE-2019-9516: frames that move nothing', () => {
    const frames: Record<string, (i: number) => Buffer> = {
      ping: () => h2.frame(h2.PING, 0, 0, '12345678'),
      'ping answers': () => h2.frame(h2.PING, 1, 0, '12345678'),
      settings: () => h2.frame(h2.SETTINGS, 0, 0),
      'settings that move windows': (i) =>
        h2.frame(h2.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(i % 2)])),
      priorities: () => h2.frame(h2.PRIORITY, 0, 7, Buffer.alloc(5)),
      'empty data': () => h2.frame(h2.DATA, 0, 1),
      'data that is all padding': () => h2.frame(h2.DATA, 8, 1, '\x03\0\0\0'),
      'windows of one byte': () => h2.frame(h2.WINDOW_UPDATE, 0, 1, word(1)),
      'windows of all streams, by one byte': () => h2.frame(h2.WINDOW_UPDATE, 0, 0, word(1)),
      'frames of no known type': () => h2.frame(99, 0, 0, 'x'),
    };
    for (const [what, next] of Object.entries(frames)) {
      const rig = open();
      rig.send(post(1));
      const { sent, code, rule } = flood(rig, next);
      assert.ok(sent <= 2_000, `${what}: ${sent}`);
      assert.deepEqual([code, rule], [11, '429 frame-flood'], what);
    }
  });

  test('CVE-2019-9511, data dribble: an answer drawn byte by byte', () => {
    const rig = openInMemory(says(Buffer.alloc(60_000)));
    rig.send(h2.PREFACE, h2.frame(h2.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(0)])), get(1));
    const { sent, code } = flood(rig, () => h2.frame(h2.WINDOW_UPDATE, 0, 1, word(1)));
    assert.ok(sent <= 2_010, `${sent} bytes`);
    assert.equal(code, 11);
  });

  test('clients that read a large answer open windows as often as they like', () => {
    const rig = open((exchange) => {
      const sink = exchange.respond({ status: 200, headers: HeaderBlock.from({ Date: 'x' }) }, -1, () => more());
      let left = 200;
      const more = (): void => {
        while (left-- > 0) if (!sink.write(Buffer.alloc(65_536))) return;
        sink.end(null);
      };
      more();
    });
    rig.send(get(1));
    let read = 0;
    // A client that grants every frame of 16 KiB twice: for the stream and for all.
    for (let round = 0; round < 2_000; round++) {
      const frames = rig.frames();
      rig.socket.bytes.length = 0;
      for (const { type, payload } of frames) {
        if (type !== h2.DATA) continue;
        read += payload.length;
        if (payload.length > 0)
          rig.send(
            h2.frame(h2.WINDOW_UPDATE, 0, 1, word(payload.length)),
            h2.frame(h2.WINDOW_UPDATE, 0, 0, word(payload.length)),
          );
      }
    }
    assert.equal(read, 200 * 65_536);
    assert.deepEqual(
      rig.outcomes.map(({ complete }) => complete),
      [true],
    );
    assert.deepEqual(rig.refused, []);
    rig.close();
  });

  test('CVE-2024-27316, CVE-2024-28182, CVE-2023-45288: a header block without end', () => {
    for (const part of [h2.block([['x-a', 'b']]), Buffer.alloc(0), h2.block([['x-a', 'a'.repeat(8_000)]])]) {
      const rig = open();
      rig.send(h2.frame(h2.HEADERS, 0, 1, h2.block(BASE)));
      const { sent, code, rule } = flood(rig, () => h2.frame(h2.CONTINUATION, 0, 1, part));
      assert.ok(sent <= 16, `${sent} frames`);
      assert.deepEqual([code, rule], [11, '429 continuation-flood']);
      assert.equal(rig.seen.length, 0);
    }
  });

  test('CVE-2019-9516: fields without a name are malformed, and nothing of them stays', () => {
    const rig = open();
    rig.send(h2.frame(h2.HEADERS, WHOLE, 1, h2.block([...BASE, ['', ''], ['', 'x']])));
    assert.equal(h2.outcomeOf(rig.frames()), 'reset 1');
    assert.deepEqual(rig.refused, ['400 field-name']);
    rig.close();
  });

  test('CVE-2016-6581: a header list that unfolds beyond the limit is answered 431 and costs no memory', () => {
    const rig = open();
    const bomb = Buffer.concat([
      h2.block(BASE),
      Buffer.from('4001627fe116', 'hex'),
      Buffer.alloc(3_040, 'x'),
      Buffer.alloc(9_000, 0xbe),
    ]);
    rig.send(h2.frame(h2.HEADERS, WHOLE, 1, bomb), get(3));
    assert.equal(h2.outcomeOf(rig.frames()), 'status 431');
    assert.equal(rig.seen.length, 1, 'the next request is read as it should');
    rig.close();
  });

  test('more settings in one frame than there are', () => {
    const { sent, code } = flood(open(), () => h2.frame(h2.SETTINGS, 0, 0, Buffer.alloc(33 * 6)));
    assert.deepEqual([sent, code], [1, 11]);
  });
});

suite('who stands still is not waited for', () => {
  test('a preface that never comes, or not to its end', () => {
    for (const part of [Buffer.alloc(0), h2.PREFACE.subarray(0, 10), h2.PREFACE]) {
      const rig = openInMemory(waits);
      rig.send(part);
      rig.tick(14_900);
      assert.equal(goAwayOf(rig), -1);
      rig.tick(200);
      assert.equal(goAwayOf(rig), 0);
      assert.equal(rig.socket.writableEnded, true);
      rig.tick(5_000);
      assert.equal(rig.socket.destroyed, true);
      rig.close();
    }
  });

  test('settings that nobody acknowledges (section 6.5.3)', () => {
    const rig = openInMemory(waits);
    rig.send(h2.PREFACE, h2.frame(h2.SETTINGS, 0, 0));
    rig.tick(15_000);
    assert.equal(goAwayOf(rig), 4);
    rig.close();
  });

  test('a header block that comes frame by frame has one deadline', () => {
    const rig = open();
    rig.tick(1);
    rig.send(h2.frame(h2.HEADERS, 0, 1, h2.block(BASE)));
    rig.tick(1);
    for (let i = 0; i < 3; i++) {
      rig.tick(4_000);
      rig.send(h2.frame(h2.CONTINUATION, 0, 1, h2.block([['x-a', 'b']])));
    }
    assert.equal(goAwayOf(rig), -1);
    rig.tick(4_000);
    assert.deepEqual([goAwayOf(rig), rig.refused], [0, ['408 head-timeout']]);
    rig.close();
  });

  test('a window that stays shut: the stream is reset, the others go on', () => {
    const rig = openInMemory(says(Buffer.alloc(100)));
    rig.send(h2.PREFACE, h2.frame(h2.SETTINGS, 1, 0));
    rig.close();
    const shut = openInMemory(says(Buffer.alloc(100)));
    shut.send(
      h2.PREFACE,
      h2.frame(h2.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(0)])),
      h2.frame(h2.SETTINGS, 1, 0),
    );
    shut.send(get(1), get(3));
    shut.tick(30_000);
    shut.send(h2.frame(h2.WINDOW_UPDATE, 0, 3, word(50)));
    shut.frames();
    shut.tick(30_000);
    assert.deepEqual(
      shut
        .frames()
        .filter(({ type }) => type === h2.RST_STREAM)
        .map(({ id, payload }) => [id, payload.readUInt32BE()]),
      [[1, 2]],
    );
    shut.send(h2.frame(h2.WINDOW_UPDATE, 0, 3, word(50)));
    shut.frames();
    assert.deepEqual(
      shut.outcomes.map(({ complete }) => complete),
      [false, true],
    );
    shut.close();
  });

  test('CVE-2019-9517: windows that are open while the socket is not read', () => {
    const rig = open(says(Buffer.alloc(1_000_000)));
    rig.send(h2.frame(h2.WINDOW_UPDATE, 0, 0, word(100_000_000)));
    rig.frames();
    rig.socket.isStuck = true;
    rig.send(h2.frame(h2.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(10_000_000)])));
    for (let id = 1; id < 30; id += 2) rig.send(get(id));
    rig.connection.flush();
    rig.connection.flush();
    assert.ok(
      rig.socket.writableLength + rig.connection.writer.pending < 400_000,
      `${rig.socket.writableLength} bytes`,
    );
    rig.tick(100);
    rig.tick(60_100);
    assert.equal(rig.socket.destroyed, true);
    assert.ok(rig.outcomes.every(({ complete }) => !complete));
    rig.close();
  });

  test('CVE-2019-9512 and 9515: pings and settings, as slow as they may be, whose answers nobody reads', () => {
    for (const frame of [h2.frame(h2.PING, 0, 0, '12345678'), h2.frame(h2.SETTINGS, 0, 0)]) {
      const rig = open(waits, { writeIdleMs: 1e9, keepAliveMs: 1e9 });
      rig.frames();
      rig.socket.isStuck = true;
      let most = 0;
      // Hours of it, at the rate that is no flood.
      for (let i = 0; i < 20_000 && rig.refused.length === 0; i++) {
        rig.tick(100);
        rig.send(frame, frame, frame, frame, frame);
        rig.connection.flush();
        most = Math.max(most, rig.socket.writableLength + rig.connection.writer.pending);
      }
      assert.deepEqual(rig.refused, ['429 unread-answers']);
      assert.ok(most < 300_000, `${most} bytes wait`);
      rig.close();
    }
  });

  test('a connection without streams is closed when its time is over', () => {
    const rig = open(says('ok'));
    rig.send(get(1));
    rig.frames();
    rig.tick(74_000);
    assert.equal(goAwayOf(rig), -1);
    rig.tick(2_000);
    assert.equal(goAwayOf(rig), 0);
    rig.tick(1_000);
    rig.frames();
    assert.equal(rig.socket.writableEnded, true);
    rig.close();
  });

  test('a window sent in crumbs is held in few pieces, whoever is late to take it', () => {
    const crumb = (id: number): Buffer => h2.frame(h2.DATA, 0, id, 'x');
    const crumbs = Buffer.concat(Array.from({ length: 50_000 }, () => crumb(1)));
    const pieces: number[] = [];
    const sink: BodySink = {
      write: (chunk) => pieces.push(chunk.length) > 0,
      flush: () => undefined,
      end: () => undefined,
      abort: () => undefined,
    };
    const late = open();
    late.send(post(1), crumbs);
    late.seen[0]?.body.start(sink);
    assert.equal(sum(pieces), 50_000);
    assert.ok(pieces.length < 20, `${pieces.length} pieces`);
    late.close();
  });

  for (const when of ['before', 'after'] as const) {
    test(`crumbs that come ${when} a WebSocket is accepted are held in few pieces`, async () => {
      const rig = open();
      const fields: h2.Fields = [[':protocol', 'websocket'], ...BASE.slice(1)];
      rig.send(h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.block([[':method', 'CONNECT'], ...fields])));
      const crumbs = Buffer.concat(Array.from({ length: 50_000 }, () => h2.frame(h2.DATA, 0, 1, 'x')));
      const accept = (): Duplex => (rig.seen[0] as Exchange).acceptUpgrade({ status: 101, headers: new HeaderBlock() });
      const early = when === 'before' ? null : accept();
      rig.send(crumbs, h2.frame(h2.DATA, h2.END_STREAM, 1));
      const tunnel = early ?? accept();
      const pieces: number[] = [];
      tunnel.on('data', (chunk: Buffer) => pieces.push(chunk.length));
      await once(tunnel, 'end');
      assert.equal(sum(pieces), 50_000);
      assert.ok(pieces.length < 20, `${pieces.length} pieces`);
      rig.close();
    });
  }
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
