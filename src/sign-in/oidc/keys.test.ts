import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { JSONWebKeySet } from 'jose';
import { createProviderKeys, KeysUnavailableError, type ProviderKeys } from './keys.ts';
import { jwkOf, makeKey, signJwt, type TwinKey } from './_twin-keys.ts';

const ISSUER = 'https://id.example.com';
const KNOWN = makeKey('known');

interface Rig {
  readonly keys: ProviderKeys;
  now: number;
  fetches: number;
  readonly gone: string[][];
  wait: (ms: number) => Promise<unknown>;
  /** What the provider answers next. */
  answer: () => Promise<JSONWebKeySet>;
}

function createRig(): Rig {
  const rig: Rig = {
    keys: createProviderKeys({
      issuer: ISSUER,
      clock: { now: () => rig.now },
      wait: (ms) => rig.wait(ms),
      onGone: (kids) => rig.gone.push([...kids]),
      fetchKeys() {
        rig.fetches++;
        return rig.answer();
      },
    }),
    now: 1_800_000_000_000,
    fetches: 0,
    gone: [],
    wait: () => Promise.reject(new Error('nobody waits')),
    answer: () => Promise.resolve({ keys: [jwkOf(KNOWN)] } as unknown as JSONWebKeySet),
  };
  return rig;
}

/** `comesOnce`: as logout tokens and those of a sign-in do. */
function ask({ keys, now }: Rig, key: TwinKey, isOfStranger: boolean, comesOnce = true): Promise<unknown> {
  const seconds = Math.floor(now / 1_000);
  const token = signJwt({ iss: ISSUER, aud: 'postern', sub: 'x', iat: seconds, exp: seconds + 300 }, {}, key);
  return keys.verify(token, { audience: 'postern', clockToleranceMs: 0, isOfStranger, comesOnce });
}

/** The provider answers, or fails, first. */
const never = (): Promise<never> => new Promise(() => undefined);
const isUnavailable = (error: unknown): boolean => error instanceof KeysUnavailableError;

test('verify() waits for the next look at the keys with a token of a key that came just behind the last', async () => {
  for (const isOfStranger of [false, true]) {
    const rig = createRig();
    await ask(rig, KNOWN, isOfStranger);
    const fresh = makeKeyOnce(0);
    rig.answer = () => Promise.resolve({ keys: [jwkOf(KNOWN), jwkOf(fresh)] } as unknown as JSONWebKeySet);
    rig.now += 300;
    const waits: number[] = [];
    rig.wait = async (ms) => {
      waits.push(ms);
      await new Promise(setImmediate);
      rig.now = 1_800_000_001_000;
    };
    const unknown = ask(rig, makeKeyOnce(1), isOfStranger);
    await Promise.all([
      ask(rig, fresh, isOfStranger),
      assert.rejects(unknown, /no applicable key/),
      ask(rig, KNOWN, true),
    ]);
    assert.deepEqual([waits, rig.fetches], [[700, 700], 2], 'one look for all who wait, none before its time');
  }
});

test('verify() refuses what may come again at once where the last look at the keys was a moment ago', async () => {
  const rig = createRig();
  await ask(rig, KNOWN, true);
  for (let n = 0; n < 20; n++) await assert.rejects(ask(rig, makeKeyOnce(n), true, false), /no applicable key/);
  assert.equal(rig.fetches, 1);
});

test("verify() lets few of strangers' tokens wait for the next look, too", async () => {
  const rig = createRig();
  await ask(rig, KNOWN, true);
  const time = Promise.withResolvers<void>();
  rig.wait = () => time.promise;
  const flood = Promise.allSettled(Array.from({ length: 100 }, (_, n) => ask(rig, makeKeyOnce(n), true)));
  await ask(rig, KNOWN, true);
  const fresh = makeKey('fresh');
  rig.answer = () => Promise.resolve({ keys: [jwkOf(KNOWN), jwkOf(fresh)] } as unknown as JSONWebKeySet);
  const signIn = ask(rig, fresh, false);
  await new Promise(setImmediate);
  time.resolve();
  await signIn;
  const refused = (await flood).map((one) => (one.status === 'rejected' ? (one.reason as unknown) : null));
  assert.equal(refused.filter(isUnavailable).length, 84);
  assert.equal(rig.fetches, 2);
});

