/** Whom the requests to a provider trust: `provider-ca-file`, `use-system-trust-store`, `ssl-insecure-skip-verify`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TLS_CERTIFICATE, TLS_KEY } from '../../wire/_tls-fixture.ts';
import type { ProviderSettings } from '../settings.ts';
import { providerSettings } from './_rig.ts';
import { explainFailure } from './failures.ts';
import { httpFor } from './http.ts';

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return (server.address() as AddressInfo).port;
}

async function outcome(settings: Partial<ProviderSettings>): Promise<string> {
  const server = createTlsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE }, (_, res) => res.end('trusted'));
  const port = await listen(server);
  const http = httpFor({ ...providerSettings(), ...settings });
  try {
    return await http
      .fetch(`https://localhost:${port}/`)
      .then((response) => response.text())
      .catch((error: unknown) => explainFailure('P', error).message);
  } finally {
    http.close();
    server.closeAllConnections();
    server.close();
  }
}

test('httpFor() trusts the authorities of its files, alone or beside the system, and nobody by default', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-trust-'));
  const file = join(dir, 'ca.pem');
  writeFileSync(file, TLS_CERTIFICATE);
  try {
    assert.match(await outcome({}), /^P: its certificate is not trusted: DEPTH_ZERO.*"provider-ca-file"/);
    assert.equal(await outcome({ caFiles: [file] }), 'trusted');
    assert.equal(await outcome({ caFiles: [file], useSystemTrust: true }), 'trusted');
    assert.equal(await outcome({ skipTlsVerify: true }), 'trusted');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('httpFor() follows no redirect, and reads no answer without end (class T)', async () => {
  const asked: string[] = [];
  const answer: RequestListener = (req, res) => {
    asked.push(req.url ?? '');
    if (req.url === '/away') res.writeHead(302, { location: '/token-thief' }).end();
    else res.end(Buffer.alloc(2_000_000));
  };
  const server = createServer(answer);
  const base = `http://127.0.0.1:${await listen(server)}`;
  const http = httpFor(providerSettings());
  try {
    assert.equal((await http.fetch(`${base}/away`)).status, 302);
    await assert.rejects(http.fetch(`${base}/endless`), /larger than 1000000 bytes/);
    assert.deepEqual(asked, ['/away', '/endless']);
  } finally {
    http.close();
    server.closeAllConnections();
    server.close();
  }
});
