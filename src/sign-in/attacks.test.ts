/** Attacks on signing in, each by the name under which it is known. The hand-off's own are in hand-off.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, AUTH, createRig, OTHER, type Browser, type Page, type Rig } from './_rig.ts';
import { readCookies } from './cookies.ts';
import { sessionCookieName } from '../session/token.ts';
import type { SignInHashPool } from './ports.ts';

const PASSWORD = 'correct horse battery';
const SIGN_IN = `${AUTH}/.postern/sign-in`;

async function withRig(
  work: (rig: Rig) => Promise<void>,
  options: Parameters<typeof createRig>[0] = {},
): Promise<void> {
  const rig = createRig(options);
  try {
    await rig.addAccount('alice', PASSWORD);
    await work(rig);
  } finally {
    rig.close();
  }
}

async function signedIn(rig: Rig, url = `${APP}/`): Promise<Browser> {
  const browser = rig.browser();
  await browser.signInOn(await browser.open(url), 'alice', PASSWORD);
  return browser;
}

/** What a neighbour host can set: to a browser none of these names has the prefix "__Host-". */
const DISGUISES = ['\u00a0', '\u0085', '\u000b', '\u000c', '\u2000', '\u3000', '\ufeff', '%5F', '"'];

test('Cookie prefix bypass: a blank that only some trim does not make a neighbour’s cookie ours', () =>
  withRig(async (rig) => {
    const browser = rig.browser();
    const form = await browser.open(`${APP}/x`);
    const names = browser.jar.map((it) => it.name);
    assert.equal(names.filter((name) => name.startsWith('__Host-')).length, 2);
    for (const name of names) {
      for (const blank of DISGUISES) {
        browser.plant('.example.com', `${blank}${name}`, 'A'.repeat(43));
        browser.plant('.example.com', `${name}${blank}`, 'A'.repeat(43));
      }
    }
    const page = await browser.signInOn(form, 'alice', PASSWORD);
    assert.equal(page.text, 'app for alice');
    const read = readCookies({ headers: [['cookie', ' a = b ;\tc\t=\td\t;\u00a0e=f;g=\u00a0h']] });
    assert.deepEqual(read, [
      ['a', 'b'],
      ['c', 'd'],
      ['\u00a0e', 'f'],
      ['g', '\u00a0h'],
    ]);
  }));

test('Service worker: a script request under our paths is refused on every host, signed in or not', () =>
  withRig(async (rig) => {
    const browser = await signedIn(rig);
    const headers = { 'service-worker': 'script', 'sec-fetch-dest': 'serviceworker', 'sec-fetch-mode': 'same-origin' };
    for (const path of [
      '/.postern/sign-in',
      '/.postern/sw.js',
      '/.postern/userinfo',
      '/.postern/land',
      '/',
      '/sw.js',
    ]) {
      for (const origin of path.startsWith('/.postern') ? [AUTH, APP] : [AUTH]) {
        for (const who of [browser, rig.browser()]) {
          const page = await who.send(origin + path, { headers });
          assert.equal(page.status, 403, origin + path);
          assert.doesNotMatch(page.headers.get('content-type') ?? '', /javascript/);
          assert.equal(page.headers.get('service-worker-allowed'), null);
        }
      }
    }
  }));

/** Changes the account while the password is being checked. */
function slowPool(during: () => Promise<unknown>): SignInHashPool {
  return {
    async verify(hash, password) {
      const fits = hash?.endsWith(`$${password}`) === true;
      await during();
      return fits ? 'ok' : 'wrong';
    },
    hash: (password) => Promise.resolve({ kind: 'hash', hash: `$argon2id$${password}` }),
  };
}

test('Race: a password that was changed while the old one was checked opens no session', async () => {
  let during = (): Promise<unknown> => Promise.resolve();
  await withRig(
    async (rig) => {
      const subject = (await rig.accounts.findByName('alice'))?.subject ?? '';
      const browser = rig.browser();
      const form = await browser.open(SIGN_IN);
      during = () => rig.accounts.setPassword(subject, '$argon2id$another one', 'test');
      const page = await browser.submit(form, { name: 'alice', password: PASSWORD });
      assert.equal(page.status, 403);
      assert.equal(browser.sessionToken(AUTH), undefined);
      assert.deepEqual(await rig.sessions.list(), []);
      assert.equal(rig.events.at(-1)?.kind, 'refused');
    },
    { hashPool: slowPool(() => during()) },
  );
});

