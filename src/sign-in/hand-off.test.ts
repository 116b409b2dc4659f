import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, AUTH, OTHER, type Page } from './_rig.ts';
import { sessionCookieName } from '../session/token.ts';
import { POSTERN_BRAND } from './pages/brand.ts';
import { createSignIn } from './router.ts';
import { codeFor, DEEP, PASSWORD, signedIn, withRig } from './_hand-off-rig.ts';

test('A deep link comes back byte for byte, query included', () =>
  withRig(async (rig) => {
    const browser = rig.browser();
    const form = await browser.open(DEEP);
    assert.equal(form.status, 200);
    assert.ok(form.url.startsWith(`${AUTH}/.postern/sign-in?ticket=`));
    const page = await browser.signInOn(form, 'alice', PASSWORD);
    assert.equal(page.url, DEEP);
    assert.equal(page.text, 'app for alice');
  }));

test('Landing answers 303 with no-store and no-referrer, sets a __Host- cookie and drops the nonce', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const away = await codeFor(browser, `${OTHER}/x`);
    assert.equal(away.status, 303);
    assert.equal(away.headers.get('referrer-policy'), 'no-referrer');
    const landed = await browser.send(away.headers.get('location') ?? '');
    assert.equal(landed.status, 303);
    assert.equal(landed.headers.get('location'), `${OTHER}/x`);
    assert.equal(landed.headers.get('cache-control'), 'no-store');
    assert.equal(landed.headers.get('referrer-policy'), 'no-referrer');
    const name = sessionCookieName(rig.instance, { secure: true, domain: null });
    const [session = '', dropped = ''] = landed.setCookies;
    assert.match(
      session,
      new RegExp(`^${name}=[A-Za-z0-9_-]{43}; Path=/; Max-Age=\\d+; HttpOnly; SameSite=Lax; Secure$`),
    );
    assert.match(dropped, /-n-[^=]+=; Path=\/; Max-Age=0/);
    assert.ok(!browser.jar.some((it) => it.name.includes('-n-')));
  }));

test('A second host needs no second password, in another domain too', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const page = await browser.open(`${OTHER}/reports?id=7`);
    assert.equal(page.url, `${OTHER}/reports?id=7`);
    assert.equal(page.text, 'app for alice');
    assert.notEqual(browser.sessionToken(OTHER), browser.sessionToken(APP));
    assert.notEqual(browser.sessionToken(OTHER), browser.sessionToken(AUTH));
  }));

test('Tabs that sign in side by side all end where they began, and one session serves them', () =>
  withRig(async (rig) => {
    const browser = rig.browser();
    const urls = [`${APP}/one?a=1`, `${APP}/two?b=2`, `${OTHER}/three`, `${APP}/one?a=1`, `${APP}/five`];
    const forms: Page[] = [];
    for (const url of urls) forms.push(await browser.open(url));
    rig.advance(20_000);
    for (const [i, form] of forms.entries()) {
      rig.advance(1_000);
      const page = await browser.signInOn(form, 'alice', PASSWORD);
      assert.equal(page.url, urls[i]);
      assert.equal(page.text, 'app for alice');
    }
    assert.equal((await rig.sessions.list()).length, 1);
    for (const url of urls) assert.equal((await browser.send(url)).text, 'app for alice');
  }));

test('Tabs that pass straight through in any order all end where they began', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig, 'alice', `${OTHER}/`);
    const urls = [1, 2, 3, 4, 5].map((n) => `${APP}/tab/${n}`);
    const starts = await Promise.all(urls.map((url) => browser.send(url)));
    for (const [i, start] of [...starts.entries()].toReversed()) {
      const page = await browser.follow(await browser.send(start.headers.get('location') ?? ''));
      assert.equal(page.url, urls[i]);
      assert.equal(page.text, 'app for alice');
    }
  }));

test('The number of nonce cookies is bounded; the oldest go first', () =>
  withRig(async (rig) => {
    const browser = rig.browser();
    for (let i = 0; i < 40; i++) {
      rig.advance(1_000);
      await browser.send(`${APP}/${i}`);
    }
    const nonces = browser.jar.filter((it) => it.name.includes('-n-'));
    assert.equal(nonces.length, 12);
    assert.ok(nonces.every((it) => it.line.includes('Max-Age=900')));
    const page = await browser.signInOn(await browser.open(`${APP}/last`), 'alice', PASSWORD);
    assert.equal(page.url, `${APP}/last`);
  }));

