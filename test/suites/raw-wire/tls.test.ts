/**
 * The bytes of a TLS connection before and around its handshake, against the whole gateway (reference class
 * 1.8, DESIGN decisions 1 and 12): a ClientHello in any pieces, and what is none; names that nobody has; a
 * ticket of a host that is gone; clients without a name; 421 only where policies differ.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { makeCertificate } from '../../transport-rig.ts';
import type { PosternProcess } from '../../support/postern.ts';

const UNRECOGNIZED_NAME = '15030300020270';
const DECODE_ERROR = '15030300020232';

/** The ClientHello that a client would send. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connectTls({ ...options, host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

/** The same with more extensions at its end. */
function withExtensions(hello: Buffer, more: readonly (readonly [type: number, data: Buffer])[]): Buffer {
  const added = Buffer.concat(
    more.map(([type, data]) => {
      const head = Buffer.alloc(4);
      head.writeUInt16BE(type, 0);
      head.writeUInt16BE(data.length, 2);
      return Buffer.concat([head, data]);
    }),
  );
  const grown = Buffer.concat([hello, added]);
  let at = 5 + 4 + 2 + 32;
  at += 1 + (grown[at] as number);
  at += 2 + grown.readUInt16BE(at);
  at += 1 + (grown[at] as number);
  grown.writeUInt16BE(grown.readUInt16BE(at) + added.length, at);
  grown.writeUIntBE(grown.readUIntBE(6, 3) + added.length, 6, 3);
  grown.writeUInt16BE(grown.readUInt16BE(3) + added.length, 3);
  return grown;
}

