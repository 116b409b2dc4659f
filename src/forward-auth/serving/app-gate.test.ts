import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { compileRegExp } from '../regular-expression.ts';
import { ALICE, exchangeBytes, startServing, type RigOptions, type ServingRig } from './_rig.ts';
import type { DeepPartial } from '../settings-fixture.ts';
import type { HeaderInjection, Settings, UpstreamSettings } from '../settings.ts';

interface Echo {
  readonly port: number;
  /** Request heads as the app got them. */
  readonly heads: {
    readonly method: string;
    readonly url: string;
    readonly headers: readonly string[];
    readonly from: number;
  }[];
}

async function startEcho(t: TestContext): Promise<Echo> {
  const heads: Echo['heads'] = [];
  const server = createServer((req, res) => {
    heads.push({
      method: req.method ?? '',
      url: req.url ?? '',
      headers: req.rawHeaders,
      from: req.socket.remotePort ?? 0,
    });
    res.setHeader('Set-Cookie', ['app=1; Path=/', '_oauth2_proxy=planted; Path=/', '_oauth2_proxy_1=planted']);
    res.setHeader('X-Auth-Request-User', 'of-the-app');
    req.resume().on('end', () => res.end('app'));
  });
  // A test that stands still for a while finds its connections as they were.
  server.keepAliveTimeout = 0;
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, heads };
}

const upstream = (target: UpstreamSettings['target'], more: Partial<UpstreamSettings> = {}): UpstreamSettings => ({
  id: 'app',
  path: '/',
  rewrite: null,
  target,
  skipTlsVerify: false,
  passHostHeader: true,
  websockets: true,
  timeoutMs: 30_000,
  flushMs: 1_000,
  keepAlive: true,
  ...more,
});

const inject = (name: string, claim: string, more: Partial<HeaderInjection> = {}): HeaderInjection => ({
  name,
  keepsRequestValue: false,
  skipsNormalisation: false,
  values: [{ kind: 'claim', claim, prefix: '', basicPassword: null }],
  ...more,
});

const REQUEST_HEADERS = [
  inject('X-Forwarded-User', 'user'),
  inject('X-Forwarded-Email', 'email'),
  inject('X-Forwarded-Groups', 'groups'),
  inject('X-Team', 'team'),
];

async function startApp(
  t: TestContext,
  settings: DeepPartial<Settings> = {},
  options: RigOptions = {},
): Promise<ServingRig & { readonly echo: Echo }> {
  const echo = await startEcho(t);
  const upstreams = [upstream({ kind: 'http', url: `http://127.0.0.1:${echo.port}` })];
  const rig = await startServing(t, {
    ...options,
    settings: { upstreams, requestHeaders: REQUEST_HEADERS, ...settings },
  });
  return { ...rig, echo };
}

/** Values of a field in every spelling that CGI, WSGI or PHP take for it. */
function valuesOf({ heads }: Echo, name: string): string[] {
  const fold = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '_');
  const { headers } = heads.at(-1) ?? { headers: [] };
  return headers.filter((_, at) => at % 2 === 1 && fold(headers[at - 1] ?? '') === fold(name));
}

