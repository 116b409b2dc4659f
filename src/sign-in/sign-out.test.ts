import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LINK_PROVIDER, type Person } from '../core/person.ts';
import { sessionCookieName } from '../session/token.ts';
import { APP, AUTH, createRig, OTHER, type Browser, type Rig } from './_rig.ts';

const PASSWORD = 'correct horse battery';

async function withRig(work: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = createRig();
  try {
    await rig.addAccount('alice', PASSWORD, ['staff']);
    await work(rig);
  } finally {
    rig.close();
  }
}

async function signedIn(rig: Rig): Promise<Browser> {
  const browser = rig.browser();
  await browser.signInOn(await browser.open(`${APP}/`), 'alice', PASSWORD);
  await browser.open(`${OTHER}/`);
  return browser;
}

test('Signing out on one app ends the sign-in and every app of this browser, and no other browser', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const elsewhere = await signedIn(rig);
    const ask = await browser.open(`${APP}/.postern/sign-out`);
    assert.match(ask.text, /alice/);
    const done = await browser.follow(await browser.submit(ask, {}));
    assert.equal(done.url, `${AUTH}/.postern/signed-out`);
    assert.match(done.text, /You are signed out/);
    assert.equal(browser.sessionToken(APP), undefined);
    assert.equal(browser.sessionToken(AUTH), undefined);
    for (const url of [`${APP}/`, `${OTHER}/`]) assert.equal((await browser.send(url)).status, 302);
    assert.equal((await elsewhere.send(`${APP}/`)).text, 'app for alice');
  }));

test('Signing out everywhere ends every browser', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const elsewhere = await signedIn(rig);
    const home = await browser.open(`${AUTH}/`);
    const done = await browser.follow(await browser.submit(home, { everywhere: '1' }));
    assert.match(done.text, /all devices/);
    assert.equal((await rig.sessions.list()).length, 0);
    assert.equal((await elsewhere.send(`${OTHER}/`)).status, 302);
  }));

test('Signing out ends nobody else who came by the same link, whatever the form says', () =>
  withRig(async (rig) => {
    const person: Person = {
      provider: LINK_PROVIDER,
      subject: 'key-of-the-link',
      name: 'report',
      displayName: 'link:report',
      email: null,
      emailVerified: false,
      groups: [],
      roles: [],
      amr: [],
      link: { host: 'app.example.com', scope: '/*' },
    };
    const come = async (): Promise<Browser> => {
      const browser = rig.browser();
      const { token } = await rig.sessions.openSignIn(person, 'app.example.com');
      browser.plant('app.example.com', sessionCookieName(rig.instance, { secure: true, domain: null }), token);
      return browser;
    };
    const [one, other] = [await come(), await come()];
    const ask = await one.send(`${APP}/.postern/sign-out`);
    assert.match(ask.text, /link:report/);
    assert.doesNotMatch(ask.text, /name="everywhere"/);
    const done = await one.submit(ask, { everywhere: '1' });
    assert.equal(done.headers.get('location'), `${AUTH}/.postern/signed-out`);
    assert.equal((await one.send(`${APP}/`)).status, 302);
    assert.equal((await other.send(`${APP}/`)).text, 'app for report');
  }));

test('Logout CSRF: GET ends nothing, and a form from elsewhere ends nothing', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    for (const url of [`${APP}/.postern/sign-out`, `${AUTH}/.postern/sign-out`, `${AUTH}/.postern/signed-out`]) {
      await browser.send(`${url}?everywhere=1`, { headers: { 'sec-fetch-site': 'cross-site' } });
    }
    const ask = await browser.open(`${APP}/.postern/sign-out`);
    const form = { form: /name="form" value="([^"]+)"/.exec(ask.text)?.[1] ?? '' };
    const url = `${APP}/.postern/sign-out`;
    assert.equal((await browser.send(url, { form, headers: { origin: 'https://evil.example' } })).status, 403);
    assert.equal(
      (await browser.send(url, { form, headers: { origin: '', 'sec-fetch-site': 'cross-site' } })).status,
      403,
    );
    assert.equal(
      (await browser.send(url, { form, headers: { origin: OTHER, 'sec-fetch-site': 'same-site' } })).status,
      403,
    );
    assert.equal((await browser.send(url, { form: {} })).status, 403);
    // A form of another session, of another host.
    const stranger = await signedIn(rig);
    const theirs = await stranger.open(url);
    assert.equal(
      (await browser.send(url, { form: { form: /name="form" value="([^"]+)"/.exec(theirs.text)?.[1] ?? '' } })).status,
      403,
    );
    assert.equal((await browser.send(`${OTHER}/.postern/sign-out`, { form })).status, 403);
    assert.equal((await browser.send(`${APP}/`)).text, 'app for alice');
    assert.equal((await rig.sessions.list()).length, 2);
  }));

test('Signing out without a session leads to the signed-out page and nowhere else', () =>
  withRig(async (rig) => {
    const browser = rig.browser();
    for (const extra of ['', '?rd=https://evil.example', '?to=//evil.example']) {
      const page = await browser.send(`${APP}/.postern/sign-out${extra}`);
      assert.equal(page.headers.get('location'), `${AUTH}/.postern/signed-out`);
    }
    const post = await browser.send(`${APP}/.postern/sign-out`, { form: { form: 'x' } });
    assert.equal(post.headers.get('location'), `${AUTH}/.postern/signed-out`);
  }));

test('The signed-out page never claims it while a session lives', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const page = await browser.open(`${AUTH}/.postern/signed-out`);
    assert.match(page.text, /still signed in/);
    assert.match((await browser.follow(await browser.submit(page, {}))).text, /You are signed out/);
  }));

test('userinfo tells an app who is there, and holds no token', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const page = await browser.send(`${APP}/.postern/userinfo`, {
      headers: { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
    });
    assert.equal(page.status, 200);
    assert.equal(page.headers.get('content-type'), 'application/json');
    assert.equal(page.headers.get('access-control-allow-origin'), null);
    const info = JSON.parse(page.text) as Record<string, unknown>;
    const { name, groups, provider, expires_in: left } = info;
    assert.deepEqual(
      { name, groups, provider, left },
      { name: 'alice', groups: ['staff'], provider: 'local', left: 43_200 },
    );
    for (const token of browser.jar.map((it) => it.value)) assert.ok(!page.text.includes(token));
    const nobody = await rig.browser().send(`${APP}/.postern/userinfo`);
    assert.equal(nobody.status, 401);
    assert.equal((JSON.parse(nobody.text) as Record<string, unknown>)['error'], 'sign_in_required');
  }));
