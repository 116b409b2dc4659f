import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { RefreshPace } from './refresh-pace.ts';
import { createRefresher } from './refresher.ts';
import type { DueGrant } from './refresher.ts';
import type { Person } from '../core/person.ts';
import type { Provider } from './provider.ts';

const GRANT = { accessToken: 'a', refreshToken: 'r', idToken: null, expiresAt: null };

function dueOf(provider: string, count: number): DueGrant[] {
  return Array.from({ length: count }, (_, i) => {
    const key = `${provider}-${i}`;
    const person: Person = {
      provider,
      subject: key,
      name: key,
      displayName: key,
      email: null,
      emailVerified: false,
      groups: [],
      roles: [],
      amr: [],
    };
    return { key, provider, subject: key, authority: provider, open: () => ({ person, value: GRANT }) };
  });
}

/** Answers when it is told to. */
function lateProvider(asked: string[], answers: Promise<void>): Provider {
  return {
    id: 'there',
    authority: 'there',
    async refresh(person: Person) {
      asked.push(person.subject);
      await answers;
      return { kind: 'known', person, grant: GRANT, refreshAt: null, notes: [] };
    },
  } as unknown as Provider;
}

test('a provider that is down costs nothing while it is, and what is due of others is not behind it', async () => {
  const clock = { at: 1_000_000, now: () => clock.at };
  const store = new Map([
    ['away', dueOf('away', 5_000)],
    ['there', dueOf('there', 200)],
  ]);
  const counts = { read: 0, deferred: 0, renewed: new Map<string, number>() };
  const asked = new Map<string, number>();
  const state = { isAway: true };
  const deferred = new Map<string, number>();
  const providerOf = (id: string): Provider =>
    ({
      id,
      authority: id,
      async refresh(person: Person) {
        await turn();
        asked.set(person.subject, (asked.get(person.subject) ?? 0) + 1);
        if (id === 'away' && state.isAway) return { kind: 'unavailable', message: 'no answer' };
        return { kind: 'known', person, grant: GRANT, refreshAt: null, notes: [] };
      },
    }) as unknown as Provider;
  const providers = [providerOf('away'), providerOf('there')];
  const refresher = createRefresher({
    clock,
    log: () => undefined,
    providers: { list: () => providers, find: (id) => providers.find((one) => one.id === id) ?? null },
    admit: (_, person) => Promise.resolve({ kind: 'person', person, notes: [] }),
    sessions: {
      openGrant: () => Promise.resolve(null),
      async dueGrants(provider, limit, except) {
        await turn();
        const isDue = ({ key }: DueGrant): boolean =>
          !except.has(key) && !counts.renewed.has(key) && (deferred.get(key) ?? 0) <= clock.at;
        const found = (store.get(provider) ?? []).filter(isDue).slice(0, limit);
        counts.read += found.length;
        return found;
      },
      renewGrant(key) {
        counts.renewed.set(key, (counts.renewed.get(key) ?? 0) + 1);
        return Promise.resolve(true);
      },
      deferGrant(key, at) {
        counts.deferred++;
        deferred.set(key, at ?? Number.POSITIVE_INFINITY);
        return Promise.resolve();
      },
      setGrantsBack: () => Promise.reject(new Error('the clock goes on')),
      refreshPerson: () => Promise.resolve(),
      revoke: () => Promise.reject(new Error('nobody is signed out')),
    },
  });
  const settled = async (): Promise<void> => {
    await refresher.tick();
    while (refresher.inFlight() > 0) await turn();
  };
  // Less than its first pause.
  for (let second = 0; second < 4; second++) {
    await settled();
    clock.at += 1_000;
  }
  assert.equal(counts.renewed.size, 200, 'whoever is due of the other provider was asked about');
  assert.ok(counts.deferred <= 16, `only who was asked in vain is put off: ${counts.deferred}`);
  assert.ok(counts.read <= 200 + 2 * 64, `nothing is taken out of the store for nothing: ${counts.read}`);
  state.isAway = false;
  clock.at += 60_000;
  asked.clear();
  await settled();
  clock.at += 60_000;
  await settled();
  assert.equal(counts.renewed.size, 5_200);
  assert.ok(
    [...asked.values()].every((count) => count === 1),
    'one refresh a session',
  );
});

