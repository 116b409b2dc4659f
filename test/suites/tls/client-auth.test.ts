/** What a reload changes about client certificates holds for connections that are open already. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { makeCertificate } from '../../transport-rig.ts';

suite('client certificates over a reload', () => {
  const oldCa = makeCertificate('/CN=Old CA', 'CA');
  const newCa = makeCertificate('/CN=New CA', 'CA');
  const oldClient = makeCertificate('/CN=machine-7', 'DNS:machine-7', oldCa);
  const newClient = makeCertificate('/CN=machine-7', 'DNS:machine-7', newCa);
  const server = makeCertificate('/CN=mtls.test', 'DNS:mtls.test,DNS:open.test');
  const opened: (TLSSocket | ClientHttp2Session)[] = [];
  let dir = '';
  let app: Server;
  let postern: PosternProcess;
  let ports = { https: 0, health: 0 };

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-client-auth-'));
    const files = { 'old.pem': oldCa.cert, 'new.pem': newCa.cert, 'cert.pem': server.cert, 'key.pem': server.key };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    app = createServer((req, res) => {
      if (req.url === '/stream') {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write('data: begun\n\n');
      } else {
        res.end('from the app');
      }
    });
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    postern = await startPostern({
      document({ https, health }) {
        ports = { https, health };
        return documentWith({ mtls: 'old', open: null });
      },
    });
    await postern.waitFor('Postern is ready');
  });

  after(async () => {
    for (const one of opened) one.destroy();
    await postern.close();
    app.closeAllConnections();
    app.close();
    rmSync(dir, { recursive: true });
  });

  /** By whose CA each host asks for certificates; null: it does not. */
  function documentWith({ mtls, open }: { mtls: 'old' | 'new'; open: 'old' | null }): string {
    const to = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
    const tls = (ca: string | null): string =>
      `{ certificate: ${dir}/cert.pem, key: ${dir}/key.pem${ca === null ? '' : `, client_ca: ${dir}/${ca}.pem, client_certificates: require`} }`;
    return `version: 1
listen: { https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
hosts:
  mtls.test: { tls: ${tls(mtls)}, to: "${to}", allow: ["client-certificate:cn=machine-7"] }
  open.test: { tls: ${tls(open)}, to: "${to}", allow: [public] }
`;
  }

  async function dial(name: string, who: { cert: string; key: string } | null): Promise<TLSSocket> {
    const socket = connectTls({
      host: '127.0.0.1',
      port: ports.https,
      servername: name,
      rejectUnauthorized: false,
      ...(who === null ? {} : { cert: who.cert, key: who.key }),
    });
    opened.push(socket);
    nameOf.set(socket, name);
    await once(socket, 'secureConnect');
    return socket;
  }

  const nameOf = new WeakMap<TLSSocket, string>();

  /** Everything that comes on a connection, until it holds `text` or ends. */
  async function ask(socket: TLSSocket, path: string, text: RegExp): Promise<string> {
    let got = '';
    socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${nameOf.get(socket) ?? ''}\r\n\r\n`);
    while (!text.test(got) && !socket.closed) await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    return got;
  }

  async function dialHttp2(who: { cert: string; key: string }): Promise<ClientHttp2Session> {
    const session = connectHttp2('https://mtls.test', {
      createConnection: () =>
        connectTls({
          host: '127.0.0.1',
          port: ports.https,
          servername: 'mtls.test',
          ALPNProtocols: ['h2'],
          rejectUnauthorized: false,
          cert: who.cert,
          key: who.key,
        }),
    });
    opened.push(session);
    session.on('error', () => undefined);
    await once(session, 'connect');
    return session;
  }

  /** Zero: no answer came. */
  async function askHttp2(session: ClientHttp2Session): Promise<number> {
    if (session.closed || session.destroyed) return 0;
    const stream = session.request({ ':path': '/' });
    const status = await new Promise<number>((resolve) => {
      stream.on('response', (headers) => resolve(headers[':status'] ?? 0));
      stream.on('error', () => resolve(0));
      stream.on('close', () => resolve(0));
    });
    stream.destroy();
    return status;
  }

  test('a CA that is gone lets nobody go on, a certificate that is asked for now is asked of everybody', async () => {
    const kept = await dial('mtls.test', oldClient);
    assert.match(await ask(kept, '/', /from the app/), /^HTTP\/1\.1 200 /);
    const stream = await dial('mtls.test', oldClient);
    assert.match(await ask(stream, '/stream', /begun/), /^HTTP\/1\.1 200 /);
    const http2 = await dialHttp2(oldClient);
    assert.equal(await askHttp2(http2), 200);
    const open = await dial('open.test', null);
    assert.match(await ask(open, '/', /from the app/), /^HTTP\/1\.1 200 /);
    const idle = await dial('open.test', null);

    postern.writeConfig(documentWith({ mtls: 'new', open: 'old' }));
    const reloaded = await postern.cli('reload');
    assert.equal(reloaded.code, 0, reloaded.stderr);

    if (!stream.closed) await once(stream, 'close');
    for (const socket of [kept, open, idle]) {
      const text = socket.closed ? '' : await ask(socket, '/', /HTTP\/1\.1 \d{3} /);
      assert.match(text, /^(?:HTTP\/1\.1 421 |$)/);
      if (!socket.closed) await once(socket, 'close');
    }
    assert.ok([0, 421].includes(await askHttp2(http2)));
    if (!http2.closed) await once(http2, 'close');

    const again = await dial('mtls.test', newClient);
    assert.match(await ask(again, '/', /from the app/), /^HTTP\/1\.1 200 /);
    assert.match(await ask(await dial('open.test', oldClient), '/', /from the app/), /^HTTP\/1\.1 200 /);
  });
});