test('Race: an imported hash made anew never overwrites a password set meanwhile', async () => {
  let during = (): Promise<unknown> => Promise.resolve();
  await withRig(
    async (rig) => {
      const subject = (await rig.accounts.findByName('alice'))?.subject ?? '';
      await rig.accounts.setPassword(subject, `$2y$10$${PASSWORD}`, 'test');
      const browser = rig.browser();
      const form = await browser.open(SIGN_IN);
      during = () => rig.accounts.setPassword(subject, '$argon2id$another one', 'test');
      assert.equal((await browser.submit(form, { name: 'alice', password: PASSWORD })).status, 403);
      assert.equal((await rig.accounts.find(subject))?.passwordHash, '$argon2id$another one');
      assert.equal(await rig.accounts.rehash(subject, `$2y$10$${PASSWORD}`, '$argon2id$old'), false);
    },
    { hashPool: slowPool(() => during()) },
  );
});

test('Race: an account disabled while its password was checked opens no session and is told so', async () => {
  let during = (): Promise<unknown> => Promise.resolve();
  await withRig(
    async (rig) => {
      const subject = (await rig.accounts.findByName('alice'))?.subject ?? '';
      const browser = rig.browser();
      const form = await browser.open(SIGN_IN);
      during = () => rig.accounts.disable(subject, 'test');
      assert.equal((await browser.submit(form, { name: 'alice', password: PASSWORD })).status, 403);
      assert.equal(rig.events.at(-1)?.kind, 'disabled');
      assert.deepEqual(await rig.sessions.list(), []);
    },
    { hashPool: slowPool(() => during()) },
  );
});

test('Unknown names cost the same: one check of a hash for each try, whatever the name or password', async () => {
  const checks: (string | null)[] = [];
  const pool: SignInHashPool = {
    verify(hash) {
      checks.push(hash);
      return Promise.resolve('wrong');
    },
    hash: (password) => Promise.resolve({ kind: 'hash', hash: `$argon2id$${password}` }),
  };
  await withRig(
    async (rig) => {
      const disabled = await rig.addAccount('carol', PASSWORD);
      await rig.accounts.disable(disabled, 'test');
      await rig.accounts.add({ name: 'dave' }, 'test');
      const names = ['alice', 'Alice ', 'nobody', 'carol', 'dave', 'b\u0000b', '../etc', 'ａｌｉｃｅ', 'x'.repeat(300)];
      for (const [i, name] of names.entries()) {
        const browser = rig.browser();
        const form = await browser.open(SIGN_IN);
        const ip = `198.51.100.${i}`;
        const before = checks.length;
        const page = await browser.submit(form, { name, password: i % 2 === 0 ? PASSWORD : 'p'.repeat(5_000) }, { ip });
        assert.equal(page.status, 403, name);
        assert.equal(checks.length - before, 1, name);
        assert.match(page.text, /role="alert">Name or password is not right\.</);
      }
    },
    { hashPool: pool },
  );
});

/** Every page that Postern itself answers with, as a visitor meets it. */
async function ownPages(rig: Rig): Promise<Page[]> {
  const stranger = rig.browser();
  const alice = await signedIn(rig);
  const subject = (await rig.accounts.findByName('alice'))?.subject ?? '';
  const link = await rig.accounts.mintLink(subject, 'test');
  const pages: Page[] = [];
  const form = await stranger.open(SIGN_IN);
  pages.push(form, await stranger.submit(form, { name: 'alice', password: 'wrong' }));
  pages.push(await stranger.submit(form, { name: '', password: '' }), await stranger.send(`${SIGN_IN}?ticket=x`));
  pages.push(await stranger.send(`${AUTH}/.postern/set-password?token=${link?.token}`));
  pages.push(await stranger.send(`${AUTH}/.postern/set-password?token=x`), await stranger.send(`${AUTH}/nothing`));
  pages.push(await stranger.send(`${AUTH}/.postern/signed-out`), await stranger.send(`${APP}/.postern/land?code=x`));
  pages.push(await stranger.send(`${APP}/deep`), await stranger.send(`${APP}/.postern/userinfo`));
  pages.push(await stranger.send(`${APP}/.postern/start`, { headers: { 'sec-fetch-dest': 'iframe' } }));
  pages.push(await alice.send(`${AUTH}/`), await alice.send(`${AUTH}/.postern/sign-out`));
  pages.push(await alice.send(`${APP}/.postern/sign-out`), await alice.send(`${APP}/.postern/userinfo`));
  pages.push(await alice.send(`${AUTH}/.postern/signed-out`), await alice.send(`${OTHER}/`));
  pages.push(
    await alice.send(`${APP}/.postern/nothing`),
    await alice.send(`${APP}/.postern/sign-out`, { method: 'PUT' }),
  );
  return pages;
}