test('A person whom the rules refuse gets a 403 that names the account, and can use another', () =>
  withRig(
    async (rig) => {
      const browser = rig.browser();
      const denied = await browser.signInOn(await browser.open(`${APP}/secret?x=1`), 'mallory', PASSWORD);
      assert.equal(denied.status, 403);
      assert.match(denied.text, /mallory/);
      assert.match(denied.text, /req-1/);
      assert.equal(browser.sessionToken(APP), undefined);
      assert.deepEqual(
        rig.entries.map(({ host, path, query, ip }) => ({ host, path, query, ip })),
        [{ host: 'app.example.com', path: '/secret', query: '?x=1', ip: '192.0.2.10' }],
      );
      const link =
        /href="(\/\.postern\/sign-in\?switch=1[^"]+)"/.exec(denied.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
      const form = await browser.open(AUTH + link);
      assert.match(form.text, /Continue as mallory/);
      const page = await browser.signInOn(form, 'alice', PASSWORD);
      assert.equal(page.url, `${APP}/secret?x=1`);
      assert.equal(page.text, 'app for alice');
    },
    { mayEnter: ({ person }) => ({ kind: person.name === 'alice' ? 'allow' : 'deny' }) },
  ));

test('The 403 names the rule where the answer brings it along, and not else', () =>
  withRig(
    async (rig) => {
      const browser = rig.browser();
      const denied = await browser.signInOn(await browser.open(`${APP}/secret`), 'mallory', PASSWORD);
      assert.equal(denied.status, 403);
      assert.match(denied.text, /<dd class="mono">group:staff<\/dd>\s*<dt>Reason<\/dt>\s*<dd>no group<\/dd>/);
    },
    { mayEnter: () => ({ kind: 'deny', refusedBy: { rule: 'group:staff', reason: 'no group' } }) },
  ));

test('Anything but "allow" keeps a person out', () =>
  withRig(
    async (rig) => {
      const browser = rig.browser();
      for (const kind of ['sign-in', 'challenge', 'deny', 'surprise']) {
        const denied = await browser
          .signInOn(await browser.open(`${APP}/${kind}`), 'alice', PASSWORD)
          .catch(() => browser.open(`${APP}/${kind}`));
        assert.equal(denied.status, 403, kind);
      }
    },
    { mayEnter: ({ path }) => ({ kind: path.slice(1) }) },
  ));

test('A ticket that grew old while the form was open still ends at the deep link', () =>
  withRig(async (rig) => {
    const browser = rig.browser();
    const form = await browser.open(DEEP);
    rig.advance(3_600_000);
    const page = await browser.signInOn(form, 'alice', PASSWORD);
    assert.equal(page.url, DEEP);
    assert.equal(page.text, 'app for alice');
  }));

test('A broken or foreign ticket is explained, never followed', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const good =
      new URL((await rig.browser().send(`${APP}/x`)).headers.get('location') ?? '').searchParams.get('ticket') ?? '';
    const odd = [good.slice(0, -2), `${good}A`, 'x', '', 'A'.repeat(20_000), rig.deps.seal.seal('form/x', [1])];
    for (const ticket of odd) {
      const page = await browser.send(`${AUTH}/.postern/sign-in?ticket=${ticket}`);
      assert.equal(page.status, 400);
      assert.ok(!page.headers.has('location'));
    }
  }));

test('A loop is noticed after three rounds and explained', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig, 'alice', `${OTHER}/`);
    const name = sessionCookieName(rig.instance, { secure: true, domain: null });
    const round = async (): Promise<Page> => {
      rig.advance(200);
      const page = await browser.open(`${APP}/x`);
      // The browser does not keep the session cookie of the app host.
      const at = browser.jar.findIndex((it) => it.domain === 'app.example.com' && it.name === name);
      if (at !== -1) browser.jar.splice(at, 1);
      return page;
    };
    for (let i = 0; i < 3; i++) assert.equal((await round()).status, 200);
    const stopped = await round();
    assert.equal(stopped.status, 409);
    assert.match(stopped.text, /circles/);
    assert.match(stopped.text, /cookies/);
    rig.advance(61_000);
    assert.equal((await round()).status, 200);
  }));

test('With a cookie domain one cookie serves its hosts, and others still get a hand-off', () =>
  withRig(
    async (rig) => {
      const browser = rig.browser();
      const page = await browser.signInOn(await browser.open(DEEP), 'alice', PASSWORD);
      assert.equal(page.url, DEEP);
      assert.equal(page.text, 'app for alice');
      const cookies = browser.jar.filter((it) => it.line.includes('Domain='));
      assert.deepEqual(
        cookies.map((it) => [it.domain, it.name]),
        [['.example.com', sessionCookieName(rig.instance, { secure: true, domain: '.example.com' })]],
      );
      assert.ok(!browser.trail.some((url) => url.includes('/land')));
      const other = await browser.open(`${OTHER}/x`);
      assert.equal(other.text, 'app for alice');
      assert.ok(browser.trail.some((url) => url.includes('/land')));
      // Signing out on any host ends the one session and removes the one cookie.
      const ask = await browser.open(`${APP}/.postern/sign-out`);
      await browser.follow(await browser.submit(ask, {}));
      assert.equal((await browser.send(`${OTHER}/x`)).status, 302);
      assert.equal((await browser.send(`${APP}/x`)).status, 302);
    },
    { cookieDomain: '.example.com' },
  ));

