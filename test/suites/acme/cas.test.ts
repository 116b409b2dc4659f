/** Several CAs in one document, each a real pebble: one that binds accounts, one that steps in, one for a host of its own. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipWithout } from '../../support/peers.ts';
import { startPebble } from '../../support/pebble.ts';
import { freePorts } from '../../support/free-ports.ts';
import { until } from '../../support/programs.ts';
import { openAcmeRig, untilTrusted, visit } from './rig.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const HMAC = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';

test('a bound account, a preferred chain, a CA of a host, and a second CA after two failures', { skip }, async () => {
  const [http = 0, https = 0] = await freePorts(2);
  const second = await startPebble({ httpPort: http, tlsPort: https, env: { PEBBLE_VA_NOSLEEP: '1' } });
  const other = `ca: "${second.directory}", roots: ${second.rootFile}`;
  const rig = await openAcmeRig({
    hosts: `  a.example.com: { respond: 200, allow: [public] }
  own.example.com: { tls: { acme: { ${other} } }, respond: 200, allow: [public] }
  x.blocked.example: { respond: 200, allow: [public] }`,
    acme: `, eab: { key_id: kid-1, hmac_key: ${HMAC} }, preferred_chain: "PREFERRED", fallback: { ${other} }, fallback_after: 2`,
    pebble: {
      eab: { 'kid-1': HMAC },
      blocked: ['blocked.example'],
      env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_ALTERNATE_ROOTS: '1', PEBBLE_CHAIN_LENGTH: '2' },
    },
    ports: { http, https },
    async rewrite(document, pebble) {
      const { subject } = new X509Certificate(await pebble.management('roots/1'));
      return document.replace('PREFERRED', subject.replace(/^CN=/, ''));
    },
  });
  try {
    const roots = await rig.pebble.issuerPem();
    const others = await second.issuerPem();
    const alternate = await rig.pebble.management('roots/1');
    await untilTrusted(rig.https, 'a.example.com', alternate);
    assert.notEqual((await visit(rig.https, 'a.example.com', roots)).error, null, 'the chain that was preferred');
    await untilTrusted(rig.https, 'own.example.com', others);
    await rig.postern.waitFor('rejectedIdentifier');
    const renew = (): ReturnType<typeof rig.postern.cli> => rig.postern.cli('cert', 'renew', 'x.blocked.example');
    assert.match((await renew()).stdout, /FAILED x\.blocked\.example: .*rejectedIdentifier/);
    assert.match((await renew()).stdout, /ok +x\.blocked\.example/, 'two failures, then the second CA');
    await untilTrusted(rig.https, 'x.blocked.example', others);
    const accounts = await rig.postern.cli('cert', 'account', 'list');
    assert.equal(accounts.stdout.match(/https:\/\/\S+/g)?.length, 2, accounts.stdout);
    assert.ok(!rig.postern.output().includes(HMAC));
    assert.ok(!(await rig.postern.cli('config', 'show')).stdout.includes(HMAC));
  } catch (error) {
    console.error(rig.postern.output());
    throw error;
  } finally {
    await rig.close();
    await second.stop();
  }
});

test(
  'a wrong binding is told with its place, and the right one is tried with the reload that brings it',
  { skip },
  async () => {
    const wrong = HMAC.replace('zWND', 'aWND');
    const rig = await openAcmeRig({
      hosts: '  a.example.com: { respond: 200, allow: [public] }',
      acme: `, eab: { key_id: kid-2, hmac_key: ${wrong} }`,
      pebble: { eab: { 'kid-1': HMAC }, env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '15' } },
    });
    const use = async (eab: string): Promise<void> => {
      rig.postern.writeConfig(rig.document.replace(/kid-2, hmac_key: \w+/, eab));
      assert.equal((await rig.postern.cli('reload')).code, 0);
    };
    try {
      const about = (keyId: string): RegExp =>
        new RegExp(
          `Cannot create an account at .*\\(check acme\\.eab: is \\\\"${keyId}\\\\" the key_id, and hmac_key its key`,
        );
      await rig.postern.waitFor(about('kid-2'));
      await use(`kid-1, hmac_key: ${wrong}`);
      await rig.postern.waitFor(about('kid-1'));
      // By now it would be minutes until the next try.
      for (let tries = 0; tries < 3; tries += 1)
        assert.equal((await rig.postern.cli('cert', 'renew', 'a.example.com')).code, 1);
      await use(`kid-1, hmac_key: ${HMAC}`);
      await untilTrusted(rig.https, 'a.example.com', await rig.pebble.issuerPem());
      assert.equal(rig.pebble.issued(), 1);
      for (const secret of [HMAC, wrong]) assert.ok(!rig.postern.output().includes(secret));
    } catch (error) {
      console.error(rig.postern.output());
      throw error;
    } finally {
      await rig.close();
    }
  },
);

test('a hundred names stand in one certificate', { skip }, async () => {
  const names = Array.from({ length: 100 }, (_, at) => `n${at}.many.example.com`);
  const rig = await openAcmeRig({
    hosts: `  n0.many.example.com: { respond: 200, allow: [public] }`,
    acme: `, certificates: [[${names.join(', ')}]]`,
    more: 'default: { respond: 200, allow: [public] }',
    pebble: { env: { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_NOSLEEP: '1' } },
  });
  try {
    const roots = await rig.pebble.issuerPem();
    const { serial } = await untilTrusted(rig.https, 'n0.many.example.com', roots, 120_000);
    for (const name of ['n1.many.example.com', 'n99.many.example.com'])
      assert.equal((await visit(rig.https, name, roots)).serial, serial);
    assert.equal(rig.pebble.issued(), 1);
  } finally {
    await rig.close();
  }
});

test('certificates of a minute are renewed by themselves, again and again, without a gap', { skip }, async () => {
  const brief = { description: 'For tests', validityPeriod: 40 };
  const rig = await openAcmeRig({
    hosts: '  a.example.com: { respond: { status: 200, body: hello }, allow: [public] }',
    pebble: { env: { PEBBLE_VA_NOSLEEP: '1' }, profiles: { default: brief } },
  });
  try {
    const roots = await rig.pebble.issuerPem();
    await untilTrusted(rig.https, 'a.example.com', roots);
    const serials = new Set<string>();
    while (serials.size < 4) {
      const seen = await visit(rig.https, 'a.example.com', roots);
      assert.match(seen.body, /hello$/, String(seen.error));
      serials.add(seen.serial);
      // Visits without a pause would keep from the renewals what processors there are.
      await sleep(100);
    }
    const told = (): number => rig.postern.output().split('"Certificate renewed"').length - 1;
    // The line is written behind the swap that the visits saw.
    await until(() => told() >= 3, 'three renewals in the log');
    const renewed = told();
    assert.ok(renewed >= 3 && rig.pebble.issued() <= renewed + 2, `${rig.pebble.issued()} issued, ${renewed} renewed`);
    assert.doesNotMatch(rig.postern.output(), /ACME_FAILED/);
  } finally {
    await rig.close();
  }
});
