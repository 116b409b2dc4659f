/** Certificates that are ordered in the handshake, against real pebble: the visitor waits, strangers' names get nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { withProxy } from './_faulty.ts';
import { openAcmeRig, untilTrusted, visit } from './rig.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');

test(
  'on demand: listed names at the first visit, names below a wildcard and of nobody after a yes',
  { skip },
  async (t) => {
    const asked: string[] = [];
    const program = createServer((request, response) => {
      const name = new URL(request.url ?? '/', 'http://x').searchParams.get('domain') ?? '';
      asked.push(name);
      response.statusCode = name.startsWith('no') ? 404 : 200;
      response.end();
    }).listen(0, '127.0.0.1');
    await once(program, 'listening');
    t.after(() => program.close());
    const ask = `http://127.0.0.1:${(program.address() as AddressInfo).port}/ask?by=test`;
    const respond = (body: string): string => `respond: { status: 200, body: ${body} }, allow: [public]`;
    const rig = await openAcmeRig({
      acme: `, on_demand: { ask: "${ask}", per_hour: 5 }, challenges: [http-01, tls-alpn-01]`,
      hosts: `  lazy.example.com: { tls: { acme: { on_demand: true } }, ${respond('lazy')} }
  "*.shops.example.com": { tls: { acme: { on_demand: true } }, ${respond('shop')} }
  other.example.com: { tls: local, ${respond('other')} }
default: { tls: { acme: { on_demand: true } }, ${respond('anybody')} }`,
      pebble: { env: { PEBBLE_WFE_NONCEREJECT: '10', PEBBLE_VA_NOSLEEP: '1' } },
    });
    t.after(() => rig.close());
    assert.doesNotMatch(rig.postern.output(), /WARNING/);
    const roots = await rig.pebble.issuerPem();
    assert.equal(rig.pebble.issued(), 0, 'nothing is ordered before somebody comes');

    // A burst for one name waits for one order.
    const burst = await Promise.all(Array.from({ length: 40 }, () => visit(rig.https, 'lazy.example.com', roots)));
    assert.deepEqual(
      new Set(burst.map((one) => one.error ?? one.body.slice(-4))),
      new Set(['lazy']),
      rig.postern.output(),
    );
    assert.equal(new Set(burst.map((one) => one.serial)).size, 1);
    assert.deepEqual(asked, [], 'a listed name needs no yes');

    const shop = await visit(rig.https, 'a.shops.example.com', roots);
    assert.match(shop.error ?? shop.body, /shop$/);
    const anybody = await visit(rig.https, 'somebody.example.net', roots);
    assert.match(anybody.error ?? anybody.body, /anybody$/);
    assert.equal(rig.pebble.issued(), 3);

    for (let i = 0; i < 5; i++) {
      assert.notEqual((await visit(rig.https, 'no.shops.example.com', roots)).error, null);
      assert.notEqual((await visit(rig.https, 'no.example.net', roots)).error, null);
    }
    assert.deepEqual(asked, ['a.shops.example.com', 'somebody.example.net', 'no.shops.example.com', 'no.example.net']);
    assert.equal(rig.pebble.issued(), 3);

    // Five in an hour: two are left.
    const more = [];
    for (const name of ['b', 'c', 'd', 'e'])
      more.push((await visit(rig.https, `${name}.shops.example.com`, roots)).error === null);
    assert.deepEqual(more, [true, true, false, false]);
    await rig.postern.waitFor(/per_hour is reached/);

    await rig.restart();
    const again = await visit(rig.https, 'a.shops.example.com', roots);
    assert.equal(again.serial, shop.serial, 'a restart orders nothing anew');
    assert.equal(rig.pebble.issued(), 5);
    assert.match((await rig.postern.cli('cert', 'list')).stdout, /a\.shops\.example\.com +acme +in use/);
  },
);

test('a CA that is away costs visitors seconds, and takes nothing from the names of an hour', { skip }, async () => {
  const respond = 'respond: { status: 200, body: hello }, allow: [public]';
  const names = Array.from({ length: 8 }, (_, at) => `n${at}.example.com`);
  const hosts = names.map((name) => `  ${name}: { tls: { acme: { on_demand: true } }, ${respond} }`).join('\n');
  await withProxy(
    () => ({ kind: 'reset' }),
    async ({ rig, proxy, ca }) => {
      for (const name of names.slice(0, 3)) assert.notEqual((await visit(rig.https, name, ca)).error, null);
      // By now it is known to be away: an alert in place of a handshake that hangs until its limit.
      const asked = proxy.log.length;
      for (const name of names.slice(3, 7))
        assert.equal((await visit(rig.https, name, ca)).error, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
      assert.equal(proxy.log.length, asked, 'nobody asks it for these');
      proxy.fault = () => null;
      await untilTrusted(rig.https, names[7] ?? '', ca, 150_000);
      await untilTrusted(rig.https, names[6] ?? '', ca);
      assert.doesNotMatch(rig.postern.output(), /per_hour is reached/);
    },
    { hosts, acme: ', on_demand: { per_hour: 2 }' },
  );
});
