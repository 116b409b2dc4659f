import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { assert as check, integer, property } from 'fast-check';
import { keeperContract } from './_keeper-contract.ts';
import {
  Browser,
  FakeClock,
  FakeSecret,
  foundOf,
  headersOf,
  HOUR,
  kindOf,
  makeSession,
  makeSettings,
  NAME,
  PLACE,
  PRESENT,
  signIn,
  START,
} from './_keeper-rig.ts';
import { candidateTexts, splitText } from './sealed-cookie.ts';
import { openMemoryStore } from '../../store/sqlite.ts';
import { Revocations } from './revocations.ts';
import { SealedSessions } from './sealed-sessions.ts';
import { createStatelessKeeper } from './stateless-keeper.ts';
import type { Store } from '../../store/sqlite.ts';
import type { AuthSession } from '../auth-session.ts';
import type { KeeperRig } from './_keeper-promises.ts';
import type { SettingsOver } from './_keeper-rig.ts';

interface OpenOptions {
  readonly isMinimal?: boolean;
  /** Null: revocations end with the process. */
  readonly store?: Store | null;
}

async function open(
  over: SettingsOver = {},
  { isMinimal = false, store = null }: OpenOptions = {},
): Promise<KeeperRig> {
  const clock = new FakeClock();
  const secret = over.secret ?? new FakeSecret();
  const start = async (more?: SettingsOver): Promise<KeeperRig['keeper']> => {
    const settings = makeSettings({ ...over, secret, ...more });
    const revocations = await Revocations.open(store?.revocations ?? null, { clock, settings });
    return createStatelessKeeper(settings, { clock, isMinimal, revocations });
  };
  return { keeper: await start(), clock, secret, restart: start, close: async () => store?.close() };
}

keeperContract({ name: 'stateless', revokesEverywhere: false, open });
keeperContract({
  name: 'stateless, with a data folder',
  revokesEverywhere: true,
  open: (over) => open(over, { store: openMemoryStore() }),
});

/** Random, so that it does not shrink. */
const large = (over: Partial<AuthSession> = {}): AuthSession => {
  const random = crypto.getRandomValues(new Uint8Array(6_000));
  return makeSession({ idToken: Buffer.from(random).toString('base64url'), ...over });
};

test('a session that fits is one cookie; a larger one is parts of at most 4000 bytes each', async () => {
  const { keeper } = await open();
  const [line = '', ...more] = await keeper.open(makeSession(), PLACE, headersOf());
  assert.deepEqual(more, []);
  assert.match(line, new RegExp(`^${NAME}=[A-Za-z0-9_-]+; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Lax$`));
  const lines = await keeper.open(large(), PLACE, headersOf());
  assert.deepEqual(
    lines.map((one) => one.split('=')[0]),
    lines.map((_, i) => `${NAME}_${i}`),
  );
  assert.ok(lines.length >= 3);
  for (const one of lines) assert.ok(one.length <= 4_000, String(one.length));
});

test('nothing of the session can be read from the cookie', async () => {
  const browser = await signIn((await open()).keeper);
  const [value = ''] = browser.cookies.values();
  const bytes = Buffer.from(value, 'base64url').toString('latin1');
  for (const secret of ['ada@example', 'access', 'refresh', 'developers']) assert.ok(!bytes.includes(secret));
});

test('parts of two cookies never make one', async () => {
  const { keeper } = await open();
  const ada = await signIn(keeper, large());
  const eve = await signIn(keeper, large({ email: 'eve@example.com' }));
  for (const name of ada.cookies.keys()) {
    const mixed = new Map([...ada.cookies, [name, eve.cookies.get(name) ?? '']]);
    assert.equal(await kindOf(keeper, headersOf([...mixed].map((it) => it.join('=')).join('; '))), PRESENT);
    // Nor does a forged tag help.
    const [tag] = (ada.cookies.get(name) ?? '').split('.', 1);
    const forged = (eve.cookies.get(name) ?? '').replace(/^[^.]+/, tag ?? '');
    mixed.set(name, forged);
    assert.equal(await kindOf(keeper, headersOf([...mixed].map((it) => it.join('=')).join('; '))), PRESENT);
  }
});

