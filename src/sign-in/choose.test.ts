import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, AUTH, createRig, OTHER, type Browser, type Page, type Rig, type RigOptions } from './_rig.ts';
import type { Person } from '../core/person.ts';
import type { Finished, Provider, Providers } from './provider.ts';

/** Signs everybody in as "alice" of itself. */
function fakeProvider(id: string, label: string): Provider {
  const person: Person = {
    provider: id,
    subject: `${id}-1`,
    name: 'alice',
    displayName: 'Alice',
    email: null,
    emailVerified: false,
    groups: [],
    roles: [],
    amr: [],
  };
  const grant = { accessToken: null, refreshToken: null, idToken: null, expiresAt: null };
  return {
    id,
    label,
    authority: `https://${id}.example`,
    pinsNames: false,
    canStepUp: () => false,
    warm: () => undefined,
    begin: ({ state, switchAccount }) =>
      Promise.resolve({
        kind: 'go',
        url: `https://${id}.example/authorize?state=${state}${switchAccount ? '&prompt=login' : ''}`,
      }),
    finish: (): Promise<Finished> =>
      Promise.resolve({ kind: 'known', person, grant, refreshAt: null, notes: [], providerSession: null }),
    refresh: () => Promise.resolve({ kind: 'unavailable', message: 'never' }),
    logoutUrl: () => Promise.resolve(null),
    probe: () => Promise.resolve([]),
    close: () => undefined,
  };
}

const BOTH = [fakeProvider('keycloak', 'Company account'), fakeProvider('github', 'GitHub')];
const ONE = BOTH.slice(0, 1);

async function withRig(
  all: readonly Provider[],
  options: RigOptions,
  work: (rig: Rig) => Promise<void>,
): Promise<void> {
  const providers: Providers = { find: (id) => all.find((one) => one.id === id) ?? null, list: () => all };
  const rig = createRig({ providers: () => providers, ...options });
  try {
    await work(rig);
  } finally {
    rig.close();
  }
}

/** Where the browser is sent: the id of the provider, or "page". */
async function wayFrom(browser: Browser, url: string): Promise<string> {
  let page = await browser.send(url);
  for (let hops = 0; hops < 5; hops++) {
    const location = page.headers.get('location');
    if (location === null) return /<input[^>]+name="password"/.test(page.text) ? 'form' : 'page';
    const id = /^https:\/\/(\w+)\.example\/authorize/.exec(location)?.[1];
    if (id !== undefined) return id;
    page = await browser.send(location.startsWith('/') ? new URL(page.url).origin + location : location);
  }
  return 'nowhere';
}

/** An address of this host that a link on the page names. */
function linkOn(page: Page, wanted: RegExp): string {
  const links = [...page.text.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => href.replaceAll('&amp;', '&'));
  return new URL(links.find((href) => wanted.test(href)) ?? assert.fail(`no link ${String(wanted)}`), page.url).href;
}

async function signInBy(
  browser: Browser,
  id: string,
  url = `${AUTH}/.postern/sign-in?provider=${id}`,
): Promise<string> {
  const away = (await browser.send(url)).headers.get('location') ?? '';
  const state = new URL(away).searchParams.get('state') ?? '';
  return (await browser.open(`${AUTH}/.postern/callback/${id}?code=x&state=${state}`)).url;
}

test('The only provider is gone to at once; several are a page to choose on', async () => {
  await withRig(ONE, { hasLocalAccounts: false }, async (rig) =>
    assert.equal(await wayFrom(rig.browser(), `${APP}/`), 'keycloak'),
  );
  await withRig([], {}, async (rig) => assert.equal(await wayFrom(rig.browser(), `${APP}/`), 'form'));
  await withRig(BOTH, {}, async (rig) => {
    const page = await rig.browser().open(`${APP}/deep?x=1`);
    assert.equal(page.status, 200);
    assert.match(page.text, /Continue with Company account/);
    assert.match(page.text, /Continue with GitHub/);
    assert.match(page.text, /Continue with a local account/);
    assert.match(page.text, /to continue to app\.example\.com/);
    assert.deepEqual(page.text.match(/<script[^>]*>/g), ['<script src="/.postern/page.js" defer>']);
  });
});

