import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, AUTH, createRig, OTHER, type Browser, type Page, type Rig } from './_rig.ts';
import { sessionCookieName } from '../session/token.ts';
import { createSignIn } from './router.ts';

const PASSWORD = 'correct horse battery';
const DEEP = `${APP}/a%20b/c;x=1?q=1&q=2&u=https%3A%2F%2Fe.example%2F&x=%26%3d&empty&plus=a+b&raw='|"`;

async function withRig(
  work: (rig: Rig) => Promise<void>,
  options: Parameters<typeof createRig>[0] = {},
): Promise<void> {
  const rig = createRig(options);
  try {
    await rig.addAccount('alice', PASSWORD);
    await rig.addAccount('mallory', PASSWORD);
    await work(rig);
  } finally {
    rig.close();
  }
}

async function signedIn(rig: Rig, name = 'alice', url = `${APP}/`): Promise<Browser> {
  const browser = rig.browser();
  const page = await browser.signInOn(await browser.open(url), name, PASSWORD);
  assert.equal(page.text, `app for ${name}`);
  return browser;
}

/** Goes as far as the redirect to `land`, and stops before it. */
async function codeFor(browser: Browser, url: string): Promise<Page> {
  const start = await browser.send(url);
  return browser.send(start.headers.get('location') ?? '');
}

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