test("verify() lets few of strangers' tokens wait for a key that nobody knows, and known keys never", async () => {
  const rig = createRig();
  await ask(rig, KNOWN, true);
  rig.now += 2_000;
  const held = Promise.withResolvers<JSONWebKeySet>();
  rig.answer = () => held.promise;
  const flood = Array.from({ length: 100 }, (_, n) => ask(rig, makeKeyOnce(n), true));
  const outcomes = Promise.allSettled(flood);
  // A sign-in by a new key waits, however many strangers do; those whose key is known do not.
  const fresh = makeKey('fresh');
  const signIn = ask(rig, fresh, false);
  await ask(rig, KNOWN, true);
  await ask(rig, KNOWN, false);
  held.resolve({ keys: [KNOWN, fresh].map(jwkOf) } as unknown as JSONWebKeySet);
  await signIn;
  const refused = (await outcomes).flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  assert.equal(refused.length, 100);
  assert.equal(refused.filter(isUnavailable).length, 84);
  assert.equal(rig.fetches, 2);
});

test('verify() does not ask a provider that has just failed for each token of a stranger', async () => {
  const rig = createRig();
  await ask(rig, KNOWN, true);
  rig.now += 2_000;
  rig.answer = () => Promise.reject(new Error('away'));
  for (let n = 0; n < 20; n++) await assert.rejects(ask(rig, makeKeyOnce(n), true), isUnavailable);
  assert.equal(rig.fetches, 2);
  await ask(rig, KNOWN, true);
  await assert.rejects(ask(rig, makeKeyOnce(0), false), isUnavailable);
  assert.equal(rig.fetches, 3, 'a sign-in asks');
  rig.now += 10_000;
  await assert.rejects(ask(rig, makeKeyOnce(0), true), isUnavailable);
  assert.equal(rig.fetches, 4);
});

test('verify() goes on by the keys that it holds while the provider is away, without waiting for each, for an hour', async () => {
  const rig = createRig();
  await ask(rig, KNOWN, false);
  rig.answer = () => Promise.reject(new Error('away'));
  rig.wait = never;
  rig.now += 11 * 60_000;
  for (let n = 0; n < 20; n++) await ask(rig, KNOWN, false);
  assert.equal(rig.fetches, 2);
  rig.now += 50 * 60_000;
  await assert.rejects(ask(rig, KNOWN, false), isUnavailable);
});

test('verify() goes on by the keys that it holds while the provider is slow, and takes those that it says at last', async () => {
  const rig = createRig();
  await ask(rig, KNOWN, false);
  const fresh = makeKeyOnce(0);
  const { promise, resolve: answerNow } = Promise.withResolvers<JSONWebKeySet>();
  rig.answer = () => promise;
  const waits: number[] = [];
  rig.wait = async (ms) => {
    waits.push(ms);
    rig.now += ms;
  };
  rig.now += 11 * 60_000;
  for (let n = 0; n < 20; n++) await ask(rig, KNOWN, true);
  assert.deepEqual([rig.fetches, waits], [2, [1_000]], 'one has waited, and less than the workers do');
  answerNow({ keys: [jwkOf(fresh)] } as unknown as JSONWebKeySet);
  await ask(rig, fresh, false);
  await assert.rejects(ask(rig, KNOWN, false));
  rig.answer = () => new Promise(() => undefined);
  rig.wait = never;
  rig.now += 61 * 60_000;
  const late = ask(rig, fresh, false).then(() => 'taken');
  assert.equal(await Promise.race([late, new Promise((done) => setTimeout(done, 100, 'waits'))]), 'waits');
});

