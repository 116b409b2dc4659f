import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { hasSecondFactor } from '../../policy/facts.ts';
import { missingFor } from '../../policy/step-up.ts';
import { APP, AUTH, type RigOptions } from '../_rig.ts';
import { departure, settingsFor, signInBy, withOidc } from './_rig.ts';
import { readGrant } from '../provider.ts';
import { personFrom } from './person.ts';

const FACTOR = { secondFactor: true, acr: [], maxAgeMs: null };
const JUDGED = { route: 'app.example.com /vault', rule: 'require: second-factor', shadow: null };
const NEEDS_FACTOR: RigOptions = {
  mayEnter: ({ person, path }) =>
    path === '/open' || hasSecondFactor(person.amr)
      ? { kind: 'allow' }
      : { kind: 'sign-in', needs: FACTOR, judged: JUDGED },
};
const GOLD = { secondFactor: { acr: ['gold', 'platinum'], amr: [] } };

test('A route that asks for a second factor sends people back to the provider for it, once', () =>
  withOidc(
    async ({ browser, twin, sessions }) => {
      const alice = browser();
      twin.claims = { ...twin.claims, acr: 'silver' };
      assert.equal((await signInBy(alice, twin, `${APP}/open`)).text, 'app for alice');
      const [before] = await sessions.list();
      const away = new URL(await departure(alice, `${APP}/.postern/start?to=/vault`));
      assert.equal(away.searchParams.get('acr_values'), 'gold platinum');
      twin.claims = { ...twin.claims, acr: 'gold' };
      const page = await alice.open(twin.visit(away.href));
      assert.deepEqual([page.url, page.text], [`${APP}/vault`, 'app for alice']);
      const [after, ...more] = await sessions.list();
      assert.deepEqual([more.length, after?.person.amr], [0, ['mfa']]);
      assert.notEqual(after?.key, before?.key, 'more was proved: a new session');
    },
    { settings: GOLD, rig: NEEDS_FACTOR },
  ));

test('A provider that was asked and does not say so is not asked for ever', () =>
  withOidc(
    async ({ browser, twin }) => {
      const alice = browser();
      twin.claims = { ...twin.claims, acr: 'silver' };
      const asked = await departure(alice, `${APP}/vault`);
      assert.equal(new URL(asked).searchParams.get('acr_values'), null, 'the first sign-in is an ordinary one');
      const back = await alice.send(twin.visit(asked));
      const again = await departure(alice, new URL(back.headers.get('location') ?? '', AUTH).href);
      assert.equal(new URL(again).searchParams.get('acr_values'), 'gold platinum');
      const page = await alice.open(twin.visit(again));
      assert.equal(page.status, 403);
      assert.match(page.text, /A second factor is needed/);
      assert.match(page.text, /Twin&quot; did not say/);
      assert.deepEqual(page.refused, {
        person: { provider: 'keycloak', name: 'alice' },
        wanted: { host: 'app.example.com', path: '/vault', query: '' },
        decision: 'sign-in',
        judged: JUDGED,
      });
      assert.equal(twin.authorizations.length, 2);
    },
    { settings: GOLD, rig: NEEDS_FACTOR },
  ));

test('A provider of which no "acr" is known explains instead', () =>
  withOidc(
    async ({ browser, twin }) => {
      const page = await signInBy(browser(), twin, `${APP}/vault`);
      assert.equal(page.status, 403);
      assert.match(page.text, /A second factor is needed/);
    },
    { rig: NEEDS_FACTOR },
  ));

