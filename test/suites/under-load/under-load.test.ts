/**
 * What an operator does while people work: reload, a new certificate, a restart. Load over TLS with kept
 * connections runs through each, signed in; its own count and the app's agree. Reload and certificate lose
 * nothing. A restart answers whatever it took; only new connections find nobody in the gap.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { connect } from 'node:tls';
import { runH2load, runWrk } from '../../support/load.ts';
import type { Load } from '../../support/load.ts';
import { skipWithout } from '../../support/peers.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { makeCertificate } from '../../transport-rig.ts';

const CONNECTIONS = 16;
const STREAMS = 4 * 8;

suite('changes under load', { skip: skipWithout('wrk', 'h2load') }, () => {
  let dir = '';
  let app: Server;
  let postern: PosternProcess;
  let cookie = '';
  let answered = 0;
  const file = (name: string): string => join(dir, name);
  const pairs = [0, 1].map(() => makeCertificate('/CN=localhost', 'DNS:localhost,DNS:auth.localhost'));

  const document = (ports: { https: number; health: number }, extra = ''): string => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
log: { level: warn }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${ports.https}" }
limits: { drain: 10s }
hosts:
  localhost:
    to: "http://127.0.0.1:${(app.address() as AddressInfo).port}"
    allow: ["user:alice"]
    tls: { certificate: ${file('cert.pem')}, key: ${file('key.pem')} }
${extra}`;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-load-'));
    writeFileSync(file('cert.pem'), pairs[0]?.cert ?? '');
    writeFileSync(file('key.pem'), pairs[0]?.key ?? '');
    app = createServer((_req, res) => {
      res.end('ok', () => answered++);
    });
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    postern = await startPostern({ keepDir: dir, document });
    const url = `https://localhost:${postern.https}/`;
    cookie = (await signIn(url, 'alice', await addUser(postern, 'alice'))).cookieHeader(url);
  });
  after(async () => {
    await postern?.close();
    app?.closeAllConnections();
    app?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Runs the load, and the change once the load is under way; what both counted is compared. */
  const through = async (kind: 'wrk' | 'h2load', seconds: number, change: () => Promise<void>): Promise<Load> => {
    const from = answered;
    const options = { url: `https://localhost:${postern.https}/`, seconds, headers: { cookie } };
    const load =
      kind === 'wrk' ? runWrk({ ...options, connections: CONNECTIONS }) : runH2load({ ...options, connections: 4 });
    const changed = until(() => answered > from + CONNECTIONS * 4, 'the load is under way').then(change);
    const [counted] = await Promise.all([load, changed]);
    assert.equal(counted.failed, 0, counted.output);
    assert.ok(counted.requests > CONNECTIONS * 4, counted.output);
    const ofApp = answered - from;
    // At its end the generator stops waiting for what is still under way.
    assert.ok(
      ofApp >= counted.requests && ofApp <= counted.requests + CONNECTIONS + STREAMS,
      `app ${ofApp}, load ${counted.output}`,
    );
    return counted;
  };

  const reloadOften = async (): Promise<void> => {
    for (let round = 0; round < 6; round++) {
      const host = `  other${round}.test: { to: "http://127.0.0.1:9", allow: [public], tls: off }\n`;
      postern.writeConfig(document(postern, host));
      const reloaded = await postern.cli('reload');
      assert.equal(reloaded.code, 0, reloaded.stderr);
    }
  };

  const swapCertificate = async (to: number): Promise<void> => {
    writeFileSync(file('new-cert.pem'), pairs[to]?.cert ?? '');
    writeFileSync(file('new-key.pem'), pairs[to]?.key ?? '');
    renameSync(file('new-cert.pem'), file('cert.pem'));
    renameSync(file('new-key.pem'), file('key.pem'));
    const wanted = new X509Certificate(pairs[to]?.cert ?? '').fingerprint256;
    await until(async () => (await servedFingerprint(postern.https)) === wanted, 'the new certificate is served');
  };

  for (const [to, kind] of [
    [1, 'wrk'],
    [0, 'h2load'],
  ] as const) {
    test(`six reloads lose no request (${kind})`, { timeout: 300_000 }, async () => {
      assert.equal((await through(kind, 5, reloadOften)).refused, 0);
    });

    test(`a new certificate loses no request and is served (${kind})`, { timeout: 300_000 }, async () => {
      assert.equal((await through(kind, 4, () => swapCertificate(to))).refused, 0);
    });
  }

  test('a restart answers what it took; in the gap connections are refused', { timeout: 300_000 }, async () => {
    const ports = { https: postern.https, health: postern.health };
    // Long enough for an end, a gap and a start on a busy machine.
    const counted = await through('wrk', 12, async () => {
      assert.equal(await postern.close(), 0);
      postern = await startPostern({ keepDir: dir, document: () => document(ports), ports });
    });
    assert.ok(counted.refused > 0, counted.output);
  });
});

function servedFingerprint(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