test('verify() under a clock that is set back finds new keys, and gives up those that are gone, as before', async () => {
  const rig = createRig();
  await ask(rig, KNOWN, false);
  rig.wait = never;
  // Three hours ahead at the start, and put right since.
  rig.now -= 3 * 3_600_000;
  const fresh = makeKeyOnce(0);
  rig.answer = () => Promise.resolve({ keys: [jwkOf(fresh)] } as unknown as JSONWebKeySet);
  await ask(rig, fresh, false);
  await assert.rejects(ask(rig, KNOWN, false, false));
  const away = createRig();
  away.wait = never;
  await ask(away, KNOWN, false);
  away.now -= 3 * 3_600_000;
  away.answer = () => Promise.reject(new Error('away'));
  await ask(away, KNOWN, false);
  away.now += 55 * 60_000;
  await assert.rejects(ask(away, KNOWN, false), isUnavailable, 'for an hour, however the clock went');
});

test('verify() finds a key that has the name of the one before, as of a provider that was set up anew', async () => {
  for (const isOfStranger of [false, true]) {
    const rig = createRig();
    await ask(rig, KNOWN, isOfStranger);
    const anew = { ...makeKeyOnce(0), kid: KNOWN.kid };
    rig.answer = () => Promise.resolve({ keys: [jwkOf(anew)] } as unknown as JSONWebKeySet);
    rig.now += 2_000;
    const forged = { ...makeKeyOnce(1), kid: KNOWN.kid };
    const asked = [ask(rig, anew, isOfStranger), ask(rig, anew, isOfStranger), ask(rig, forged, isOfStranger)];
    const [first, second, third] = await Promise.allSettled(asked);
    assert.deepEqual([first?.status, second?.status, third?.status], ['fulfilled', 'fulfilled', 'rejected']);
    assert.equal(rig.fetches, 2);
    for (let n = 0; n < 20; n++) await assert.rejects(ask(rig, forged, isOfStranger), /signature/);
    await assert.rejects(ask(rig, KNOWN, isOfStranger), /signature/, 'which counts no more');
    assert.equal(rig.fetches, 2, 'not for each forged one');
    rig.now += 2_000;
    rig.answer = () => Promise.reject(new Error('away'));
    await assert.rejects(ask(rig, forged, isOfStranger), /signature/, 'it is the token that is wrong');
    await ask(rig, anew, isOfStranger);
  }
});

test('verify() of a token that does not say its key passes over keys that are damaged or too short', async () => {
  const rig = createRig();
  const short: TwinKey = { kid: '', ...generateKeyPairSync('rsa', { modulusLength: 1024 }) };
  const [one, other] = [makeKeyOnce(2), KNOWN];
  const nameless = (key: TwinKey): object => ({ ...(jwkOf(key) as object), kid: undefined });
  const damaged = { ...nameless(one), n: 'AA' };
  const keys = [nameless(short), damaged, nameless(one), nameless(other)];
  rig.answer = () => Promise.resolve({ keys });
  await ask(rig, { ...other, kid: undefined as never }, false);
  await assert.rejects(ask(rig, { ...makeKeyOnce(3), kid: undefined as never }, false), /signature/);
});

const others = new Map<number, TwinKey>();

/** Keys are dear to make. */
function makeKeyOnce(n: number): TwinKey {
  const index = n % 4;
  const made = others.get(index) ?? makeKey(`other-${index}`);
  others.set(index, made);
  return made;
}

test('verify() tells which keys the provider lists no more, be it that another has the name', async () => {
  const rig = createRig();
  rig.wait = never;
  const [stays, anew] = [makeKey('stays'), makeKey('known')];
  const list = (...keys: TwinKey[]): void => {
    rig.answer = () => Promise.resolve({ keys: keys.map(jwkOf) } as unknown as JSONWebKeySet);
    rig.now += 11 * 60_000;
  };
  list(KNOWN, stays);
  await ask(rig, KNOWN, false);
  list(stays, KNOWN);
  await ask(rig, stays, false);
  assert.deepEqual(rig.gone, [], 'their order says nothing');
  list(stays, anew);
  await ask(rig, anew, false);
  assert.deepEqual(rig.gone, [['known']]);
  list(anew);
  await ask(rig, anew, false);
  assert.deepEqual(rig.gone, [['known'], ['stays']]);
});
