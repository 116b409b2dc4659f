import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { compileRegExp } from '../regular-expression.ts';
import { skipPathOf } from './skip-path.ts';
import { ALICE, startServing, type RigOptions, type ServingRig } from './_rig.ts';
import type { SkipRoute } from '../settings.ts';

const route = (pattern: string, more: Partial<SkipRoute> = {}): SkipRoute => ({
  method: null,
  isNegated: false,
  pattern: compileRegExp(pattern),
  ...more,
});

const behindProxy = (
  t: TestContext,
  routes: readonly SkipRoute[],
  more: Pick<RigOptions, 'peer'> & { trustedIps?: readonly string[]; preflight?: boolean } = {},
): Promise<ServingRig> => {
  const { peer = '127.0.0.1', trustedIps = [], preflight = false } = more;
  return startServing(t, {
    peer,
    settings: {
      trust: { reverseProxy: true, trustedIps },
      skip: { routes, preflight },
      upstreams: [STATIC],
    },
  });
};

const STATIC = {
  id: 'static',
  path: '/',
  rewrite: null,
  target: { kind: 'static', status: 200 },
  skipTlsVerify: false,
  passHostHeader: true,
  websockets: true,
  timeoutMs: 30_000,
  flushMs: 1_000,
  keepAlive: true,
} as const;

test('skipPathOf() decodes once, and answers null for what an app could read as another path', () => {
  for (const [uri, path] of [
    ['/public/x', '/public/x'],
    ['/public/x?y=/admin', '/public/x'],
    ['/p%75blic/%C3%A9', '/public/é'],
    ['/public/a%20b', '/public/a b'],
    ['/public/.well-known', '/public/.well-known'],
    ['/public/...', '/public/...'],
    ['/a;b', '/a;b'],
  ] as const)
    assert.equal(skipPathOf(uri), path, uri);
  for (const uri of [
    '/public/../admin',
    '/public/..',
    '/public/./x',
    '/public/%2e%2e/admin',
    '/public/%2E./admin',
    '/public/.%2e/admin',
    '/public/..;/admin',
    '/public/..;x=1/admin',
    '/public/..%3b/admin',
    '/public/..%2fadmin',
    '/public%2f..%2fadmin',
    '/public/%2Fadmin',
    '/public//admin',
    '//public/x',
    '/public\\..\\admin',
    '/public/%5c..%5cadmin',
    '/public/%252e%252e/admin',
    '/foo/secret%23/bar',
    '/foo/secret#/bar',
    '/public%3f/../admin',
    '/public/%00',
    '/public/%0a',
    '/public/%zz',
    '/public/%c0%ae%c0%ae/admin',
    '/public/%ff',
    'http://app.example.com/public/x',
    'public/x',
    '*',
    '',
  ])
    assert.equal(skipPathOf(uri), null, uri);
});