void suite('proxy mode', () => {
  test('passes who may enter on to the app, with who it is, and without our cookies', async (t) => {
    const rig = await startApp(t);
    const cookie = `${await rig.signIn()}; own=1; _oauth2_proxy_csrf=x; _oauth2_proxy_1a2b3c4d_csrf=y; _oauth2_proxyx=z`;
    const answer = await rig.ask('/deep/link?a=1&b=%20', { headers: [cookie] });
    assert.equal(answer.status, 200);
    assert.equal(answer.body, 'app');
    assert.equal(rig.echo.heads.at(-1)?.url, '/deep/link?a=1&b=%20');
    assert.deepEqual(valuesOf(rig.echo, 'X-Forwarded-User'), ['sub-alice']);
    assert.deepEqual(valuesOf(rig.echo, 'X-Forwarded-Groups'), ['/developers,ops']);
    assert.deepEqual(valuesOf(rig.echo, 'X-Team'), []);
    assert.deepEqual(valuesOf(rig.echo, 'Cookie'), ['own=1; _oauth2_proxyx=z']);
    assert.deepEqual(valuesOf(rig.echo, 'Host'), ['app.example.com']);
    assert.deepEqual(answer.headers['gap-auth'], ['alice@example.com']);
    // An app can neither end nor plant a session of ours.
    assert.deepEqual(answer.headers['set-cookie'], ['app=1; Path=/']);
  });

  test('a connection that an app has signed in for somebody serves nobody who comes after by the same connection', async (t) => {
    const rig = await startApp(t);
    const alice = await rig.signIn();
    const bob = await rig.signIn({ ...ALICE, user: 'sub-bob', email: 'bob@example.com' });
    const ask = (cookie: string, more = ''): string =>
      `GET / HTTP/1.1\r\nHost: app.example.com\r\n${cookie}\r\nAuthorization: NTLM TlRMTVNTUAAD\r\n${more}\r\n`;
    const asked = [ask(alice), ask(alice), ask(bob), ask(alice, 'Connection: close\r\n')];
    await exchangeBytes(rig.port, Buffer.from(asked.join('')));
    const [first, second, ofBob, last] = rig.echo.heads.map(({ from }) => from);
    assert.deepEqual([second, last], [first, first]);
    assert.notEqual(ofBob, first);
  });

  test('CVE-2025-64484: no spelling of an identity field of a client reaches the app', async (t) => {
    const skip = { routes: [{ method: null, isNegated: false, pattern: compileRegExp('^/public') }] };
    const rig = await startApp(t, { skip });
    const cookie = await rig.signIn({ ...ALICE, groups: [] });
    const spellings = (name: string): string[] => [
      name,
      name.toUpperCase(),
      name.replaceAll('-', '_'),
      name.replaceAll('-', '.'),
      name.replace('-', '_'),
      name.toLowerCase().replaceAll('-', '_'),
    ];
    const ours: Record<string, string[]> = {
      'X-Forwarded-User': ['sub-alice'],
      'X-Forwarded-Email': ['alice@example.com'],
    };
    const names = [
      'X-Forwarded-User',
      'X-Forwarded-Email',
      'X-Forwarded-Groups',
      'X-Forwarded-Access-Token',
      'X-Team',
      'X-Auth-Request-User',
      'Gap-Auth',
    ];
    for (const name of names) {
      for (const spelling of spellings(name)) {
        for (const headers of [
          [`${spelling}: root`],
          [`${spelling}: root`, `${spelling}: root`],
          [`${spelling}: root`, `Connection: close, ${name}`],
        ]) {
          const wanted = ours[name] ?? [];
          await rig.ask('/x', { headers: [...headers, cookie] });
          assert.deepEqual(valuesOf(rig.echo, name), wanted, `${headers.join(' ')} with a session`);
          await rig.ask('/public', { headers });
          assert.deepEqual(valuesOf(rig.echo, name), [], `${headers.join(' ')} without`);
        }
      }
    }
  });

  test('CVE-2024-45410: a Connection field cannot remove what we add', async (t) => {
    const rig = await startApp(t);
    const headers = [await rig.signIn(), 'Connection: close, X-Forwarded-User, X-Real-IP, X-Forwarded-For, Cookie'];
    await rig.ask('/', { headers });
    assert.deepEqual(valuesOf(rig.echo, 'X-Forwarded-User'), ['sub-alice']);
    assert.deepEqual(valuesOf(rig.echo, 'X-Real-IP'), ['127.0.0.1']);
  });

  test('keeps what a client says of a field where the operator asked for it, before ours', async (t) => {
    const requestHeaders = [inject('X-Forwarded-User', 'user', { keepsRequestValue: true })];
    const rig = await startApp(t, { requestHeaders });
    await rig.ask('/', { headers: [await rig.signIn(), 'X-Forwarded-User: before'] });
    assert.deepEqual(valuesOf(rig.echo, 'X-Forwarded-User'), ['before,sub-alice']);
  });

  test('puts fields of the settings in the place of the app’s, and none into 1xx', async (t) => {
    const rig = await startApp(t, { responseHeaders: [inject('X-Auth-Request-User', 'user')] });
    const answer = await rig.ask('/', { headers: [await rig.signIn()] });
    assert.deepEqual(answer.headers['x-auth-request-user'], ['sub-alice']);
  });

  test('sends a password to an app only where that is what it is meant for', async (t) => {
    const basicPassword = { read: () => Buffer.from('shared') };
    const values = [{ kind: 'claim', claim: 'user', prefix: '', basicPassword }] as const;
    const rig = await startApp(t, { requestHeaders: [inject('Authorization', '', { values })] });
    await rig.ask('/', { headers: [await rig.signIn(), 'Authorization: Basic Y2xpZW50Ong='] });
    assert.deepEqual(valuesOf(rig.echo, 'Authorization'), [
      `Basic ${Buffer.from('sub-alice:shared').toString('base64')}`,
    ]);
    const htpasswd = {
      verify: () => 'ok' as const,
      check: () => Promise.resolve('ok' as const),
      has: () => true,
      sessionOf: () => ({ ...ALICE, via: 'htpasswd' as const }),
      showsForm: true,
      namesAreEmails: false,
      close: () => {},
    };
    const own = await startApp(t, {}, { htpasswd });
    assert.equal((await own.ask('/', { headers: ['Authorization: Basic YWxpY2U6c2VjcmV0'] })).status, 200);
    assert.deepEqual(valuesOf(own.echo, 'Authorization'), []);
  });

  test('tells API clients by status and JSON, and people by the page', async (t) => {
    const skip = { apiRoutes: [compileRegExp('^/api/'), compileRegExp('format=json$')] };
    const rig = await startApp(t, { skip });
    for (const [target, headers] of [
      ['/', ['Accept: application/json']],
      ['/', ['Accept: text/html, application/json ,*/*']],
      ['/api/x', []],
      ['/x?format=json', []],
      ['/ws', ['Connection: Upgrade', 'Upgrade: websocket']],
    ] as const) {
      const answer = await rig.ask(target, { headers });
      assert.equal(answer.status, 401, target);
      assert.equal(answer.body, '{}');
      assert.deepEqual(answer.headers['content-type'], ['application/json']);
    }
    for (const accept of ['application/json;q=0.9', 'application/vnd.api+json', 'text/html'])
      assert.equal((await rig.ask('/', { headers: [`Accept: ${accept}`] })).body, 'ask', accept);
    assert.equal(rig.echo.heads.length, 0);
  });

  test('shows who is kept out a page, or JSON with force-json-errors', async (t) => {
    const provider = { authorizes: () => false };
    const rig = await startApp(t, {}, { provider });
    assert.deepEqual(await rig.ask('/', { headers: [await rig.signIn()] }).then(({ status, body }) => [status, body]), [
      403,
      'not-admitted',
    ]);
    const machine = await startApp(t, { skip: { forceJsonErrors: true } }, { provider });
    const answer = await machine.ask('/', { headers: [await machine.signIn()] });
    assert.deepEqual([answer.status, answer.body], [403, '{}']);
    assert.equal(rig.echo.heads.length + machine.echo.heads.length, 0);
  });

  test('tells people of a store that is away by a page, programs in a word, and signs nobody out', async (t) => {
    const rig = await startApp(t, {}, { keeper: (keeper) => ({ ...keeper, find: () => ({ kind: 'unavailable' }) }) });
    const page = await rig.ask('/', {
      headers: ['Accept: text/html', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'],
    });
    assert.deepEqual([page.status, page.body, page.headers['set-cookie']], [503, 'error', undefined]);
    const program = await rig.ask('/', { headers: ['Accept: */*'] });
    assert.deepEqual([program.status, program.headers['retry-after']], [503, ['2']]);
    assert.equal(rig.echo.heads.length, 0);
  });

  test('makes API clients forget a cookie that is none any more', async (t) => {
    const rig = await startApp(t);
    const headers = ['Accept: application/json', 'Cookie: _oauth2_proxy=nonsense'];
    const answer = await rig.ask('/', { headers });
    assert.match(answer.headers['set-cookie']?.join() ?? '', /^_oauth2_proxy=; .*Max-Age=0/);
  });

  test('answers 502 by a page where the app is not there, and 404 where there is none for the path', async (t) => {
    const upstreams = [upstream({ kind: 'http', url: 'http://127.0.0.1:9' }, { path: '/gone/' })];
    const rig = await startServing(t, { settings: { upstreams } });
    const headers = [await rig.signIn()];
    const gone = await rig.ask('/gone/x', { headers });
    assert.deepEqual([gone.status, gone.body], [502, 'error']);
    assert.equal((await rig.ask('/other', { headers })).status, 404);
  });

  test('carries the renewed cookie on the answer of the app', async (t) => {
    const provider = {
      refresh: (session: typeof ALICE) =>
        Promise.resolve({ kind: 'ok' as const, value: { ...session, createdAt: rig.now() } }),
    };
    const rig = await startApp(t, { cookie: { refreshMs: 1_000 } }, { provider });
    const headers = [await rig.signIn()];
    rig.advance(1_001);
    const cookies = (await rig.ask('/', { headers })).headers['set-cookie'] ?? [];
    assert.equal(cookies.length, 2);
    assert.match(cookies.join(), /^app=1; Path=\/,_oauth2_proxy=/);
  });

  test('continues what a trusted proxy says of its client, and replaces what others say', async (t) => {
    const headers = [
      'X-Forwarded-For: 192.0.2.1',
      'X-Real-IP: 192.0.2.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: a.example.com',
    ];
    const behind = await startApp(t, { trust: { reverseProxy: true } });
    await behind.ask('/', { headers: [await behind.signIn(), ...headers] });
    assert.deepEqual(valuesOf(behind.echo, 'X-Forwarded-For'), ['192.0.2.1, 127.0.0.1']);
    assert.deepEqual(valuesOf(behind.echo, 'X-Forwarded-Proto'), ['https']);
    assert.deepEqual(valuesOf(behind.echo, 'X-Real-IP'), ['192.0.2.1']);
    const open = await startApp(t);
    await open.ask('/', { headers: [await open.signIn(), ...headers] });
    assert.deepEqual(valuesOf(open.echo, 'X-Forwarded-For'), ['127.0.0.1']);
    assert.deepEqual(valuesOf(open.echo, 'X-Forwarded-Proto'), ['http']);
    assert.deepEqual(valuesOf(open.echo, 'X-Forwarded-Host'), ['app.example.com']);
  });
});

void suite('apps by path', () => {
  test('the longest path wins, a path without a slash at its end is exact, a rewrite comes first', async (t) => {
    const echo = await startEcho(t);
    const http = { kind: 'http', url: `http://127.0.0.1:${echo.port}/ignored` } as const;
    const upstreams = [
      upstream({ kind: 'static', status: 201 }, { path: '/' }),
      upstream({ kind: 'static', status: 202 }, { path: '/a/' }),
      upstream({ kind: 'static', status: 203 }, { path: '/a/b/' }),
      upstream({ kind: 'static', status: 206 }, { path: '/exact' }),
      upstream(http, {
        path: '^/old/(.*)$',
        rewrite: { pattern: compileRegExp('^/old/(.*)$'), target: '/new/$1?from=old' },
      }),
    ];
    const rig = await startServing(t, { settings: { upstreams } });
    const headers = [await rig.signIn()];
    for (const [path, status] of [
      ['/', 201],
      ['/x', 201],
      ['/a', 201],
      ['/a/', 202],
      ['/a/x', 202],
      ['/a/b/x', 203],
      ['/exact', 206],
      ['/exact/', 201],
    ] as const)
      assert.equal((await rig.ask(path, { headers })).status, status, path);
    assert.equal((await rig.ask('/old/x/y?z=1', { headers })).status, 200);
    assert.equal(echo.heads.at(-1)?.url, '/new/x/y?from=old&z=1');
    // By name, and of one name what the rewrite adds comes last.
    await rig.ask('/old/x?z&from=new&a=%2F+b&', { headers });
    assert.equal(echo.heads.at(-1)?.url, '/new/x?&a=%2F+b&from=new&from=old&z');
    assert.equal((await rig.ask('/', { headers })).body, 'Authenticated');
  });

  test('CVE-2026-40912: a rewrite makes no path that two readers read differently', async (t) => {
    const echo = await startEcho(t);
    const rewrite = { pattern: compileRegExp('^/app/(.*)$'), target: '/base/$1' };
    const upstreams = [upstream({ kind: 'http', url: `http://127.0.0.1:${echo.port}` }, { path: '^/app/', rewrite })];
    const rig = await startServing(t, { settings: { upstreams } });
    const headers = [await rig.signIn()];
    for (const path of ['/app/..%2fadmin', '/app/%2e%2e%2fadmin', '/app/..;/admin'])
      assert.equal((await rig.ask(path, { headers })).status, 400, path);
    const climbing = { pattern: compileRegExp('^/app/(.*)$'), target: '/../$1' };
    const odd = [
      upstream({ kind: 'http', url: `http://127.0.0.1:${echo.port}` }, { path: '^/app/', rewrite: climbing }),
    ];
    const other = await startServing(t, { settings: { upstreams: odd } });
    assert.equal((await other.ask('/app/x', { headers: [await other.signIn()] })).status, 400);
    assert.equal(echo.heads.length, 0);
  });

  test('files of a folder are served below the path, and nothing beside it', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'files-'));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'public'));
    writeFileSync(join(folder, 'secret.txt'), 'secret');
    writeFileSync(join(folder, 'public', 'page.txt'), 'a page');
    const files = { kind: 'file', folder: join(folder, 'public') } as const;
    const rig = await startServing(t, { settings: { upstreams: [upstream(files, { path: '/files/' })] } });
    const headers = [await rig.signIn()];
    const page = await rig.ask('/files/page.txt', { headers });
    assert.deepEqual([page.status, page.body], [200, 'a page']);
    assert.deepEqual(page.headers['gap-auth'], ['alice@example.com']);
    for (const path of ['/files/../secret.txt', '/files/%2e%2e/secret.txt', '/files/..%2fsecret.txt', '/files/none'])
      assert.notEqual((await rig.ask(path, { headers })).status, 200, path);
    assert.equal((await rig.ask('/files/page.txt')).status, 403);
  });
});
