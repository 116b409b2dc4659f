import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import {
  CLASS,
  DnsMessageError,
  rcodeName,
  readMessage,
  readName,
  TYPE,
  words,
  writeName,
  writeQuestion,
  writeTxt,
  writeTxtUpdate,
} from './message.ts';

/** A header with these counts. */
function header(questions: number, answers: number, authorities = 0, additionals = 0): Buffer {
  return words(0x12_34, 0x84_00, questions, answers, authorities, additionals);
}

function record(name: Buffer, type: number, data: Buffer): Buffer {
  return Buffer.concat([name, words(type, CLASS.IN, 0, 300, data.length), data]);
}

const QUESTION = Buffer.concat([writeName('a.example.com'), words(TYPE.TXT, CLASS.IN)]);
/** "example.com" within QUESTION. */
const POINTER = Buffer.of(0xc0, 12 + 2);

test('readMessage() reads flags, questions and each kind of record, also compressed', () => {
  const bytes = Buffer.concat([
    header(1, 4, 1),
    QUESTION,
    record(Buffer.of(0xc0, 12), TYPE.TXT, writeTxt('x'.repeat(300))),
    record(POINTER, TYPE.NS, Buffer.concat([Buffer.from([2, 0x4e, 0x53]), POINTER])),
    record(POINTER, TYPE.A, Buffer.of(192, 0, 2, 1)),
    record(POINTER, TYPE.AAAA, Buffer.from('20010db8000000000000000000000001', 'hex')),
    record(POINTER, TYPE.SOA, Buffer.concat([POINTER, writeName('admin.example.com'), Buffer.alloc(20)])),
  ]);
  const message = readMessage(bytes);
  assert.equal(message.id, 0x12_34);
  assert.equal(message.isResponse && message.isAuthoritative && !message.isTruncated, true);
  assert.deepEqual(message.questions, [{ name: 'a.example.com', type: TYPE.TXT, class: CLASS.IN }]);
  assert.deepEqual(
    message.answers.map(({ name, text, target, address }) => [name, text ?? target ?? address]),
    [
      ['a.example.com', 'x'.repeat(300)],
      ['example.com', 'ns.example.com'],
      ['example.com', '192.0.2.1'],
      ['example.com', '2001:db8::1'],
    ],
  );
  assert.deepEqual(
    message.authorities.map(({ name, type, target }) => [name, type, target]),
    [['example.com', TYPE.SOA, 'example.com']],
  );
});

test('writeName() and readName() agree, bytes that no host name has included', () => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
  fc.assert(
    fc.property(fc.array(label, { maxLength: 3 }), (labels) => {
      const wire = Buffer.concat([...labels.flatMap((one) => [Buffer.of(one.length), one]), Buffer.of(0)]);
      const { name, end } = readName(wire, 0);
      assert.equal(end, wire.length);
      const lower = Buffer.from(wire.map((octet) => (octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet)));
      // Lengths are below "A", so that lowering the letters leaves them alone.
      assert.deepEqual(readName(writeName(name), 0).name, name);
      assert.deepEqual(writeName(name), lengthsKept(wire, lower));
    }),
  );
});

function lengthsKept(wire: Buffer, lower: Buffer): Buffer {
  const kept = Buffer.from(lower);
  for (let at = 0; at < wire.length; at += (wire[at] ?? 0) + 1) kept[at] = wire[at] ?? 0;
  return kept;
}

suite('readMessage() refuses', () => {
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ['nothing', Buffer.alloc(0), /shorter than its header/],
    ['a count without records', header(0, 1), /ends too soon/],
    ['65535 records that are not there', header(65_535, 65_535, 65_535, 65_535), /ends too soon/],
    [
      'a name that points to itself',
      Buffer.concat([header(1, 0), Buffer.of(0xc0, 12), words(1, 1)]),
      /does not lead backwards/,
    ],
    [
      'names that point to each other',
      Buffer.concat([header(1, 0), Buffer.of(0xc0, 14, 0xc0, 12), words(1, 1)]),
      /does not lead backwards/,
    ],
    [
      'a name that comes back to its own beginning',
      Buffer.concat([header(1, 0), Buffer.of(1, 0x61, 0xc0, 12), words(1, 1)]),
      /does not lead backwards/,
    ],
    [
      'a pointer past the end',
      Buffer.concat([header(1, 0), Buffer.of(0xff, 0xff), words(1, 1)]),
      /does not lead backwards/,
    ],
    [
      'a label of an unknown type',
      Buffer.concat([header(1, 0), Buffer.of(0x41, 0x61, 0), words(1, 1)]),
      /unknown type/,
    ],
    [
      'a name of 256 octets',
      Buffer.concat([
        header(1, 0),
        ...Array.from({ length: 5 }, () => Buffer.concat([Buffer.of(60), Buffer.alloc(60, 0x61)])),
        Buffer.of(0),
        words(1, 1),
      ]),
      /longer than 255/,
    ],
    [
      'a string longer than its record',
      Buffer.concat([header(0, 1), record(Buffer.of(0), TYPE.TXT, Buffer.of(9, 0x61))]),
      /ends too soon/,
    ],
    [
      'an address of the wrong length',
      Buffer.concat([header(0, 1), record(Buffer.of(0), TYPE.A, Buffer.of(1, 2, 3))]),
      /not 4 bytes/,
    ],
    [
      'a name server that is longer than its record',
      Buffer.concat([header(0, 1), record(Buffer.of(0), TYPE.NS, Buffer.of(1)), Buffer.of(0x61, 0)]),
      /does not end with its record/,
    ],
    ['bytes behind the end', Buffer.concat([header(0, 0), Buffer.of(0)]), /bytes follow/],
  ];
  for (const [name, bytes, reason] of cases) {
    test(name, () => {
      assert.throws(
        () => readMessage(bytes),
        (error) => error instanceof DnsMessageError && reason.test(error.message),
      );
    });
  }
});

