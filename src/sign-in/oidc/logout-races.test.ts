/** Logout tokens that come while the session which they are about is being opened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, AUTH, beforeOpening, type Page } from '../_rig.ts';
import type { Claims } from './_twin-keys.ts';
import { departure, signInBy, withOidc, type OidcRig } from './_rig.ts';

async function logOut({ browser, twin }: OidcRig, claims: Claims): Promise<void> {
  const page = await browser().send(`${AUTH}/.postern/backchannel-logout`, {
    form: { logout_token: twin.signLogout(claims) },
    headers: { origin: '', 'sec-fetch-mode': '', 'sec-fetch-dest': '' },
  });
  assert.equal(page.status, 200);
}

const alive = async ({ sessions }: OidcRig): Promise<number> => (await sessions.list()).length;

async function assertRefused(rig: OidcRig, page: Page, why: RegExp): Promise<void> {
  assert.equal(page.status, 400, page.url);
  assert.equal(await alive(rig), 0);
  const event = rig.events.findLast(({ kind }) => kind === 'provider-problem');
  assert.match(event?.kind === 'provider-problem' ? event.message : '', why);
  assert.match(page.text, /href="\/\.postern\/sign-in\?ticket=/, 'the way to where they wanted is not lost');
}

const NAMED: Readonly<Record<string, { readonly claims: Claims; readonly logout: Claims }>> = {
  'the sid of it': { claims: { sid: 'sid-1' }, logout: { sid: 'sid-1' } },
  'its sid and its subject': { claims: { sid: 'sid-1' }, logout: { sid: 'sid-1', sub: 'sub-alice' } },
  'its subject alone': { claims: { sid: 'sid-1' }, logout: { sub: 'sub-alice' } },
  'a sid that the ID token does not say, and its subject': { claims: {}, logout: { sid: 'sid-1', sub: 'sub-alice' } },
};
for (const [name, { claims, logout }] of Object.entries(NAMED)) {
  test(`A logout token that names ${name} ends a session that is being opened`, () =>
    withOidc(async (rig) => {
      const { twin } = rig;
      twin.claims = { ...twin.claims, ...claims };
      beforeOpening(rig, () => logOut(rig, logout));
      const alice = rig.browser();
      await assertRefused(rig, await signInBy(alice, twin, `${APP}/reports`), /signed the person out/);
      assert.equal(alice.sessionToken(AUTH), undefined, 'nobody gets a cookie of it');
      twin.claims = { ...twin.claims, ...(claims['sid'] === undefined ? {} : { sid: 'sid-2' }) };
      assert.equal((await signInBy(alice, twin, `${APP}/reports`)).text, 'app for alice', 'another sign-in counts');
    }));
}

test('A logout token about somebody else, or another session, leaves the one that is being opened', () =>
  withOidc(async (rig) => {
    const { twin } = rig;
    twin.claims = { ...twin.claims, sid: 'sid-1' };
    for (const logout of [{ sub: 'sub-bob' }, { sid: 'sid-2' }, { sid: 'sid-2', sub: 'sub-alice' }]) {
      beforeOpening(rig, () => logOut(rig, logout));
      assert.equal((await signInBy(rig.browser(), twin, `${APP}/`)).text, 'app for alice', JSON.stringify(logout));
    }
  }));

test('A logout token that comes while the person is at the provider counts for a sid that is known a moment later', () =>
  withOidc(async (rig) => {
    const { twin } = rig;
    twin.claims = { ...twin.claims, sid: 'sid-1' };
    const alice = rig.browser();
    const back = twin.visit(await departure(alice, `${APP}/reports`));
    rig.advance(1_000);
    await logOut(rig, { sid: 'sid-1' });
    // A provider that gives tokens for a code of a session which has ended.
    await assertRefused(rig, await alice.open(back), /signed the person out/);
    assert.equal((await signInBy(alice, twin, `${APP}/reports`)).text, 'app for alice', 'as soon as they come anew');
  }));

test('Whoever signed in at the provider after a logout token is in, though they left for it before', () =>
  withOidc(async (rig) => {
    const { twin } = rig;
    const alice = rig.browser();
    const away = await departure(alice, `${APP}/`);
    rig.advance(1_000);
    await logOut(rig, { sub: 'sub-alice' });
    twin.claims = { ...twin.claims, auth_time: Math.floor(Date.now() / 1_000) + 2 };
    assert.equal((await alice.open(twin.visit(away))).text, 'app for alice');
  }));

test('New tokens that are fetched for a session do not bring back what a logout token ends meanwhile', () =>
  withOidc(
    async (rig) => {
      const { twin, sessions } = rig;
      twin.claims = { ...twin.claims, sid: 'sid-1' };
      const alice = rig.browser();
      await signInBy(alice, twin, `${APP}/`);
      rig.advance(1_000);
      const away = await departure(alice, `${APP}/.postern/start?to=/`);
      const renew = sessions.renewTokens.bind(sessions);
      sessions.renewTokens = async (...args) => {
        await logOut(rig, { sid: 'sid-1' });
        return renew(...args);
      };
      assert.equal((await alice.open(twin.visit(away))).status, 400);
      assert.equal(await alive(rig), 0);
    },
    { rig: { lacksTokens: () => true } },
  ));

test('An empty sid or sub names nothing', () =>
  withOidc(async (rig) => {
    const { twin } = rig;
    twin.claims = { ...twin.claims, sid: '' };
    await signInBy(rig.browser(), twin, `${APP}/`);
    const page = await rig.browser().send(`${AUTH}/.postern/backchannel-logout`, {
      form: { logout_token: twin.signLogout({ sid: '', sub: '' }) },
      headers: { origin: '', 'sec-fetch-mode': '', 'sec-fetch-dest': '' },
    });
    assert.equal(page.status, 400);
    assert.equal(await alive(rig), 1);
  }));