test('a part that is missing, cut short or twice makes none; planted parts do not hurt', async () => {
  const { keeper } = await open();
  const browser = await signIn(keeper, large());
  for (const [name, value] of browser.cookies) {
    const without = new Map(browser.cookies);
    without.delete(name);
    const line = (cookies: ReadonlyMap<string, string>): string => [...cookies].map((it) => it.join('=')).join('; ');
    assert.equal(await kindOf(keeper, headersOf(line(without))), PRESENT);
    assert.equal(
      await kindOf(keeper, headersOf(line(new Map([...browser.cookies, [name, value.slice(0, -1)]])))),
      PRESENT,
    );
    assert.equal(await kindOf(keeper, headersOf(`${name}=x; ${browser.line}; ${name}=AAAAAAAA.3.AAAA`)), 'found');
  }
  assert.equal(await kindOf(keeper, headersOf(`${browser.line}; ${NAME}_3=old; ${NAME}_7=older`)), 'found');
});

test('the leftover of a shorter or longer cookie never shadows the newer one', async () => {
  const { keeper, clock, restart } = await open();
  const browser = await signIn(keeper);
  const old = browser.line;
  const { handle } = await foundOf(keeper, browser.headers);
  clock.advance(HOUR);
  const fresh = large({ createdAt: clock.at });
  browser.take(await keeper.replace(handle, fresh, PLACE, browser.headers));
  assert.ok(!browser.cookies.has(NAME));
  // Also where the browser has kept it, and in a process that knows nothing of either.
  for (const other of [keeper, await restart()]) {
    for (const line of [`${old}; ${browser.line}`, `${browser.line}; ${old}`])
      assert.deepEqual((await foundOf(other, headersOf(line))).session, fresh);
  }
});

test('requests under way with the old cookie find the renewed session', async () => {
  const { keeper, clock, restart } = await open();
  const browser = await signIn(keeper);
  const old = browser.headers;
  const { handle } = await foundOf(keeper, old);
  clock.advance(HOUR);
  const fresh = makeSession({ createdAt: clock.at, refreshToken: 'refresh-2' });
  browser.take(await keeper.replace(handle, fresh, PLACE, old));
  assert.equal((await foundOf(keeper, old)).session.refreshToken, 'refresh-2');
  assert.equal((await foundOf(await restart(), old)).session.refreshToken, 'refresh-1');
  // The old cookie ends when it says, and not with the new one.
  clock.advance(167 * HOUR);
  assert.equal(await kindOf(keeper, old), PRESENT);
  assert.equal(await kindOf(keeper, browser.headers), 'found');
});

test('signing out ends every form of the session in this process', async () => {
  const { keeper, clock } = await open();
  const browser = await signIn(keeper);
  const old = browser.headers;
  clock.advance(HOUR);
  browser.take(
    await keeper.replace((await foundOf(keeper, old)).handle, makeSession({ createdAt: clock.at }), PLACE, old),
  );
  await keeper.end(browser.headers, PLACE);
  assert.equal(await kindOf(keeper, old), PRESENT);
  assert.equal(await kindOf(keeper, browser.headers), PRESENT);
});

test('minimal: no token is in the cookie, nor found by any process', async () => {
  const { keeper, restart } = await open({}, { isMinimal: true });
  const browser = await signIn(keeper, large());
  assert.equal(browser.cookies.size, 1);
  const expected = makeSession({ accessToken: '', idToken: '', refreshToken: '' });
  const { session, handle } = await foundOf(keeper, browser.headers);
  assert.deepEqual(session, expected);
  browser.take(await keeper.replace(handle, large(), PLACE, browser.headers));
  assert.deepEqual((await foundOf(keeper, browser.headers)).session, expected);
  assert.deepEqual((await foundOf(await restart(), browser.headers)).session, expected);
});

