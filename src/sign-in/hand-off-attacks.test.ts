import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, AUTH, OTHER } from './_rig.ts';
import { sessionCookieName } from '../session/token.ts';
import { codeFor, PASSWORD, signedIn, withRig } from './_hand-off-rig.ts';

test('A stolen code is worth nothing in another browser: without its nonce it is not even spoilt, with another it is burnt', () =>
  withRig(async (rig) => {
    const alice = await signedIn(rig, 'alice', `${OTHER}/`);
    const land = (await codeFor(alice, `${APP}/x`)).headers.get('location') ?? '';
    const thief = rig.browser();
    const bare = await thief.send(land);
    assert.equal(bare.status, 400);
    assert.equal(bare.setCookies.length, 0);
    // The thief's own flow, so that a nonce cookie of the name is there but of another value.
    await thief.send(`${APP}/x`);
    const own = thief.jar.find((it) => it.name.includes('-n-'));
    const ownFlow = own?.name.split('-n-')[1] ?? '';
    assert.equal((await thief.send(land.replace(/flow=.*/, `flow=${ownFlow}`))).status, 400);
    assert.equal(thief.sessionToken(APP), undefined);
    // One wrong try with a nonce burns the code: nobody gets a second guess.
    assert.equal((await alice.follow(await alice.send(land))).status, 400);
    const again = (await codeFor(alice, `${APP}/x`)).headers.get('location') ?? '';
    assert.equal((await thief.send(again)).status, 400);
    assert.equal((await alice.follow(await alice.send(again))).url, `${APP}/x`);
  }));

test('A code works once: a replay opens nothing', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig, 'alice', `${OTHER}/`);
    const away = await codeFor(browser, `${APP}/x`);
    const land = away.headers.get('location') ?? '';
    const nonce = browser.jar.find((it) => it.name.includes('-n-'));
    assert.equal((await browser.send(land)).status, 303);
    const thief = rig.browser();
    thief.plant('app.example.com', nonce?.name ?? '', nonce?.value ?? '');
    const replay = await thief.send(land);
    assert.equal(replay.status, 400);
    assert.equal(thief.sessionToken(APP), undefined);
    // The owner's back button leads to the app, not to an error.
    assert.equal((await browser.send(land)).headers.get('location'), `${APP}/`);
  }));

test('A code is good for 30 s', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig, 'alice', `${OTHER}/`);
    const away = await codeFor(browser, `${APP}/x`);
    rig.advance(30_001);
    const late = await browser.send(away.headers.get('location') ?? '');
    assert.equal(late.status, 400);
    assert.equal(browser.sessionToken(APP), undefined);
  }));

test('A code for one host is refused on another, nonce and all', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig, 'alice', `${AUTH}/`.replace(AUTH, APP));
    const away = await codeFor(browser, `${OTHER}/x`);
    const land = (away.headers.get('location') ?? '').replace(OTHER, APP);
    const nonce = browser.jar.find((it) => it.name.includes('-n-'));
    const fresh = rig.browser();
    fresh.plant('app.example.com', nonce?.name ?? '', nonce?.value ?? '');
    const page = await fresh.send(land);
    assert.equal(page.status, 400);
    assert.equal(fresh.sessionToken(APP), undefined);
  }));

test('A cookie of one host opens no other host and not the sign-in host', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const name = sessionCookieName(rig.instance, { secure: true, domain: null });
    for (const origin of [OTHER, AUTH]) {
      const thief = rig.browser();
      thief.plant(new URL(origin).hostname, name, browser.sessionToken(APP) ?? '');
      const page = await thief.open(`${origin}/`);
      assert.ok(page.url.startsWith(`${AUTH}/.postern/sign-in`), page.url);
    }
  }));

test('A fixed session id does not survive: every sign-in has a new id and the old one is dead', () =>
  withRig(async (rig) => {
    const mallory = await signedIn(rig, 'mallory');
    const fixed = mallory.sessionToken(AUTH) ?? '';
    const fixedChild = mallory.sessionToken(APP) ?? '';
    const victim = rig.browser();
    const name = sessionCookieName(rig.instance, { secure: true, domain: null });
    victim.plant('auth.example.com', name, fixed);
    rig.advance(1_000);
    const form = await victim.open(`${AUTH}/.postern/sign-in?switch=1`);
    await victim.signInOn(form, 'alice', PASSWORD);
    assert.notEqual(victim.sessionToken(AUTH), fixed);
    assert.match((await victim.open(`${AUTH}/`)).text, /alice/);
    assert.ok((await mallory.open(`${AUTH}/`)).url.includes('/.postern/sign-in'));
    // A planted cookie on the app host gives way at the landing.
    const other = rig.browser();
    const planted = await signedIn(rig, 'mallory');
    other.plant('app.example.com', name, planted.sessionToken(APP) ?? '');
    await other.signInOn(await other.open(`${OTHER}/`), 'alice', PASSWORD);
    const start = await other.send(`${APP}/.postern/start?to=/x`);
    const page = await other.follow(await other.send(start.headers.get('location') ?? ''));
    assert.equal(page.text, 'app for alice');
    assert.notEqual(other.sessionToken(APP), planted.sessionToken(APP));
    assert.equal((await planted.send(`${APP}/`)).status, 302);
    assert.ok(fixedChild !== '');
  }));

test('Signing in again as the same person makes a new id too', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const before = browser.sessionToken(AUTH);
    rig.advance(5_000);
    await browser.signInOn(await browser.open(`${AUTH}/.postern/sign-in?switch=1`), 'alice', PASSWORD);
    assert.notEqual(browser.sessionToken(AUTH), before);
    assert.equal((await rig.sessions.list()).length, 1);
  }));

