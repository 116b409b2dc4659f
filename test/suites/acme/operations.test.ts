/** `postern cert …`, metrics and health, against real pebble. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { assertReplacements, startPebble } from '../../support/pebble.ts';
import { until } from '../../support/programs.ts';
import { openAcmeRig, untilTrusted, visit } from './rig.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const HOSTS = `  a.example.com: { respond: 200, allow: [public] }
  x.blocked.example: { respond: 200, allow: [public] }`;

test('an operator sees, renews, rehearses, revokes and removes certificates', { skip }, async () => {
  const rig = await openAcmeRig({
    hosts: HOSTS,
    pebble: { env: { PEBBLE_VA_NOSLEEP: '1' }, blocked: ['blocked.example'] },
  });
  const other = await startPebble({ httpPort: rig.http, tlsPort: rig.https });
  try {
    const roots = await rig.pebble.issuerPem();
    const first = await untilTrusted(rig.https, 'a.example.com', roots);
    const cli = (...args: string[]): ReturnType<typeof rig.postern.cli> => rig.postern.cli('cert', ...args);
    await rig.postern.waitFor('rejectedIdentifier');

    const list = await cli('list');
    assert.match(list.stdout, /^NAMES +FROM +STATE +ISSUER +KEY +EXPIRES \(UTC\) +NEXT\n/);
    assert.match(list.stdout, /a\.example\.com +acme +in use +Pebble Intermediate CA/);
    assert.match(list.stdout, /x\.blocked\.example +none +failing/);
    assert.match(list.stdout, /x\.blocked\.example: Cannot order .* the CA says rejectedIdentifier/);

    const show = await cli('show', 'a.example.com');
    assert.equal(show.code, 0, show.stderr);
    assert.match(show.stdout, new RegExp(`serial +${first.serial.toLowerCase()}`));
    assert.match(show.stdout, /chain .*Pebble Intermediate CA/);
    assert.match((await cli('show', 'a.example.com', '--pem')).stdout, /^-----BEGIN CERTIFICATE-----/);
    assert.match(
      (await cli('show', 'nobody.example.com')).stderr,
      /Cannot find a certificate for "nobody\.example\.com"/,
    );

    const rehearsal = await cli('renew', 'a.example.com', '--dry-run');
    assert.match(rehearsal.stderr, /no place for trials is known of .*--ca/);
    // The other CA's API is of another root than the document gives.
    const strange = await cli('renew', 'a.example.com', '--dry-run', '--ca', other.directory);
    assert.equal(strange.code, 1);
    assert.match(strange.stdout, /FAILED a\.example\.com: .*cannot be reached/);
    const trial = await cli('renew', 'a.example.com', '--dry-run', '--ca', rig.pebble.directory);
    assert.equal(trial.code, 0, trial.stderr);
    assert.match(trial.stderr, /waiting for the CA to look at "a\.example\.com" \(http-01\)/);
    assert.match(trial.stdout, /ok +a\.example\.com: an order would succeed; nothing was kept/);
    assert.equal((await visit(rig.https, 'a.example.com', roots)).serial, first.serial);

    const renewed = await cli('renew', 'a.example.com');
    assert.equal(renewed.code, 0, renewed.stderr);
    assert.match(renewed.stderr, /a\.example\.com: downloading the certificate/);
    assert.match(renewed.stdout, /ok +a\.example\.com: certificate of Pebble/);
    await until(
      async () => (await visit(rig.https, 'a.example.com', roots)).serial !== first.serial,
      'the new one is served',
    );
    const second = await visit(rig.https, 'a.example.com', roots);
    const failed = await cli('renew', 'x.blocked.example');
    assert.equal(failed.code, 1);
    assert.match(failed.stdout, /FAILED x\.blocked\.example: Cannot order/);

    const revoked = await cli('revoke', 'a.example.com', '--reason', 'key-compromise');
    assert.match(revoked.stdout, /Revoked: a\.example\.com/);
    const status = await rig.pebble.management(
      `cert-status-by-serial/${second.serial.toLowerCase().replace(/^0+/, '')}`,
    );
    assert.match(status, /"Revoked"/);
    // Another one comes by itself, with another key.
    await until(
      async () => (await visit(rig.https, 'a.example.com', roots)).serial !== second.serial,
      'a revoked certificate is replaced',
    );

    const metrics = await (await fetch(`http://127.0.0.1:${rig.health}/metrics`)).text();
    assert.match(metrics, /postern_certificate_not_after_seconds\{name="a\.example\.com",source="acme"\} \d+/);
    assert.match(metrics, /postern_certificate_missing 1\n/);
    assert.match(metrics, /postern_certificate_failures\{name="x\.blocked\.example"\} [1-9]/);
    assert.match(metrics, /postern_certificate_orders_total\{result="renewed"\} 2/);
    const ready = await fetch(`http://127.0.0.1:${rig.health}/readyz`);
    assert.equal(ready.status, 200);
    assert.match(await ready.text(), /^ready\nwarning: "x\.blocked\.example" has no certificate: Cannot order/);

    const wanted = await cli('remove', 'a.example.com');
    assert.match(wanted.stderr, /the document wants it/);
    rig.postern.writeConfig(rig.document.replace('  a.example.com:', '  b.example.com:'));
    assert.equal((await rig.postern.cli('reload')).code, 0);
    assert.match((await cli('list')).stdout, /a\.example\.com +acme +unused/);
    assert.equal((await cli('remove', 'a.example.com')).code, 0);
    assert.doesNotMatch((await cli('list')).stdout, /a\.example\.com/);
  } catch (error) {
    console.error(rig.postern.output());
    throw error;
  } finally {
    await rig.close();
    await other.stop();
  }
});

test(
  'renewal information that comes early renews at once, and "renew" without a name asks for it',
  { skip },
  async () => {
    const rig = await openAcmeRig({ hosts: HOSTS.split('\n')[0] ?? '', pebble: { env: { PEBBLE_VA_NOSLEEP: '1' } } });
    try {
      const roots = await rig.pebble.issuerPem();
      const first = await untilTrusted(rig.https, 'a.example.com', roots);
      const nothing = await rig.postern.cli('cert', 'renew');
      assert.match(nothing.stdout, /Nothing is due/);
      const { chainPem } = JSON.parse((await rig.postern.cli('cert', 'show', 'a.example.com', '--json')).stdout) as {
        chainPem: string;
      };
      const leaf = chainPem.slice(0, chainPem.indexOf('-----END CERTIFICATE-----') + 26);
      const yesterday = new Date(Date.now() - 86_400_000).toISOString();
      const past = new Date(Date.now() - 3_600_000).toISOString();
      const advice = {
        suggestedWindow: { start: yesterday, end: past },
        explanationURL: 'https://ca.example/incident',
      };
      await rig.pebble.management(
        'set-renewal-info/',
        JSON.stringify({ certificate: leaf, ariResponse: JSON.stringify(advice) }),
      );
      const renewed = await rig.postern.cli('cert', 'renew');
      assert.equal(renewed.code, 0, renewed.stderr);
      assert.match(renewed.stdout, /ok +a\.example\.com/);
      assert.match(rig.postern.output(), /https:\/\/ca\.example\/incident/);
      await until(
        async () => (await visit(rig.https, 'a.example.com', roots)).serial !== first.serial,
        'the new one is served',
      );
      assertReplacements(rig.pebble, 1);
    } finally {
      await rig.close();
    }
  },
);

test('an account gets a new key, is ended, and the next order makes another one', { skip }, async () => {
  const rig = await openAcmeRig({ hosts: HOSTS.split('\n')[0] ?? '', pebble: { env: { PEBBLE_VA_NOSLEEP: '1' } } });
  try {
    await untilTrusted(rig.https, 'a.example.com', await rig.pebble.issuerPem());
    const cli = (...args: string[]): ReturnType<typeof rig.postern.cli> => rig.postern.cli('cert', ...args);
    const first = /https:\/\/\S+/.exec((await cli('account', 'list')).stdout)?.[0];
    assert.equal((await cli('account', 'rotate-key', 'no-such-ca')).code, 1);
    const rotated = await cli('account', 'rotate-key');
    assert.equal(rotated.code, 0, rotated.stderr);
    assert.equal(/https:\/\/\S+/.exec((await cli('account', 'list')).stdout)?.[0], first);
    assert.equal((await cli('renew', 'a.example.com')).code, 0);
    // The key that counts is the stored one, after a restart too.
    await rig.restart();
    assert.equal((await cli('renew', 'a.example.com')).code, 0);
    assert.equal((await cli('account', 'deactivate')).code, 0);
    assert.match((await cli('account', 'list')).stdout, /\(none yet\)/);
    const anew = await cli('renew', 'a.example.com');
    assert.equal(anew.code, 0, anew.stdout);
    assert.notEqual(/https:\/\/\S+/.exec((await cli('account', 'list')).stdout)?.[0], first);
  } finally {
    await rig.close();
  }
});