suite('What counts as a second factor is what the document says', () => {
  const cases: readonly [second: { acr: string[]; amr: string[] }, claims: object, amr: string[]][] = [
    [{ acr: [], amr: ['mfa'] }, { amr: ['pwd', 'mfa'] }, ['pwd', 'mfa']],
    [{ acr: [], amr: ['mfa'] }, { amr: ['pwd', 'otp'] }, ['pwd', 'otp']],
    [{ acr: [], amr: ['otp', 'hwk'] }, { amr: ['pwd', 'otp'] }, ['pwd', 'otp', 'mfa']],
    [{ acr: [], amr: ['otp'] }, { amr: ['pwd', 'mfa'] }, ['pwd']],
    [{ acr: ['gold'], amr: [] }, { acr: 'gold' }, ['mfa']],
    [{ acr: ['gold'], amr: [] }, { acr: ['gold'] }, []],
    [{ acr: ['gold'], amr: [] }, { acr: 'Gold', amr: 'mfa' }, []],
    [{ acr: ['1'], amr: [] }, { acr: 1 }, []],
    [{ acr: [], amr: ['mfa'] }, { amr: [['mfa'], { mfa: 1 }, null] }, []],
  ];
  for (const [secondFactor, claims, amr] of cases) {
    test(`${JSON.stringify(claims)} by ${JSON.stringify(secondFactor)}`, () => {
      const twin = { issuer: 'https://id.example.com', clientId: 'postern', clientSecret: 'x' };
      const settings = settingsFor(twin as Parameters<typeof settingsFor>[0], { secondFactor });
      assert.deepEqual(personFrom(settings, 'sub', [{ sub: 'sub', ...claims }]).person.amr, amr);
    });
  }
});

test('How somebody signed in is what the ID token says: what userinfo says of it is no second factor, and no level', () =>
  withOidc(
    async ({ browser, twin, entries, sessions, provider }) => {
      twin.userinfo = {
        groups: ['/staff'],
        amr: ['pwd', 'mfa'],
        acr: 'gold',
        auth_time: Math.floor(Date.now() / 1_000),
      };
      await signInBy(browser(), twin, `${APP}/`);
      const { person } = entries.at(-1) ?? {};
      assert.deepEqual(
        [person?.groups, person?.amr, person?.acr, person?.authenticatedAt],
        [['/staff'], [], null, null],
        'groups are taken from there',
      );
      const [session] = await sessions.list();
      const grant = readGrant(await sessions.findGrant(session?.key ?? ''));
      assert.ok(session !== undefined && grant !== null);
      for (const silent of [false, true]) {
        twin.refreshesSilently = silent;
        const fresh = await provider.refresh(session.person, { ...grant, refreshToken: twin.issueRefreshToken() });
        assert.deepEqual(fresh.kind === 'known' ? fresh.person.amr : fresh, [], String(silent));
      }
    },
    { settings: { secondFactor: { acr: ['gold'], amr: ['mfa'] } }, prepare: (twin) => (twin.userinfo = {}) },
  ));

const MINUTE = 60_000;

/** `/open` asks for nothing, `/vault` for a level, everything else for a sign-in of the last quarter of an hour. */
const NEEDS_PROOF: RigOptions = {
  mayEnter({ person, path }) {
    if (path === '/open') return { kind: 'allow' };
    const wanted =
      path === '/vault'
        ? { secondFactor: false, acr: ['gold'], maxAgeMs: null }
        : { secondFactor: false, acr: [], maxAgeMs: 15 * MINUTE };
    const facts = { identity: { kind: 'person', person }, ip: null, clientCertificate: null, request: null } as const;
    // Times of the provider are real ones.
    const needs = missingFor(wanted, { ...facts, now: Date.now() }, () => false);
    return needs === null ? { kind: 'allow' } : { kind: 'sign-in', needs };
  },
};
const seconds = (): number => Math.floor(Date.now() / 1_000);

test('max_age: whoever signed in long ago is sent back with it, once, and comes to where they wanted', () =>
  withOidc(
    async ({ browser, twin, sessions }) => {
      const alice = browser();
      twin.claims = { ...twin.claims, auth_time: seconds() - 3_600 };
      assert.equal((await signInBy(alice, twin, `${APP}/open`)).text, 'app for alice');
      const [before] = await sessions.list();
      const away = new URL(
        await departure(alice, `${APP}/.postern/start?to=${encodeURIComponent('/report?a=1&b=%2F')}`),
      );
      assert.equal(away.searchParams.get('max_age'), '840', 'a minute less than the route bears');
      assert.equal(away.searchParams.get('prompt'), null);
      const provedAt = seconds();
      twin.claims = { ...twin.claims, auth_time: provedAt };
      const page = await alice.open(twin.visit(away.href));
      assert.deepEqual([page.url, page.text], [`${APP}/report?a=1&b=%2F`, 'app for alice']);
      const [after, ...more] = await sessions.list();
      assert.equal(more.length, 0);
      assert.notEqual(after?.key, before?.key);
      const at = after?.person.authenticatedAt ?? 0;
      assert.ok(at >= provedAt * 1_000 && at <= Date.now(), 'since then, by our clock');
    },
    { rig: NEEDS_PROOF },
  ));

