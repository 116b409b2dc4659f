/**
 * What a CA says of time and place in the middle of an order: it is not asked before the time that it names, a machine
 * of it that has not heard yet of what another one made is asked again, and what has moved is found.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/programs.ts';
import { untilTrusted } from './rig.ts';
import { skip, NAME, withProxy, first, problem } from './_faulty.ts';
import type { Faults } from './_faulty.ts';

const PLACES = ['authZ', 'chalZ', 'my-order', 'finalize-order', 'certZ'];
const placeOf = ({ path }: { readonly path: string }): string | null =>
  PLACES.find((place) => path.startsWith(`/${place}`)) ?? null;

test('places that the CA named a moment ago are asked again where one of its machines says 404', { skip }, async () => {
  const late: Faults = first(1, placeOf, {
    kind: 'answer',
    answer: { status: 404, body: problem('malformed', 'No order for ID 1') },
  });
  await withProxy(late, async ({ rig, ca }) => {
    await untilTrusted(rig.https, NAME, ca);
    assert.equal(rig.pebble.issued(), 1);
    assert.doesNotMatch(rig.postern.output(), /ACME_FAILED/);
  });
});

test('the order is not looked at before the time that the answer to "finalize" names', { skip }, async () => {
  const times: [string, number][] = [];
  const faults: Faults = ({ path }) => {
    const [, kind = ''] = path.split('/');
    times.push([kind, performance.now()]);
    if (kind !== 'finalize-order') return null;
    return {
      kind: 'change',
      change: ({ headers, body }) => ({
        headers: { ...headers, 'retry-after': '4' },
        body: body.replace(/"status": "\w+"/, '"status": "processing"').replace(/,?\s*"certificate": "[^"]*"/, ''),
      }),
    };
  };
  await withProxy(
    faults,
    async ({ rig, ca }) => {
      await untilTrusted(rig.https, NAME, ca);
      const finalised = times.findLastIndex(([kind]) => kind === 'finalize-order');
      const look = times.slice(finalised).find(([kind]) => kind === 'my-order');
      const waited = (look?.[1] ?? 0) - (times[finalised]?.[1] ?? 0);
      assert.ok(waited >= 3_900, `after ${Math.round(waited)} ms`);
    },
    // A refused nonce would ask for "finalize" again by itself.
    { pebble: { env: { PEBBLE_WFE_NONCEREJECT: '0', PEBBLE_VA_NOSLEEP: '1' } } },
  );
});

test(
  'a validation of which the CA says "ask again in a day", as ZeroSSL does, is looked at again soon',
  { skip },
  async () => {
    let looks = 0;
    const faults: Faults = ({ path }) => {
      // The first reads it, the second is the first look at how it goes.
      if (!path.startsWith('/authZ') || (looks += 1) !== 2) return null;
      return {
        kind: 'change',
        change: ({ headers, body }) => ({
          headers: { ...headers, 'retry-after': '86400' },
          body: body.replaceAll('"status": "valid"', '"status": "pending"'),
        }),
      };
    };
    await withProxy(
      faults,
      async ({ rig, ca }) => {
        await untilTrusted(rig.https, NAME, ca, 120_000);
        assert.equal(rig.pebble.issued(), 1);
      },
      { pebble: { env: { PEBBLE_WFE_NONCEREJECT: '0', PEBBLE_VA_NOSLEEP: '1' } } },
    );
  },
);

test(
  'bound accounts and new account keys are signed for the place that a resource has moved to',
  { skip },
  async () => {
    const moved = new Set<string>();
    const OLD = { '/old-account': '/sign-me-up', '/old-key': '/rollover-account-key' };
    const faults: Faults = ({ path }) => {
      const old = Object.keys(OLD).find((one) => path.startsWith(one));
      if (old !== undefined) {
        moved.add(old);
        return { kind: 'answer', answer: { status: 404, body: 'not found' } };
      }
      if (path !== '/dir') return null;
      const stale = Object.entries(OLD).filter(([one]) => !moved.has(one));
      return {
        kind: 'change',
        change: ({ body }) => ({ body: stale.reduce((text, [was, is]) => text.replace(`${is}"`, `${was}"`), body) }),
      };
    };
    const hmac = Buffer.alloc(32, 7).toString('base64url');
    await withProxy(
      faults,
      async ({ rig, ca, renew }) => {
        await untilTrusted(rig.https, NAME, ca);
        const { code, stderr } = await rig.postern.cli('cert', 'account', 'rotate-key');
        assert.equal(code, 0, stderr);
        assert.deepEqual([...moved], ['/old-account', '/old-key']);
        assert.equal((await renew()).code, 0);
      },
      { acme: `, eab: { key_id: kid-1, hmac_key: ${hmac} }`, pebble: { eab: { 'kid-1': hmac } } },
    );
  },
);

test(
  'an order that does not come to an end is given up for the CA that a reload names in place of its own',
  { skip },
  async () => {
    const endless: Faults = ({ path }) =>
      path.startsWith('/my-order')
        ? {
            kind: 'change',
            change: ({ headers, body }) => ({
              headers: { ...headers, 'retry-after': '3' },
              body: body
                .replace(/"status": "\w+"/, '"status": "processing"')
                .replace(/,?\s*"certificate": "[^"]*"/, ''),
            }),
          }
        : null;
    await withProxy(endless, async ({ rig, proxy, ca }) => {
      await until(
        () => proxy.log.filter(({ path }) => path.startsWith('/my-order')).length > 1,
        'the order is waited for',
      );
      const waits = rig.postern.cli('cert', 'renew', NAME);
      rig.postern.writeConfig(rig.document.replace(/ca: "[^"]*"/, `ca: "${rig.pebble.directory}"`));
      assert.equal((await rig.postern.cli('reload')).code, 0);
      await untilTrusted(rig.https, NAME, ca);
      const { code, stdout, stderr } = await waits;
      assert.equal(code, 0, stdout + stderr);
      assert.doesNotMatch(rig.postern.output(), /ACME_FAILED/);
    });
  },
);
