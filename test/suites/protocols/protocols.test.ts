/** What else passes the whole gateway: gRPC, server-sent events, PROXY headers, client certificates, files, redirects, matchers. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { encodeProxyV1, encodeProxyV2 } from '../../../src/wire/proxy-protocol.ts';
import { startPostern } from '../../support/postern.ts';
import { sendRaw } from '../../support/raw.ts';
import { makeCertificate } from '../../transport-rig.ts';
import type { PosternProcess } from '../../support/postern.ts';

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
const method = (name: string, streams: boolean): grpc.MethodDefinition<Buffer, Buffer> => ({
  path: `/postern.Test/${name}`,
  requestStream: streams,
  responseStream: streams,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
});
const SERVICE = { Echo: method('Echo', false), Chat: method('Chat', true) };

type Unary = (data: Buffer, done: (error: grpc.ServiceError | null, value?: Buffer) => void) => grpc.ClientUnaryCall;
type Duplex = () => grpc.ClientDuplexStream<Buffer, Buffer>;

suite('protocols through the whole gateway', () => {
  let dir = '';
  let app: Server;
  let grpcServer: grpc.Server;
  let postern: PosternProcess;
  const ca = makeCertificate('/CN=Client CA', 'CA');
  const client = makeCertificate('/CN=machine-7', 'DNS:machine-7', ca);
  const stranger = makeCertificate('/CN=machine-7', 'DNS:machine-7', makeCertificate('/CN=Client CA', 'CA'));
  const server = makeCertificate('/CN=localhost', 'DNS:localhost,DNS:mtls.test,DNS:other.test');

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-protocols-'));
    for (const [name, text] of Object.entries({
      'ca.pem': ca.cert,
      'cert.pem': server.cert,
      'key.pem': server.key,
      outside: 'secret',
    }))
      writeFileSync(join(dir, name), text);
    mkdirSync(join(dir, 'site'));
    writeFileSync(join(dir, 'site', 'index.html'), '<h1>hello</h1>');
    writeFileSync(join(dir, 'site', '.hidden'), 'secret');
    symlinkSync(join(dir, 'outside'), join(dir, 'site', 'link'));
    app = createServer((req, res) =>
      res.end(JSON.stringify({ url: req.url, method: req.method, headers: req.headers })),
    );
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    grpcServer = new grpc.Server();
    grpcServer.addService(SERVICE, {
      Echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        const trailer = new grpc.Metadata();
        trailer.set('x-after', 'yes');
        done(null, Buffer.concat([Buffer.from('echo '), call.request]), trailer);
      },
      Chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (chunk: Buffer) => call.write(Buffer.concat([Buffer.from('re '), chunk])));
        call.on('end', () => call.end());
      },
    });
    const grpcPort = await new Promise<number>((resolve, reject) => {
      grpcServer.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    const to = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
    const tls = `{ certificate: ${dir}/cert.pem, key: ${dir}/key.pem }`;
    postern = await startPostern({
      document: ({ http, https, health }) => `version: 1
listen:
  http: { address: "127.0.0.1:${http}", tls: off }
  https: "127.0.0.1:${https}"
  health: "127.0.0.1:${health}"
  proxy_protocol: [127.0.0.2/32]
hosts:
  localhost:
    tls: ${tls}
    paths:
      /postern.Test/*: { to: "h2c://127.0.0.1:${grpcPort}", allow: [public] }
      /secret.Test/*: { to: "h2c://127.0.0.1:${grpcPort}", allow: ["ip:192.0.2.1"] }
      /*: { to: "${to}", allow: [public] }
  other.test: { tls: ${tls}, to: "${to}", allow: [public] }
  mtls.test:
    tls: { certificate: ${dir}/cert.pem, key: ${dir}/key.pem, client_ca: ${dir}/ca.pem, client_certificates: request }
    to: "${to}"
    allow: ["client-certificate:cn=machine-7"]
  plain.test:
    tls: off
    response: { add_headers: { X-Edited: "yes" } }
    paths:
      /site/*: { strip_prefix: /site, to: "files:${dir}/site", allow: [public] }
      /old/*: { redirect: { to: "https://new.test{path}", status: 301 }, allow: [public] }
      /fixed: { respond: { status: 418, body: "short and stout" }, allow: [public] }
      /api/*:
        - { methods: [GET], to: "${to}", allow: [public], rewrite: "/v2{path}", add_headers: { X-Which: read } }
        - { methods: [POST], headers: { x-key: k }, to: "${to}", allow: [public], add_headers: { X-Which: write } }
      /*: { to: "${to}", allow: ["ip:203.0.113.9"], response: { add_headers: { X-Frame-Options: DENY }, remove_headers: [Server] } }
`,
    });
  });
  after(async () => {
    await postern?.close();
    grpcServer?.forceShutdown();
    app?.closeAllConnections();
    app?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const rpc = (path: 'postern.Test' | 'secret.Test'): { client: grpc.Client; Echo: Unary; Chat: Duplex } => {
    const service = Object.fromEntries(
      Object.entries(SERVICE).map(([name, one]) => [name, { ...one, path: `/${path}/${name}` }]),
    );
    const Client = grpc.makeGenericClientConstructor(service, 'Test');
    const made = new Client(`localhost:${postern.https}`, grpc.credentials.createSsl(Buffer.from(server.cert)));
    const calls = made as unknown as { Echo: Unary; Chat: Duplex };
    return { client: made, Echo: calls.Echo.bind(made), Chat: calls.Chat.bind(made) };
  };

  test('gRPC: unary with trailers, a conversation, and a refusal as a status', { timeout: 300_000 }, async () => {
    const open = rpc('postern.Test');
    const { value, after: trailer } = await new Promise<{ value: string; after: unknown }>((resolve, reject) => {
      let trailers: unknown;
      const call = open.Echo(Buffer.from('hello'), (error, answer) => {
        setImmediate(() => (error === null ? resolve({ value: String(answer), after: trailers }) : reject(error)));
      });
      call.on('status', (status: grpc.StatusObject) => (trailers = status.metadata.get('x-after')[0]));
    });
    assert.deepEqual([value, trailer], ['echo hello', 'yes']);
    const chat = open.Chat();
    const heard: string[] = [];
    await new Promise<void>((done, fail) => {
      chat.on('error', fail);
      chat.on('end', done);
      chat.on('data', (chunk: Buffer) => {
        heard.push(chunk.toString());
        if (heard.length === 1) chat.write(Buffer.from('two'));
        else chat.end();
      });
      chat.write(Buffer.from('one'));
    });
    assert.deepEqual(heard, ['re one', 're two']);
    open.client.close();
    const closed = rpc('secret.Test');
    const code = await new Promise((done) => {
      closed.Echo(Buffer.from('x'), (error) => done(error?.code));
    });
    assert.equal(code, grpc.status.PERMISSION_DENIED);
    closed.client.close();
  });

  test('PROXY headers: mandatory from listed peers, refused from others; the address decides', async () => {
    const from = { address: '203.0.113.9', port: 4711 };
    const to = { address: '192.0.2.1', port: 80 };
    const get = 'GET /who HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n';
    for (const header of [encodeProxyV1(from, to), encodeProxyV2(from, to)]) {
      const listed = await talkFrom('127.0.0.2', postern.http, Buffer.concat([header, Buffer.from(get)]));
      assert.match(listed, /^HTTP\/1\.1 200 /);
      assert.match(listed, /"x-forwarded-for":"203\.0\.113\.9"/);
      const other = await talkFrom('127.0.0.1', postern.http, Buffer.concat([header, Buffer.from(get)]));
      assert.doesNotMatch(other, /HTTP\/1\.1 200/);
    }
    assert.doesNotMatch(await talkFrom('127.0.0.2', postern.http, Buffer.from(get)), /HTTP\/1\.1 200/);
    assert.match(await talkFrom('127.0.0.1', postern.http, Buffer.from(get)), /^HTTP\/1\.1 403 /);
  });

  const over = (name: string, host: string, options: object = {}): Promise<number> => {
    return new Promise((resolve, reject) => {
      const req = request(
        {
          host: '127.0.0.1',
          port: postern.https,
          servername: name,
          headers: { host: `${host}:${postern.https}` },
          rejectUnauthorized: false,
          agent: false,
          ...options,
        },
        (res) => {
          res.resume();
          resolve(res.statusCode ?? 0);
        },
      );
      req.on('error', reject);
      req.end();
    });
  };

  test('client certificates are a principal of their host alone', async () => {
    assert.equal(await over('mtls.test', 'mtls.test', client), 200);
    assert.equal(await over('mtls.test', 'mtls.test'), 403);
    const wrong = await over('mtls.test', 'mtls.test', { cert: stranger.cert, key: stranger.key }).catch(() => 0);
    assert.ok([0, 403].includes(wrong), String(wrong));
    assert.equal(await over('other.test', 'mtls.test', client), 421);
    assert.equal(await over('other.test', 'other.test'), 200);
    assert.equal(await over('other.test', 'unknown.test'), 421);
    await assert.rejects(
      over('unknown.test', 'unknown.test'),
      /unrecognized name|SSL|alert|ECONNRESET|socket hang up/i,
    );
  });

  test('files are served safely; redirects, fixed answers, matchers, rewrites and header edits', async () => {
    const get = (path: string, more = ''): Promise<{ text: string; statuses: readonly number[] }> =>
      sendRaw(postern.http, `GET ${path} HTTP/1.1\r\nHost: plain.test\r\n${more}Connection: close\r\n\r\n`);
    assert.match((await get('/site/')).text, /<h1>hello/);
    for (const path of [
      '/site/.hidden',
      '/site/link',
      '/site/%2e%2e/outside',
      '/site/..%2foutside',
      '/site//etc/passwd',
    ]) {
      const { text, statuses } = await get(path);
      assert.ok([400, 403, 404].includes(statuses[0] ?? 0), `${path}: ${statuses.join()}`);
      assert.doesNotMatch(text, /secret|root:/);
    }
    const moved = await get('/old/page?x=1');
    assert.deepEqual(moved.statuses, [301]);
    assert.match(moved.text, /Location: https:\/\/new\.test\/old\/page/i);
    assert.match(moved.text, /\r\nX-Edited: yes\r\n/);
    const fixed = await get('/fixed');
    assert.deepEqual(fixed.statuses, [418]);
    assert.match(fixed.text, /short and stout/);
    assert.match(fixed.text, /\r\nX-Edited: yes\r\n/);
    assert.match((await get('/site/none')).text, /^HTTP\/1\.1 404 (?:.+\r\n)*X-Edited: yes\r\n/);
    assert.match((await get('/api/x?y=1')).text, /"url":"\/v2\/api\/x\?y=1".*"x-which":"read"/);
    const post = (more: string): ReturnType<typeof sendRaw> =>
      sendRaw(
        postern.http,
        `POST /api/x HTTP/1.1\r\nHost: plain.test\r\n${more}Content-Length: 0\r\nConnection: close\r\n\r\n`,
      );
    assert.match((await post('X-Key: k\r\n')).text, /"x-which":"write"/);
    assert.doesNotMatch((await post('')).text, /"x-which"/);
  });
});

/** One connection from a chosen loopback address. */
function talkFrom(localAddress: string, port: number, data: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress });
    let text = '';
    const timer = setTimeout(() => socket.destroy(), 20_000);
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.end(data);
  });
}