test('max_age: a provider that does not heed it is asked with prompt=login, then the page explains and the log says why', () =>
  withOidc(
    async ({ browser, twin, events }) => {
      const alice = browser();
      for (const authTime of [undefined, seconds() - 3_600, seconds() + 86_400]) {
        twin.claims = { ...twin.claims, auth_time: authTime };
        twin.authorizations.length = 0;
        let way = await departure(alice, `${APP}/.postern/start?to=/report&switch=1`);
        const prompts: (string | null)[] = [];
        let page = await alice.send(twin.visit(way));
        for (let i = 0; i < 2; i++) {
          way = await departure(alice, new URL(page.headers.get('location') ?? '', AUTH).href);
          prompts.push(new URL(way).searchParams.get('prompt'));
          page = await alice.send(twin.visit(way));
        }
        assert.deepEqual(prompts, [null, 'login']);
        page = await alice.open(new URL(page.headers.get('location') ?? '', AUTH).href);
        assert.equal(page.status, 403);
        assert.match(page.text, /This page asks for more than your sign-in shows/);
        assert.equal(twin.authorizations.length, 3, 'asked twice, and not for ever');
      }
      const said = events.flatMap((event) =>
        event.kind === 'provider-problem' ? [`${event.reason}: ${event.message}`] : [],
      );
      assert.match(said[0] ?? '', /^not-shown: Route asks for a sign-in that is less than 15m old.*no "auth_time"/);
    },
    { rig: NEEDS_PROOF },
  ));

test('acr: people are sent back with the levels of the route, and only the claim counts', () =>
  withOidc(
    async ({ browser, twin }) => {
      for (const acr of ['silver', 'Gold', undefined, ['gold'], 'gold ']) {
        const alice = browser();
        twin.claims = { ...twin.claims, acr };
        const back = await alice.send(twin.visit(await departure(alice, `${APP}/vault`)));
        const again = await departure(alice, new URL(back.headers.get('location') ?? '', AUTH).href);
        assert.equal(new URL(again).searchParams.get('acr_values'), 'gold');
        assert.equal(new URL(again).searchParams.get('max_age'), null);
        const page = await alice.open(twin.visit(again));
        assert.equal(page.status, 403, JSON.stringify(acr));
      }
      const alice = browser();
      twin.claims = { ...twin.claims, acr: 'silver' };
      const back = await alice.send(twin.visit(await departure(alice, `${APP}/vault`)));
      const again = await departure(alice, new URL(back.headers.get('location') ?? '', AUTH).href);
      twin.claims = { ...twin.claims, acr: 'gold' };
      assert.equal((await alice.open(twin.visit(again))).text, 'app for alice');
    },
    { rig: NEEDS_PROOF },
  ));

test("a word in the address that says one has stepped up opens nothing, and a provider's clock that is off does not count", () =>
  withOidc(
    async ({ browser, twin }) => {
      const alice = browser();
      twin.claims = { ...twin.claims, auth_time: seconds() - 3_600 };
      await signInBy(alice, twin, `${APP}/open`);
      const start = await alice.send(`${APP}/.postern/start?to=/report`);
      const target = new URL(start.headers.get('location') ?? '');
      for (const word of ['signed-in', 'stepped-up', 'stepped-up-again', '1', 'constructor']) {
        target.searchParams.set('continue', word);
        const page = await alice.send(target.href);
        assert.ok(page.status === 403 || page.headers.get('location')?.startsWith(twin.issuer) === true, word);
      }
      twin.clockOffset = -50;
      twin.claims = { ...twin.claims, auth_time: seconds() - 50 };
      const away = await departure(alice, `${APP}/.postern/start?to=/report`);
      assert.equal((await alice.open(twin.visit(away))).text, 'app for alice');
    },
    { rig: NEEDS_PROOF },
  ));
