import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { WebSocket } from 'ws';
import { acceptKey, FrameReader } from './web-socket.ts';
import { whoamiSocket } from './whoami-socket.ts';
import { answerWhoami, type WhoamiFacts } from './whoami.ts';

const FACTS: WhoamiFacts = {
  method: 'GET',
  path: '/a/b',
  query: '?x=<script>',
  host: 'whoami.localhost',
  requestId: 'req-1',
  identity: {
    kind: 'person',
    person: {
      provider: 'local',
      subject: 's1',
      name: 'alice',
      displayName: 'Alice <b>',
      email: 'alice@example.com',
      emailVerified: true,
      groups: ['staff'],
      roles: [],
      amr: ['pwd'],
    },
  },
  session: { expiresAt: 1_800_000_000_000, lastSeenAt: 1_799_999_000_000 },
  headers: [
    ['User-Agent', 'x"><img src=x>'],
    ['X-Forwarded-User', 'alice'],
  ],
  version: 'HTTP/2',
  tlsVersion: 'TLSv1.3',
  ip: '192.0.2.1',
  accept: 'text/html',
  acceptLanguage: null,
};

test('answerWhoami() shows the person and the fields, escaped, under a strict policy', () => {
  const page = answerWhoami(FACTS);
  assert.equal(page.status, 200);
  assert.match(page.body, /Alice &lt;b&gt;/);
  assert.match(page.body, /X-Forwarded-User/);
  assert.match(page.body, /\?x=&lt;script&gt;/);
  assert.ok(!page.body.includes('<img') && !page.body.includes('<b>'));
  const csp = page.headers.find(([name]) => name === 'Content-Security-Policy')?.[1] ?? '';
  assert.match(csp, /script-src 'self'; connect-src 'self'/);
  assert.match(page.body, /<script src="\/app.js" defer>/);
  assert.match(answerWhoami({ ...FACTS, base: '/who' }).body, /<script src="\/who\/app.js" defer>/);
  const script = answerWhoami({ ...FACTS, path: '/app.js' });
  assert.match(script.headers.find(([name]) => name === 'Content-Type')?.[1] ?? '', /javascript/);
});

test('answerWhoami() tells programs the same as JSON, and shows machines and nobody', () => {
  const json = JSON.parse(answerWhoami({ ...FACTS, accept: '*/*' }).body) as {
    headers: unknown;
    request: { target: string };
  };
  assert.deepEqual(json.headers, FACTS.headers);
  assert.equal(json.request.target, '/a/b?x=<script>');
  assert.match(answerWhoami({ ...FACTS, identity: { kind: 'anonymous' }, session: null }).body, /Nobody is signed in/);
  assert.match(
    answerWhoami({ ...FACTS, identity: { kind: 'service', name: 'promtail' }, session: null }).body,
    /promtail/,
  );
});

test('whoamiSocket() ticks, echoes, answers pings and closes, for a real client', async () => {
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    const accept = acceptKey(request.headers['sec-websocket-key']) ?? assert.fail();
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    whoamiSocket(socket, { now: () => 0 });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`);
  const received: string[] = [];
  client.on('message', (data: Buffer) => received.push(data.toString()));
  const until = async (count: number): Promise<void> => {
    while (received.length < count) await once(client, 'message');
  };
  await until(1);
  assert.deepEqual(received, ['{"time":"1970-01-01T00:00:00.000Z"}']);
  for (const text of ['hi', '', 'ünï🏰', 'x'.repeat(125), 'y'.repeat(126), 'z'.repeat(65_536)]) {
    const at = received.length;
    client.send(text);
    await until(at + 1);
    assert.ok(received.slice(at).includes(JSON.stringify({ echo: text })));
  }
  client.send('one ', { fin: false });
  client.ping('p');
  const [pong] = (await once(client, 'pong')) as [Buffer];
  assert.equal(pong.toString(), 'p');
  const at = received.length;
  client.send('two', { fin: true });
  await until(at + 1);
  assert.ok(received.includes('{"echo":"one two"}'));
  client.close(4_001);
  const [code] = (await once(client, 'close')) as [number];
  assert.equal(code, 4_001);
  server.close();
});

/** What the server says to these bytes, until it ends. */
async function answersTo(bytes: Buffer): Promise<Buffer> {
  const written: Buffer[] = [];
  const duplex = new Duplex({
    read() {
      // Bytes are pushed below.
    },
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  whoamiSocket(duplex, { now: () => 0 });
  duplex.push(bytes);
  await once(duplex, 'finish');
  duplex.destroy();
  return Buffer.concat(written.slice(1));
}

test('whoamiSocket() closes with the right code on what breaks the protocol', async () => {
  const masked = (first: number, payload: Buffer, length = payload.length): Buffer =>
    Buffer.concat([Buffer.of(first, 0x80 | length, 0, 0, 0, 0), payload]);
  const big = Buffer.concat([Buffer.of(0x81, 0xff), Buffer.of(0, 0, 0, 1, 0, 0, 0, 0), Buffer.alloc(4)]);
  const cases: [string, Buffer, number][] = [
    ['unmasked', Buffer.of(0x81, 1, 65), 1002],
    ['reserved bit', masked(0xc1, Buffer.from('a')), 1002],
    ['unknown opcode', masked(0x83, Buffer.from('a')), 1002],
    ['unknown control opcode', masked(0x8b, Buffer.from('a')), 1002],
    ['fragmented ping', masked(0x09, Buffer.from('a')), 1002],
    ['long ping', Buffer.concat([Buffer.of(0x89, 0xfe, 0, 126, 0, 0, 0, 0), Buffer.alloc(126)]), 1002],
    ['continuation of nothing', masked(0x80, Buffer.from('a')), 1002],
    ['text inside a message', Buffer.concat([masked(0x01, Buffer.from('a')), masked(0x81, Buffer.from('b'))]), 1002],
    ['binary', masked(0x82, Buffer.from('a')), 1003],
    ['not UTF-8', masked(0x81, Buffer.of(0xff)), 1007],
    ['too long', big, 1009],
    ['close', masked(0x88, Buffer.of(3, 232)), 1000],
    ['close without code', masked(0x88, Buffer.alloc(0)), 1000],
    ['close with half a code', masked(0x88, Buffer.of(3)), 1002],
    ['close with a reserved code', masked(0x88, Buffer.of(3, 237)), 1002],
  ];
  for (const [what, bytes, code] of cases) {
    assert.deepEqual(await answersTo(bytes), Buffer.of(0x88, 2, code >> 8, code & 255), what);
  }
});

test('FrameReader reads the same however the bytes are cut, and never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 20 }), (bytes, step) => {
      const run = (size: number): string[] => {
        const seen: string[] = [];
        const reader = new FrameReader({
          onText: (text) => seen.push(`text ${text}`),
          onPing: (payload) => seen.push(`ping ${payload.toString('hex')}`),
          onClose: (code) => seen.push(`close ${code}`),
        });
        for (let i = 0; i < bytes.length; i += size) reader.push(Buffer.from(bytes.subarray(i, i + size)));
        return seen;
      };
      assert.deepEqual(run(step), run(1_000));
    }),
  );
});

test('acceptKey() answers the key of RFC 6455 and refuses what is none', () => {
  assert.equal(acceptKey('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  for (const key of [
    null,
    undefined,
    '',
    'x',
    'dGhlIHNhbXBsZSBub25jZR==',
    'dGhlIHNhbXBsZSBub25jZQ',
    `${'A'.repeat(24)}==`,
  ])
    assert.equal(acceptKey(key), null);
});
