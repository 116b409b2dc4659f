import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServing } from './_rig.ts';

test('each endpoint is met by its exact spelling; everything else is of the app', async (t) => {
  const rig = await startServing(t);
  for (const [target, call] of [
    ['/oauth2/sign_in', 'sign-in'],
    ['/oauth2/sign_in?rd=/x', 'sign-in'],
    ['/oauth2/start', 'start'],
    ['/oauth2/callback?code=x&state=y', 'callback'],
    ['/oauth2/backchannel-logout', 'back-channel'],
    ['/oauth2/sign_out', 'sign-out -'],
    ['/oauth2/static/css/x.css', 'static'],
    ['/', 'ask'],
    ['/oauth2', 'ask'],
    ['/oauth2/', 'ask'],
    ['/oauth2/other', 'ask'],
    ['/oauth2/sign_in/', 'ask'],
    ['/oauth2/sign_in;x', 'ask'],
    ['/oauth2/SIGN_IN', 'ask'],
    ['/oauth2/%73ign_in', 'ask'],
    ['/oauth2/static', 'ask'],
    ['/oauth2/%61uth', 'ask'],
    ['/oauth2/auth/', 'ask'],
    ['/oauth2/auth;x', 'ask'],
    ['/oauth2%2fauth', 'ask'],
    ['/x/%2e%2e/oauth2/auth', 'ask'],
    ['/oauth2x/auth', 'ask'],
  ] as const) {
    rig.flowCalls.length = 0;
    await rig.ask(target);
    assert.deepEqual(rig.flowCalls, [call], target);
  }
});

test('a prefix of the settings moves every endpoint', async (t) => {
  const rig = await startServing(t, { settings: { paths: { prefix: '/sso', ping: '/health', ready: '/up' } } });
  assert.equal((await rig.ask('/sso/auth')).status, 401);
  assert.equal((await rig.ask('/oauth2/auth')).body, 'ask');
  assert.equal((await rig.ask('/health')).body, 'OK');
  assert.equal((await rig.ask('/up')).body, 'OK');
  assert.equal((await rig.ask('/ping')).body, 'ask');
});

test('health checks, robots.txt and OPTIONS * need nobody', async (t) => {
  const rig = await startServing(t);
  assert.deepEqual(await rig.ask('/ping').then(({ status, body }) => [status, body]), [200, 'OK']);
  assert.deepEqual(await rig.ask('/ready').then(({ status, body }) => [status, body]), [200, 'OK']);
  assert.equal((await rig.ask('/robots.txt')).body, 'User-agent: *\nDisallow: /\n');
  assert.equal((await rig.ask('*', { method: 'OPTIONS' })).status, 200);
  for (const target of ['/ping/', '/ping;x', '/%70ing', '/PING'])
    assert.equal((await rig.ask(target)).body, 'ask', target);
});

test('health checks of Google need its User-Agent, at their paths and at that of pings', async (t) => {
  const rig = await startServing(t, { settings: { paths: { pingsOfGoogle: true } } });
  const google = { headers: ['User-Agent: GoogleHC/1.0'] };
  for (const target of ['/ping', '/liveness_check', '/readiness_check']) {
    assert.equal((await rig.ask(target, google)).body, 'OK', target);
    assert.equal((await rig.ask(target)).body, 'ask', target);
  }
  assert.equal((await rig.ask('/', google)).body, 'ask');
  const without = await startServing(t);
  assert.equal((await without.ask('/liveness_check', google)).body, 'ask');
});

test('/ready says in general words what is missing', async (t) => {
  const provider = await startServing(t, { provider: { isReady: () => false } });
  assert.deepEqual(await provider.ask('/ready').then(({ status, body }) => [status, body]), [
    500,
    'error: the provider has not answered yet\n',
  ]);
  const store = await startServing(t, { keeper: (keeper) => ({ ...keeper, isReady: () => Promise.resolve(false) }) });
  assert.equal((await store.ask('/ready')).body, 'error: the session store does not answer\n');
  const broken = await startServing(t, {
    keeper: (keeper) => ({ ...keeper, isReady: () => Promise.reject(new Error('connect to 10.0.0.9')) }),
  });
  assert.deepEqual(await broken.ask('/ready').then(({ status, body }) => [status, body]), [
    500,
    'Internal Server Error\n',
  ]);
});

