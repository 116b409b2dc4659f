/**
 * Apps that misbehave, and changes under load. The visitor gets a 502, 503 or 504 with a request id, the
 * log has the same id with the code; a reload and a certificate swap drop no request.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { skipWithout } from '../../support/peers.ts';
import { freePorts, startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';
import { makeCertificate } from '../../transport-rig.ts';
import type { PosternProcess } from '../../support/postern.ts';

const run = promisify(execFile);
type Behaviour = (socket: Socket) => void;

async function startApp(behave: Behaviour): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => behave(socket));
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

const say =
  (text: string): Behaviour =>
  (socket) =>
    void socket.end(text, 'latin1');

/** host, what the app does, status, code in the log. */
const CASES: readonly (readonly [name: string, behave: Behaviour, status: number, code: string])[] = [
  ['garbage', say('rubbish\r\n\r\n'), 502, 'UPSTREAM_BAD_RESPONSE'],
  [
    'two-lengths',
    say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'),
    502,
    'UPSTREAM_BAD_RESPONSE',
  ],
  [
    'both-framings',
    say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    502,
    'UPSTREAM_BAD_RESPONSE',
  ],
  ['bad-status', say('HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'), 502, 'UPSTREAM_BAD_RESPONSE'],
  [
    'unasked-101',
    say('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
    502,
    'UPSTREAM_BAD_RESPONSE',
  ],
  ['half-head', say('HTTP/1.1 200 OK\r\nContent-'), 502, 'UPSTREAM_BAD_RESPONSE'],
  ['header-with-lf', say('HTTP/1.1 200 OK\nContent-Length: 2\n\nok'), 502, 'UPSTREAM_BAD_RESPONSE'],
  ['hangs-up', (socket) => void socket.destroy(), 502, 'UPSTREAM_UNREACHABLE'],
  ['silent', () => undefined, 504, 'UPSTREAM_TIMEOUT'],
];

suite('apps that misbehave', () => {
  let postern: PosternProcess;
  const apps: { port: number; close: () => void }[] = [];

  before(async () => {
    for (const [, behave] of CASES) apps.push(await startApp(behave));
    const truncated = await startApp(say('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this'));
    const chunked = await startApp(say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'));
    const extra = await startApp(
      say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray'),
    );
    apps.push(truncated, chunked, extra);
    const [nobody = 0] = await freePorts(1);
    const host = (name: string, port: number): string =>
      `  ${name}.test: { tls: off, to: "http://127.0.0.1:${port}", allow: [public], first_byte_timeout: 1s, connect_timeout: 1s }\n`;
    const hosts = CASES.map(([name], i) => host(name, apps[i]?.port ?? 0)).join('');
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts:
${hosts}${host('refused', nobody)}${host('truncated', truncated.port)}${host('truncated-chunks', chunked.port)}${host('extra', extra.port)}`,
    });
  });
  after(async () => {
    await postern?.close();
    for (const app of apps) app.close();
  });

  const ask = (host: string): Promise<{ text: string; statuses: readonly number[]; closed: boolean }> => {
    return sendRaw(postern.http, `GET / HTTP/1.1\r\nHost: ${host}.test\r\nAccept: application/json\r\n\r\n`, {
      quietMs: 3_000,
    });
  };

  for (const [name, , status, code] of [...CASES, ['refused', say(''), 502, 'UPSTREAM_UNREACHABLE'] as const]) {
    test(`${name}: ${status}, and the log has the id of the page with ${code}`, async () => {
      const answer = await ask(name);
      assert.deepEqual(answer.statuses, [status], answer.text);
      const { request_id: id } = JSON.parse(answer.text.slice(answer.text.indexOf('\r\n\r\n'))) as {
        request_id: string;
      };
      assert.doesNotMatch(answer.text, /127\.0\.0\.1/);
      const line = (): string | undefined => {
        return postern
          .output()
          .split('\n')
          .find((one) => one.includes(id) && one.includes('"kind":"request"'));
      };
      await until(() => line() !== undefined, 'the line is logged', 5_000);
      assert.match(line() ?? '', new RegExp(`"code":"${code}"`));
    });
  }

  test('a truncated answer is seen to be truncated', async () => {
    const counted = await ask('truncated');
    assert.ok(counted.closed);
    assert.match(counted.text, /Content-Length: 100/i);
    const chunked = await ask('truncated-chunks');
    assert.ok(chunked.closed);
    assert.doesNotMatch(chunked.text, /\r\n0\r\n\r\n$/);
  });

  test('bytes behind an answer reach nobody', async () => {
    const answer = await ask('extra');
    assert.deepEqual(answer.statuses, [200]);
    assert.doesNotMatch(answer.text, /stray/);
    assert.deepEqual((await ask('extra')).statuses, [200]);
  });
});

suite('changes under load', { skip: skipWithout('wrk') }, () => {
  test(
    'neither a reload nor a new certificate drops a request; the new one is served',
    { timeout: 90_000 },
    async () => {
      const dir = mkdtempSync(join(tmpdir(), 'postern-reload-'));
      const app = createHttpServer((_req, res) => void res.end('ok'));
      await new Promise<void>((done) => {
        app.listen(0, '127.0.0.1', done);
      });
      const [one, two] = [
        makeCertificate('/CN=localhost', 'DNS:localhost'),
        makeCertificate('/CN=localhost', 'DNS:localhost'),
      ];
      const [certificate, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
      writeFileSync(certificate, one.cert);
      writeFileSync(key, one.key);
      const text = (ports: { https: number; health: number }, extra: string): string => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
log: { level: warn }
hosts:
  localhost: { to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", allow: [public], tls: { certificate: ${certificate}, key: ${key} } }
${extra}`;
      const postern = await startPostern({ document: (ports) => text(ports, '') });
      try {
        const load = run('wrk', ['-t1', '-c16', '-d6s', `https://localhost:${postern.https}/`]);
        for (let round = 0; round < 4; round++) {
          postern.writeConfig(
            text(postern, `  other${round}.test: { to: "http://127.0.0.1:9", allow: [public], tls: off }\n`),
          );
          const reloaded = await postern.cli('reload');
          assert.equal(reloaded.code, 0, reloaded.stderr);
        }
        writeFileSync(join(dir, 'new-cert.pem'), two.cert);
        writeFileSync(join(dir, 'new-key.pem'), two.key);
        renameSync(join(dir, 'new-cert.pem'), certificate);
        renameSync(join(dir, 'new-key.pem'), key);
        const before = fingerprintOf(one.cert);
        await until(
          async () => (await servedFingerprint(postern.https)) !== before,
          'the new certificate is served',
          20_000,
        );
        const { stdout } = await load;
        assert.doesNotMatch(stdout, /Socket errors|Non-2xx/, stdout);
        assert.match(stdout, /requests in/);
      } finally {
        await postern.close();
        app.closeAllConnections();
        app.close();
        rmSync(dir, { recursive: true, force: true });
      }
    },
  );
});

function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256;
}

function servedFingerprint(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