test('readMessage() of pointers to pointers takes no time that grows with their number', () => {
  // 8000 pointers, each to the one before, and as many records that begin at the last.
  const chain = Buffer.concat([
    Buffer.of(0),
    ...Array.from({ length: 8000 }, (_, index) => words(0xc0_00 + 12 + 11 + (index === 0 ? 0 : 1 + (index - 1) * 2))),
  ]);
  const head = record(Buffer.of(0), 99, chain);
  const last = words(0xc0_00 + 12 + 11 + chain.length - 2);
  const many = Buffer.concat([
    header(0, 1 + 2000),
    head,
    ...Array.from({ length: 2000 }, () => record(last, 99, Buffer.alloc(0))),
  ]);
  const start = process.cpuUsage();
  assert.throws(() => readMessage(many), DnsMessageError);
  const spent = process.cpuUsage(start);
  assert.ok(spent.user + spent.system < 5_000_000);
});

test('readMessage() throws nothing but DnsMessageError, whatever the bytes', () => {
  const good = Buffer.concat([
    header(1, 3),
    QUESTION,
    record(POINTER, TYPE.TXT, writeTxt('abc')),
    record(POINTER, TYPE.NS, POINTER),
    record(POINTER, TYPE.SOA, Buffer.concat([POINTER, POINTER, Buffer.alloc(20)])),
  ]);
  const check = (bytes: Uint8Array): void => {
    try {
      readMessage(bytes);
    } catch (error) {
      if (!(error instanceof DnsMessageError)) throw error;
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), check), { numRuns: 3000 });
  const change = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(change, fc.nat(good.length), (changes, cut) => {
      const bytes = Buffer.from(good);
      for (const [at, octet] of changes) bytes[at] = octet;
      check(bytes);
      check(bytes.subarray(0, cut));
    }),
    { numRuns: 5000 },
  );
});

test('writeQuestion() asks one question with EDNS, with and without recursion', () => {
  const message = readMessage(writeQuestion({ id: 7, name: 'a.example.com', type: TYPE.TXT, recursion: true }));
  assert.deepEqual(message.questions, [{ name: 'a.example.com', type: TYPE.TXT, class: CLASS.IN }]);
  assert.deepEqual(
    message.additionals.map(({ type, class: size }) => [type, size]),
    [[TYPE.OPT, 1232]],
  );
  assert.equal(message.isResponse, false);
});

test('writeTxtUpdate() adds with IN and a TTL, removes with NONE and 0, as RFC 2136 has it', () => {
  const update = { id: 1, zone: 'example.com', name: '_acme-challenge.example.com', value: 'v', ttl: 60 } as const;
  const added = readMessage(writeTxtUpdate({ ...update, action: 'add' }));
  assert.equal(added.opcode, 5);
  assert.deepEqual(added.questions, [{ name: 'example.com', type: TYPE.SOA, class: CLASS.IN }]);
  assert.deepEqual(
    added.authorities.map(({ class: kind, ttl, text }) => [kind, ttl, text]),
    [[CLASS.IN, 60, 'v']],
  );
  const removed = readMessage(writeTxtUpdate({ ...update, action: 'remove' }));
  assert.deepEqual(
    removed.authorities.map(({ class: kind, ttl, text }) => [kind, ttl, text]),
    [[CLASS.NONE, 0, 'v']],
  );
});

test('writeName() refuses labels and names that are too long or empty', () => {
  for (const name of ['a..b', 'x'.repeat(64), Array.from({ length: 5 }, () => 'x'.repeat(60)).join('.')])
    assert.throws(() => writeName(name), DnsMessageError);
});

test('rcodeName() names what servers answer', () => {
  assert.equal(rcodeName(5), 'REFUSED');
  assert.equal(rcodeName(99), 'RCODE 99');
});