test('createRefresher() pauses between questions that nobody waits for, not before one that somebody does', async () => {
  const clock = { at: 1_000_000, now: () => clock.at };
  const due = dueOf('there', 400);
  const asked: string[] = [];
  const renewed = new Set<string>();
  const rests: (() => void)[] = [];
  const pauses = new Set<number>();
  let breaths = 0;
  const provider = {
    id: 'there',
    authority: 'there',
    async refresh(person: Person) {
      asked.push(person.subject);
      await turn();
      return { kind: 'known', person, grant: GRANT, refreshAt: null, notes: [] };
    },
  } as unknown as Provider;
  const refresher = createRefresher({
    clock,
    log: () => undefined,
    pace: new RefreshPace({
      cpuMs: () => 0,
      rest(ms) {
        if (ms === 1) {
          breaths++;
          return Promise.resolve();
        }
        pauses.add(ms);
        return new Promise<void>((resolve) => rests.push(resolve));
      },
    }),
    providers: { list: () => [provider], find: () => provider },
    admit: (_, person) => Promise.resolve({ kind: 'person', person, notes: [] }),
    sessions: {
      openGrant: (key) => Promise.resolve(due.find((one) => one.key === key) ?? null),
      async dueGrants(_, limit, except) {
        await turn();
        return due.filter(({ key }) => !except.has(key) && !renewed.has(key)).slice(0, limit);
      },
      renewGrant(key) {
        renewed.add(key);
        return Promise.resolve(true);
      },
      deferGrant: () => Promise.reject(new Error('it answers')),
      setGrantsBack: () => Promise.reject(new Error('the clock goes on')),
      refreshPerson: () => Promise.resolve(),
      revoke: () => Promise.reject(new Error('nobody is signed out')),
    },
  });
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 20; turns++) await turn();
  };
  await refresher.tick();
  await settle();
  assert.deepEqual([asked.length, rests.length], [16, 16], 'as many as there are seats, and each pauses');
  assert.equal(breaths, 3 * 16, 'between its pieces, too');
  const last = due.at(-1);
  assert.equal(await refresher.renew(last?.key ?? ''), 'renewed');
  assert.equal(asked.at(-1), last?.subject, 'whoever waits is overtaken by no pause');
  assert.deepEqual([asked.length, rests.length, breaths], [17, 16, 3 * 16], 'and makes none');
  for (const go of rests.splice(0, 3)) go();
  await settle();
  assert.deepEqual([asked.length, rests.length], [20, 16], 'a seat whose pause is over takes the next');
  assert.deepEqual([...pauses], [800]);
  clock.at += 60_001;
  for (const go of rests.splice(0)) go();
  await settle();
  assert.deepEqual([asked.length, [...pauses]], [36, [800, 150]], 'and whoever is behind for long makes shorter ones');
  clock.at += 1_140_000;
  for (const go of rests.splice(0)) go();
  await settle();
  while (renewed.size < due.length) await turn();
  assert.equal(rests.length < 2 * 16, true, 'whoever is far behind makes no more pauses');
  assert.equal(new Set(asked).size, asked.length, 'one question a session');
});

test('a session that an app asks for while the store reads what is due is asked about once: a refresh token counts once', async () => {
  const [one] = dueOf('there', 1) as [DueGrant];
  const asked: string[] = [];
  const answers = Promise.withResolvers<void>();
  const reading = Promise.withResolvers<void>();
  const provider = lateProvider(asked, answers.promise);
  const refresher = createRefresher({
    clock: { now: () => 1_000_000 },
    log: () => undefined,
    providers: { list: () => [provider], find: () => provider },
    admit: (_, person) => Promise.resolve({ kind: 'person', person, notes: [] }),
    sessions: {
      openGrant: () => Promise.resolve(one),
      // As it stood when it was read, whatever was taken since.
      dueGrants: () => reading.promise.then(() => [one]),
      renewGrant: () => Promise.resolve(true),
      deferGrant: () => Promise.reject(new Error('it answers')),
      setGrantsBack: () => Promise.reject(new Error('the clock goes on')),
      refreshPerson: () => Promise.resolve(),
      revoke: () => Promise.reject(new Error('nobody is signed out')),
    },
  });
  const ticking = refresher.tick();
  const renewals = [refresher.renew(one.key), refresher.renew(one.key)];
  for (let turns = 0; turns < 5; turns++) await turn();
  reading.resolve();
  await ticking;
  for (let turns = 0; turns < 5; turns++) await turn();
  answers.resolve();
  assert.deepEqual(await Promise.all(renewals), ['renewed', 'renewed']);
  assert.deepEqual(asked, [one.subject]);
  assert.equal(refresher.inFlight(), 0);
});

