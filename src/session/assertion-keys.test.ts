import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createAssertionKeys } from './assertion-keys.ts';
import { createSealKey } from './seal.ts';
import type { StoredSigningKey } from '../core/signing-key-store.ts';
import type { AssertionKeys, SigningKey } from './assertion-keys.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function createRig(): {
  keys: AssertionKeys;
  open: () => AssertionKeys;
  rows: () => readonly StoredSigningKey[];
  clock: { at: number; now: () => number };
  changes: SigningKey[];
} {
  const clock = { at: 1_000 * DAY, now: () => clock.at };
  let rows: StoredSigningKey[] = [];
  const changes: SigningKey[] = [];
  const sealKey = createSealKey(randomBytes(32));
  const open = (): AssertionKeys =>
    createAssertionKeys({
      clock,
      sealKey,
      onChange: (key) => changes.push(key),
      store: {
        async listSigningKeys() {
          return [...rows].sort((a, b) => a.createdAt - b.createdAt);
        },
        async replaceSigningKeys(gone, added) {
          rows = rows.filter(({ kid }) => !gone.includes(kid));
          if (added !== null) rows.push(added);
        },
      },
    });
  return { keys: open(), open, rows: () => rows, clock, changes };
}

test('tick() makes a first key that signs at once, keeps it over a restart, and shows no private part', async () => {
  const rig = createRig();
  assert.equal(rig.keys.current(), null);
  await rig.keys.tick();
  const [shown] = rig.keys.published();
  assert.deepEqual(Object.keys(shown ?? {}), ['kty', 'crv', 'x', 'y', 'kid', 'use', 'alg']);
  assert.equal(rig.keys.current()?.kid, shown?.kid);
  const again = rig.open();
  await again.tick();
  assert.deepEqual(again.current(), rig.keys.current());
  const secret = Buffer.from(rig.keys.current()?.privateKey ?? []);
  const kept = JSON.stringify(rig.rows());
  assert.ok(!kept.includes(secret.toString('base64url')) && !kept.includes(secret.toString('base64')));
});

test('a new key is published a day before it signs, and the old one a day after: no verifier meets an unknown key', async () => {
  const rig = createRig();
  await rig.keys.tick();
  /** What a verifier that reads the list every hour knows. */
  let list = new Set<string>();
  let readAt = 0;
  const kids = new Set<string>();
  for (let hour = 0; hour < 100 * 24; hour++) {
    if (rig.clock.at - readAt >= HOUR) {
      list = new Set(rig.keys.published().map(({ kid }) => kid));
      readAt = rig.clock.at;
    }
    rig.clock.at += HOUR;
    await rig.keys.tick();
    const kid = rig.keys.current()?.kid ?? '';
    kids.add(kid);
    assert.ok(list.has(kid), `hour ${hour}`);
    assert.ok(rig.keys.published().length <= 2);
  }
  assert.equal(kids.size, 4);
  assert.deepEqual(new Set(rig.changes.map(({ kid }) => kid)), kids);
});

test('rotate() replaces every key at once', async () => {
  const rig = createRig();
  await rig.keys.tick();
  const before = rig.keys.current()?.kid;
  await rig.keys.rotate();
  assert.notEqual(rig.keys.current()?.kid, before);
  assert.deepEqual(
    rig.keys.published().map(({ kid }) => kid),
    [rig.keys.current()?.kid],
  );
  assert.deepEqual(
    rig.rows().map(({ kid }) => kid),
    [rig.keys.current()?.kid],
  );
});

test('tick() replaces keys that cannot be opened', async () => {
  const rig = createRig();
  await rig.keys.tick();
  const [row] = rig.rows() as StoredSigningKey[];
  const broken = createAssertionKeys({
    clock: rig.clock,
    sealKey: createSealKey(randomBytes(32)),
    onChange: () => undefined,
    store: {
      listSigningKeys: async () => [row as StoredSigningKey],
      replaceSigningKeys: async (gone, added) => {
        assert.deepEqual(gone, [row?.kid]);
        assert.ok(added !== null);
      },
    },
  });
  await broken.tick();
  assert.ok(broken.current() !== null && broken.current()?.kid !== row?.kid);
});