void suite('skip rules on /oauth2/auth', () => {
  test('let through what a trusted proxy asks about, with nobody in the answer', async (t) => {
    const rig = await behindProxy(t, [route('^/public/')]);
    const answer = await rig.ask('/oauth2/auth', { headers: ['X-Forwarded-Uri: /public/x?y=1'] });
    assert.equal(answer.status, 202);
    assert.equal(answer.headers['gap-auth'], undefined);
    assert.equal((await rig.ask('/oauth2/auth', { headers: ['X-Forwarded-Uri: /private'] })).status, 401);
    assert.equal((await rig.ask('/oauth2/auth')).status, 401);
  });

  test('add who is signed in, and hold them to the constraints', async (t) => {
    const rig = await behindProxy(t, [route('^/public/')]);
    const headers = [await rig.signIn(), 'X-Forwarded-Uri: /public/x'];
    assert.deepEqual((await rig.ask('/oauth2/auth', { headers })).headers['gap-auth'], [ALICE.email]);
    assert.equal((await rig.ask('/oauth2/auth?allowed_groups=admins', { headers })).status, 403);
  });

  test('CVE-2026-40575: a peer that is no proxy of ours chooses no route', async (t) => {
    const rig = await behindProxy(t, [route('^/public/')], { peer: '198.51.100.7' });
    for (const name of ['X-Forwarded-Uri', 'X-Original-URI', 'X-Original-URL'])
      assert.equal((await rig.ask('/oauth2/auth', { headers: [`${name}: /public/x`] })).status, 401, name);
  });

  test('CVE-2025-54576: a query satisfies no rule', async (t) => {
    const rig = await behindProxy(t, [route('/public/')]);
    const headers = ['X-Forwarded-Uri: /admin?x=/public/'];
    assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 401);
  });

  test('CVE-2026-41059: what follows an encoded "#" satisfies no rule', async (t) => {
    const rig = await behindProxy(t, [route('^/foo/.*/bar$'), route('^/foo/secret$')]);
    const headers = ['X-Forwarded-Uri: /foo/secret%23/bar'];
    assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 401);
  });

  test('a rule for all but some paths does not open the endpoint itself', async (t) => {
    const rig = await behindProxy(t, [route('^/private', { isNegated: true })]);
    assert.equal((await rig.ask('/oauth2/auth')).status, 401);
    assert.equal((await rig.ask('/oauth2/auth', { headers: ['X-Forwarded-Uri: /open'] })).status, 202);
    for (const uri of ['/private', '/%70rivate', '/./private', '//private', '/private;x', '/x/../private'])
      assert.equal((await rig.ask('/oauth2/auth', { headers: [`X-Forwarded-Uri: ${uri}`] })).status, 401, uri);
  });

  test('contradictory words of the front are as good as none', async (t) => {
    const rig = await behindProxy(t, [route('^/public/')]);
    for (const headers of [
      ['X-Forwarded-Uri: /public/x', 'X-Forwarded-Uri: /private'],
      ['X-Forwarded-Uri: /private', 'X-Original-URI: /public/x'],
      ['X-Forwarded-Uri: /private', 'X-Original-URL: https://app.example.com/public/x'],
      ['X-Original-URL: https://app.example.com/private', 'X-Original-URI: /public/x'],
    ])
      assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 401, headers.join());
    const agreeing = ['X-Forwarded-Uri: /public/x', 'X-Original-URL: https://app.example.com/public/x'];
    assert.equal((await rig.ask('/oauth2/auth', { headers: agreeing })).status, 202);
  });

  test('read what ingress-nginx says: X-Original-URL and X-Original-Method', async (t) => {
    const rig = await behindProxy(t, [route('^/hook$', { method: 'POST' })]);
    const url = 'X-Original-URL: https://app.example.com/hook';
    assert.equal((await rig.ask('/oauth2/auth', { headers: [url, 'X-Original-Method: POST'] })).status, 202);
    assert.equal((await rig.ask('/oauth2/auth', { headers: [url, 'X-Original-Method: GET'] })).status, 401);
  });

  test('about a method hold only where the front says it: nginx asks by GET about a DELETE', async (t) => {
    const rig = await behindProxy(t, [route('^/api/', { method: 'GET' })]);
    const uri = 'X-Forwarded-Uri: /api/x';
    assert.equal((await rig.ask('/oauth2/auth', { headers: [uri] })).status, 401);
    assert.deepEqual(rig.flowCalls, ['unknown method']);
    assert.equal((await rig.ask('/oauth2/auth', { headers: [uri, 'X-Forwarded-Method: GET'] })).status, 202);
    assert.equal((await rig.ask('/oauth2/auth', { headers: [uri, 'X-Forwarded-Method: DELETE'] })).status, 401);
    const two = [uri, 'X-Forwarded-Method: GET', 'X-Original-Method: DELETE'];
    assert.equal((await rig.ask('/oauth2/auth', { headers: two })).status, 401);
  });

  test('let preflights through by their own method or the one that the front says', async (t) => {
    const rig = await behindProxy(t, [], { preflight: true });
    assert.equal((await rig.ask('/oauth2/auth', { method: 'OPTIONS' })).status, 202);
    assert.equal((await rig.ask('/oauth2/auth', { headers: ['X-Forwarded-Method: OPTIONS'] })).status, 202);
    assert.equal((await rig.ask('/oauth2/auth')).status, 401);
  });

  test('keep public pages open while the store is away', async (t) => {
    const rig = await startServing(t, {
      settings: { trust: { reverseProxy: true }, skip: { routes: [route('^/public/')] } },
      keeper: (keeper) => ({ ...keeper, find: () => ({ kind: 'unavailable' }) }),
    });
    const headers = ['Cookie: _oauth2_proxy=x', 'X-Forwarded-Uri: /public/x'];
    assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 202);
    assert.equal((await rig.ask('/oauth2/auth', { headers: ['X-Forwarded-Uri: /private'] })).status, 503);
  });
});

