import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, createRig } from './_rig.ts';

const APP = 'https://app.example.com';

test('start() leads to the provider with state, nonce and an S256 challenge, callback() back to the deep link', async () => {
  const rig = createRig();
  const browser = rig.browser();
  const away = await browser.open(`${APP}/oauth2/start?rd=%2Fa%2520b%2Fc%252Fd%3Fx%3D1%26b%3D2`);
  assert.equal(away.status, 302);
  const asked = new URL(away.location ?? '').searchParams;
  assert.equal(asked.get('redirect_uri'), `${APP}/oauth2/callback`);
  assert.match(asked.get('state') ?? '', /^[\w-]{44}:\/a%20b\/c%2Fd\?x=1&b=2$/);
  assert.match(asked.get('nonce') ?? '', /^[\w-]{43}$/);
  assert.match(asked.get('code_challenge') ?? '', /^[\w-]{43}$/);
  assert.equal(away.headers.get('cache-control'), 'no-cache, no-store, must-revalidate, max-age=0');
  assert.match(away.cookies[0] ?? '', /^_oauth2_proxy_csrf=[\w-]+; Path=\/; Max-Age=900; HttpOnly; Secure$/);

  const landed = await rig.browser().signIn(`${APP}/oauth2/start?rd=%2Fa%2520b%2Fc%252Fd%3Fx%3D1%26b%3D2`);
  assert.equal(landed.status, 302);
  assert.equal(landed.location, '/a%20b/c%2Fd?x=1&b=2');
  const [session, csrf] = landed.cookies;
  assert.match(session ?? '', /^_oauth2_proxy=[\w-]{43}; Path=\/; Max-Age=604800; HttpOnly; Secure$/);
  assert.equal(csrf, '_oauth2_proxy_csrf=; Path=/; Max-Age=0; HttpOnly; Secure');
  assert.deepEqual(
    [...rig.sessions.values()].map(({ email }) => email),
    [ALICE.email],
  );
});