suite('TLS bytes against the whole gateway', () => {
  let postern: PosternProcess;
  let dir = '';
  const ca = makeCertificate('/CN=Client CA', 'CA');
  const client = makeCertificate('/CN=machine-7', 'DNS:machine-7', ca);
  const pair = makeCertificate('/CN=fallback', 'DNS:fallback.example.com,DNS:*.wild.example.com,DNS:other.example.com');

  const document = (hosts: string): string => `version: 1
listen: { http: off, https: "127.0.0.1:${postern.https}", health: "127.0.0.1:${postern.health}" }
${hosts}`;
  const HOSTS = (): string => `hosts:
  app.test: { respond: app, allow: [public] }
  gone.test: { respond: gone, allow: [public] }
  "*.wild.example.com": { respond: wild, allow: [public], tls: { certificate: ${dir}/cert.pem, key: ${dir}/key.pem } }
  mtls.test: { respond: mtls, allow: ["client-certificate:cn=machine-7"], tls: { mode: local, client_ca: ${dir}/ca.pem, client_certificates: request } }
`;
  const DEFAULT = (more: string): string =>
    `default: { respond: default, allow: [public], tls: { certificate: ${dir}/cert.pem, key: ${dir}/key.pem${more} } }\n`;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-tls-'));
    for (const [name, text] of Object.entries({ 'cert.pem': pair.cert, 'key.pem': pair.key, 'ca.pem': ca.cert }))
      writeFileSync(join(dir, name), text);
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
limits: { handshake_timeout: 20s }
${HOSTS()}`,
    });
  });
  after(async () => {
    await postern?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** What comes back to these bytes, each piece in a segment of its own: up to a ServerHello, or until the gateway closes. */
  async function raw(...pieces: readonly Buffer[]): Promise<Buffer> {
    const socket = connect({ port: postern.https, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const got: Buffer[] = [];
    const closed = new Promise<void>((done) => {
      socket.once('close', () => done());
      socket.on('data', (chunk) => {
        got.push(chunk);
        if (isHandshake(Buffer.concat(got))) done();
      });
    });
    for (const piece of pieces) {
      if (socket.destroyed) break;
      socket.write(piece);
      await new Promise((done) => setImmediate(done));
    }
    await closed;
    socket.destroy();
    return Buffer.concat(got);
  }

  /** A request by HTTP/1.1 over TLS; the status and body, or the error of the handshake. */
  async function ask(host: string, options: ConnectionOptions = {}): Promise<{ answer: string; isResumed: boolean }> {
    const socket = connectTls({
      host: '127.0.0.1',
      port: postern.https,
      servername: host,
      rejectUnauthorized: false,
      ...options,
    });
    let isResumed = false;
    const answer = await new Promise<string>((done) => {
      let text = '';
      socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
      socket.on('close', () => done(text));
      socket.on('secureConnect', () => {
        isResumed = socket.isSessionReused();
        socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      });
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    });
    const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1];
    return {
      answer: status === undefined ? answer : `${status} ${answer.slice(answer.indexOf('\r\n\r\n') + 4)}`,
      isResumed,
    };
  }

  const isHandshake = (got: Buffer): boolean => got[0] === 22 && got[5] === 2;

  test('a ClientHello is understood in any pieces, with GREASE and an outer ECH', async () => {
    const hello = await helloOf({ servername: 'app.test' });
    assert.ok(isHandshake(await raw(...[...hello].map((byte) => Buffer.from([byte])))), 'byte by byte');
    const half = Math.floor((hello.length - 5) / 2);
    const record = (part: Buffer): Buffer =>
      Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);
    const two = [record(hello.subarray(5, 5 + half)), record(hello.subarray(5 + half))];
    assert.ok(isHandshake(await raw(...two)), 'in two records');
    const ech = Buffer.concat([
      Buffer.from([0, 0, 1, 0, 1, 7, 0, 32]),
      Buffer.alloc(32, 1),
      Buffer.from([0, 16]),
      Buffer.alloc(16),
    ]);
    const greased = withExtensions(hello, [
      [0x0a0a, Buffer.alloc(0)],
      [0xfe0d, ech],
      [0xfafa, Buffer.from([0])],
    ]);
    assert.ok(isHandshake(await raw(greased)), 'with extensions that we do not know');
  });

  test('what is no ClientHello gets an alert or a plain word, and a line in the log', async () => {
    const hello = await helloOf({ servername: 'app.test' });
    const huge = withExtensions(hello, [[0x1234, Buffer.alloc(13_000)]]);
    const larger = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 1]), Buffer.alloc(100)]);
    const twice = withExtensions(hello, [[0, Buffer.from([0, 4, 0, 0, 1, 97])]]);
    const from = postern.output().length;
    for (const [name, bytes] of [
      ['a record longer than 16 KiB', larger],
      ['SNI twice', twice],
      ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
      ['another message first', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
      ['a ClientHello of 17 MB', Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255])],
      ['a name with a NUL', Buffer.from(hello.toString('latin1').replace('app.test', 'app\0test'), 'latin1')],
    ] as const) {
      assert.equal((await raw(bytes)).toString('hex'), DECODE_ERROR, name);
    }
    assert.ok(isHandshake(await raw(huge)), 'just below the bound');
    assert.match(
      (await raw(Buffer.from('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n'))).toString(),
      /^HTTP\/1\.1 400 [\s\S]*https:/,
    );
    const ssl2 = Buffer.from('802b0100020012000000100100800700c0030080060040020080040080', 'hex');
    assert.match((await raw(ssl2)).toString(), /^HTTP\/1\.1 400 /);
    await postern.waitFor('hello-malformed', from);
    await postern.waitFor('plain-on-tls', from);
  });

  test('an unknown name gets the alert unrecognized_name, seven bytes, with one line; no host gets the certificate of another', async () => {
    const from = postern.output().length;
    for (const name of [
      'unknown.test',
      'a.app.test',
      'wild.example.com',
      'a.b.wild.example.com',
      'fallback.example.com',
    ])
      assert.equal((await raw(await helloOf({ servername: name }))).toString('hex'), UNRECOGNIZED_NAME, name);
    await postern.waitFor(/TLS_NO_CERTIFICATE[^\n]*unknown\.test|unknown\.test[^\n]*TLS_NO_CERTIFICATE/, from);
    assert.equal(postern.output().slice(from).split('"unknown.test"').length, 2, 'one line');
    const wild = await ask('a.wild.example.com');
    assert.equal(wild.answer, '200 wild');
  });

  test('TLS 1.1 and protocols that nobody speaks are refused by an alert', async () => {
    const old = await ask('app.test', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    assert.match(old.answer, /PROTOCOL_VERSION|UNSUPPORTED|alert/i);
    const other = await ask('app.test', { ALPNProtocols: ['spdy/3', 'acme-tls/1'] });
    assert.match(other.answer, /NO_APPLICATION_PROTOCOL/);
  });

  test('1.8 a client may not ask for another handshake, with a name or without (CVE-2011-1473)', async () => {
    postern.writeConfig(document(HOSTS() + DEFAULT('')));
    assert.equal((await postern.cli('reload')).code, 0);
    for (const servername of ['app.test', 'mtls.test', '']) {
      const socket = connectTls({
        host: '127.0.0.1',
        port: postern.https,
        servername,
        rejectUnauthorized: false,
        maxVersion: 'TLSv1.2',
      });
      const closed = new Promise<string>((done) => {
        socket.on('error', (error: NodeJS.ErrnoException) => done(`refused: ${error.code ?? error.message}`));
        socket.once('close', () => done('refused: closed'));
      });
      await once(socket, 'secureConnect');
      const again = new Promise<string>((done) => {
        socket.renegotiate({}, (error) => done(error === null ? 'done' : `refused: ${error.message}`));
      });
      assert.match(await Promise.race([closed, again]), /^refused/, `"${servername}"`);
      socket.destroy();
    }
    postern.writeConfig(document(HOSTS()));
    assert.equal((await postern.cli('reload')).code, 0);
  });

  test('421 only where the certificate policies of the two names differ', async () => {
    const over = (name: string, host: string): Promise<string> =>
      ask(host, { servername: name }).then(({ answer }) => answer.slice(0, 3));
    assert.equal(await over('app.test', 'gone.test'), '200', 'one connection may serve both');
    assert.equal(await over('app.test', 'mtls.test'), '421');
    assert.equal(await over('mtls.test', 'app.test'), '421');
    assert.equal(await over('app.test', 'unknown.test'), '421');
    assert.equal((await ask('mtls.test', { cert: client.cert, key: client.key })).answer, '200 mtls');
    assert.match((await ask('mtls.test')).answer, /^403/);
  });

  test('a client without a name: refused and counted, served by a default with a certificate, asked for its certificate by one that wants it', async () => {
    const from = postern.output().length;
    // Of each reason the first refusal has a line at once, so here it is counted only.
    const counted = async (): Promise<number> => {
      const metrics = await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text();
      return Number(/postern_connections_refused_total\{reason="no-certificate"\} (\d+)/.exec(metrics)?.[1] ?? 0);
    };
    const before = await counted();
    assert.equal((await raw(await helloOf({}))).toString('hex'), UNRECOGNIZED_NAME);
    await until(async () => (await counted()) === before + 1, 'it is counted');
    const nameless = (options: ConnectionOptions = {}): Promise<string> =>
      ask('x', { servername: '', ...options }).then(({ answer }) => answer);
    try {
      postern.writeConfig(document(HOSTS() + DEFAULT('')));
      assert.equal((await postern.cli('reload')).code, 0);
      assert.equal(await nameless(), '200 default', postern.output().slice(from));
      postern.writeConfig(document(HOSTS() + DEFAULT(`, client_ca: ${dir}/ca.pem, client_certificates: require`)));
      assert.equal((await postern.cli('reload')).code, 0);
      assert.equal(await nameless({ cert: client.cert, key: client.key }), '200 default');
      assert.match(
        await nameless(),
        /^(?:|.*(?:CERTIFICATE_REQUIRED|ECONNRESET|alert).*)$/i,
        'without a certificate it is closed',
      );
    } finally {
      postern.writeConfig(document(HOSTS()));
      assert.equal((await postern.cli('reload')).code, 0);
    }
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`${version}: a session is resumed, but not once its host is gone`, async () => {
      const options: ConnectionOptions = { minVersion: version, maxVersion: version };
      const sessions: Buffer[] = [];
      const socket = connectTls({
        host: '127.0.0.1',
        port: postern.https,
        servername: 'gone.test',
        rejectUnauthorized: false,
        ...options,
      });
      socket.on('session', (session) => sessions.push(session));
      await once(socket, 'secureConnect');
      socket.write('GET / HTTP/1.1\r\nHost: gone.test\r\n\r\n');
      await once(socket, 'data');
      const session = sessions.at(-1);
      assert.ok(session !== undefined);
      const again = await ask('gone.test', { ...options, session });
      assert.deepEqual([again.answer, again.isResumed], ['200 gone', true]);
      try {
        postern.writeConfig(document(HOSTS().replace('gone.test', 'new.test')));
        assert.equal((await postern.cli('reload')).code, 0);
        assert.match((await ask('gone.test', { ...options, session })).answer, /UNRECOGNIZED_NAME/);
        assert.equal(
          (await ask('app.test', { ...options, session })).answer,
          '200 app',
          'a ticket opens no other name',
        );
      } finally {
        postern.writeConfig(document(HOSTS()));
        assert.equal((await postern.cli('reload')).code, 0);
      }
      socket.destroy();
    });
  }
});