void suite('trusted addresses', () => {
  const trustedIps = ['192.0.2.0/24', '2001:db8::/32'];

  test('are the peer itself without a proxy, whatever it says', async (t) => {
    const rig = await startServing(t, { peer: '198.51.100.7', settings: { trust: { trustedIps } } });
    assert.equal((await rig.ask('/oauth2/auth', { headers: ['X-Real-IP: 192.0.2.1'] })).status, 401);
    const near = await startServing(t, { peer: '192.0.2.1', settings: { trust: { trustedIps } } });
    assert.equal((await near.ask('/oauth2/auth')).status, 202);
  });

  test('are what a trusted proxy says, in one spelling, and nothing else', async (t) => {
    const rig = await behindProxy(t, [], { trustedIps });
    for (const ip of ['192.0.2.1', '192.0.2.1:80', '::ffff:192.0.2.1', '2001:DB8::1', '[2001:db8::1]:443'])
      assert.equal((await rig.ask('/oauth2/auth', { headers: [`X-Real-IP: ${ip}`] })).status, 202, ip);
    for (const ip of ['', 'a', '192.0.2.1, 192.0.2.1', '192.0.2.1 x', '192.0.2', 'fe80::1%eth0', '192.0.2.1:999999'])
      assert.equal((await rig.ask('/oauth2/auth', { headers: [`X-Real-IP: ${ip}`] })).status, 401, ip);
    assert.equal((await rig.ask('/oauth2/auth')).status, 401);
    const two = ['X-Real-IP: 192.0.2.1', 'X-Real-IP: 192.0.2.1'];
    assert.equal((await rig.ask('/oauth2/auth', { headers: two })).status, 401);
  });

  test('CVE-2024-21494: X-Forwarded-For counts from the right, from peers that are listed', async (t) => {
    const trust = { reverseProxy: true, realIpHeader: 'x-forwarded-for', trustedIps };
    const nearest = await startServing(t, { settings: { trust } });
    const from = (line: string): { headers: string[] } => ({ headers: [`X-Forwarded-For: ${line}`] });
    assert.equal((await nearest.ask('/oauth2/auth', from('192.0.2.1, 198.51.100.7'))).status, 401);
    assert.equal((await nearest.ask('/oauth2/auth', from('198.51.100.7, 192.0.2.1'))).status, 202);
    // Without a list a private address may be a visitor: nobody vouches for what it says of others.
    assert.equal((await nearest.ask('/oauth2/auth', from('192.0.2.1, 10.0.0.5'))).status, 401);
    const listed = await startServing(t, { settings: { trust: { ...trust, proxies: ['127.0.0.1', '10.0.0.0/8'] } } });
    assert.equal((await listed.ask('/oauth2/auth', from('192.0.2.1, 10.0.0.5'))).status, 202);
    assert.equal((await listed.ask('/oauth2/auth', from('192.0.2.1, 198.51.100.7, 10.0.0.5'))).status, 401);
    assert.equal((await listed.ask('/oauth2/auth', from('192.0.2.1, a, 10.0.0.5'))).status, 401);
    assert.equal((await listed.ask('/oauth2/auth', from('192.0.2.1, , 10.0.0.5'))).status, 401);
  });

  test('without a list, the internet is no proxy, and a unix socket is one', async (t) => {
    const settings = { trust: { reverseProxy: true, trustedIps } };
    const headers = ['X-Real-IP: 192.0.2.1'];
    for (const [peer, status] of [
      ['127.0.0.1', 202],
      ['::1', 202],
      ['10.1.2.3', 202],
      ['172.31.0.1', 202],
      ['192.168.1.1', 202],
      ['fd00::1', 202],
      ['::ffff:10.1.2.3', 202],
      ['172.32.0.1', 401],
      ['8.8.8.8', 401],
      ['2001:db9::1', 401],
      [null, 401],
    ] as const) {
      const rig = await startServing(t, { peer, settings });
      assert.equal((await rig.ask('/oauth2/auth', { headers })).status, status, String(peer));
    }
    const socket = await startServing(t, { peer: null, isLocalSocket: true, settings });
    assert.equal((await socket.ask('/oauth2/auth', { headers })).status, 202);
  });
});

void suite('skip rules in proxy mode', () => {
  test('go by the path of the request where an app is behind it', async (t) => {
    const rig = await startServing(t, {
      settings: {
        trust: { reverseProxy: true },
        skip: { routes: [route('^/public/')] },
        upstreams: [{ ...STATIC, target: { kind: 'file', folder: import.meta.dirname } }],
      },
    });
    assert.equal((await rig.ask('/public/none')).status, 404);
    const spoofed = { headers: ['X-Forwarded-Uri: /public/x', 'X-Original-URL: /public/x'] };
    assert.equal((await rig.ask('/private', spoofed)).status, 403);
    for (const path of ['/public/%2e%2e/private', '/public%2f..%2fprivate', '/public/..%5cprivate'])
      assert.ok([400, 403].includes((await rig.ask(path)).status), path);
    assert.deepEqual(
      rig.flowCalls.filter((call) => call !== 'ask'),
      [],
    );
  });

  test('go by what the front asks about where only a status is behind it, as Traefik with "/" does', async (t) => {
    const rig = await behindProxy(t, [route('^/public/')]);
    assert.equal((await rig.ask('/', { headers: ['X-Forwarded-Uri: /public/x'] })).status, 200);
    assert.equal((await rig.ask('/', { headers: ['X-Forwarded-Uri: /private'] })).status, 403);
    const two = ['X-Forwarded-Uri: /public/x', 'X-Forwarded-Uri: /private'];
    assert.equal((await rig.ask('/', { headers: two })).status, 403);
  });

  test('take no contradiction for the own path', async (t) => {
    const rig = await behindProxy(t, [route('^/private', { isNegated: true })]);
    assert.equal((await rig.ask('/')).status, 200);
    const two = ['X-Forwarded-Uri: /open', 'X-Forwarded-Uri: /private'];
    assert.equal((await rig.ask('/', { headers: two })).status, 403);
    assert.equal((await rig.ask('/', { headers: ['X-Forwarded-Uri: nonsense'] })).status, 403);
  });
});
