import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:tls';
import * as fc from 'fast-check';
import { ClientHelloReader, type ClientHelloAnswer } from './client-hello.ts';

const vector = (width: 1 | 2, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(width);
  length.writeUIntBE(body.length, 0, width);
  return Buffer.concat([length, body]);
};
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const extension = (type: number, data: Buffer): Buffer => Buffer.concat([u16(type), vector(2, data)]);
const sni = (name: string | Buffer, type = 0): Buffer =>
  extension(0, vector(2, Buffer.from([type]), vector(2, Buffer.from(name))));
const alpn = (...names: string[]): Buffer =>
  extension(16, vector(2, ...names.map((one) => vector(1, Buffer.from(one)))));
const versions = (...list: number[]): Buffer => extension(43, vector(1, ...list.map(u16)));

const schemes = (...list: number[]): Buffer => extension(13, vector(2, ...list.map(u16)));

function message(...extensions: Buffer[]): Buffer {
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 9)),
    vector(2, u16(0x1301)),
    vector(1, Buffer.from([0])),
    vector(2, ...extensions),
  ]);
  const head = Buffer.from([1, 0, 0, 0]);
  head.writeUIntBE(body.length, 1, 3);
  return Buffer.concat([head, body]);
}

const record = (payload: Buffer): Buffer => Buffer.concat([Buffer.from([22, 3, 1]), vector(2, payload)]);

function read(bytes: Buffer, cuts: readonly number[] = []): ClientHelloAnswer {
  const reader = new ClientHelloReader();
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let from = 0;
  let answer: ClientHelloAnswer = { kind: 'need-more' };
  for (const end of ends) {
    answer = reader.push(bytes.subarray(from, end));
    from = end;
  }
  return answer;
}

test('ClientHelloReader reads the name, the protocols and the versions', () => {
  const bytes = record(
    message(sni('App.Example.COM'), alpn('h2', 'http/1.1'), versions(0x0304, 0x0303), schemes(0x0403, 0x0804)),
  );
  assert.deepEqual(read(bytes), {
    kind: 'hello',
    serverName: 'app.example.com',
    alpn: ['h2', 'http/1.1'],
    versions: [0x0304, 0x0303],
    signatureSchemes: [0x0403, 0x0804],
    cipherSuites: [0x1301],
  });
  assert.deepEqual(read(record(message())), {
    kind: 'hello',
    serverName: null,
    alpn: [],
    versions: [0x0303],
    signatureSchemes: null,
    cipherSuites: [0x1301],
  });
});

test('ClientHelloReader reassembles one byte at a time and one byte a record', () => {
  const whole = message(sni('app.example.com'), alpn('h2'));
  const expected = read(record(whole));
  const bytes = record(whole);
  assert.deepEqual(
    read(
      bytes,
      Array.from({ length: bytes.length }, (_, i) => i),
    ),
    expected,
  );
  const crumbs = Buffer.concat([...whole].map((byte) => record(Buffer.from([byte]))));
  assert.deepEqual(read(crumbs), expected);
});

test('ClientHelloReader says not-tls at the first byte that shows it', () => {
  assert.equal(read(Buffer.from('G')).kind, 'not-tls');
  assert.equal(read(Buffer.from([22, 2])).kind, 'not-tls');
  assert.equal(read(Buffer.from([22, 3])).kind, 'need-more');
  assert.equal(read(Buffer.from([0x80, 0x2e, 1, 0, 2])).kind, 'not-tls');
});

test('ClientHelloReader refuses what a TLS stack could read differently', () => {
  const wrong: Record<string, Buffer> = {
    'two server name extensions': record(message(sni('a.example'), sni('b.example'))),
    'two names in one extension': record(
      message(
        extension(
          0,
          vector(2, Buffer.from([0]), vector(2, Buffer.from('a')), Buffer.from([0]), vector(2, Buffer.from('b'))),
        ),
      ),
    ),
    'a name with NUL': record(message(sni('a.example\0.evil'))),
    'a name with a slash': record(message(sni('a/b'))),
    'an empty name': record(message(sni(''))),
    'a name with a trailing dot': record(message(sni('a.example.'))),
    'a name of another type': record(message(sni('a.example', 1))),
    'an empty protocol': record(message(alpn(''))),
    'an empty record': Buffer.from([22, 3, 1, 0, 0]),
    'a record too long': Buffer.from([22, 3, 1, 0x7f, 0xff]),
    'a ServerHello': record(Buffer.from([2, 0, 0, 0])),
    'a hello of 16 MB': record(Buffer.from([1, 255, 255, 255])),
    'an alert in between': Buffer.concat([record(message().subarray(0, 9)), Buffer.from([21])]),
    'bytes behind the extensions': record(
      Buffer.concat([Buffer.from([1, 0, 0, 44]), message().subarray(4, 4 + 44 - 1), Buffer.from([0])]),
    ),
  };
  for (const [what, bytes] of Object.entries(wrong)) assert.equal(read(bytes).kind, 'malformed', what);
});

test('ClientHelloReader bounds the crumbs that a client may cut it into', () => {
  const crumbs = Buffer.concat(Array.from({ length: 513 }, (_, i) => record(Buffer.from([i === 0 ? 1 : 0]))));
  assert.equal(read(crumbs).kind, 'malformed');
});

test('ClientHelloReader never throws, and a split anywhere gives the same answer', () => {
  const hello = record(message(sni('app.example.com'), alpn('h2', 'http/1.1'), versions(0x0304)));
  const mutated = fc
    .tuple(fc.nat(hello.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(hello.length))
    .map(([at, byte, length]) => {
      const copy = Buffer.from(hello.subarray(0, Math.max(1, length)));
      copy[at % copy.length] = byte;
      return copy;
    });
  const anything = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(
      fc.oneof(mutated, anything, fc.constant(hello)),
      fc.array(fc.nat(), { maxLength: 8 }),
      (bytes, cuts) => {
        assert.deepEqual(read(bytes, cuts), read(bytes));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('ClientHelloReader reads the hello of a real client', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  const got = new Promise<ClientHelloAnswer>((resolve) => {
    server.on('connection', (socket) => {
      const reader = new ClientHelloReader();
      socket.on('data', (chunk) => {
        const answer = reader.push(chunk);
        if (answer.kind === 'need-more') return;
        resolve(answer);
        socket.destroy();
      });
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const client = connect({ port, host: '127.0.0.1', servername: 'Real.Example', ALPNProtocols: ['h2', 'http/1.1'] });
  client.on('error', () => undefined);
  const answer = await got;
  assert.equal(answer.kind, 'hello');
  assert.ok(answer.kind === 'hello');
  assert.equal(answer.serverName, 'real.example');
  assert.deepEqual(answer.alpn, ['h2', 'http/1.1']);
  assert.ok(answer.versions.includes(0x0304));
  server.close();
});
