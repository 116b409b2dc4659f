import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import net from 'node:net';
import { test } from 'node:test';
import { collect, ok, open, until } from '../../test/http2-rig.ts';
import { HeaderBlock } from './header-block.ts';

/** Frames by hand: what a decent client cannot send. */
const frame = (type: number, flags: number, id: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
};
const literal = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
const block = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]);
const BASE = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
] as const;

/** Sends frames and answers [type, id, payload] of everything until GOAWAY, RST_STREAM or END_STREAM. */
async function exchangeFrames(port: number, ...frames: Buffer[]): Promise<[type: number, payload: Buffer][]> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(Buffer.concat([PREFACE, ...frames]));
  const got: [number, Buffer][] = [];
  let rest: Buffer = Buffer.alloc(0);
  await new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const length = rest.readUIntBE(0, 3);
        const [type, flags] = [rest[3] as number, rest[4] as number];
        got.push([type, rest.subarray(9, 9 + length)]);
        rest = rest.subarray(9 + length);
        if (type === 3 || type === 7 || ((type === 0 || type === 1) && (flags & 1) === 1)) resolve();
      }
    });
  });
  socket.destroy();
  return got;
}

test('raw frames that smuggle are refused and nothing of them is handed on', async () => {
  const rig = await open((exchange) => ok(exchange));
  const END = 5;
  const heads: Record<string, readonly (readonly [string, string])[]> = {
    connection: [...BASE, ['connection', 'close']],
    'proxy-connection': [...BASE, ['proxy-connection', 'close']],
    'keep-alive': [...BASE, ['keep-alive', '1']],
    'transfer-encoding': [...BASE, ['transfer-encoding', 'chunked']],
    upgrade: [...BASE, ['upgrade', 'h2c']],
    'te: gzip': [...BASE, ['te', 'gzip']],
    'upper case': [...BASE, ['X-A', '1']],
    'value with CR LF': [...BASE, ['x-a', '1\r\nx-b: 2']],
    'value with NUL': [...BASE, ['x-a', '1\0']],
    'value with leading space': [...BASE, ['x-a', ' 1']],
    'name with colon': [...BASE, ['x:a', '1']],
    'name with space': [...BASE, ['x a', '1']],
    'empty name': [...BASE, ['', '1']],
    'duplicate :path': [...BASE, [':path', '/b']],
    'duplicate :authority': [...BASE, [':authority', 'b.test']],
    'pseudo-field late': [...BASE.slice(0, 3), ['x-a', '1'], [':authority', 'a.test']],
    'unknown pseudo-field': [...BASE, [':x', '1']],
    'empty :path': [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', ''],
      [':authority', 'a.test'],
    ],
    'relative :path': [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', 'a'],
      [':authority', 'a.test'],
    ],
    'no :path': [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'a.test'],
    ],
    'no :method': BASE.slice(1),
    'method with space': [[':method', 'GET /x'], ...BASE.slice(1)],
    'path with space': [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/a HTTP/1.1'],
      [':authority', 'a.test'],
    ],
    'no authority at all': BASE.slice(0, 3),
    'two hosts': [...BASE, ['host', 'a.test'], ['host', 'a.test']],
    ':protocol without CONNECT': [...BASE, [':protocol', 'websocket']],
  };
  for (const [what, fields] of Object.entries(heads)) {
    const got = await exchangeFrames(rig.port, frame(1, END, 1, block(fields)));
    const isReset = got.some(([type]) => type === 3 || type === 7);
    const status = got.find(([type]) => type === 1)?.[1];
    // 400 in the static table is index 12; a literal has it in its text.
    const isRefused = status !== undefined && (status[0] === 0x8c || status.includes('400'));
    assert.ok((isReset || isRefused) && rig.seen.length === 0, what);
  }
});

test('a Content-Length that is not the sum of DATA never completes a body', async () => {
  for (const [length, data] of [
    ['3', '12345'],
    ['9', '12345'],
  ] as const) {
    const ends: string[] = [];
    const rig = await open((exchange) => collect(exchange, (text) => ends.push(text)));
    const got = await exchangeFrames(
      rig.port,
      frame(1, 4, 1, block([...BASE, ['content-length', length]])),
      frame(0, 1, 1, Buffer.from(data)),
    );
    assert.ok(
      got.some(([type]) => type === 3 || type === 7),
      length,
    );
    await until(() => ends.length === 1);
    assert.deepEqual(ends, ['aborted CLIENT_CLOSED']);
  }
});

test('rapid resets end the connection with ENHANCE_YOUR_CALM', async () => {
  const rig = await open(() => undefined);
  const flood: Buffer[] = [];
  for (let id = 1; id < 1_000; id += 2) {
    flood.push(frame(1, 5, id, block(BASE)), frame(3, 0, id, Buffer.from([0, 0, 0, 8])));
  }
  const socket = net.connect(rig.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(PREFACE);
  let got: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => (got = Buffer.concat([got, chunk])));
  for (const part of flood) socket.write(part);
  await once(socket, 'close');
  // GOAWAY: type 7, stream 0, last id, error 11.
  const at = got.indexOf(Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0]));
  assert.notEqual(at, -1);
  assert.equal(got.readUInt32BE(at + 13), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  assert.ok(rig.refused.includes('429 rapid-reset'));
  await until(() => rig.closed() === 1);
  assert.equal(rig.outcomes.filter((one) => one.complete).length, 0);
});

test('a stream that is reset without blame ends its exchange, before the answer, in it and behind a full window', async () => {
  const waits: Parameters<typeof open>[0] = () => undefined;
  const streams: Parameters<typeof open>[0] = (exchange) => {
    exchange.respond({ status: 200, headers: new HeaderBlock() }, -1, () => undefined).write(Buffer.from('half'));
  };
  const fills: Parameters<typeof open>[0] = (exchange) => {
    const sink = exchange.respond({ status: 200, headers: new HeaderBlock() }, -1, () => undefined);
    sink.write(Buffer.alloc(1 << 20));
    sink.end(null);
  };
  const fields = BASE.map(([name, value]) => [name, name === ':method' ? 'GET' : value] as const);
  for (const handle of [waits, streams, fills]) {
    const rig = await open(handle);
    const socket = net.connect(rig.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(Buffer.concat([PREFACE, frame(1, 5, 1, block(fields))]));
    await until(() => rig.seen.length === 1);
    // RST_STREAM NO_ERROR
    socket.write(frame(3, 0, 1, Buffer.alloc(4)));
    await until(() => rig.outcomes.length === 1);
    if (handle !== fills) assert.equal(rig.outcomes[0]?.complete, false);
    assert.equal(rig.connections[0]?.isIdle, true);
    socket.destroy();
  }
});
