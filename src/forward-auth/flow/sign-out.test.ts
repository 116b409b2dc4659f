import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, createRig } from './_rig.ts';
import { withIdToken } from './sign-out.ts';

const APP = 'https://app.example.com';
const LOGOUT = 'https://id.example.net/logout';

test('signOut() ends the session, clears the cookie and goes on to rd', async () => {
  const rig = createRig();
  const browser = rig.browser();
  await browser.signIn(`${APP}/oauth2/start`);
  const out = await browser.open(`${APP}/oauth2/sign_out?rd=%2Fbye`);
  assert.deepEqual([out.status, out.location], [302, '/bye']);
  assert.equal(out.cookies[0], '_oauth2_proxy=; Path=/; Max-Age=0; HttpOnly; Secure');
  assert.equal(rig.sessions.size, 0);
  assert.equal((await browser.open(`${APP}/oauth2/sign_out`, { method: 'POST' })).location, '/');
});

test('signOut() hands the id token to the provider’s own sign-out, escaped or not', async () => {
  const rig = createRig({ settings: { redirects: { whitelist: ['id.example.net'] } } });
  const browser = rig.browser();
  const rest = `&post_logout_redirect_uri=${encodeURIComponent(APP)}`;
  for (const rd of [
    encodeURIComponent(`${LOGOUT}?id_token_hint={id_token}${rest}`),
    `${LOGOUT}?id_token_hint={id_token}${rest}`,
  ]) {
    await browser.signIn(`${APP}/oauth2/start`);
    const out = await browser.open(`${APP}/oauth2/sign_out?rd=${rd}`);
    assert.equal(out.location, `${LOGOUT}?id_token_hint=id-alice${rest}`);
  }
});

test('signOut() hands the id token to no host that is not whitelisted', async () => {
  const rig = createRig();
  const browser = rig.browser();
  await browser.signIn(`${APP}/oauth2/start`);
  const out = await browser.open(
    `${APP}/oauth2/sign_out?rd=${encodeURIComponent('https://evil.example/?t={id_token}')}`,
  );
  assert.equal(out.location, '/');
});

test('signOut() without a session answers as always, without the placeholder', async () => {
  const rig = createRig({ settings: { redirects: { whitelist: ['id.example.net'] } } });
  const out = await rig
    .browser()
    .open(`${APP}/oauth2/sign_out?rd=${encodeURIComponent(`${LOGOUT}?id_token_hint={id_token}&a=1`)}`);
  assert.deepEqual([out.status, out.location], [302, `${LOGOUT}?a=1`]);
});

test('withIdToken() leaves the rest of the address as it was', () => {
  const cases: [redirect: string, withToken: string, without: string][] = [
    ['/x?a=1&b=%7B', '/x?a=1&b=%7B', '/x?a=1&b=%7B'],
    [`${LOGOUT}?h={id_token}`, `${LOGOUT}?h=t`, LOGOUT],
    [`${LOGOUT}?h=%7Bid_token%7D#f`, `${LOGOUT}?h=t#f`, `${LOGOUT}#f`],
    [`${LOGOUT}?a=1&h={id_token}&b=2`, `${LOGOUT}?a=1&h=t&b=2`, `${LOGOUT}?a=1&b=2`],
    [`${LOGOUT}?h={id_token}&b=2&c={id_token}`, `${LOGOUT}?h=t&b=2&c=t`, `${LOGOUT}?b=2`],
    [`${LOGOUT}/{id_token}/x`, `${LOGOUT}/t/x`, `${LOGOUT}//x`],
  ];
  for (const [redirect, withToken, without] of cases) {
    assert.equal(withIdToken(redirect, 't'), withToken);
    assert.equal(withIdToken(redirect, ''), without);
  }
  assert.equal(withIdToken('/x?{id_token}', 'a&b=c$&'), '/x?a%26b%3Dc%24%26', 'a token is a value, whatever is in it');
});

test('signOut() tells the provider, and says in the log where it did not listen', async () => {
  const backendLogoutUrl = 'https://id.example.net/end?t={id_token}';
  const rig = createRig({ settings: { provider: { backendLogoutUrl } } });
  const browser = rig.browser();
  await browser.signIn(`${APP}/oauth2/start`);
  await browser.open(`${APP}/oauth2/sign_out`);
  assert.deepEqual(rig.backend, ['https://id.example.net/end?t=id-alice']);
  await browser.open(`${APP}/oauth2/sign_out`);
  assert.equal(rig.backend.length, 1, 'nothing to say without a session');

  for (const callProvider of [() => Promise.resolve(500), () => Promise.reject(new Error('timeout'))]) {
    const down = createRig({ settings: { provider: { backendLogoutUrl } }, callProvider });
    const out = await down.browser().open(`${APP}/oauth2/sign_out`, { session: ALICE });
    assert.equal(out.status, 302);
    assert.ok(down.events.some((event) => event.kind === 'failed' && event.message.includes('at the provider')));
    assert.ok(!JSON.stringify(down.events).includes('t=id-alice'));
  }
});

test('signOut() is not for images and scripts of other sites (logout CSRF)', async () => {
  const rig = createRig();
  const browser = rig.browser();
  await browser.signIn(`${APP}/oauth2/start`);
  const foreign = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' };
  const out = await browser.open(`${APP}/oauth2/sign_out`, { headers: foreign });
  assert.deepEqual([out.status, out.cookies, rig.sessions.size], [403, [], 1]);
  const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  assert.equal((await browser.open(`${APP}/oauth2/sign_out`, { headers: link })).status, 302);
});
