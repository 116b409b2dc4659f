/**
 * kill -9 at random points of orders: what was begun goes on, every name gets its certificate, and the CA has
 * issued exactly one for each. POSTERN_ACME_KILLS sets how many times; CI takes fewer than the 100 of a long run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { until } from '../../support/programs.ts';
import { openAcmeRig, visit } from './rig.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const KILLS = Number(process.env['POSTERN_ACME_KILLS'] ?? 12);
const FAULTS = { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_NOSLEEP: '0', PEBBLE_VA_SLEEPTIME: '2' };

test(
  `kill -9 at ${KILLS} random points of orders leads to one certificate a name`,
  { skip, timeout: 180_000 + KILLS * 15_000 },
  async () => {
    const names = Array.from({ length: KILLS * 2 }, (_, at) => `k${at}.example.com`);
    const hosts = (count: number): string =>
      names
        .slice(0, count)
        .map((name) => `  ${name}: { respond: 200, allow: [public] }`)
        .join('\n');
    const rig = await openAcmeRig({
      hosts: hosts(2),
      pebble: { env: FAULTS, retryAfter: { authz: 0, order: 0 } },
      workers: 1,
    });
    try {
      for (let kill = 1; kill <= KILLS; kill += 1) {
        // Two names more with each start, so that every kill meets orders at every step.
        rig.postern.writeConfig(rig.document.replace(hosts(2), hosts(kill * 2)));
        await rig.restart('SIGKILL');
        await new Promise((done) => {
          setTimeout(done, Math.random() * 2500);
        });
      }
      const roots = await rig.pebble.issuerPem();
      await rig.restart('SIGKILL');
      for (const name of names)
        await until(async () => (await visit(rig.https, name, roots)).error === null, `"${name}" is served`, 60_000);
      assert.equal(rig.pebble.issued(), names.length, 'one certificate for each name');
    } catch (error) {
      console.error(rig.postern.output());
      throw error;
    } finally {
      await rig.close();
    }
  },
);