test('two replicas that share the secret take each other’s cookies', async () => {
  const { keeper, restart } = await open();
  const other = await restart();
  assert.equal(await kindOf(other, (await signIn(keeper)).headers), 'found');
  assert.equal(await kindOf(keeper, (await signIn(other)).headers), 'found');
});

test('splitText() and candidateTexts() are the inverse of each other, in any order', () => {
  check(
    property(integer({ min: 1, max: 20_000 }), integer({ min: 800, max: 4_000 }), (length, room) => {
      const text = Array.from({ length }, (_, i) => 'abcXYZ019-_'[(i * 7) % 11]).join('');
      const parts = splitText(text, room).map((value, part) => ({ name: `${NAME}_${part}`, value, part }));
      assert.ok(parts.every((part) => part.value.length <= room));
      assert.deepEqual(candidateTexts(parts.toReversed()), [text]);
    }),
    { numRuns: 200 },
  );
});

test('SealedSessions is bounded in sessions, in memory and in forms of one session', () => {
  const sealed = (id: string): Parameters<SealedSessions['put']>[1] => ({
    id,
    serial: 0,
    signedInAt: START,
    session: makeSession(),
  });
  const nothing = (): boolean => false;
  const few = new SealedSessions(nothing, { maxEntries: 3, maxBytes: 1 << 20 });
  for (const id of ['a', 'b', 'c', 'd']) few.put(`key-${id}`, sealed(id), START + HOUR);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((id) => few.find(`key-${id}`, START) !== null),
    [false, true, true, true],
  );
  for (let i = 0; i < 20; i++) few.put(`form-${i}`, sealed('d'), START + HOUR);
  assert.equal(few.find('key-d', START), null);
  assert.equal(few.find('form-11', START), null);
  assert.ok(few.find('form-12', START));
  const small = new SealedSessions(nothing, { maxEntries: 100, maxBytes: 3_000 });
  for (let i = 0; i < 50; i++) small.put(`${i}`, sealed(`${i}`), START + HOUR);
  assert.equal(Array.from({ length: 50 }, (_, i) => small.find(`${i}`, START)).filter(Boolean).length, 3);
});

test('a revocation outlives its time where the session was renewed by a replica that did not hear of it', async () => {
  const rig = await open({}, { store: openMemoryStore() });
  const replica = (await open({ secret: rig.secret })).keeper;
  const browser = await signIn(rig.keeper);
  await rig.keeper.desk.revokeByPerson('oidc', 'subject-1');
  rig.clock.advance(100 * HOUR);
  const renew = async (): Promise<void> => {
    const { handle } = await foundOf(replica, browser.headers);
    browser.take(await replica.replace(handle, makeSession({ createdAt: rig.clock.at }), PLACE, browser.headers));
  };
  await renew();
  assert.equal(await kindOf(rig.keeper, browser.headers), PRESENT);
  await setImmediate();
  rig.clock.advance(100 * HOUR);
  // The first would be over by now.
  await renew();
  for (const keeper of [rig.keeper, await rig.restart()]) assert.equal(await kindOf(keeper, browser.headers), PRESENT);
});

test('desk.revokeUnseen() refuses what this process has not seen yet, by the name that lists show', async () => {
  const { keeper, restart } = await open();
  const browser = await signIn(keeper);
  const other = await restart();
  assert.equal(await other.desk.revokeUnseen?.('oidc', 'bob@example.com'), 0);
  assert.equal(await other.desk.revokeUnseen?.('github', 'ada@example.com'), 0);
  assert.equal(await kindOf(other, browser.headers), 'found');
  const third = await restart();
  assert.equal(await third.desk.revokeUnseen?.('oidc', 'ada@example.com'), 0);
  assert.equal(await kindOf(third, browser.headers), PRESENT);
});

test('a browser with an old layout keeps no leftovers after a sign-in', async () => {
  const { keeper } = await open();
  const browser = new Browser();
  browser.take(await keeper.open(large(), PLACE, browser.headers));
  browser.take(await keeper.open(makeSession(), PLACE, browser.headers));
  assert.deepEqual([...browser.cookies.keys()], [NAME]);
});
