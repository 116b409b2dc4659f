/** From `hosts:` in the document to trusted HTTPS, against real pebble with its faults on. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { until } from '../../support/programs.ts';
import { openAcmeRig, untilTrusted, visit, type AcmeRig, type AcmeRigOptions } from './rig.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const FAULTS = { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_SLEEPTIME: '1' };

async function withRig(options: AcmeRigOptions, run: (rig: AcmeRig, roots: string) => Promise<void>): Promise<void> {
  const rig = await openAcmeRig({ ...options, pebble: { env: FAULTS, ...options.pebble } });
  try {
    await run(rig, await rig.pebble.issuerPem());
  } catch (error) {
    console.error(rig.postern.output());
    throw error;
  } finally {
    await rig.close();
  }
}

const HOSTS = `  a.example.com: { respond: { status: 200, body: hello }, allow: [public] }
  b.example.com: { respond: 200, allow: [signed-in] }`;

test('hosts get trusted HTTPS by http-01, and a restart orders nothing anew', { skip }, async () => {
  await withRig({ hosts: HOSTS.split('\n')[0] ?? '', acme: ', challenges: http-01' }, async (rig, roots) => {
    const first = await untilTrusted(rig.https, 'a.example.com', roots);
    assert.match(first.body, /^HTTP\/1\.1 200 [^]*hello$/);
    assert.match(rig.postern.output(), /Creating an account at .*agrees to its terms/);
    const folder = rig.postern.dataDir;
    for (const file of readdirSync(folder)) {
      const path = join(folder, file);
      if (statSync(path).isFile()) {
        assert.equal(statSync(path).mode & 0o077, 0, `${file} is for its owner only`);
        assert.ok(!readFileSync(path, 'latin1').includes('PRIVATE KEY'), `${file} holds no key in plain`);
      }
    }
    await rig.restart();
    const again = await untilTrusted(rig.https, 'a.example.com', roots);
    assert.equal(again.serial, first.serial);
    await rig.postern.cli('reload');
    assert.equal((await untilTrusted(rig.https, 'a.example.com', roots)).serial, first.serial);
    assert.equal(rig.pebble.issued(), 1);
  });
});

test('hosts get trusted HTTPS by tls-alpn-01', { skip }, async () => {
  const options = { hosts: HOSTS.split('\n')[0] ?? '', acme: ', challenges: tls-alpn-01, key_type: p384' };
  // Nothing listens where pebble would look for http-01.
  await withRig({ ...options, pebble: { httpPort: 1 } }, async (rig, roots) => {
    await untilTrusted(rig.https, 'a.example.com', roots);
    assert.equal(rig.pebble.issued(), 1);
  });
});

test(
  'http-01 is answered while a redirect and rules cover the host; the token stays unknown to others',
  { skip },
  async () => {
    const hosts = `  b.example.com: { to: "http://127.0.0.1:1", allow: [signed-in] }`;
    await withRig(
      { hosts, acme: ', challenges: http-01', more: 'sign_in: { url: "https://auth.example.com" }' },
      async (rig, roots) => {
        await untilTrusted(rig.https, 'b.example.com', roots);
        // The sign-in host need not be listed: it has its certificate too.
        await untilTrusted(rig.https, 'auth.example.com', roots);
        const plain = await fetch(`http://127.0.0.1:${rig.http}/.well-known/acme-challenge/unknown`, {
          redirect: 'manual',
          headers: { host: 'b.example.com' },
        });
        assert.notEqual(plain.status, 200);
      },
    );
  },
);

test(
  'a host that is an IP address gets a certificate for it, and for visitors that send no name',
  { skip },
  async () => {
    const hosts = '  "127.0.0.1": { tls: acme, respond: { status: 200, body: address }, allow: [public] }';
    await withRig({ hosts, acme: ', profile: shortlived' }, async (rig, roots) => {
      const answer = async (): Promise<string> => {
        const seen = await visit(rig.https, '127.0.0.1', roots);
        return seen.error ?? seen.body;
      };
      await until(async () => (await answer()).endsWith('address'), 'the address is served');
      const { stdout } = await rig.postern.cli('cert', 'show', '127.0.0.1');
      assert.match(stdout, /profile +shortlived/);
    });
  },
);

test('a failed challenge gives way to the next one, and a wrong name to a clear line', { skip }, async () => {
  const hosts = `${HOSTS.split('\n')[0]}\n  x.blocked.example: { respond: 200, allow: [public] }`;
  // Nothing listens where pebble looks for http-01.
  await withRig({ hosts, pebble: { httpPort: 1, blocked: ['blocked.example'] } }, async (rig, roots) => {
    await untilTrusted(rig.https, 'a.example.com', roots);
    await rig.postern.waitFor(/order a certificate for \\?"x\.blocked\.example\\?"/);
    assert.match(rig.postern.output(), /by http-01: the CA says connection/);
    const refused = await visit(rig.https, 'x.blocked.example', roots);
    assert.match(refused.error ?? '', /UNRECOGNIZED_NAME/);
    assert.match(rig.postern.output(), /rejectedIdentifier .*choose another CA, or/);
  });
});
