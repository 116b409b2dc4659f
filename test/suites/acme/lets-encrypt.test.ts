/**
 * The shortest document there is, against what stands at the names of Let's Encrypt and its staging place: two pebbles.
 * Needs ports 443 and 53, and files of its own for hosts and resolvers.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { execFile } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { writeLeaf, writeRoot } from '../../../src/certs/x509-writer.ts';
import { startFaultyProxy, type ProxyPlace } from '../../support/faulty-proxy.ts';
import { canMount } from '../../support/mounts.ts';
import { skipWithout } from '../../support/peers.ts';
import { startPebble, type Pebble } from '../../support/pebble.ts';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern, type PosternProcess } from '../../support/postern.ts';
import { accepts, startProgram, until } from '../../support/programs.ts';
import { untilTrusted, visit } from './rig.ts';

const needs = skipWithout('pebble', 'pebble-challtestsrv');
const skip = needs === false ? canMount('hosts') : needs;
const REAL = { name: 'acme-v02.api.letsencrypt.org', host: '127.0.0.61' };
const STAGING = { name: 'acme-staging-v02.api.letsencrypt.org', host: '127.0.0.62' };

const PROGRAM = resolvePath(import.meta.dirname, '../../../bin/postern');
const RESOLVER = '127.0.0.63';

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

interface World {
  readonly real: Pebble;
  readonly staging: Pebble;
  readonly postern: PosternProcess;
  readonly https: number;
  /** The document as it was written first. */
  readonly text: string;
  /** Of the resolver that the machine has. */
  readonly dns: (path: string, body: unknown) => Promise<void>;
  /** `postern check --live` on that machine. */
  readonly check: () => Promise<{ readonly code: number; readonly output: string }>;
}

async function openWorld(t: TestContext): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-le-'));
  const [http = 0, https = 0, health = 0, management = 0] = await freePorts(4);
  const env = { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_NOSLEEP: '1' };
  const place = placesIn(dir);
  const open = async (one: typeof REAL): Promise<Pebble> => {
    const pebble = await startPebble({ httpPort: http, tlsPort: https, env });
    t.after(() => pebble.stop());
    const proxy = await startFaultyProxy(pebble.directory, place(one));
    t.after(() => proxy.stop());
    return pebble;
  };
  const [real, staging] = [await open(REAL), await open(STAGING)];
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-doh', '', '-defaultIPv6', ''];
  const where = ['-dnsserver', `${RESOLVER}:53`, '-management', `127.0.0.1:${management}`];
  const names = startProgram('pebble-challtestsrv', [...off, ...where]);
  t.after(() => names.stop());
  await until(() => accepts(management), 'the resolver listens');
  writeFileSync(join(dir, 'hosts'), [REAL, STAGING].map(({ name, host }) => `${host} ${name}\n`).join(''));
  writeFileSync(join(dir, 'resolv.conf'), `nameserver ${RESOLVER}\n`);
  const mounts = ['hosts', 'resolv.conf'].map((file) => `mount --bind "${join(dir, file)}" /etc/${file}`);
  const wrap = ['unshare', '--mount', 'sh', '-c', `${mounts.join(' && ')} && exec "$@"`, 'sh'];
  const text = `version: 1
listen: { http: "127.0.0.1:${http}", https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
acme: { roots: ${join(dir, 'root.pem')} }
hosts:
  a.example.com: { respond: { status: 200, body: hello }, allow: [public] }
`;
  const postern = await startPostern({ document: () => text, wrap, keepDir: dir });
  t.after(async () => {
    await postern.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    real,
    staging,
    postern,
    https,
    text,
    async dns(path, body) {
      const answer = await fetch(`http://127.0.0.1:${management}/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      assert.ok(answer.ok);
    },
    check: () =>
      new Promise((resolve) => {
        const [command = '', ...rest] = wrap;
        const args = ['check', '--live', '--config', postern.configFile, '--data', postern.dataDir];
        execFile(command, [...rest, PROGRAM, ...args], (error, out, err) => {
          resolve({ code: error === null ? 0 : 1, output: out + err });
        });
      }),
  };
}

test(
  "acme: {} orders at Let's Encrypt, --dry-run tries at its staging place, and one word orders there",
  { skip, timeout: 400_000 },
  async (t) => {
    const { real, staging, postern, https, text } = await openWorld(t);
    const roots = await real.issuerPem();
    const first = await untilTrusted(https, 'a.example.com', roots);
    await postern.waitFor(/"ca":"Let's Encrypt"/);
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
  },
);

test(
  'check --live tells before an order why it would fail: DNS, a closed port, CAA, the limit of the week',
  { skip, timeout: 400_000 },
  async (t) => {
    const { real, postern, https, dns, check } = await openWorld(t);
    await untilTrusted(https, 'a.example.com', await real.issuerPem());
    const good = await check();
    assert.equal(good.code, 0, good.output);
    assert.match(good.output, /CA "Let's Encrypt" answers/);
    assert.match(good.output, /"a\.example\.com" points to 127\.0\.0\.1, where a public CA cannot come/);
    assert.match(good.output, /is proved on port 80, but the document does not listen there/);

    await dns('add-a', { host: 'a.example.com.', addresses: ['127.0.0.1', '203.0.113.9'] });
    const elsewhere = await check();
    assert.match(elsewhere.output, /"a\.example\.com" also points to 203\.0\.113\.9, no address of this machine/);
    await dns('clear-a', { host: 'a.example.com.' });

    await dns('add-caa', { host: 'example.com.', policies: [{ tag: 'issue', value: 'other-ca.example' }] });
    const forbidden = await check();
    assert.equal(forbidden.code, 1);
    assert.match(
      forbidden.output,
      /CAA records of "example\.com" let other-ca\.example alone certify "a\.example\.com"/,
    );
    await dns('clear-caa', { host: 'example.com.' });

    for (let order = 2; order <= 4; order += 1)
      assert.equal((await postern.cli('cert', 'renew', 'a.example.com')).code, 0);
    const near = await check();
    assert.equal(near.code, 0, near.output);
    assert.match(
      near.output,
      /4 of the 5 certificates for exactly "a\.example\.com" that Let's Encrypt issues in a week/,
    );
    assert.equal((await postern.cli('cert', 'renew', 'a.example.com')).code, 0);
    const full = await check();
    assert.equal(full.code, 1);
    assert.match(full.output, /5 of the 5 certificates for exactly [^\n]*; the next is possible from 20/);
    await postern.close();
    assert.match((await check()).output, /5 of the 5/, 'and so does the data folder while nobody runs');
  },
);