test('a path that is not clean is redirected before anybody is asked, and never to another host', async (t) => {
  const rig = await startServing(t);
  for (const [target, location] of [
    ['//x', '/x'],
    ['//evil.example/x', '/evil.example/x'],
    ['///evil.example', '/evil.example'],
    ['/a//b?c=//d', '/a/b?c=//d'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/b/..', '/a/'],
    ['//oauth2/auth', '/oauth2/auth'],
    ['/x/../ping', '/ping'],
    ['/a%20b//c', '/a%20b/c'],
  ] as const) {
    const answer = await rig.ask(target);
    assert.deepEqual([answer.status, answer.headers['location']], [301, [location]], target);
  }
  for (const target of ['/..', '/../x', '/a/../../x']) assert.equal((await rig.ask(target)).status, 400, target);
  assert.deepEqual(rig.flowCalls, []);
});

test('force-https sends plain requests to the same place over HTTPS, health checks too', async (t) => {
  const rig = await startServing(t, {
    settings: { server: { forceHttps: true, https: ':8443' }, trust: { reverseProxy: true } },
  });
  for (const [target, headers, location] of [
    ['/x?y=1', [], 'https://app.example.com/x?y=1'],
    ['/ping', [], 'https://app.example.com/ping'],
    ['/', ['Host: app.example.com:8080'], 'https://app.example.com:8443/'],
    ['/', ['X-Forwarded-Proto: http', 'X-Forwarded-Host: a.example.com'], 'https://a.example.com/'],
  ] as const) {
    const answer = await rig.ask(target, { headers });
    assert.deepEqual([answer.status, answer.headers['location']], [308, [location]], target);
  }
  assert.equal((await rig.ask('/ping', { headers: ['X-Forwarded-Proto: https'] })).status, 200);
});

test('userinfo tells who is signed in, without tokens and not to be kept', async (t) => {
  const rig = await startServing(t);
  assert.equal((await rig.ask('/oauth2/userinfo')).status, 401);
  const answer = await rig.ask('/oauth2/userinfo', { headers: [await rig.signIn()] });
  assert.equal(
    answer.body,
    '{"user":"sub-alice","email":"alice@example.com","groups":["/developers","ops"],"preferredUsername":"alice"}\n',
  );
  assert.deepEqual(answer.headers['cache-control'], ['no-cache, no-store, must-revalidate, max-age=0']);
  assert.doesNotMatch(answer.body, /access|id-of|refresh-of/);
});

test('sign_out is told who leaves', async (t) => {
  const rig = await startServing(t);
  await rig.ask('/oauth2/sign_out', { headers: [await rig.signIn()] });
  assert.deepEqual(rig.flowCalls, ['sign-out sub-alice']);
});

test('a flow that fails ends in 500, not in silence', async (t) => {
  const rig = await startServing(t, { flow: { start: () => Promise.reject(new Error('a defect')) } });
  assert.equal((await rig.ask('/oauth2/start')).status, 500);
  assert.equal(rig.defects.length, 1);
});

test('the page in place of a 403 keeps who is signed in, as Traefik asks for it with a status and without', async (t) => {
  const rig = await startServing(t, { settings: { trust: { reverseProxy: true } } });
  const cookie = await rig.signIn();
  const rd = 'rd=https%3A%2F%2Fadmin.example.com%2Fx%3Fa%3D1';
  const byTraefik = ['X-Forwarded-Host: admin.example.com', 'X-Forwarded-Proto: https', 'X-Forwarded-Server: t'];
  const call = async (target: string, headers: readonly string[] = [], method = 'GET'): Promise<string> => {
    rig.flowCalls.length = 0;
    await rig.ask(target, { headers, method });
    return rig.flowCalls.join();
  };
  for (const [expected, target, headers] of [
    ['not-admitted', `/oauth2/sign_in?${rd}&status=403`, [cookie]],
    ['not-admitted', `/oauth2/sign_in?status=403&${rd}`, [cookie]],
    ['not-admitted', `/oauth2/sign_in?${rd}`, [cookie, ...byTraefik]],
    ['not-admitted', '/oauth2/sign_in', [cookie, ...byTraefik]],
    // Nobody is signed in; another status; a visitor's own way to the page.
    ['sign-in', `/oauth2/sign_in?${rd}&status=403`, []],
    ['sign-in', `/oauth2/sign_in?${rd}`, byTraefik],
    ['sign-in', `/oauth2/sign_in?${rd}&status=401`, [cookie]],
    ['sign-in', `/oauth2/sign_in?${rd}`, [cookie]],
    ['sign-in', `/oauth2/sign_in?${rd}`, [cookie, ...byTraefik, 'X-Forwarded-For: 192.0.2.1']],
    // The application's own parameter, where nobody escaped its address.
    ['sign-in', '/oauth2/sign_in?rd=https://app.example.com/x?a=1&status=403', [cookie]],
    ['sign-in', '/oauth2/sign_in?rd=/x?a=1&status=403', [cookie]],
  ] as const)
    assert.equal(await call(target, headers), expected, `${target} ${headers.length}`);
  assert.equal(await call(`/oauth2/sign_in?${rd}&status=403`, [cookie], 'POST'), 'sign-in');
});

test('a stranger that is no trusted proxy cannot speak as Traefik', async (t) => {
  const rig = await startServing(t);
  const cookie = await rig.signIn();
  await rig.ask('/oauth2/sign_in', { headers: [cookie, 'X-Forwarded-Server: t'] });
  assert.deepEqual(rig.flowCalls, ['sign-in']);
});
