import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { hasSecondFactor } from '../../policy/facts.ts';
import { APP, AUTH, type RigOptions } from '../_rig.ts';
import { departure, settingsFor, signInBy, withOidc } from './_rig.ts';
import { personFrom } from './person.ts';

const NEEDS_FACTOR: RigOptions = {
  mayEnter: ({ person, path }) =>
    path === '/open' || hasSecondFactor(person.amr) ? { kind: 'allow' } : { kind: 'sign-in', needsSecondFactor: true },
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