test('A host that a reload takes away on the way there opens no session, and uses up no code', () => {
  const listed = [APP, OTHER].map((origin) => new URL(origin).hostname);
  return withRig(
    async (rig) => {
      const alice = await signedIn(rig);
      const land = (await codeFor(alice, `${OTHER}/x`)).headers.get('location') ?? '';
      listed.pop();
      const page = await alice.send(land);
      assert.equal(page.status, 421);
      assert.equal(alice.sessionToken(OTHER), undefined);
      listed.push(new URL(OTHER).hostname);
      assert.equal((await alice.open(land)).text, 'app for alice');
    },
    { listed },
  );
});

test('A store that is away is a 503 that says so, for navigations and programs, and opens nothing', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig, 'alice', `${OTHER}/`);
    const away = await browser.send(`${APP}/x`);
    rig.close();
    const facts = {
      method: 'GET',
      url: away.headers.get('location') ?? '',
      headers: [['accept', 'text/html']] as const,
      body: null,
      ip: null,
      requestId: 'req-9',
      session: {
        key: 'k',
        parent: 'k',
        host: 'auth.example.com',
        person: rig.entries[0]?.person ?? assert.fail(),
        expiresAt: 2e12,
        lastSeenAt: 0,
      },
      onSignInHost: true,
    };
    const response = await rig.signIn.handle(facts);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '5');
    assert.match(await response.text(), /req-9/);
    assert.ok(rig.events.some((event) => event.kind === 'failed'));
    // Whoever reads it reads it in their language, under the operator's name.
    const brand = { ...POSTERN_BRAND, name: 'Acme Tools' };
    const { handle, beginSignIn } = createSignIn({
      ...rig.deps,
      settings: () => ({ ...rig.deps.settings(), brand }),
      isListedHost: (host) => (OTHER.includes(host) ? assert.fail('a defect') : true),
    });
    for (const [language, words] of [
      ['ko-KR', /<html lang="ko">.*Acme Tools/s],
      ['zh-CN', /<html lang="zh-Hans">.*Acme Tools/s],
      ['en', /<html lang="en">.*Acme Tools/s],
    ] as const) {
      const headers = [['accept', 'text/html'] as const, ['Accept-Language', language] as const];
      const broken = await handle({ ...facts, headers });
      const defect = await beginSignIn({ ...facts, headers, url: `${OTHER}/x`, onSignInHost: false });
      assert.deepEqual([broken.status, defect.status], [503, 500], language);
      for (const page of [broken, defect]) assert.match(await page.text(), words, language);
    }
  }));

test('Over plain HTTP cookies have no prefix and no Secure, or a browser would drop them', () =>
  withRig(async (rig) => {
    const settings = (): ReturnType<typeof rig.deps.settings> => ({
      ...rig.deps.settings(),
      signInUrl: 'http://auth.lan',
    });
    const signIn = createSignIn({ ...rig.deps, settings, isListedHost: () => true });
    const facts = {
      method: 'GET',
      headers: [['accept', 'text/html']] as const,
      body: null,
      ip: null,
      requestId: 'r',
      session: null,
    };
    const start = await signIn.beginSignIn({ ...facts, url: 'http://app.lan:8080/x', onSignInHost: false });
    const location = start.headers.get('location') ?? '';
    assert.ok(location.startsWith('http://auth.lan/.postern/sign-in?ticket='));
    const form = await signIn.handle({ ...facts, url: location, onSignInHost: true });
    for (const line of [...start.headers.getSetCookie(), ...form.headers.getSetCookie()]) {
      assert.match(line, /^postern-[a-z0-9]+-/);
      assert.ok(!line.includes('Secure') && line.includes('HttpOnly'));
    }
    assert.match(form.headers.get('content-security-policy') ?? '', /form-action 'self' http:/);
  }));

test('A rule that breaks while it is asked lets nobody in', () =>
  withRig(
    async (rig) => {
      const browser = rig.browser();
      const page = await browser.signInOn(await browser.open(`${APP}/x`), 'alice', PASSWORD);
      assert.equal(page.status, 500);
      assert.ok(!page.text.includes('secret cause'));
      assert.equal(browser.sessionToken(APP), undefined);
    },
    {
      mayEnter: () => {
        throw new Error('secret cause');
      },
    },
  ));