test('The page remembers the choice, and "use another account" brings it back', () =>
  withRig(BOTH, {}, async (rig) => {
    const alice = rig.browser();
    assert.equal(await signInBy(alice, 'github'), `${AUTH}/`);
    await rig.sessions.revokeByPerson('github', 'github-1');
    assert.equal(await wayFrom(alice, `${APP}/`), 'github');
    assert.equal(await wayFrom(alice, `${AUTH}/.postern/sign-in?choose=1`), 'page');
    assert.equal(await wayFrom(alice, `${APP}/.postern/start?switch=1`), 'page');
    assert.equal(await wayFrom(alice, `${AUTH}/.postern/sign-in?provider=gone`), 'page');
    alice.plant('auth.example.com', `__Host-postern-${rig.instance}-provider`, 'keycloak');
    assert.equal(await wayFrom(alice, `${APP}/`), 'page', 'of two cookies of one name none counts');
  }));

test('Other ways lead whoever is signed in on to another account, and never back to where they are refused', async () => {
  const [keycloak] = ONE as [Provider];
  const down = { kind: 'problem', problem: { reason: 'unavailable', message: 'down' } } as const;
  const away: Provider = { ...fakeProvider('github', 'GitHub'), begin: () => Promise.resolve(down) };
  await withRig([keycloak, away], { mayEnter: () => ({ kind: 'deny' }) }, async (rig) => {
    const alice = rig.browser();
    await signInBy(alice, 'keycloak');
    const refused = await alice.open(`${APP}/`);
    assert.equal(refused.status, 403);
    const chooser = await alice.open(linkOn(refused, /switch=1/));
    for (const way of ['local', 'github']) {
      const page = await alice.open(linkOn(chooser, new RegExp(`provider=${way}&`)));
      const others = await alice.open(linkOn(page, /choose=1/));
      assert.match(others.text, /Continue with GitHub[\s\S]*Continue with a local account/, way);
      assert.match(others.text, /Continue as alice \(Company account\)/, way);
      assert.match(linkOn(others, /provider=keycloak/), /switch=1/, way);
    }
    const problem = await alice.open(linkOn(chooser, /provider=github&/));
    const again = await alice.open(linkOn(problem, /provider=github&/));
    assert.equal(again.status, 503, 'asked again, in place of refusing the account from before');
  });
});

test('A local account is a way that is remembered, too, and a provider chosen later takes its place', () =>
  withRig(BOTH, {}, async (rig) => {
    await rig.addAccount('alice', 'correct horse battery');
    const alice = rig.browser();
    await alice.signInOn(await alice.open(`${AUTH}/.postern/sign-in?provider=local`), 'alice', 'correct horse battery');
    await rig.sessions.revokeByPerson('local', (await rig.sessions.list())[0]?.person.subject ?? '');
    const form = await alice.open(`${APP}/`);
    assert.match(form.text, /name="password"/);
    assert.match(form.text, /href="\/\.postern\/sign-in\?choose=1&amp;ticket=/, 'the others stay one step away');
    assert.equal(await signInBy(alice, 'github'), `${AUTH}/`);
    await rig.sessions.revokeByPerson('github', 'github-1');
    assert.equal(await wayFrom(alice, `${APP}/`), 'github');
  }));

test('The page to choose on keeps what stands after "#" where there are no local accounts, either', () =>
  withRig(BOTH, { hasLocalAccounts: false }, async (rig) => {
    const browser = rig.browser();
    const page = await browser.open(`${APP}/`);
    const script = /<script src="([^"]+)"/.exec(page.text)?.[1] ?? '';
    assert.equal((await browser.send(new URL(script, AUTH).href)).status, 200);
  }));

test('sign_in.provider skips the page, a route goes before it, and local accounts stay reachable', () =>
  withRig(
    BOTH,
    { provider: 'keycloak', providerFor: (host) => (host === 'other.example.net' ? 'github' : null) },
    async (rig) => {
      assert.equal(await wayFrom(rig.browser(), `${APP}/`), 'keycloak');
      assert.equal(await wayFrom(rig.browser(), `${OTHER}/`), 'github');
      assert.equal(await wayFrom(rig.browser(), `${AUTH}/.postern/sign-in`), 'keycloak');
      assert.equal(await wayFrom(rig.browser(), `${AUTH}/.postern/sign-in?provider=local`), 'form');
      assert.equal(await wayFrom(rig.browser(), `${AUTH}/.postern/sign-in?choose=1`), 'page');
    },
  ));

