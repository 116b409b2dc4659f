import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadTemplates } from '../pages/custom-pages.ts';
import { ALICE, createRig, type Wish } from './_rig.ts';

const APP = 'https://app.example.com';
const PASSWORDS = {
  settings: { htpasswd: { file: 'ht', groups: ['staff'], showsForm: true, namesAreEmails: false } },
  passwords: { alice: 'secret' },
} as const;
const rdOf = (body: string): string | undefined => /name="rd" value="([^"]*)"/.exec(body)?.[1];

test('signIn() shows a page with the way back, and forgets who was signed in (CVE-2026-34454)', async () => {
  const rig = createRig();
  const browser = rig.browser();
  const fresh = await browser.open(`${APP}/oauth2/sign_in?rd=%2Fx%3Fa%3D1%26b%3D2`);
  assert.deepEqual([fresh.status, fresh.cookies], [200, []]);
  assert.equal(rdOf(fresh.body), '/x?a=1&amp;b=2');
  assert.ok(fresh.body.includes('action="/oauth2/start"'));
  assert.ok(!fresh.body.includes('type="password"'));
  await browser.signIn(`${APP}/oauth2/start`);
  const page = await browser.open(`${APP}/oauth2/sign_in`);
  assert.equal(page.cookies[0], '_oauth2_proxy=; Path=/; Max-Age=0; HttpOnly; Secure');
});

test('signIn() keeps the session where the page is only loaded by another one', async () => {
  const rig = createRig();
  const browser = rig.browser();
  await browser.signIn(`${APP}/oauth2/start`);
  const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' };
  assert.deepEqual((await browser.open(`${APP}/oauth2/sign_in`, { headers })).cookies, []);
});

test('signIn() leads the deep link of a front proxy back: X-Auth-Request-Redirect, X-Forwarded-Uri, nginx and Caddy', async () => {
  const rig = createRig({ settings: { redirects: { whitelist: ['.example.com'] } } });
  const shown = async (url: string, wish: Wish = {}): Promise<string | undefined> =>
    rdOf((await rig.browser().open(url, wish)).body)?.replaceAll('&amp;', '&');
  const link = '/a%20b/c%2Fd?x=%26&b=2&u=https://other.example//';
  assert.equal(await shown(`${APP}/oauth2/sign_in`, { headers: { 'x-auth-request-redirect': link } }), link);
  const own = { 'x-auth-request-redirect': '/oauth2/start?rd=https://evil.example' };
  assert.equal(await shown(`${APP}/oauth2/sign_in`, { headers: own }), '/', 'not round in circles');
  const forwarded = { 'x-forwarded-host': 'app.example.com', 'x-forwarded-uri': link };
  assert.equal(await shown(`${APP}/oauth2/sign_in`, { headers: forwarded, isForwarded: true }), link);
  const other = { ...forwarded, 'x-forwarded-host': 'wiki.example.com' };
  assert.equal(
    await shown(`${APP}/oauth2/sign_in`, { headers: other, isForwarded: true }),
    `https://wiki.example.com${link}`,
  );
  assert.equal(await shown(`${APP}/oauth2/sign_in`, { headers: other }), '/', 'nobody vouches for the headers');
  assert.equal(
    await shown(`${APP}/oauth2/sign_in?rd=https://wiki.example.com${link}`),
    `https://wiki.example.com${link}`,
  );
  assert.equal(await shown(`${APP}/oauth2/sign_in?rd=https://evil.example/`), '/');
  assert.equal(await shown(`${APP}/oauth2/auth`, { asks: true }), '/', 'never back to an endpoint of ours');
  assert.equal(
    await shown(`${APP}/x?rd=/elsewhere`, { asks: true }),
    '/x?rd=/elsewhere',
    'the app’s own rd is the app’s',
  );
});

test('signIn() goes straight to the provider with skip-provider-button, and askToSignIn() as well', async () => {
  const rig = createRig({ settings: { skip: { providerButton: true } } });
  const away = await rig.browser().open(`${APP}/oauth2/sign_in?rd=%2Fx`);
  assert.equal(away.status, 302);
  assert.match(new URL(away.location ?? '').searchParams.get('state') ?? '', /:\/x$/);
  const asked = await rig.browser().open(`${APP}/deep?prompt=none`, { asks: true });
  assert.match(new URL(asked.location ?? '').searchParams.get('state') ?? '', /:\/deep\?prompt=none$/);
  assert.deepEqual([...(rig.wishes.at(-1)?.overrides ?? [])], [], 'an app’s parameters change nothing of the sign-in');
});

