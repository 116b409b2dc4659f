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

test('signOut() hands the id token to the provider and to hosts named one by one, not to all below a domain', async () => {
  const tokenAt = async (whitelist: string, host: string, provider = {}): Promise<string | null> => {
    const rig = createRig({ settings: { redirects: { whitelist: [whitelist] }, provider } });
    const browser = rig.browser();
    await browser.signIn(`${APP}/oauth2/start`);
    const rd = encodeURIComponent(`https://${host}/out?a=1&t={id_token}`);
    return (await browser.open(`${APP}/oauth2/sign_out?rd=${rd}`)).location;
  };
  const withToken = (host: string): string => `https://${host}/out?a=1&t=id-alice`;
  assert.equal(await tokenAt('wiki.example.com', 'wiki.example.com'), withToken('wiki.example.com'));
  assert.equal(await tokenAt('.example.net', 'id.example.net'), withToken('id.example.net'), 'where people sign in');
  assert.equal(await tokenAt('.example.com', 'app.example.com'), withToken('app.example.com'), 'the own host');
  const issuer = { oidc: { issuer: 'https://issuer.example.org/realms/x' } };
  assert.equal(await tokenAt('*.example.org', 'issuer.example.org', issuer), withToken('issuer.example.org'));
  assert.equal(await tokenAt('.example.com', 'evil.example.com'), 'https://evil.example.com/out?a=1');
  assert.equal(await tokenAt('*.example.com:*', 'evil.example.com:8443'), 'https://evil.example.com:8443/out?a=1');
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
