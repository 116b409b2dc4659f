/**
 * A connection under whatever may come: random bytes, sequences of frames that mean something, and mutations of
 * them, cut anywhere. Nothing is thrown, every stream is handed out at most once and ends exactly once, every body
 * ends or is aborted once, whole frames come out, and the same bytes get the same answer however they are cut.
 * POSTERN_FUZZ sets how many connections are made.
 */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate as breathe } from 'node:timers/promises';
import * as fc from 'fast-check';
import * as h2 from '../../../test/support/http2-frames.ts';
import type { Exchange } from '../exchange.ts';
import { HeaderBlock } from '../header-block.ts';
import { type MemoryRig, openInMemory } from './_rig.ts';

// A second that passes between two runs would be another Date.
mock.timers.enable({ apis: ['Date'], now: 0 });

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 1_500);

const BASE: h2.Fields = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
];
const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const id = fc.integer({ min: 0, max: 9 });
const field = fc.tuple(
  fc.constantFrom('x-a', 'cookie', 'te', 'content-length', 'expect', 'host', 'X-Up', ':path', 'connection', 'priority'),
  fc.constantFrom('', 'a', '3', 'trailers', '100-continue', 'a.test', '/b', 'a\r\nb'),
);
const fields = fc.array(field, { maxLength: 3 }).map((more) => [...BASE, ...more]);
/** References, sizes and literals of HPACK, good and bad. */
const odd = fc.constantFrom(
  '82868441016144',
  '8286be',
  '3fe11f8286',
  '20828684',
  '8286848000',
  '4001610162be',
  '0085f2b24a',
);
const block = fc.oneof(
  { weight: 4, arbitrary: fields.map((all) => h2.block(all)) },
  { weight: 1, arbitrary: odd.map((hex) => Buffer.from(hex, 'hex')) },
);
const flags = fc.constantFrom(0, 1, 4, 5, 5, 5, 12, 13, 37);
const frame = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(flags, id, block).map(([bits, at, bytes]) => h2.frame(h2.HEADERS, bits, at, bytes)),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1, 8, 9), id, fc.uint8Array({ maxLength: 20 }))
      .map(([bits, at, bytes]) => h2.frame(h2.DATA, bits, at, Buffer.from(bytes))),
  },
  fc.tuple(id, fc.constantFrom(0, 1, 8)).map(([at, code]) => h2.frame(h2.RST_STREAM, 0, at, word(code))),
  fc
    .tuple(id, fc.constantFrom(0, 1, 1_000, 0x7fffffff))
    .map(([at, size]) => h2.frame(h2.WINDOW_UPDATE, 0, at, word(size))),
  fc
    .tuple(fc.constantFrom(1, 2, 3, 4, 5, 8, 99), fc.constantFrom(0, 1, 100, 16_384, 0x80000000))
    .map(([key, value]) => h2.frame(h2.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, key]), word(value)]))),
  fc.constantFrom(
    h2.frame(h2.SETTINGS, 1, 0),
    h2.frame(h2.PING, 0, 0, '12345678'),
    h2.frame(h2.PING, 1, 0, 'draining'),
    h2.frame(h2.GOAWAY, 0, 0, Buffer.alloc(8)),
    h2.frame(h2.PRIORITY, 0, 3, Buffer.alloc(5)),
    h2.frame(h2.PUSH_PROMISE, 4, 1, Buffer.alloc(4)),
    h2.frame(99, 0, 1, 'what?'),
  ),
  fc.tuple(fc.constantFrom(0, 4), id, block).map(([bits, at, bytes]) => h2.frame(h2.CONTINUATION, bits, at, bytes)),
);
const conversation = fc.array(frame, { maxLength: 16 }).map((frames) => Buffer.concat(frames));
const mutation = fc.record({ at: fc.nat(2_000), kind: fc.nat(3), byte: fc.nat(255) });
const cuts = fc.array(fc.nat(60), { maxLength: 40 });