test('Without local accounts no password is taken', () =>
  withRig(BOTH, { hasLocalAccounts: false }, async (rig) => {
    await rig.addAccount('alice', 'correct horse battery');
    const browser = rig.browser();
    assert.equal(await wayFrom(browser, `${AUTH}/.postern/sign-in?provider=local`), 'page');
    const page = await browser.send(`${AUTH}/.postern/sign-in`, {
      form: { name: 'alice', password: 'correct horse battery' },
    });
    assert.equal(page.status, 403);
    assert.equal(browser.sessionToken(AUTH), undefined);
  }));

test('alice of two providers are two people: one sign-in ends the other in this browser', () =>
  withRig(BOTH, {}, async (rig) => {
    const alice = rig.browser();
    await signInBy(alice, 'keycloak');
    const first = alice.sessionToken(AUTH);
    await signInBy(alice, 'github', `${AUTH}/.postern/sign-in?provider=github&switch=1`);
    assert.notEqual(alice.sessionToken(AUTH), first);
    const people = (await rig.sessions.list()).map(({ person }) => `${person.provider}:${person.subject}`);
    assert.deepEqual(people, ['github:github-1']);
  }));

test('Pages about an account say whose it is where people come by several: alice of two is two', async () => {
  const mayEnter: RigOptions['mayEnter'] = ({ host }) => ({ kind: host === 'app.example.com' ? 'deny' : 'allow' });
  await withRig(BOTH, { mayEnter }, async (rig) => {
    await rig.addAccount('alice', 'correct horse battery');
    for (const [id, name] of [
      ['keycloak', 'Company account'],
      ['github', 'GitHub'],
      ['local', 'a local account'],
    ] as const) {
      const alice = rig.browser();
      if (id === 'local')
        await alice.signInOn(
          await alice.open(`${AUTH}/.postern/sign-in?provider=local`),
          'alice',
          'correct horse battery',
        );
      else await signInBy(alice, id);
      for (const path of ['/', '/.postern/sign-out']) {
        const { text } = await alice.open(AUTH + path);
        assert.match(text, new RegExp(`<bdi class="soft">${name}</bdi>`), path);
      }
      const refused = await alice.open(`${APP}/`);
      assert.equal(refused.status, 403);
      assert.match(refused.text, new RegExp(`<bdi class="soft">${name}</bdi>`));
      const others = await alice.open(`${AUTH}/.postern/sign-in?switch=1`);
      assert.match(others.text, new RegExp(`You are signed in as alice \\(${name}\\)`));
    }
  });
  await withRig(ONE, { mayEnter, hasLocalAccounts: false }, async (rig) => {
    const alice = rig.browser();
    await signInBy(alice, 'keycloak');
    for (const url of [`${AUTH}/`, `${APP}/`])
      assert.doesNotMatch((await alice.open(url)).text, /Company account/, 'no other');
  });
});

test('A long address survives the way to a provider, byte for byte', () =>
  withRig(ONE, { hasLocalAccounts: false }, async (rig) => {
    const browser = rig.browser();
    const target = `${APP}/explore?left=${'%7B%22q%22'.repeat(300)}`;
    let page = await browser.send(target);
    page = await browser.send(page.headers.get('location') ?? '');
    const state = new URL(page.headers.get('location') ?? '').searchParams.get('state') ?? '';
    for (const line of page.setCookies) assert.ok(line.length < 4_000, 'the cookie stays small');
    const end = await browser.open(`${AUTH}/.postern/callback/keycloak?code=x&state=${state}`);
    assert.deepEqual([end.url, end.text], [target, 'app for alice']);
  }));

test('Only a tab itself leaves for a provider: a prefetch or a frame gets the page', () =>
  withRig(ONE, { hasLocalAccounts: false }, async (rig) => {
    const browser = rig.browser();
    for (const headers of [{ 'sec-purpose': 'prefetch' }, { 'sec-fetch-dest': 'iframe' }]) {
      const page = await browser.send(`${AUTH}/.postern/sign-in`, { headers });
      assert.deepEqual([page.status, page.headers.get('location')], [200, null]);
      assert.equal(page.setCookies.length, 0);
    }
  }));

test('A browser without cookies is told so instead of going round and round', () =>
  withRig(ONE, { hasLocalAccounts: false }, async (rig) => {
    const page = await rig.browser().send(`${AUTH}/.postern/sign-in?continue=signed-in`);
    assert.equal(page.status, 200);
    assert.match(page.text, /did not send back the cookie/);
  }));