test('askToSignIn() is the page with 403', async () => {
  const page = await createRig().browser().open(`${APP}/deep`, { asks: true });
  assert.equal(page.status, 403);
  assert.equal(rdOf(page.body), '/deep');
});

test('The sign-in page allows its own script and style alone, and speaks the visitor’s language', async () => {
  const rig = createRig();
  const page = await rig.browser().open(`${APP}/oauth2/sign_in`, { headers: { 'accept-language': 'ko' } });
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'; style-src 'sha256-[^']+';/);
  assert.match(policy, /script-src 'sha256-[^']+'$/);
  assert.ok(!policy.includes('unsafe'));
  assert.match(page.body, /<html lang="ko">/);
  assert.equal(page.headers.count('cache-control'), 1);
});

test('signIn() shows banner, footer, domains, and nothing where they are "-"', async () => {
  const shown = createRig({
    settings: {
      pages: { banner: '<b>Staff only</b>', footer: 'See <a href="/help">help</a>' },
      admission: { emailDomains: ['example.com', 'example.org'] },
    },
  });
  const { body } = await shown.browser().open(`${APP}/oauth2/sign_in`);
  assert.ok(body.includes('<b>Staff only</b>') && body.includes('<a href="/help">help</a>'));
  const byDefault = createRig({ settings: { admission: { emailDomains: ['example.com', '<i>.org'] } } });
  assert.ok((await byDefault.browser().open(`${APP}/oauth2/sign_in`)).body.includes('example.com, &lt;i&gt;.org'));
  const none = createRig({
    settings: { pages: { banner: '-', footer: '-' }, admission: { emailDomains: ['example.com'] } },
  });
  assert.ok(!(await none.browser().open(`${APP}/oauth2/sign_in`)).body.includes('account of'));
});

test('The password form opens a session, and says what is wrong with the statuses of oauth2-proxy', async () => {
  const rig = createRig(PASSWORDS);
  const page = await rig.browser().open(`${APP}/oauth2/sign_in?rd=%2Fx`);
  assert.ok(page.body.includes('type="password"'));
  const post = (body: string, headers = {}) => rig.browser().open(`${APP}/oauth2/sign_in`, { body, headers });
  assert.equal((await post('username=&password=secret')).status, 400);
  const wrong = await post('username=%3Calice&password=bad&rd=%2Fx');
  assert.equal(wrong.status, 401);
  assert.ok(wrong.body.includes('value="&lt;alice"') && !wrong.body.includes('value="bad"'));
  assert.equal(rdOf(wrong.body), '/x');
  const landed = await post('username=alice&password=secret&rd=%2Fx%3Fa%26b');
  assert.deepEqual([landed.status, landed.location], [302, '/x?a&b']);
  const [session] = rig.sessions.values();
  assert.deepEqual(
    [session?.user, session?.email, session?.groups, session?.via],
    ['alice', '', ['staff'], 'htpasswd'],
  );
  assert.equal((await post('username=alice&password=%zz')).status, 400);
  assert.equal((await post('{"username":"alice"}', { 'content-type': 'application/json' })).status, 400);
  assert.equal((await post(`username=alice&password=${'x'.repeat(70_000)}`)).status, 413);
});

test('The password form takes no password from the address', async () => {
  const rig = createRig(PASSWORDS);
  const answer = await rig.browser().open(`${APP}/oauth2/sign_in?username=alice&password=secret`, { body: 'x=1' });
  assert.equal(answer.status, 400);
  assert.equal(rig.sessions.size, 0);
});

