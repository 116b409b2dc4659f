/** Revocation at a CA that is strict, slow or forgetful: it is done or told, and another certificate comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/programs.ts';
import { untilTrusted, visit } from './rig.ts';
import { skip, NAME, withProxy, first, only, problem, says } from './_faulty.ts';
import type { Faults, World } from './_faulty.ts';

const kind = only('revoke-cert');
const PASSING: readonly (readonly [string, Faults])[] = [
  ['a busy CA', first(1, kind, { kind: 'answer', answer: { status: 503, body: '' } })],
  ['an answer that is lost', first(1, kind, { kind: 'reset', after: true })],
  [
    'nonces that are refused',
    first(2, kind, { kind: 'answer', answer: { status: 400, body: problem('badNonce', 'no') } }),
  ],
];

function revoke({ rig }: World): ReturnType<World['renew']> {
  return rig.postern.cli('cert', 'revoke', NAME, '--reason', 'key-compromise');
}

async function isRevokedAtCa({ rig }: World, serial: string): Promise<boolean> {
  const number = serial.toLowerCase().replace(/^0+/, '');
  return (await rig.pebble.management(`cert-status-by-serial/${number}`)).includes('"Revoked"');
}

/** Another one comes by itself; its serial number. */
async function untilReplaced({ rig, ca }: World, serial: string): Promise<string> {
  let now = serial;
  await until(async () => {
    const seen = await visit(rig.https, NAME, ca);
    now = seen.error === null ? seen.serial : now;
    return now !== serial;
  }, 'the revoked certificate is replaced');
  return now;
}

test('a certificate is revoked whatever the CA does meanwhile, and replaced', { skip }, async () => {
  await withProxy(
    () => null,
    async (world) => {
      let { serial } = await untilTrusted(world.rig.https, NAME, world.ca);
      for (const [what, faults] of PASSING) {
        world.proxy.fault = faults;
        const { code, stderr } = await revoke(world);
        assert.equal(code, 0, `${what}: ${stderr}`);
        assert.ok(await isRevokedAtCa(world, serial), what);
        serial = await untilReplaced(world, serial);
      }
      world.proxy.fault = says('revoke-cert', 400, problem('badRevocationReason', 'not this one'));
      const refused = await revoke(world);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /Cannot revoke the certificate at \S+: the CA says badRevocationReason/);
      assert.equal((await visit(world.rig.https, NAME, world.ca)).serial, serial, 'it stays in use');
    },
  );
});

test('a certificate whose account is gone is revoked by its own key', { skip }, async () => {
  await withProxy(
    () => null,
    async (world) => {
      const { rig, proxy } = world;
      const first = await untilTrusted(rig.https, NAME, world.ca);
      assert.equal((await rig.postern.cli('cert', 'account', 'deactivate')).code, 0);
      const gone = await revoke(world);
      assert.equal(gone.code, 0, gone.stderr);
      assert.ok(await isRevokedAtCa(world, first.serial));
      const serial = await untilReplaced(world, first.serial);

      // The account is there, and another's by what the CA says.
      let tries = 0;
      proxy.fault = ({ path }) =>
        path.startsWith('/revoke-cert') && (tries += 1) === 1
          ? { kind: 'answer', answer: { status: 403, body: problem('unauthorized', 'of another account') } }
          : null;
      const disowned = await revoke(world);
      assert.equal(disowned.code, 0, disowned.stderr);
      assert.ok(await isRevokedAtCa(world, serial));
      const next = await untilReplaced(world, serial);

      proxy.fault = says('revoke-cert', 403, problem('unauthorized', 'of nobody'));
      const refused = await revoke(world);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /Cannot revoke the certificate at \S+: the CA says unauthorized "of nobody"/);
      assert.equal((await visit(rig.https, NAME, world.ca)).serial, next);
    },
  );
});
