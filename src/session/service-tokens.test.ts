import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredToken, TokenStore } from '../core/token-store.ts';
import { PosternError } from '../core/errors.ts';
import { createServiceTokens } from './service-tokens.ts';
import type { ServiceTokens } from './service-tokens.ts';
import { keyOfToken } from './token.ts';

const DAY = 86_400_000;

interface Rig {
  readonly tokens: ServiceTokens;
  readonly rows: Map<string, StoredToken>;
  readonly audit: string[];
  readonly clock: { at: number; now: () => number };
  readonly state: { isDown: boolean; touches: number };
}

function createRig(): Rig {
  const clock = { at: 1_000_000, now: () => clock.at };
  const rows = new Map<string, StoredToken>();
  const audit: string[] = [];
  const state = { isDown: false, touches: 0 };
  const up = (): void => {
    if (state.isDown) throw new PosternError('STORE_UNAVAILABLE', 'down');
  };
  const store: TokenStore = {
    async insertToken(token) {
      up();
      rows.set(token.key, token);
    },
    async findToken(key) {
      up();
      return rows.get(key) ?? null;
    },
    async listTokens() {
      up();
      return [...rows.values()];
    },
    async deleteTokens(keys) {
      up();
      return keys.filter((key) => rows.delete(key));
    },
    async touchTokens(seen) {
      up();
      state.touches++;
      for (const [key, at] of seen) {
        const row = rows.get(key);
        if (row !== undefined) rows.set(key, { ...row, lastUsedAt: at });
      }
    },
  };
  const tokens = createServiceTokens({
    store,
    clock,
    instance: 'k3v9abcd',
    audit: {
      async appendAudit(entry) {
        audit.push(`${entry.actor} ${entry.action} ${entry.target}`);
      },
    },
  });
  return { tokens, rows, audit, clock, state };
}

async function mint(rig: Rig, name = 'ci', lifetimeMs: number | null = 90 * DAY): Promise<string> {
  const created = await rig.tokens.create({ name, description: 'pushes', lifetimeMs }, 'cli');
  assert.ok(created.kind === 'created');
  return created.token;
}

test('create() keeps the hash alone, after it is durable', async () => {
  const rig = createRig();
  const token = await mint(rig);
  const secret = token.slice('postern_k3v9abcd_'.length);
  const [row] = [...rig.rows.values()];
  assert.deepEqual([row?.key, row?.name, row?.expiresAt], [keyOfToken(token), 'ci', 1_000_000 + 90 * DAY]);
  assert.ok(!JSON.stringify([...rig.rows.values(), rig.audit]).includes(secret));
  assert.deepEqual(rig.audit, [`cli token.create token:ci ${keyOfToken(token).slice(0, 12)}`]);
  rig.state.isDown = true;
  await assert.rejects(mint(rig), { code: 'STORE_UNAVAILABLE' });
});

test('create() refuses a name that no rule could name, and an odd description or lifetime', async () => {
  const rig = createRig();
  for (const name of ['', 'CI', '-ci', 'a b', 'a:b', 'x'.repeat(65), 'ци', 'a\n'])
    assert.equal((await rig.tokens.create({ name, description: '', lifetimeMs: null }, 'cli')).kind, 'invalid', name);
  for (const over of [
    { description: 'a\u202eb' },
    { description: 'x'.repeat(201) },
    { lifetimeMs: 0 },
    { lifetimeMs: NaN },
    { lifetimeMs: 36_500 * DAY + 1 },
  ]) {
    const wish = { name: 'ci', description: '', lifetimeMs: DAY, ...over };
    assert.equal((await rig.tokens.create(wish, 'cli')).kind, 'invalid', JSON.stringify(over));
  }
  assert.equal(rig.rows.size, 0);
});

test('find() answers found until the token expires or is revoked, unavailable while the store is down', async () => {
  const rig = createRig();
  const token = await mint(rig, 'ci', DAY);
  const key = keyOfToken(token);
  const found = await rig.tokens.find(key);
  assert.ok(found.kind === 'found');
  assert.deepEqual(found.session.identity, { kind: 'token', name: 'ci' });
  assert.equal((await rig.tokens.find(keyOfToken('other'))).kind, 'absent');
  rig.state.isDown = true;
  assert.equal((await rig.tokens.find(key)).kind, 'unavailable');
  rig.state.isDown = false;
  rig.clock.at += DAY;
  assert.equal((await rig.tokens.find(key)).kind, 'absent');
  const lasting = await mint(rig, 'ci', null);
  rig.clock.at += 1_000 * DAY;
  assert.equal((await rig.tokens.find(keyOfToken(lasting))).kind, 'found');
});

test('revoke() is told to everybody after it is durable and before it resolves', async () => {
  const rig = createRig();
  const key = keyOfToken(await mint(rig));
  const told: string[] = [];
  rig.tokens.onRevoked(async (keys) => {
    await Promise.resolve();
    assert.equal(rig.rows.size, 0);
    told.push(...keys);
  });
  assert.deepEqual(await rig.tokens.revoke([key, 'no-such-key'], 'cli'), [key]);
  assert.deepEqual(told, [key]);
  assert.equal((await rig.tokens.find(key)).kind, 'absent');
  assert.deepEqual(await rig.tokens.revoke([key], 'cli'), []);
  assert.equal(rig.audit.at(-1), `cli token.revoke token:ci ${key.slice(0, 12)}`);
});

test('touch() writes last use once a minute, and bears a store that is down', async () => {
  const rig = createRig();
  const key = keyOfToken(await mint(rig));
  for (let n = 0; n < 12; n++) {
    rig.clock.at += 5_000;
    rig.tokens.touch([[key, rig.clock.at]]);
    await Promise.resolve();
    await Promise.resolve();
  }
  assert.equal(rig.state.touches, 1);
  rig.state.isDown = true;
  rig.clock.at += 60_000;
  rig.tokens.touch([[key, rig.clock.at]]);
  await Promise.resolve();
  rig.state.isDown = false;
  rig.tokens.touch([[key, rig.clock.at + DAY]]);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(rig.rows.get(key)?.lastUsedAt, rig.clock.at, 'never in the future');
});
