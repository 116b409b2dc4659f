import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { until } from '../../test/support/programs.ts';
import { compileRegExp } from '../forward-auth/regular-expression.ts';
import { settingsWith, type DeepPartial } from '../forward-auth/settings-fixture.ts';
import { startForwardAuth } from './forward-auth.ts';
import type { Settings } from '../forward-auth/settings.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Rig {
  readonly ask: (path: string, headers?: Readonly<Record<string, string>>, method?: string) => Promise<Answer>;
  /** Cookie of somebody in the group "staff". */
  readonly signIn: () => Promise<string>;
  /** Lines of the access log so far. */
  readonly lines: () => readonly Record<string, unknown>[];
}

const ABOUT = {
  'x-forwarded-method': 'GET',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'app.example.com',
  'x-forwarded-uri': '/a%20b/c%2Fd?x=%26&b=2',
};
const PAGE = { accept: 'text/html,*/*;q=0.8' };
const SIGN_IN = `https://app.example.com/oauth2/sign_in?rd=${encodeURIComponent('https://app.example.com/a%20b/c%2Fd?x=%26&b=2')}`;

async function startRig(t: TestContext, changes: DeepPartial<Settings> = {}): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'forward-endpoint-'));
  const file = join(folder, 'htpasswd');
  writeFileSync(file, `alice:{SHA}${createHash('sha1').update('secret').digest('base64')}\n`);
  const settings = settingsWith({
    htpasswd: { file, groups: ['staff'], showsForm: true, namesAreEmails: false },
    trust: { reverseProxy: true, proxies: ['127.0.0.1/32'] },
    logging: { file: { path: join(folder, 'log'), maxMegabytes: 10, maxDays: 0, backups: 0 } },
    responseHeaders: [
      {
        name: 'X-Auth-Request-User',
        keepsRequestValue: false,
        skipsNormalisation: false,
        values: [{ kind: 'claim', claim: 'user', prefix: '', basicPassword: null }],
      },
    ],
    ...changes,
  });
  const options = { settings, dataDir: folder, version: '0.0.0', isTerminal: false };
  const running = await startForwardAuth({ ...options, onFatal: (error) => assert.fail(String(error)) });
  t.after(async () => {
    await running.close();
    rmSync(folder, { recursive: true });
  });
  const port = running.ports.http;
  const ask: Rig['ask'] = (path, headers = {}, method = 'GET') =>
    new Promise((done, fail) => {
      httpRequest({ host: '127.0.0.1', port, path, method, headers: { host: 'app.example.com', ...headers } })
        .on('response', (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (text: string) => (body += text));
          response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, body }));
        })
        .on('error', fail)
        .end();
    });
  const signIn = async (): Promise<string> => {
    const body = new URLSearchParams({ username: 'alice', password: 'secret' });
    const answer = await fetch(`http://127.0.0.1:${port}/oauth2/sign_in`, { method: 'POST', redirect: 'manual', body });
    return answer.headers
      .getSetCookie()
      .map((line) => line.split(';', 1)[0])
      .join('; ');
  };
  const lines = (): Record<string, unknown>[] =>
    readFileSync(join(folder, 'log'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"kind":"request"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { ask, signIn, lines };
}

test('/oauth2/forward sends a page to sign in, and everything else gets 401', async (t) => {
  const { ask } = await startRig(t);
  const page = await ask('/oauth2/forward', { ...ABOUT, ...PAGE });
  assert.deepEqual([page.status, page.headers.location], [302, SIGN_IN]);
  assert.match(page.headers['cache-control'] ?? '', /no-store/);
  const others: Record<string, string>[] = [
    { accept: '*/*' },
    { ...PAGE, upgrade: 'websocket' },
    { ...PAGE, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
    { ...PAGE, 'x-forwarded-method': 'POST' },
  ];
  for (const headers of others) {
    const answer = await ask('/oauth2/forward', { ...ABOUT, ...headers });
    assert.deepEqual([answer.status, answer.headers.location], [401, undefined], JSON.stringify(headers));
  }
  const json = await ask('/oauth2/forward', { ...ABOUT, accept: 'application/json' });
  assert.deepEqual([json.status, json.body], [401, '{}']);
});

test('/oauth2/forward answers 200 with who it is, for Envoy takes nothing else', async (t) => {
  const { ask, signIn } = await startRig(t);
  const cookie = await signIn();
  const answer = await ask('/oauth2/forward', { ...ABOUT, cookie });
  assert.deepEqual([answer.status, answer.headers['x-auth-request-user'], answer.body], [200, 'alice', '']);
  assert.equal((await ask('/oauth2/auth', { ...ABOUT, cookie })).status, 202);
  assert.equal((await ask('/oauth2/forward?allowed_groups=staff', { ...ABOUT, cookie })).status, 200);
});

test('/oauth2/forward tells somebody of another group with 403, a page where a page was asked for', async (t) => {
  const { ask, signIn } = await startRig(t);
  const cookie = await signIn();
  const page = await ask('/oauth2/forward?allowed_groups=ops', { ...ABOUT, ...PAGE, cookie });
  assert.equal(page.status, 403);
  assert.match(page.headers['content-type'] ?? '', /text\/html/);
  assert.match(page.body, /alice/, 'the page says who it is');
  assert.match(page.body, /postern_switch=1/, 'and leads to another account');
  assert.equal(page.headers['set-cookie'], undefined, 'the session stays');
  const json = await ask('/oauth2/forward?allowed_groups=ops', { ...ABOUT, accept: 'application/json', cookie });
  assert.deepEqual([json.status, json.body], [403, '{}']);
  const text = await ask('/oauth2/forward?allowed_groups=ops', { ...ABOUT, cookie });
  assert.deepEqual([text.status, text.body], [403, 'Forbidden\n']);
});

test('/oauth2/forward is 400 where the front says nothing, or two things (tinyauth #1125)', async (t) => {
  const { ask, signIn } = await startRig(t);
  const cookie = await signIn();
  const original = { 'x-original-url': 'https://app.example.com/a', 'x-original-method': 'GET' };
  const said: Record<string, string>[] = [
    {},
    { ...original, 'x-forwarded-uri': '/b' },
    { ...original, 'x-forwarded-host': 'other.example.com' },
    { ...original, 'x-forwarded-proto': 'http' },
    { ...original, 'x-forwarded-method': 'POST' },
    { ...ABOUT, 'x-forwarded-uri': 'no-path' },
    { ...ABOUT, 'x-forwarded-uri': '/a b' },
  ];
  for (const headers of said) {
    const answer = await ask('/oauth2/forward', { ...headers, cookie });
    assert.equal(answer.status, 400, JSON.stringify(headers));
  }
  assert.equal((await ask('/oauth2/forward', { ...original, cookie })).status, 200);
  assert.equal(
    (
      await ask('/oauth2/forward', {
        ...ABOUT,
        'x-original-url': `https://app.example.com${ABOUT['x-forwarded-uri']}`,
        cookie,
      })
    ).status,
    200,
  );
});

test('/oauth2/forward believes nobody but a trusted proxy', async (t) => {
  const { ask, signIn } = await startRig(t, { trust: { reverseProxy: true, proxies: ['192.0.2.1/32'] } });
  const cookie = await signIn();
  assert.equal((await ask('/oauth2/forward', { ...ABOUT, cookie })).status, 400);
  assert.equal((await ask('/oauth2/forward/a', { cookie })).status, 400);
});

test('/oauth2/forward/PATH is about that path (the path prefix of Envoy and Istio)', async (t) => {
  const routes = [{ method: null, isNegated: false, pattern: compileRegExp('^/public/') }];
  const { ask, signIn } = await startRig(t, { skip: { routes } });
  const about = { 'x-forwarded-proto': 'https' };
  const page = await ask('/oauth2/forward/a%20b/c%2Fd?x=%26&b=2', { ...about, ...PAGE });
  assert.deepEqual([page.status, page.headers.location], [302, SIGN_IN]);
  assert.equal((await ask('/oauth2/forward/', about)).status, 401);
  assert.equal((await ask('/oauth2/forward/public/x', about)).status, 200);
  for (const path of ['/public/../a', '/public/%2e%2e/a', '/public//a', '//public/a']) {
    assert.equal((await ask(`/oauth2/forward${path}`, about)).status, 401, path);
  }
  const other = await ask('/oauth2/forward/a', { ...about, 'x-forwarded-uri': '/public/x' });
  assert.equal(other.status, 400, 'the visitor sends X-Forwarded-Uri');
  const cookie = await signIn();
  assert.equal(
    (await ask('/oauth2/forward/a//b/../c', { ...about, cookie })).status,
    200,
    'it is judged, not tidied up',
  );
  assert.equal((await ask('/oauth2/forwards', { ...about, cookie })).status, 404);
});

test('/oauth2/forward leads to the sign-in host that redirect-url names, and never back to an endpoint', async (t) => {
  const { ask } = await startRig(t, { redirects: { callbackUrl: 'https://auth.example.com/oauth2/callback' } });
  const page = await ask('/oauth2/forward', { ...ABOUT, ...PAGE });
  assert.equal(page.headers.location, SIGN_IN.replace('app.', 'auth.'));
  const own = await ask('/oauth2/forward', { ...ABOUT, ...PAGE, 'x-forwarded-uri': '/oauth2/forward' });
  assert.match(own.headers.location ?? '', /rd=https%3A%2F%2Fapp\.example\.com%2F$/);
});

test('a front that does not say by which scheme its visitors come leads them back by that of a Secure cookie', async (t) => {
  const { 'x-forwarded-proto': said, ...unsaid } = ABOUT;
  for (const [secure, scheme] of [
    [true, 'https'],
    [false, 'http'],
  ] as const) {
    const { ask } = await startRig(t, { cookie: { secure }, redirects: { whitelist: ['.example.com'] } });
    const page = await ask('/oauth2/forward', { ...unsaid, ...PAGE });
    assert.equal(page.headers.location, SIGN_IN.replaceAll(/https(?=:|%3A)/g, scheme));
    const back = async (headers: Record<string, string>): Promise<string | undefined> => {
      const form = await ask('/oauth2/sign_in', { ...headers, host: 'auth.example.com', accept: 'text/html' });
      return /name="rd" value="([^"]*)"/.exec(form.body)?.[1]?.replaceAll('&amp;', '&');
    };
    const path = `app.example.com${ABOUT['x-forwarded-uri']}`;
    assert.equal(await back(unsaid), `${scheme}://${path}`);
    // What is said counts, whatever the cookie is.
    assert.equal(await back({ ...unsaid, 'x-forwarded-proto': 'http' }), `http://${path}`);
    assert.equal(await back({ ...unsaid, 'x-forwarded-proto': said }), `https://${path}`);
  }
});

