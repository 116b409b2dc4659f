/**
 * The shortest document there is, against what stands at the names of Let's Encrypt and its staging place: two pebbles.
 * Needs port 443 and a hosts file of its own.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeLeaf, writeRoot } from '../../../src/certs/x509-writer.ts';
import { startFaultyProxy, type ProxyPlace } from '../../support/faulty-proxy.ts';
import { canMount, withHostsFile } from '../../support/mounts.ts';
import { skipWithout } from '../../support/peers.ts';
import { startPebble } from '../../support/pebble.ts';
import { freePorts, startPostern } from '../../support/postern.ts';
import { untilTrusted, visit } from './rig.ts';

const needs = skipWithout('pebble', 'pebble-challtestsrv');
const skip = needs === false ? canMount('hosts') : needs;
const REAL = { name: 'acme-v02.api.letsencrypt.org', host: '127.0.0.61' };
const STAGING = { name: 'acme-staging-v02.api.letsencrypt.org', host: '127.0.0.62' };

/** A root that both names are of; answers where each stands. */
function placesIn(dir: string): (place: typeof REAL) => ProxyPlace {
  const validity = { notBefore: Date.now() - 3_600_000, notAfter: Date.now() + 86_400_000 };
  const root = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const commonName = 'Root of a test';
  writeFileSync(join(dir, 'root.pem'), writeRoot({ ...validity, commonName, permitted: ['letsencrypt.org'], ...root }));
  return ({ name, host }) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const cert = writeLeaf({ ...validity, name, publicKey, issuer: { commonName, ...root } });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { cert, key, address: { host, port: 443 }, paths: { '/directory': '/dir' } };
  };
}

test(
  "acme: {} orders at Let's Encrypt, --dry-run tries at its staging place, and one word orders there",
  { skip, timeout: 120_000 },
  async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-le-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const [http = 0, https = 0, health = 0] = await freePorts(3);
    const env = { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_NOSLEEP: '1' };
    const place = placesIn(dir);
    const cas = [];
    for (const one of [REAL, STAGING]) {
      const pebble = await startPebble({ httpPort: http, tlsPort: https, env });
      t.after(() => pebble.stop());
      const proxy = await startFaultyProxy(pebble.directory, place(one));
      t.after(() => proxy.stop());
      cas.push(pebble);
    }
    const [real, staging] = cas;
    assert.ok(real !== undefined && staging !== undefined);
    writeFileSync(join(dir, 'hosts'), [REAL, STAGING].map(({ name, host }) => `${host} ${name}\n`).join(''));
    const text = `version: 1
listen: { http: "127.0.0.1:${http}", https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
acme: { roots: ${join(dir, 'root.pem')} }
hosts:
  a.example.com: { respond: { status: 200, body: hello }, allow: [public] }
`;
    const postern = await startPostern({ document: () => text, wrap: withHostsFile(join(dir, 'hosts')) });
    try {
      const roots = await real.issuerPem();
      const first = await untilTrusted(https, 'a.example.com', roots);
      assert.match(postern.output(), /"ca":"Let's Encrypt"/);
      const trial = await postern.cli('cert', 'renew', 'a.example.com', '--dry-run');
      assert.match(trial.stdout, /ok +a\.example\.com: an order would succeed; nothing was kept/, trial.stderr);
      assert.deepEqual([real.issued(), staging.issued()], [1, 1]);
      assert.equal((await visit(https, 'a.example.com', roots)).serial, first.serial);
      postern.writeConfig(text.replace('acme: {', 'acme: { ca: letsencrypt-staging,'));
      assert.equal((await postern.cli('reload')).code, 0);
      await untilTrusted(https, 'a.example.com', await staging.issuerPem());
      // And back: what the real CA issued was replaced by the one for trials, so another one is ordered.
      postern.writeConfig(text);
      assert.equal((await postern.cli('reload')).code, 0);
      await untilTrusted(https, 'a.example.com', roots);
      assert.deepEqual([real.issued(), staging.issued()], [2, 2]);
    } catch (error) {
      console.error(postern.output());
      throw error;
    } finally {
      await postern.close();
    }
  },
);