function mutate(bytes: Buffer, mutations: readonly { at: number; kind: number; byte: number }[]): Buffer {
  let mutated = bytes;
  for (const { at, kind, byte } of mutations) {
    const where = mutated.length === 0 ? 0 : at % mutated.length;
    const [before, after] = [mutated.subarray(0, where), mutated.subarray(where)];
    if (kind === 0) mutated = Buffer.concat([before, Buffer.of(byte), after.subarray(1)]);
    else if (kind === 1) mutated = Buffer.concat([before, after.subarray(1 + (byte % 20))]);
    else if (kind === 2) mutated = Buffer.concat([before, after.subarray(0, byte), after]);
    else mutated = Buffer.concat([before, Buffer.of(byte), after]);
  }
  return mutated;
}

interface Told {
  readonly path: string;
  body: string;
  ends: number;
}

/** An app that answers by what it is asked: at once, with the body, late or never. */
function answer(exchange: Exchange, told: Told[]): void {
  const one: Told = { path: exchange.request.target, body: '', ends: 0 };
  told.push(one);
  const head = { status: 200, headers: HeaderBlock.from({ Date: 'x' }) };
  const sink = told.length % 3 === 0 ? exchange.respond(head, -1, () => exchange.body.resume()) : null;
  if (told.length % 4 === 1) exchange.respondWhole(head, 'early');
  exchange.body.start({
    write: (chunk) => {
      one.body += chunk.toString('hex');
      return sink?.write(chunk) ?? true;
    },
    flush: () => undefined,
    end: () => {
      one.ends++;
      if (sink !== null) sink.end(HeaderBlock.from({ 'X-Sum': '1' }));
      else if (told.length % 4 !== 1) exchange.respondWhole(head, one.body);
    },
    abort: (error) => {
      one.ends++;
      sink?.abort(error);
    },
  });
}

function run(chunks: readonly Buffer[]): { rig: MemoryRig; told: Told[]; frames: h2.Frame[] } {
  const told: Told[] = [];
  const rig = openInMemory((exchange) => answer(exchange, told));
  for (const chunk of chunks) rig.send(chunk);
  const frames = rig.frames();
  rig.tick(20_000);
  rig.tick(100_000);
  rig.close();
  return { rig, told, frames };
}

function check({ rig, told, frames }: ReturnType<typeof run>): void {
  assert.deepEqual(rig.defects, []);
  assert.equal(rig.outcomes.length, rig.seen.length, 'every exchange ends once');
  for (const one of told) assert.equal(one.ends, 1, 'every body ends once');
  assert.equal(rig.connection.isIdle, true);
  const ended = new Set<number>();
  for (const { type, flags: bits, id: stream } of frames) {
    const isOfStream = type === h2.DATA || type === h2.HEADERS;
    if (isOfStream) assert.ok(!ended.has(stream), `stream ${stream} goes on behind its end`);
    if (isOfStream && (bits & 1) === 1) ended.add(stream);
  }
}

const summary = ({ told, frames, rig }: ReturnType<typeof run>): unknown => [
  told,
  rig.refused,
  frames.map(({ type, flags: bits, id: stream, payload }) => `${type} ${bits} ${stream} ${payload.toString('hex')}`),
];

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)].filter((chunk) => chunk.length > 0);
}

/** What a closed socket leaves for the next turn is let go now and then: 100 000 of them are gigabytes. */
let runs = 0;
async function rest(): Promise<void> {
  if (++runs % 200 === 0) await breathe();
}

const START = Buffer.concat([h2.PREFACE, h2.frame(h2.SETTINGS, 0, 0)]);

test('random bytes end a connection and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, isBegun) => {
      check(run([...(isBegun ? [START] : []), Buffer.from(bytes)]));
      await rest();
    }),
    { numRuns: RUNS },
  );
});

test('any conversation is answered the same however it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(conversation, cuts, async (frames, sizes) => {
      const bytes = Buffer.concat([START, frames]);
      const whole = run([bytes]);
      const pieces = run(cut(bytes, sizes));
      check(whole);
      check(pieces);
      assert.deepEqual(summary(pieces), summary(whole));
      await rest();
    }),
    { numRuns: RUNS },
  );
});

test('mutated conversations break nothing', async () => {
  const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(conversation, mutations, cuts, async (frames, changes, sizes) => {
      const bytes = Buffer.concat([START, mutate(frames, changes)]);
      const whole = run([bytes]);
      const pieces = run(cut(bytes, sizes));
      check(whole);
      check(pieces);
      assert.deepEqual(summary(pieces), summary(whole));
      await rest();
    }),
    { numRuns: RUNS },
  );
});