test('who is led to sign in from another port, by a front that says no scheme, comes back to the page', async (t) => {
  const { 'x-forwarded-proto': _, ...unsaid } = { ...ABOUT, 'x-forwarded-host': 'app.example.com:8443' };
  const { ask } = await startRig(t, { cookie: { secure: true } });
  const led = new URL((await ask('/oauth2/forward', { ...unsaid, ...PAGE })).headers.location ?? '');
  assert.equal(led.origin, 'https://app.example.com:8443');
  const about = { ...unsaid, 'x-forwarded-uri': led.pathname + led.search, host: 'auth.internal', accept: 'text/html' };
  const form = await ask(led.pathname + led.search, about);
  const back = /name="rd" value="([^"]*)"/.exec(form.body)?.[1]?.replaceAll('&amp;', '&');
  assert.equal(back, `https://app.example.com:8443${ABOUT['x-forwarded-uri']}`);
});

test('/oauth2/sign_in is 401 for a program: nginx shows it in place of an app', async (t) => {
  const apiRoutes = [compileRegExp('^/api/')];
  const { ask } = await startRig(t, { skip: { apiRoutes } });
  assert.equal((await ask('/oauth2/sign_in', { accept: 'text/html' })).status, 200);
  assert.equal((await ask('/oauth2/sign_in', {})).status, 200);
  const json = await ask('/oauth2/sign_in', { accept: 'application/json' });
  assert.deepEqual([json.status, json.body], [401, '{}']);
  assert.equal((await ask('/oauth2/sign_in', { ...PAGE, 'x-forwarded-uri': '/api/x' })).status, 401);
  const inPlace = { ...PAGE, 'x-forwarded-uri': '/page' };
  assert.equal((await ask('/oauth2/sign_in', inPlace)).status, 200);
  assert.equal(
    (await ask('/oauth2/sign_in', { ...inPlace, accept: '*/*' })).status,
    401,
    'an upload without a session',
  );
  const asDocumented = { 'x-auth-request-redirect': '/page' };
  assert.equal((await ask('/oauth2/sign_in', { ...PAGE, ...asDocumented })).status, 200);
  assert.equal((await ask('/oauth2/sign_in', asDocumented)).status, 401);
  assert.equal((await ask('/oauth2/sign_in', { 'x-auth-request-redirect': '/oauth2/sign_in' })).status, 200);
  assert.equal((await ask('/oauth2/sign_in', { connection: 'Upgrade', upgrade: 'websocket' })).status, 401);
});

test('/oauth2/forward is logged as the request that it is about', async (t) => {
  const { ask, lines } = await startRig(t);
  await ask('/oauth2/forward?allowed_groups=ops', ABOUT);
  await ask('/oauth2/forward/a/b?x=1', { 'x-forwarded-proto': 'https' });
  await until(() => lines().length >= 2, 'both lines');
  assert.deepEqual(
    lines().map(({ route, path, host, status }) => [route, path, host, status]),
    [
      ['/oauth2/forward', '/a%20b/c%2Fd?x=%26&b=2', 'app.example.com', 401],
      ['/oauth2/forward', '/a/b?x=1', 'app.example.com', 401],
    ],
  );
});
