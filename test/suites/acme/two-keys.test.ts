/**
 * An RSA certificate beside the ECDSA one, both of a real pebble, to a client of TLS 1.2 that can do RSA only and to one
 * of today, on the real listener: ordered, renewed, replaced, deployed and taken back each by itself.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { connect, type ConnectionOptions } from 'node:tls';
import { skipWithout } from '../../support/peers.ts';
import { assertReplacements } from '../../support/pebble.ts';
import { until } from '../../support/programs.ts';
import { openAcmeRig, untilTrusted, visit, type AcmeRig, type AcmeRigOptions } from './rig.ts';
import { NAME, withProxy } from './_faulty.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const FAULTS = { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_NOSLEEP: '1' };
const HOST = '  a.example.com: { respond: { status: 200, body: hello }, allow: [public] }';
const BOTH = ', key_type: [p256, rsa2048]';

/** What a client could do before ECDSA: suites for RSA, and nothing else said. */
const BY_SUITES: ConnectionOptions = {
  maxVersion: 'TLSv1.2',
  ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384',
};
/** It tells by its signature algorithms, also with TLS 1.3. */
const BY_SIGNATURES: ConnectionOptions = { sigalgs: 'rsa_pss_rsae_sha256:RSA+SHA256' };

interface Seen {
  readonly error: string | null;
  readonly kind: string;
  readonly serial: string;
}

function look(port: number, ca: string, options: ConnectionOptions = {}, servername = 'a.example.com'): Promise<Seen> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername, ca, ...options });
    socket.once('secureConnect', () => {
      const { serialNumber, publicKey } = new X509Certificate(socket.getPeerCertificate().raw);
      socket.destroy();
      resolve({ error: null, kind: String(publicKey.asymmetricKeyType), serial: serialNumber.toLowerCase() });
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve({ error: error.code ?? error.message, kind: '', serial: '' });
    });
  });
}

/** Until both kinds are served; answers their serial numbers. */
async function untilBoth(rig: AcmeRig, ca: string): Promise<{ ec: string; rsa: string }> {
  await until(async () => (await look(rig.https, ca)).kind === 'ec', 'the ECDSA certificate is served');
  await until(async () => (await look(rig.https, ca, BY_SUITES)).kind === 'rsa', 'the RSA certificate is served');
  const [ec, rsa] = [await look(rig.https, ca), await look(rig.https, ca, BY_SUITES)];
  assert.deepEqual([ec.kind, rsa.kind], ['ec', 'rsa']);
  return { ec: ec.serial, rsa: rsa.serial };
}

async function withRig(
  options: Partial<AcmeRigOptions>,
  run: (rig: AcmeRig, ca: string) => Promise<void>,
): Promise<void> {
  const rig = await openAcmeRig({ hosts: HOST, ...options, pebble: { env: FAULTS, ...options.pebble } });
  try {
    await run(rig, await rig.pebble.issuerPem());
  } catch (error) {
    console.error(rig.postern.output());
    throw error;
  } finally {
    await rig.close();
  }
}

const reload = async (rig: AcmeRig, from: string, to: string): Promise<void> => {
  rig.postern.writeConfig(readFileSync(rig.postern.configFile, 'utf8').replace(from, to));
  const { code, stderr } = await rig.postern.cli('reload');
  assert.equal(code, 0, stderr);
};