test('The password form takes nothing from another site (login CSRF)', async () => {
  const rig = createRig({
    ...PASSWORDS,
    settings: { ...PASSWORDS.settings, redirects: { whitelist: ['login.example.net'] } },
  });
  const post = async (headers: Record<string, string>): Promise<number> =>
    (await rig.browser().open(`${APP}/oauth2/sign_in`, { body: 'username=alice&password=secret', headers })).status;
  for (const headers of [
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example' },
    { origin: 'https://evil.app.example.com', 'sec-fetch-site': 'same-site' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
    { origin: 'null' },
    { origin: APP, 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'https://login.example.net.evil.example' },
  ])
    assert.equal(await post(headers as Record<string, string>), 403, JSON.stringify(headers));
  assert.equal(rig.sessions.size, 0);
  for (const headers of [
    {},
    { origin: APP, 'sec-fetch-site': 'same-origin' },
    { origin: 'https://hidden.by.the.proxy', 'sec-fetch-site': 'same-origin' },
    { origin: 'http://app.example.com' },
    { origin: 'https://login.example.net', 'sec-fetch-site': 'cross-site' },
  ])
    assert.equal(await post(headers as Record<string, string>), 302, JSON.stringify(headers));
});

test('The password form slows down guessing', async () => {
  const rig = createRig(PASSWORDS);
  const statuses: number[] = [];
  for (let i = 0; i < 8; i++)
    statuses.push((await rig.browser().open(`${APP}/oauth2/sign_in`, { body: `username=alice&password=${i}` })).status);
  assert.ok(statuses.includes(429), String(statuses));
  rig.advance(60_000);
  const right = await rig.browser().open(`${APP}/oauth2/sign_in`, { body: 'username=alice&password=secret' });
  assert.equal(right.status, 302);
});

test('The password form opens nothing for whom the groups keep out: a page instead of a circle', async () => {
  const rig = createRig({ ...PASSWORDS, judge: () => ({ kind: 'denied', reason: 'groups' }) });
  const answer = await rig.browser().open(`${APP}/oauth2/sign_in`, { body: 'username=alice&password=secret&rd=%2Fx' });
  assert.deepEqual([answer.status, answer.location, rig.sessions.size], [403, null, 0]);
});

test('signIn() ends the session of the browser that a person signs in with by password', async () => {
  const rig = createRig(PASSWORDS);
  const browser = rig.browser();
  await browser.signIn(`${APP}/oauth2/start`);
  const [old = ''] = rig.sessions.keys();
  await browser.open(`${APP}/oauth2/sign_in`, { body: 'username=alice&password=secret' });
  assert.ok(!rig.sessions.has(old));
  assert.equal(rig.sessions.size, 1);
  assert.notEqual([...rig.sessions.values()][0]?.email, ALICE.email);
});

test('Pages of the operator’s own stand in place of ours, with the fields of oauth2-proxy', async () => {
  const files: Record<string, string> = {
    't/sign_in.html':
      '<form action="{{.ProxyPrefix}}/start"><input name="rd" value="{{.Redirect}}">{{.ProviderName}} {{.SignInMessage}}{{if .CustomLogin}}form{{end}}{{if eq .StatusCode 400 401}}bad{{end}} {{.Footer}}</form>',
    't/error.html': '<h1>{{.StatusCode}} {{.Title}}</h1>{{.Message}} {{.RequestID}} <a href="{{.Redirect}}">x</a>',
  };
  const loaded = loadTemplates('t', (path) => files[path] ?? null);
  assert.ok(loaded.kind === 'ok');
  const rig = createRig({
    ...PASSWORDS,
    settings: { ...PASSWORDS.settings, pages: { banner: '<i>hi</i>', footer: '-' } },
    templates: loaded.templates,
  });
  const page = await rig.browser().open(`${APP}/oauth2/sign_in?rd=%2F%22%3E%3Cx`);
  assert.equal(
    page.body,
    '<form action="/oauth2/start"><input name="rd" value="/&quot;&gt;&lt;x">Example ID <i>hi</i>form -</form>',
  );
  assert.ok(!(page.headers.get('content-security-policy') ?? '').includes('style-src'));
  assert.match(page.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
  const wrong = await rig.browser().open(`${APP}/oauth2/sign_in`, { body: 'username=alice&password=bad' });
  assert.ok(wrong.body.includes('bad'));
  const error = await rig.browser().open(`${APP}/oauth2/callback?error=%3Cb%3E`);
  assert.match(error.body, /^<h1>403 You were not signed in<\/h1>.*req-1234567 <a href="\/">x<\/a>$/);
});