test('Cookies that a sibling host planted under our names count for nothing', () =>
  withRig(async (rig) => {
    const browser = rig.browser();
    const form = await browser.open(`${APP}/x`);
    const nonce = browser.jar.find((it) => it.name.includes('-n-'));
    const pre = browser.jar.find((it) => it.name.endsWith('-pre'));
    // Doubled names: which one is ours cannot be told, so none is believed.
    browser.jar.push({ ...(pre ?? assert.fail()), value: 'A'.repeat(43), domain: '.example.com' });
    const refused = await browser.submit(form, { name: 'alice', password: PASSWORD });
    assert.equal(refused.status, 403);
    browser.jar.splice(
      browser.jar.findIndex((it) => it.domain === '.example.com'),
      1,
    );
    browser.jar.push({ ...(nonce ?? assert.fail()), value: 'A'.repeat(43), domain: '.example.com' });
    const page = await browser.signInOn(refused, 'alice', PASSWORD);
    assert.equal(page.status, 400);
    assert.equal(browser.sessionToken(APP), undefined);
    assert.ok(nonce?.name.startsWith('__Host-') && pre?.name.startsWith('__Host-'));
  }));

test('A link with somebody else’s ticket signs nobody in on the app host (login CSRF)', () =>
  withRig(async (rig) => {
    const mallory = await signedIn(rig, 'mallory', `${OTHER}/`);
    const land = (await codeFor(mallory, `${APP}/x`)).headers.get('location') ?? '';
    const victim = rig.browser();
    await victim.send(`${APP}/y`);
    const page = await victim.open(land);
    assert.equal(page.status, 400);
    assert.equal(victim.sessionToken(APP), undefined);
    const ticket = (await mallory.send(`${APP}/z`)).headers.get('location') ?? '';
    const alice = await signedIn(rig, 'alice', `${OTHER}/`);
    assert.equal((await alice.open(ticket)).status, 400);
    assert.equal(alice.sessionToken(APP), undefined);
  }));

test('Prefetches, frames, fetch, POST, HEAD and WebSockets start no flow: 401 that a program can read', () =>
  withRig(async (rig) => {
    const cases: [string, string, Record<string, string>][] = [
      ['prefetch', 'GET', { 'sec-purpose': 'prefetch;prerender' }],
      ['old prefetch', 'GET', { purpose: 'prefetch' }],
      ['iframe', 'GET', { 'sec-fetch-dest': 'iframe' }],
      ['fetch', 'GET', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: 'text/html' }],
      ['image', 'GET', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
      ['POST', 'POST', {}],
      ['HEAD', 'HEAD', {}],
      ['WebSocket', 'GET', { 'sec-fetch-mode': 'websocket', 'sec-fetch-dest': 'websocket', upgrade: 'websocket' }],
    ];
    for (const [what, method, headers] of cases) {
      const page = await rig.browser().send(`${APP}/x`, { method, headers });
      assert.equal(page.status, 401, what);
      assert.equal(page.setCookies.length, 0, what);
      assert.deepEqual(JSON.parse(page.text), {
        error: 'sign_in_required',
        sign_in_url: `${APP}/.postern/start`,
        request_id: 'req-1',
      });
      assert.equal(page.headers.get('cache-control'), 'no-store');
    }
  }));

test('A speculative load of the sign-in page or of a landing gets no code and burns none', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig, 'alice', `${OTHER}/`);
    const start = await browser.send(`${APP}/x`);
    for (const headers of [{ 'sec-purpose': 'prefetch' }, { 'sec-fetch-dest': 'iframe' }]) {
      const page = await browser.send(start.headers.get('location') ?? '', { headers });
      assert.equal(page.status, 200);
      assert.ok(!page.headers.has('location'));
    }
    const away = await browser.send(start.headers.get('location') ?? '');
    const land = away.headers.get('location') ?? '';
    assert.equal((await browser.send(land, { headers: { 'sec-purpose': 'prefetch' } })).status, 400);
    assert.equal((await browser.send(land)).status, 303);
  }));

test('No answer of a hand-off lets its URL out as Referer', () =>
  withRig(async (rig) => {
    const browser = rig.browser();
    const start = await browser.send(`${APP}/x`);
    const form = await browser.follow(start);
    const away = await browser.send(
      AUTH + ((await browser.submit(form, { name: 'alice', password: PASSWORD })).headers.get('location') ?? ''),
    );
    const landed = await browser.send(away.headers.get('location') ?? '');
    for (const page of [start, away, landed]) assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
    assert.equal(form.headers.get('referrer-policy'), 'same-origin');
    // What failed as well: its page leads on, and its URL holds code and ticket.
    const failed = [
      await rig.browser().send(away.headers.get('location') ?? ''),
      await rig.browser().send(`${APP}/.postern/land?code=x&flow=y`),
      await rig.browser().send(`${AUTH}/.postern/callback/keycloak?code=x&state=y`),
    ];
    for (const page of failed)
      assert.deepEqual([page.status, page.headers.get('referrer-policy')], [400, 'no-referrer']);
  }));

test('A host that the document does not list gets no ticket and no code', () =>
  withRig(async (rig) => {
    const page = await rig.browser().open('https://evil.example.org/');
    assert.equal(page.status, 421);
    assert.ok(!page.headers.has('location'));
    const known = await signedIn(rig);
    const stale = rig.deps.seal.seal('sign-in-ticket', [
      1,
      'https://evil.example.org',
      '/',
      'abcdefgh',
      'hash',
      rig.deps.clock.now(),
      0,
    ]);
    const refused = await known.send(`${AUTH}/.postern/sign-in?ticket=${stale}`);
    assert.equal(refused.status, 421);
  }));