test('a provider that fails for one person alone pauses once for it; one that fails for whoever comes pauses again', async () => {
  const clock = { at: 1_000_000, now: () => clock.at };
  const [ann, bob, eve] = dueOf('there', 3) as [DueGrant, DueGrant, DueGrant];
  const logged: string[] = [];
  const deferred: number[] = [];
  const failing = new Set([ann.key]);
  let failures = 0;
  const provider = {
    id: 'there',
    authority: 'there',
    refresh(person: Person) {
      const fails = failing.has(person.subject);
      if (fails) failures++;
      return Promise.resolve(
        fails
          ? { kind: 'unavailable', message: 'it answered 500' }
          : { kind: 'known', person, grant: GRANT, refreshAt: null, notes: [] },
      );
    },
  } as unknown as Provider;
  const refresher = createRefresher({
    clock,
    log: (_, message, facts) => logged.push(`${message} ${JSON.stringify(facts)}`),
    providers: { list: () => [provider], find: () => provider },
    admit: (_, person) => Promise.resolve({ kind: 'person', person, notes: [] }),
    sessions: {
      openGrant: (key) => Promise.resolve([ann, bob, eve].find((one) => one.key === key) ?? null),
      dueGrants: () => Promise.resolve([]),
      renewGrant: () => Promise.resolve(true),
      deferGrant: (_, at) => Promise.resolve(void deferred.push((at ?? 0) - clock.at)),
      setGrantsBack: () => Promise.reject(new Error('the clock goes on')),
      refreshPerson: () => Promise.resolve(),
      revoke: () => Promise.reject(new Error('nobody is signed out')),
    },
  });
  const ask = ({ key }: DueGrant): Promise<string> => refresher.renew(key);
  assert.deepEqual([await ask(ann), await ask(bob)], ['unavailable', 'unavailable'], 'it may be an outage');
  for (let times = 0; times < 3; times++) {
    clock.at += 60_000;
    assert.deepEqual(
      [await ask(bob), await ask(ann), await ask(bob), await ask(eve)],
      ['renewed', 'unavailable', 'renewed', 'renewed'],
    );
    assert.ok((deferred.at(-1) ?? 0) >= 60_000, 'asked about again in a minute');
  }
  const before = failures;
  for (let requests = 0; requests < 20; requests++) {
    assert.equal(await ask(ann), 'unavailable');
    clock.at += 500;
  }
  assert.equal(
    failures - before,
    1,
    'an app that wants tokens with each request has the provider asked every five seconds',
  );
  assert.deepEqual(logged, [
    'it answered 500; people who are signed in go on {"provider":"there"}',
    `it answered 500; people who are signed in go on {"provider":"there","user":"${ann.key}"}`,
  ]);
  failing.add(bob.key);
  assert.deepEqual([await ask(bob), await ask(eve)], ['unavailable', 'unavailable'], 'nobody is asked about');
  clock.at += 5_000;
  failing.clear();
  assert.deepEqual([await ask(eve), await ask(ann), await ask(bob)], ['renewed', 'renewed', 'renewed']);
});

test('who could not be admitted anew keeps the new grant, and is asked about again in a minute', async () => {
  const [one] = dueOf('there', 1) as [DueGrant];
  const calls: string[] = [];
  let isBroken = true;
  const provider = {
    id: 'there',
    authority: 'there',
    refresh: (person: Person) =>
      Promise.resolve({ kind: 'known', person, grant: GRANT, refreshAt: 1_000_000 + 3_600_000, notes: [] }),
  } as unknown as Provider;
  const refresher = createRefresher({
    clock: { now: () => 1_000_000 },
    log: (_, message) => void calls.push(message),
    providers: { list: () => [provider], find: () => provider },
    admit: (_, person) =>
      isBroken ? Promise.reject(new Error('the disk')) : Promise.resolve({ kind: 'person', person, notes: [] }),
    sessions: {
      openGrant: () => Promise.resolve(one),
      dueGrants: () => Promise.resolve([]),
      renewGrant: (_, { refreshAt }) =>
        Promise.resolve(calls.push(`grant, due in ${(refreshAt ?? 0) - 1_000_000}`) > 0),
      deferGrant: (_, at) => Promise.resolve(void calls.push(`due in ${(at ?? 0) - 1_000_000}`)),
      setGrantsBack: () => Promise.reject(new Error('the clock goes on')),
      refreshPerson: () => Promise.resolve(),
      revoke: () => Promise.reject(new Error('nobody is signed out')),
    },
  });
  assert.equal(await refresher.renew(one.key), 'unavailable');
  assert.deepEqual(calls, ['grant, due in 3600000', 'due in 60000', 'Cannot keep what a provider answered']);
  isBroken = false;
  assert.equal(await refresher.renew(one.key), 'renewed');
});

test('end() waits for the answers to what was asked, and asks about nobody more', async () => {
  const due = dueOf('there', 20);
  const answers = Promise.withResolvers<void>();
  const asked: string[] = [];
  const kept: string[] = [];
  const provider = lateProvider(asked, answers.promise);
  const refresher = createRefresher({
    clock: { now: () => 1_000_000 },
    log: () => undefined,
    providers: { list: () => [provider], find: () => provider },
    admit: (_, person) => Promise.resolve({ kind: 'person', person, notes: [] }),
    sessions: {
      openGrant: (key) => Promise.resolve(due.find((one) => one.key === key) ?? null),
      dueGrants: (_, limit, except) => Promise.resolve(due.filter(({ key }) => !except.has(key)).slice(0, limit)),
      renewGrant: (key) => Promise.resolve(kept.push(key) > 0),
      deferGrant: () => Promise.reject(new Error('it answers')),
      setGrantsBack: () => Promise.reject(new Error('the clock goes on')),
      refreshPerson: () => Promise.resolve(),
      revoke: () => Promise.reject(new Error('nobody is signed out')),
    },
  });
  await refresher.tick();
  const waits = refresher.renew('there-19');
  let hasEnded = false;
  const ended = refresher.end().then(() => (hasEnded = true));
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.equal(hasEnded, false);
  assert.equal(await waits, 'unavailable', 'what was not asked is let go');
  answers.resolve();
  await ended;
  assert.deepEqual([asked.length, kept.length], [16, 16]);
  await refresher.tick();
  assert.deepEqual([await refresher.renew('there-18'), asked.length], ['unavailable', 16]);
});
