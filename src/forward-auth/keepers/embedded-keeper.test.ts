import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSealKey } from '../../session/seal.ts';
import { createSessions } from '../../session/sessions.ts';
import { openMemoryStore, openStore } from '../../store/sqlite.ts';
import { keeperContract } from './_keeper-contract.ts';
import {
  FakeClock,
  FakeSecret,
  foundOf,
  HOUR,
  kindOf,
  makeSession,
  makeSettings,
  PLACE,
  PRESENT,
  signIn,
} from './_keeper-rig.ts';
import { createEmbeddedKeeper } from './embedded-keeper.ts';
import type { Store } from '../../store/sqlite.ts';
import type { KeeperRig } from './_keeper-promises.ts';
import type { SettingsOver } from './_keeper-rig.ts';
import type { EmbeddedKeeper } from './embedded-keeper.ts';

interface Rig extends KeeperRig {
  readonly keeper: EmbeddedKeeper;
  readonly store: Store;
}

function rigOn(store: Store, over: SettingsOver = {}): Rig {
  const clock = new FakeClock();
  const secret = over.secret ?? new FakeSecret();
  const open: EmbeddedKeeper[] = [];
  const start = (more: SettingsOver = {}): EmbeddedKeeper => {
    const settings = makeSettings({ ...over, secret, ...more });
    const keeper = createEmbeddedKeeper(settings, { store, clock });
    open.push(keeper);
    return keeper;
  };
  return {
    keeper: start(),
    store,
    clock,
    secret,
    restart: async (more) => start(more),
    async close() {
      for (const keeper of open) await keeper.close();
      store.close();
    },
  };
}

keeperContract({
  name: 'embedded, in memory',
  revokesEverywhere: true,
  open: async (over) => rigOn(openMemoryStore(), over),
});
keeperContract({
  name: 'embedded, in a folder',
  revokesEverywhere: true,
  async open(over) {
    const folder = mkdtempSync(join(tmpdir(), 'postern-keeper-'));
    const rig = rigOn(openStore(folder), over);
    return {
      ...rig,
      async close() {
        await rig.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
});

function withRig(title: string, body: (rig: Rig) => Promise<void>, over?: SettingsOver): void {
  test(title, async () => {
    const rig = rigOn(openMemoryStore(), over);
    try {
      await body(rig);
    } finally {
      await rig.close();
    }
  });
}

withRig('the cookie is 43 characters, and nothing of it or of a token is in the store', async ({ keeper, store }) => {
  const browser = await signIn(keeper);
  const [value = ''] = browser.cookies.values();
  assert.match(value, /^[A-Za-z0-9_-]{43}$/);
  const [tree] = await store.sessions.listSignIns({ by: 'everything' }, 1);
  const kept = JSON.stringify([tree, await store.sessions.findGrant(tree?.signIn.key ?? '')]);
  for (const secret of [value, 'access.token.1', 'refresh-1', 'ada@example.com']) assert.ok(!kept.includes(secret));
});

withRig('sessions are listed by who they are of, and a revoked one is refused at once', async ({ keeper }) => {
  const browser = await signIn(keeper);
  assert.equal(await kindOf(keeper, browser.headers), 'found');
  const [line] = await keeper.sessions.list();
  assert.deepEqual([line?.person.provider, line?.person.name], ['oidc', 'ada@example.com']);
  assert.equal(await keeper.sessions.revoke(line?.key ?? ''), 1);
  assert.equal(await kindOf(keeper, browser.headers), PRESENT);
});

test('sessions are listed without the cookie secret, and nothing else of them is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-keeper-'));
  const rig = rigOn(openStore(folder));
  await signIn(rig.keeper);
  await rig.close();
  const store = openStore(folder);
  const limits = { lifetimeMs: Number.MAX_SAFE_INTEGER, idleMs: Number.MAX_SAFE_INTEGER };
  const offline = {
    store: store.sessions,
    clock: rig.clock,
    sealKey: createSealKey(store.sealKey),
    limits: () => limits,
  };
  const sessions = createSessions(offline);
  const [line] = await sessions.list();
  assert.equal(line?.person.name, 'ada@example.com');
  assert.equal(await sessions.findGrant(line?.key ?? ''), undefined);
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

withRig('a session of the provider that ends there ends here', async ({ keeper }) => {
  const ended = await signIn(keeper);
  const other = await signIn(keeper, makeSession({ providerSession: 'sid-2' }));
  assert.equal(await keeper.sessions.revokeByProviderSession('oidc', 'sid-1'), 1);
  assert.equal(await kindOf(keeper, ended.headers), PRESENT);
  assert.equal(await kindOf(keeper, other.headers), 'found');
});

withRig('a revocation during a look-up counts', async ({ keeper, restart }) => {
  const browser = await signIn(keeper);
  const other = (await restart()) as EmbeddedKeeper;
  const asked = other.find(browser.headers);
  await other.sessions.revokeByPerson('oidc', 'subject-1');
  await asked;
  assert.equal(await kindOf(other, browser.headers), PRESENT);
});

withRig('use is told to the store about once a minute', async ({ keeper, clock }) => {
  const browser = await signIn(keeper);
  await keeper.find(browser.headers);
  clock.advance(HOUR);
  await keeper.find(browser.headers);
  await keeper.find(browser.headers);
  await keeper.sessions.sweep();
  assert.equal((await keeper.sessions.list())[0]?.lastSeenAt, clock.at);
});

withRig('sweep() deletes what is over, not what was renewed', async ({ keeper, clock, store }) => {
  await signIn(keeper);
  const renewed = await signIn(keeper);
  clock.advance(100 * HOUR);
  const { handle } = await foundOf(keeper, renewed.headers);
  await keeper.replace(handle, makeSession({ createdAt: clock.at }), PLACE, renewed.headers);
  clock.advance(100 * HOUR);
  await keeper.sessions.sweep();
  assert.equal((await store.sessions.listSignIns({ by: 'everything' }, 9)).length, 1);
  assert.equal(await kindOf(keeper, renewed.headers), 'found');
});

withRig(
  'a store that fails is unavailable: nobody is let in, nobody signed out',
  async ({ keeper, restart, store }) => {
    const browser = await signIn(keeper);
    const other = await restart();
    store.close();
    assert.equal(await kindOf(other, browser.headers), 'unavailable');
    assert.equal(await kindOf(other, browser.headers), 'unavailable');
    assert.equal(await other.isReady(), false);
    await assert.rejects(other.end(browser.headers, PLACE), { code: 'STORE_UNAVAILABLE' });
    await assert.rejects(other.open(makeSession(), PLACE, browser.headers), { code: 'STORE_UNAVAILABLE' });
  },
);
