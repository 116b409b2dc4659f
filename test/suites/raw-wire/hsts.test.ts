/** Strict-Transport-Security (RFC 6797) on every kind of answer, over HTTP/1.1 and HTTP/2, and never over plain HTTP. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';

const OURS = 'max-age=31536000; includeSubDomains';

suite('HSTS', () => {
  let postern: PosternProcess;
  const app = createServer((request, response) => {
    if (request.url === '/own') response.setHeader('strict-Transport-security', 'max-age=5');
    response.end('app');
  });

  before(async () => {
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    const to = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
    postern = await startPostern({
      document: ({ https, http, health }) => `version: 1
listen: { http: "127.0.0.1:${http}", https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.test:${https}" }
tls: { hsts: { max_age: 365d, include_subdomains: true } }
hosts:
  app.test: { to: "${to}", allow: [public] }
  inner.test: { to: "${to}", allow: [signed-in] }
  edited.test: { to: "${to}", allow: [public], add_headers: { X-A: b } }
  quiet.test: { to: "${to}", allow: [public], hsts: off }
`,
    });
  });
  after(async () => {
    await postern?.close();
    app.close();
  });

  async function overHttp1(host: string, path: string): Promise<string[]> {
    const socket = connectTls({ host: '127.0.0.1', port: postern.https, servername: host, rejectUnauthorized: false });
    socket.end(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    return valuesIn(await textOf(socket));
  }

  async function overHttp2(host: string, path: string): Promise<string[]> {
    const session = connectHttp2(`https://127.0.0.1:${postern.https}`, { servername: host, rejectUnauthorized: false });
    const stream = session.request({ ':path': path, ':authority': host });
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    stream.resume();
    session.close();
    const value = headers['strict-transport-security'];
    return value === undefined ? [] : value.split(', ');
  }

  test('is on answers of apps, sign-in, redirects, refusals and unknown paths alike, once', async () => {
    for (const ask of [overHttp1, overHttp2]) {
      assert.deepEqual(await ask('app.test', '/'), [OURS]);
      assert.deepEqual(await ask('edited.test', '/'), [OURS]);
      assert.deepEqual(await ask('inner.test', '/'), [OURS], 'the way to sign-in');
      assert.deepEqual(await ask('auth.test', '/.postern/sign-in'), [OURS], 'the sign-in host');
      assert.deepEqual(await ask('app.test', '/.postern/nothing'), [OURS]);
      assert.deepEqual(await ask('app.test', '/own'), ['max-age=5'], 'what the app says stays');
      assert.deepEqual(await ask('quiet.test', '/'), []);
    }
  });

  test('is not on answers over plain HTTP (section 7.2)', async () => {
    const socket = connect({ host: '127.0.0.1', port: postern.http });
    socket.end('GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
    const text = await textOf(socket);
    assert.match(text, /^HTTP\/1\.1 308 /);
    assert.deepEqual(valuesIn(text), []);
  });
});

async function textOf(socket: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

function valuesIn(text: string): string[] {
  const head = text.slice(0, text.indexOf('\r\n\r\n'));
  return [...head.matchAll(/^strict-transport-security: (.*)$/gim)].map((found) => (found[1] ?? '').trim());
}