test('Clickjacking, sniffing, caching: every own answer forbids frames, is stored nowhere, leaks no Referer', () =>
  withRig(async (rig) => {
    const pages = await ownPages(rig);
    assert.equal(pages.length, 20);
    for (const { url, status, headers } of pages) {
      const type = headers.get('content-type') ?? '';
      const about = `${status} ${url}`;
      assert.equal(headers.get('cache-control'), 'no-store', about);
      assert.equal(headers.get('x-content-type-options'), 'nosniff', about);
      assert.match(headers.get('referrer-policy') ?? '', /^(?:no-referrer|same-origin|strict-origin)$/, about);
      if (!type.startsWith('text/html')) continue;
      assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/, about);
      assert.equal(headers.get('x-frame-options'), 'DENY', about);
      assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin', about);
    }
  }));

const ELSEWHERE: readonly Readonly<Record<string, string>>[] = [
  { origin: 'https://evil.example' },
  { origin: 'null', 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { origin: `${AUTH}.evil.example` },
  { origin: AUTH.replace('https', 'http') },
  { origin: `${AUTH}:8443` },
  { origin: `${AUTH}, https://evil.example` },
  { 'content-type': 'text/plain' },
  { 'content-type': 'multipart/form-data; boundary=x' },
];

test('CSRF: no form of ours does anything when another site sends it', () =>
  withRig(async (rig) => {
    const alice = await signedIn(rig);
    const subject = (await rig.accounts.findByName('alice'))?.subject ?? '';
    const link = await rig.accounts.mintLink(subject, 'test');
    const stranger = rig.browser();
    const forms = [
      { browser: stranger, page: await stranger.open(SIGN_IN), fields: { name: 'alice', password: PASSWORD } },
      {
        browser: stranger,
        page: await stranger.open(`${AUTH}/.postern/set-password?token=${link?.token}`),
        fields: { password: 'another password', again: 'another password' },
      },
      { browser: alice, page: await alice.open(`${AUTH}/.postern/sign-out`), fields: {} },
      { browser: alice, page: await alice.open(`${APP}/.postern/sign-out`), fields: { everywhere: '1' } },
    ];
    const sessions = (await rig.sessions.list()).length;
    for (const { browser, page, fields } of forms) {
      for (const headers of ELSEWHERE) {
        const answer = await browser.submit(page, fields, { headers });
        assert.equal(answer.status, 403, JSON.stringify(headers));
        assert.deepEqual(answer.setCookies, []);
      }
    }
    assert.equal((await rig.sessions.list()).length, sessions);
    assert.equal((await rig.accounts.find(subject))?.passwordHash, `$argon2id$${PASSWORD}`);
  }));

test('Session fixation: a session planted in the browser before a sign-in is not the one after it', () =>
  withRig(async (rig) => {
    const attacker = await signedIn(rig);
    const name = sessionCookieName(rig.instance, { secure: true, domain: null });
    const victim = rig.browser();
    rig.advance(1_000);
    victim.plant('auth.example.com', name, attacker.sessionToken(AUTH) ?? '');
    await victim.signInOn(await victim.open(`${SIGN_IN}?switch=1`), 'alice', PASSWORD);
    assert.notEqual(victim.sessionToken(AUTH), attacker.sessionToken(AUTH));
    // And the planted one has ended, on the attacker's side too.
    assert.equal((await attacker.open(`${AUTH}/`)).url, SIGN_IN);
  }));

/** Whatever a form of ours could hold, as another site would send it. */
const EVERYTHING = {
  name: 'alice',
  password: PASSWORD,
  again: PASSWORD,
  form: 'x',
  everywhere: '1',
  action: 'remove',
  do: 'remove',
  code: '123456',
  id: '1',
};

test('CSRF: every path that takes a POST refuses one of another site, whoever is signed in', () =>
  withRig(async (rig) => {
    const paths = ['sign-in', 'sign-out', 'set-password', 'second-step', 'passkey', 'security', 'backchannel-logout'];
    const alice = await signedIn(rig);
    const sessions = (await rig.sessions.list()).length;
    const { revision } = (await rig.accounts.findByName('alice')) ?? assert.fail();
    for (const path of paths) {
      for (const browser of [alice, rig.browser()]) {
        for (const headers of [...ELSEWHERE, { 'content-type': 'application/json', origin: 'https://evil.example' }]) {
          const about = `${path} ${JSON.stringify(headers)}`;
          const answer = await browser.send(`${AUTH}/.postern/${path}`, { form: EVERYTHING, headers });
          assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${about}`);
          assert.deepEqual(answer.setCookies, [], about);
        }
      }
    }
    assert.equal((await rig.sessions.list()).length, sessions);
    assert.equal((await rig.accounts.findByName('alice'))?.revision, revision);
  }));
