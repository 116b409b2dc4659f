import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProviderAnswer } from '../provider-answer.ts';
import { createClockWatch, type ClockWatch } from './clock-watch.ts';

const NOON = Date.parse('2026-11-26T12:00:00Z');

interface Rig {
  readonly watch: ClockWatch;
  readonly said: string[];
  /** One answer with this `Date`, or with an ID token of this `iat`, that took so long. */
  readonly hear: (what: {
    date?: number;
    iat?: number;
    age?: number;
    tookMs?: number;
    body?: string;
  }) => Promise<ProviderAnswer>;
}

function createRig(clockToleranceMs = 60_000): Rig {
  let now = NOON;
  const said: string[] = [];
  const watch = createClockWatch({
    provider: { id: 'keycloak', clockToleranceMs },
    clock: { now: () => now },
    log: (level, message) => said.push(`${level} ${message}`),
  });
  return {
    watch,
    said,
    hear({ date, iat, age, tookMs = 0, body }) {
      const headers = new Headers(date === undefined ? {} : { date: new Date(date).toUTCString() });
      if (age !== undefined) headers.set('age', String(age));
      const text = body ?? (iat === undefined ? '{}' : JSON.stringify({ id_token: idToken(iat / 1_000) }));
      return watch.over(() => {
        now += tookMs;
        return Promise.resolve(new ProviderAnswer(Buffer.from(text), 200, headers));
      })('https://id.example.com/token', { method: iat === undefined && body === undefined ? 'GET' : 'POST' });
    },
  };
}

function idToken(iat: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part({ iat })}.c2ln`;
}

test('createClockWatch() says once how far the clocks are apart, with the remedy, and once that they agree again', async () => {
  const { hear, said, watch } = createRig();
  assert.equal(watch.hasHeard(), false);
  await hear({ date: NOON - 180_000 });
  await hear({ date: NOON - 181_000 });
  assert.equal(watch.hasHeard(), true);
  const expected =
    'Clock of provider "keycloak" is about 3 min behind this machine\'s; set both by NTP, or raise "clock_tolerance" of "providers.keycloak", which bears 60 s';
  assert.equal(watch.problem(), expected);
  await hear({ date: NOON + 180_000 });
  await hear({ date: NOON + 300 });
  assert.equal(watch.problem(), null);
  assert.deepEqual(said, [
    `warn ${expected}`,
    `warn ${expected.replace('behind', 'ahead of')}`,
    `info Clock of provider "keycloak" agrees with this machine's again`,
  ]);
});

test('createClockWatch() bears what the tolerance bears, and takes no slow answer for a slow clock', async () => {
  const wide = createRig(300_000);
  await wide.hear({ date: NOON - 180_000 });
  assert.deepEqual(wide.said, []);
  const slow = createRig();
  await slow.hear({ date: NOON, tookMs: 90_000 });
  assert.deepEqual([slow.said, slow.watch.hasHeard()], [[], true]);
  const cached = createRig();
  await cached.hear({ date: NOON - 3_600_000, age: 3_600 });
  assert.deepEqual(cached.said, [], 'an answer out of a cache is as old as its Age');
});

test('createClockWatch() believes tokens more than a proxy that says Date', async () => {
  const { hear, watch, said } = createRig();
  await hear({ date: NOON });
  await hear({ iat: NOON - 240_000, date: NOON });
  assert.match(watch.problem() ?? '', /about 4 min behind/);
  await hear({ date: NOON });
  assert.match(watch.problem() ?? '', /about 4 min behind/, 'a Date alone does not undo what a token said');
  assert.equal(said.length, 1);
});

test('createClockWatch() hands answers on unread, and learns nothing of those that say nothing', async () => {
  const { hear, watch } = createRig();
  for (const body of ['', 'no json', '{"id_token":7}', '{"id_token":"a.b.c"}', 'null', 'x'.repeat(200_000)])
    assert.equal(await (await hear({ body })).text(), body);
  assert.equal(watch.hasHeard(), false);
  const odd = createRig();
  await odd.watch.over(() =>
    Promise.resolve(new ProviderAnswer(Buffer.alloc(0), 200, new Headers({ date: 'yesterday', age: 'x' }))),
  )('x');
  assert.equal(odd.watch.hasHeard(), false);
});