for (const challenge of ['http-01', 'tls-alpn-01'])
  test(`both kinds are ordered by ${challenge}, and each client is served what it can verify`, { skip }, async () => {
    // What the first order has proved is good for the second, where the CA lets it.
    const env = { ...FAULTS, PEBBLE_AUTHZREUSE: challenge === 'http-01' ? '100' : '0' };
    await withRig({ acme: `${BOTH}, challenges: ${challenge}`, pebble: { env } }, async (rig, ca) => {
      const { ec, rsa } = await untilBoth(rig, ca);
      assert.equal((await look(rig.https, ca, BY_SIGNATURES)).serial, rsa);
      assert.equal((await look(rig.https, ca, { ...BY_SIGNATURES, maxVersion: 'TLSv1.2' })).serial, rsa);
      assert.equal((await look(rig.https, ca, { maxVersion: 'TLSv1.2' })).serial, ec);
      assert.equal((await look(rig.https, ca, { ...BY_SUITES, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).serial, ec);
      const spoken = await openssl(rig.https);
      assert.match(spoken, /Peer signature type: (?:RSA|rsa)/);
      await rig.restart();
      assert.deepEqual(await untilBoth(rig, ca), { ec, rsa });
      assert.equal(rig.pebble.issued(), 2);
      assert.doesNotMatch(rig.postern.output(), /ACME_FAILED/);
    });
  });

/** What an operator would try by hand: suites for RSA with OpenSSL's usual signature algorithms. */
function openssl(port: number): Promise<string> {
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'a.example.com', '-tls1_2'];
  return new Promise((resolve) => {
    const child = execFile('openssl', [...args, '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'], (_error, out, err) => {
      resolve(out + err);
    });
    child.stdin?.end();
  });
}

test('each is renewed by itself, at its own time and with its own "replaces"', { skip }, async () => {
  await withRig({ acme: BOTH }, async (rig, ca) => {
    const first = await untilBoth(rig, ca);
    const cli = (...args: string[]): ReturnType<typeof rig.postern.cli> => rig.postern.cli('cert', ...args);
    const list = await cli('list');
    assert.match(list.stdout, /a\.example\.com +acme +in use +Pebble \S+ CA \S+ +p256 /);
    assert.match(list.stdout, /a\.example\.com +acme +in use +Pebble \S+ CA \S+ +rsa2048 /);
    const show = await cli('show', 'a.example.com');
    assert.match(show.stdout, new RegExp(`serial +${first.ec}\n[^]*beside it +rsa2048, serial ${first.rsa}\n`));
    assert.match((await cli('show', first.rsa)).stdout, /key +rsa2048/);

    // By its serial number one of them, by the name both.
    const one = await cli('renew', first.rsa);
    assert.match(one.stdout, /^ok +a\.example\.com: RSA certificate of Pebble [^\n]+\n$/, one.stderr);
    await until(async () => (await look(rig.https, ca, BY_SUITES)).serial !== first.rsa, 'the new RSA one is served');
    assert.equal((await look(rig.https, ca)).serial, first.ec);
    const both = await cli('renew', 'a.example.com');
    assert.match(both.stdout, /ok +a\.example\.com: ECDSA certificate [^]*ok +a\.example\.com: RSA certificate/);
    await until(async () => (await look(rig.https, ca)).serial !== first.ec, 'the new ECDSA one is served');
    assert.equal(rig.pebble.issued(), 5);
    assertReplacements(rig.pebble, 3);

    // The CA wants the RSA one back early: it alone is renewed.
    const now = await untilBoth(rig, ca);
    const pem = await cli('show', now.rsa, '--pem');
    const leaf = pem.stdout.slice(0, pem.stdout.indexOf('-----END CERTIFICATE-----') + 26);
    const at = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();
    const advice = JSON.stringify({ suggestedWindow: { start: at(20), end: at(2) } });
    await rig.pebble.management('set-renewal-info/', JSON.stringify({ certificate: leaf, ariResponse: advice }));
    assert.match((await cli('renew')).stdout, /^ok +a\.example\.com: RSA certificate [^\n]+\n$/);
    await until(async () => (await look(rig.https, ca, BY_SUITES)).serial !== now.rsa, 'it is replaced');

    // Which one is revoked has to be said.
    const vague = await cli('revoke', 'a.example.com');
    assert.match(vague.stderr, /Cannot tell which certificate for "a\.example\.com" is meant: give the serial number/);
    const last = await untilBoth(rig, ca);
    assert.equal((await cli('revoke', last.ec, '--reason', 'key-compromise')).code, 0);
    await until(async () => (await look(rig.https, ca)).serial !== last.ec, 'the revoked one is replaced');
    assert.equal((await look(rig.https, ca, BY_SUITES)).serial, last.rsa);
    assert.equal(rig.pebble.issued(), 7);
  });
});

test('from one kind to two only the missing one is ordered, and from two to one nothing', { skip }, async () => {
  const files = [
    `{ name: a.example.com, certificate: "./ec.pem" }`,
    `{ name: a.example.com, certificate: "./rsa.pem", key_type: rsa }`,
  ];
  const more = `tls: { deploy_to: [${files.join(', ')}] }`;
  await withRig({ acme: ', key_type: rsa2048', more }, async (rig, ca) => {
    await until(async () => (await look(rig.https, ca)).kind === 'rsa', 'RSA alone is served to all');
    const { serial } = await look(rig.https, ca);
    // A data folder of the time before: the row does not tell that it is of RSA.
    await rig.postern.close();
    const db = new DatabaseSync(join(rig.postern.dataDir, 'postern.db'));
    assert.equal(db.prepare("UPDATE issued_certificates SET subject = 'a.example.com'").run().changes, 1);
    db.close();
    await rig.restart();
    await reload(rig, 'key_type: rsa2048', 'key_type: [p256, rsa2048]');
    const both = await untilBoth(rig, ca);
    assert.equal(both.rsa, serial, 'the RSA one is the one of before');
    assert.equal(rig.pebble.issued(), 2);
    const kind = (name: string): string | undefined => {
      const file = join(rig.postern.dir, name);
      return existsSync(file) ? new X509Certificate(readFileSync(file)).publicKey.asymmetricKeyType : undefined;
    };
    await until(() => kind('ec.pem') === 'ec', 'the ECDSA one is deployed');
    await until(() => kind('rsa.pem') === 'rsa', 'and so is the RSA one');

    await reload(rig, 'key_type: [p256, rsa2048]', 'key_type: p256');
    await until(async () => (await look(rig.https, ca, BY_SUITES)).error !== null, 'RSA is served no more');
    assert.equal((await look(rig.https, ca)).serial, both.ec);
    assert.match((await rig.postern.cli('cert', 'list')).stdout, /a\.example\.com +acme +unused .*rsa2048/);
    await reload(rig, 'key_type: p256', 'key_type: [p256, rsa2048]');
    assert.deepEqual(await untilBoth(rig, ca), both, 'and what was left is used again');
    assert.equal(rig.pebble.issued(), 2);
    await reload(rig, 'key_type: [p256, rsa2048]', 'key_type: p256');
    assert.equal((await rig.postern.cli('cert', 'remove', serial)).code, 0);
    assert.doesNotMatch((await rig.postern.cli('cert', 'list')).stdout, /rsa2048/);
  });
});

test(
  'a host asks for RSA beside, others have one; and on demand whoever waits is served what it can verify',
  { skip },
  async () => {
    const hosts = `${HOST}
  old.example.com: { tls: { acme: { key_type: [p256, rsa2048] } }, respond: 200, allow: [public] }
  lazy.example.com: { tls: { acme: { key_type: [p256, rsa2048], on_demand: true } }, respond: 200, allow: [public] }`;
    await withRig({ hosts }, async (rig, ca) => {
      const kindOf = async (name: string, options: ConnectionOptions = {}): Promise<string> =>
        (await look(rig.https, ca, options, name)).kind;
      await until(async () => (await kindOf('old.example.com', BY_SUITES)) === 'rsa', 'the old host has both');
      for (const name of ['old.example.com', 'a.example.com'])
        await until(async () => (await kindOf(name)) === 'ec', `"${name}" has one of today`);
      assert.notEqual((await look(rig.https, ca, BY_SUITES)).error, null);
      assert.equal(await kindOf('lazy.example.com', BY_SUITES), 'rsa', 'the first visitor of all');
      assert.equal(await kindOf('lazy.example.com'), 'ec');
      assert.equal(rig.pebble.issued(), 5);
      const metrics = await (await fetch(`http://127.0.0.1:${rig.health}/metrics`)).text();
      assert.equal(
        metrics.split('postern_certificate_failures{name="old.example.com"}').length - 1,
        1,
        'no series twice',
      );
    });
  },
);

test(
  'a certificate of another kind of key is served, called so and kept until the wanted one is there',
  { skip },
  async () => {
    await withProxy(
      () => null,
      async ({ rig, proxy, ca, renew }) => {
        const { serial } = await untilTrusted(rig.https, NAME, ca);
        proxy.fault = () => ({ kind: 'answer', answer: { status: 403, body: 'closed' } });
        rig.postern.writeConfig(rig.document.replace('acme: {', 'acme: { key_type: rsa2048,'));
        assert.equal((await rig.postern.cli('reload')).code, 0);
        await rig.postern.waitFor(/Visitors of \\"a\.example\.com\\" are served the ECDSA certificate meanwhile/);
        const list = await rig.postern.cli('cert', 'list');
        assert.match(list.stdout, /a\.example\.com +none +(?:failing|ordering) +- +rsa2048/);
        assert.match(list.stdout, /a\.example\.com +acme +in use +\S.* p256/);
        const removed = await rig.postern.cli('cert', 'remove', serial);
        assert.equal(removed.code, 1);
        assert.match(removed.stderr, /visitors are served with it until the one that the document wants is there/);
        assert.equal((await visit(rig.https, NAME, ca)).serial, serial);
        proxy.fault = () => null;
        assert.equal((await renew()).code, 0);
        await until(async () => (await visit(rig.https, NAME, ca)).serial !== serial, 'the RSA one is served');
        assert.equal((await rig.postern.cli('cert', 'remove', serial)).code, 0);
        await untilTrusted(rig.https, NAME, ca);
      },
    );
  },
);
