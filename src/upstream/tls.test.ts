import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { closingApp } from './_closing-app.ts';
import { createUpstreams } from './forward.ts';
import type { Upstreams } from './forward.ts';
import { actionTo, FakeBody, FakeExchange, LIMITS, NO_TLS, planFor, rawApp, serverAt } from './test-rig.ts';
import type { FakeRequest } from './test-rig.ts';
import type { UpstreamServer, UpstreamTls } from '../config/document/actions.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-tls-'));
const closers: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
after(async () => {
  for (const close of closers.toReversed()) await close();
});

function openssl(...parts: string[]): void {
  execFileSync('openssl', parts, { cwd: folder, stdio: 'ignore' });
}

/** Writes NAME.pem and NAME.key, signed by ca.pem. */
function issue(name: string, subjectAltName: string): { cert: string; key: string } {
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', ...ec, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
  writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${subjectAltName}\n`);
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-out',
    `${name}.pem`,
    '-extfile',
    `${name}.ext`,
  );
  return { cert: read(`${name}.pem`), key: read(`${name}.key`) };
}

function read(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

openssl(
  'req',
  '-x509',
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:P-256',
  '-nodes',
  '-keyout',
  'ca.key',
  '-out',
  'ca.pem',
  '-subj',
  '/CN=test ca',
  '-days',
  '2',
);
const ca = read('ca.pem');
const named = issue('app', 'DNS:app.internal');
const numbered = issue('numbered', 'IP:127.0.0.1');
const client = issue('client', 'DNS:client.internal');

const upstreams: Upstreams = createUpstreams({
  clock: { now: () => Date.now() },
  log: { warn: () => {}, info: () => {} },
  lookup: (_host, done) => setImmediate(() => done(null, ['127.0.0.1'])),
});
closers.push(() => upstreams.close());

async function started(server: Server & { closeAllConnections?: () => void }): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections?.();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface To extends Partial<UpstreamServer> {
  readonly tls?: Partial<UpstreamTls>;
  readonly request?: FakeRequest;
  readonly body?: FakeBody;
}

function ask(port: number, { tls = {}, request = {}, body = new FakeBody(0), ...server }: To): Promise<FakeExchange> {
  const exchange = new FakeExchange(request, body);
  const action = actionTo([serverAt(port, { scheme: 'https', ...server })], { tls: { ...NO_TLS, ...tls } });
  upstreams.forward(exchange, planFor(action, { limits: { ...LIMITS, connectMs: 1_000 } }), exchange.report);
  return exchange.done;
}

test('an https app is verified by its name, with SNI, and its connection is reused', async () => {
  const names: unknown[] = [];
  let connections = 0;
  const server = createServer(named, (req, res) => {
    names.push((req.socket as TLSSocket).servername);
    res.end('x'.repeat(100_000));
  });
  server.on('secureConnection', () => connections++);
  const port = await started(server);
  for (let i = 0; i < 2; i++) {
    const exchange = await ask(port, { host: 'app.internal', tls: { caPem: ca } });
    assert.equal(exchange.failure, null, exchange.failure?.message);
    assert.equal(exchange.bytes, 100_000);
  }
  assert.deepEqual([names, connections], [['app.internal', 'app.internal'], 1]);
});

test('an address gets no SNI and is verified as an address', async () => {
  const names: unknown[] = [];
  const listener = createServer(numbered, (req, res) => {
    names.push((req.socket as TLSSocket).servername);
    res.end('ok');
  });
  const port = await started(listener);
  assert.equal((await ask(port, { tls: { caPem: ca } })).text, 'ok');
  assert.deepEqual(names, [false]);
  const other = await started(createServer(named, (_req, res) => res.end('no')));
  const wrong = await ask(other, { tls: { caPem: ca } });
  assert.equal(wrong.failure?.code, 'UPSTREAM_TLS');
  assert.match(wrong.failure?.message ?? '', /another name/);
  assert.equal((await ask(other, { tls: { caPem: ca, serverName: 'app.internal' } })).text, 'no');
});

test('what does not verify is UPSTREAM_TLS with the reason, unless verify is off', async () => {
  const port = await started(createServer(named, (_req, res) => res.end('ok')));
  const unknown = await ask(port, { host: 'app.internal' });
  assert.equal(unknown.failure?.code, 'UPSTREAM_TLS');
  assert.match(unknown.failure?.message ?? '', /CA is not trusted/);
  const misnamed = await ask(port, { host: 'other.internal', tls: { caPem: ca } });
  assert.equal(misnamed.failure?.code, 'UPSTREAM_TLS');
  assert.equal((await ask(port, { host: 'app.internal', tls: { verify: false } })).text, 'ok');
});

test('a certificate of ours is shown to an app that asks for one', async () => {
  const seen: unknown[] = [];
  const options = { ...named, ca, requestCert: true, rejectUnauthorized: true };
  const port = await started(
    createServer(options, (req, res) => {
      seen.push((req.socket as TLSSocket).getPeerCertificate().subject.CN);
      res.end('ok');
    }),
  );
  const tls = { caPem: ca, certificatePem: client.cert, keyPem: client.key };
  assert.equal((await ask(port, { host: 'app.internal', tls })).text, 'ok');
  assert.deepEqual(seen, ['client']);
  const without = await ask(port, { host: 'app.internal', tls: { caPem: ca } });
  assert.ok(without.failure?.code === 'UPSTREAM_TLS' || without.failure?.code === 'UPSTREAM_UNREACHABLE');
});

test('an app that does not speak TLS, or says nothing, fails with its own code', async () => {
  const plain = await rawApp(() => {});
  plain.server.on('connection', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  closers.push(plain.close);
  const exchange = await ask(plain.port, {});
  assert.equal(exchange.failure?.code, 'UPSTREAM_TLS');
  const silent = await rawApp(() => {});
  closers.push(silent.close);
  assert.equal((await ask(silent.port, {})).failure?.code, 'UPSTREAM_TIMEOUT');
});

test('gRPC to an https app uses HTTP/2, other requests HTTP/1.1', async () => {
  const versions: string[] = [];
  const server = createSecureServer({ ...named, allowHTTP1: true }, (req, res) => {
    versions.push(req.httpVersion);
    req.resume();
    res.end('ok');
  });
  const port = await started(server);
  const to = { host: 'app.internal', tls: { caPem: ca } };
  const headers = { 'content-type': 'application/grpc' };
  const body = new FakeBody(2, Buffer.from('hi'));
  const call = await ask(port, { ...to, request: { method: 'POST', version: '2', headers }, body });
  assert.equal(call.text, 'ok', call.failure?.message);
  assert.equal((await ask(port, to)).text, 'ok');
  assert.deepEqual(versions, ['2.0', '1.1']);
});

test('an answer in full reaches the client, though the app closed TLS before it had read the body (RFC 9112 section 9.6)', async () => {
  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    const app = await closingApp({
      ...named,
      version,
      answer: 'HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig',
    });
    closers.push(app.close);
    const body = new FakeBody(1_000_000);
    const done = ask(app.port, { host: 'app.internal', tls: { caPem: ca }, request: { method: 'POST' }, body });
    await app.hasRead;
    body.sink?.write(Buffer.alloc(1_000, 'a'));
    body.sink?.flush();
    app.answerAndClose();
    for (let i = 0; i < 3; i++) body.sink?.write(Buffer.alloc(1_000, 'b'));
    body.sink?.flush();
    const exchange = await done;
    assert.deepEqual([exchange.text, exchange.failure, body.isCancelled], ['big', null, true], version);
  }
});
