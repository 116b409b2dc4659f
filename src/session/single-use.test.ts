import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSingleUse, type SingleUse } from './single-use.ts';

interface Rig {
  readonly singleUse: SingleUse;
  readonly kept: Set<string>;
  now: number;
}

function createRig(): Rig {
  const kept = new Set<string>();
  const store = {
    spend: (use: string, key: string, { most }: { readonly most: number }) => {
      const id = `${use} ${key}`;
      return Promise.resolve(kept.size < most && kept.size < kept.add(id).size);
    },
    wasSpent: (use: string, key: string) => Promise.resolve(kept.has(`${use} ${key}`)),
  };
  const rig: Rig = { singleUse: createSingleUse(store, { now: () => rig.now }), kept, now: 1_000 };
  return rig;
}

test('spend() is true once for a text, whoever comes with it', async () => {
  const { singleUse, kept } = createRig();
  assert.equal(await singleUse.spend('flow', 'a', { until: 2_000, owner: 'alice' }), true);
  for (const owner of ['alice', 'bob'])
    assert.equal(await singleUse.spend('flow', 'a', { until: 2_000, owner }), false, owner);
  assert.deepEqual([await singleUse.wasSpent('flow', 'a'), await singleUse.wasSpent('flow', 'b')], [true, false]);
  assert.ok(![...kept].some((key) => key.endsWith(' a')), 'only a hash of it is kept');
});

test('spend() takes no more of one owner than their share, and nothing of the share of others', async () => {
  const rig = createRig();
  const { singleUse } = rig;
  const spend = (text: string, owner: string, until = 601_000): Promise<boolean> =>
    singleUse.spend('flow', text, { until, owner });
  let taken = 0;
  for (let n = 0; n < 5_000; n++) if (await spend(`mallory ${n}`, 'mallory')) taken++;
  assert.equal(taken, 2_000);
  assert.equal(rig.kept.size, 2_000);
  assert.equal(await singleUse.wasSpent('flow', 'mallory 4999'), false, 'what was refused is not used up');
  assert.equal(await spend('alice 1', 'alice'), true);
  assert.equal(await singleUse.spend('passkey', 'mallory', { until: 601_000, owner: 'mallory' }), true);
  rig.now = 601_000;
  assert.equal(await spend('mallory again', 'mallory', 1_201_000), true, 'the time is over');
});
