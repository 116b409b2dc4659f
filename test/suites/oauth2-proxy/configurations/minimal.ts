/** Only what must be set: each endpoint, with and without a session. */
import { flow, login, one } from '../configuration.ts';
import type { Configuration } from '../configuration.ts';

const JSON_ONLY = [['Accept', 'application/json']] as const;
const FORM = [['Content-Type', 'application/x-www-form-urlencoded']] as const;

export const minimal: Configuration = {
  name: 'minimal',
  env: {},
  cases: [
    one('auth', 'GET /oauth2/auth'),
    one('auth-head', 'HEAD /oauth2/auth'),
    one('auth-post', 'POST /oauth2/auth', { body: 'x=1', headers: FORM }),
    one('auth-options', 'OPTIONS /oauth2/auth'),
    one('auth-json', 'GET /oauth2/auth', { headers: JSON_ONLY }),
    one('auth-bad-cookie', 'GET /oauth2/auth', { headers: [['Cookie', '_oauth2_proxy=bogus']] }),
    one('auth-empty-cookie', 'GET /oauth2/auth', { headers: [['Cookie', '_oauth2_proxy=']] }),
    one('auth-split-bad-cookie', 'GET /oauth2/auth', { headers: [['Cookie', '_oauth2_proxy_0=a; _oauth2_proxy_1=b']] }),
    one('auth-other-cookies', 'GET /oauth2/auth', { headers: [['Cookie', 'a=1; b=2']] }),
    one('auth-alice', 'GET /oauth2/auth', { as: 'alice' }),
    one('auth-alice-head', 'HEAD /oauth2/auth', { as: 'alice' }),
    one('auth-alice-post', 'POST /oauth2/auth', { as: 'alice', body: 'x=1', headers: FORM }),
    one('auth-alice-delete', 'DELETE /oauth2/auth', { as: 'alice' }),
    one('auth-nomail', 'GET /oauth2/auth', { as: 'bob' }),
    one('auth-basic', 'GET /oauth2/auth', { headers: [['Authorization', 'Basic YTpi']] }),
    one('auth-encoded-name', 'GET /oauth2/%61uth', { as: 'alice' }),
    one('auth-slash', 'GET /oauth2/auth/', { as: 'alice' }),
    one('auth-parameter', 'GET /oauth2/auth;x', { as: 'alice' }),
    one('auth-upper', 'GET /oauth2/AUTH', { as: 'alice' }),
    one('auth-double-slash', 'GET //oauth2/auth', { as: 'alice' }),
    one('auth-dots', 'GET /x/../oauth2/auth', { as: 'alice' }),
    one('root', 'GET /'),
    one('root-html', 'GET /deep/link?a=1&b=2', { headers: [['Accept', 'text/html,application/xhtml+xml;q=0.9']] }),
    one('root-json', 'GET /', { headers: JSON_ONLY }),
    one('root-json-among-others', 'GET /', { headers: [['Accept', 'text/html, application/json']] }),
    one('root-json-quality', 'GET /', { headers: [['Accept', 'application/json;q=0.9']] }),
    one('root-json-like', 'GET /', { headers: [['Accept', 'application/vnd.api+json']] }),
    one('root-xhr', 'GET /', { headers: [['X-Requested-With', 'XMLHttpRequest']] }),
    one('root-post', 'POST /form', { body: 'a=1', headers: FORM }),
    one('root-head', 'HEAD /'),
    one('root-bad-cookie', 'GET /', { headers: [['Cookie', '_oauth2_proxy=bogus']] }),
    one('root-alice', 'GET /', { as: 'alice' }),
    one('root-alice-deep', 'GET /deep/link?a=1&b=%2F%20x', { as: 'alice' }),
    one('root-alice-post', 'POST /form', { as: 'alice', body: 'a=1&b=2', headers: FORM }),
    one('root-alice-json', 'GET /', { as: 'alice', headers: JSON_ONLY }),
    one('prefix-unknown', 'GET /oauth2/nothing'),
    one('prefix-unknown-alice', 'GET /oauth2/nothing', { as: 'alice' }),
    one('prefix-alone', 'GET /oauth2', { as: 'alice' }),
    one('prefix-slash', 'GET /oauth2/', { as: 'alice' }),
    one('sign-in', 'GET /oauth2/sign_in'),
    one('sign-in-rd', 'GET /oauth2/sign_in?rd=%2Fdeep%3Fa%3D1%26b%3D2'),
    one('sign-in-rd-outside', 'GET /oauth2/sign_in?rd=https%3A%2F%2Fevil.test%2F'),
    one('sign-in-rd-broken', 'GET /oauth2/sign_in?rd=%zz'),
    one('sign-in-bad-cookie', 'GET /oauth2/sign_in', { headers: [['Cookie', '_oauth2_proxy=bogus']] }),
    one('sign-in-alice', 'GET /oauth2/sign_in', { as: 'alice' }),
    one('sign-in-post', 'POST /oauth2/sign_in', { body: 'username=a&password=b', headers: FORM }),
    one('sign-in-put', 'PUT /oauth2/sign_in', { body: 'x' }),
    one('start', 'GET /oauth2/start'),
    one('start-rd', 'GET /oauth2/start?rd=%2Fdeep%3Fa%3D1'),
    one('start-rd-broken', 'GET /oauth2/start?rd=%zz'),
    one('start-post', 'POST /oauth2/start', { body: 'rd=%2Fx', headers: FORM }),
    one('start-alice', 'GET /oauth2/start', { as: 'alice' }),
    one('start-login-hint', 'GET /oauth2/start?login_hint=x&prompt=none&scope=admin'),
    one('callback', 'GET /oauth2/callback'),
    one('callback-error', 'GET /oauth2/callback?error=access_denied&error_description=no'),
    one('callback-error-empty', 'GET /oauth2/callback?error=&code=x&state=a:b'),
    one('callback-no-colon', 'GET /oauth2/callback?code=x&state=abc'),
    one('callback-unknown', 'GET /oauth2/callback?code=x&state=abcdefgh:%2F'),
    one('callback-no-code', 'GET /oauth2/callback?state=abcdefgh:%2F'),
    one('callback-broken', 'GET /oauth2/callback?code=%zz&state=a:b'),
    one('callback-post', 'POST /oauth2/callback', { body: 'code=x&state=abcdefgh:/', headers: FORM }),
    one('callback-json', 'GET /oauth2/callback?code=x&state=abcdefgh:%2F', { headers: JSON_ONLY }),
    one('userinfo', 'GET /oauth2/userinfo'),
    one('userinfo-json', 'GET /oauth2/userinfo', { headers: JSON_ONLY }),
    one('userinfo-alice', 'GET /oauth2/userinfo', { as: 'alice' }),
    one('userinfo-bob', 'GET /oauth2/userinfo', { as: 'bob' }),
    one('userinfo-carol', 'GET /oauth2/userinfo', { as: 'carol' }),
    one('userinfo-dave', 'GET /oauth2/userinfo', { as: 'dave' }),
    one('sign-out', 'GET /oauth2/sign_out'),
    one('sign-out-alice', 'GET /oauth2/sign_out', { as: 'alice' }),
    one('static', 'GET /oauth2/static/css/bulma.min.css'),
    one('static-missing', 'GET /oauth2/static/nothing.css'),
    one('static-folder', 'GET /oauth2/static/'),
    one('robots', 'GET /robots.txt'),
    one('robots-post', 'POST /robots.txt', { body: '' }),
    one('ping', 'GET /ping'),
    one('ping-query', 'GET /ping?x=1'),
    one('ping-post', 'POST /ping', { body: '' }),
    one('ping-slash', 'GET /ping/'),
    one('ready', 'GET /ready'),
    one('metrics', 'GET /metrics'),
    one('double-slash', 'GET //a//b?x=//y', { as: 'alice' }),
    one('dot-segment', 'GET /a/./b/../c', { as: 'alice' }),
    one('dot-segment-encoded', 'GET /a/%2e%2e/c', { as: 'alice' }),
    one('dot-segment-stranger', 'GET /a/../b'),
    one('encoded-slash', 'GET /a%2Fb%20c', { as: 'alice' }),
    one('absolute-form', 'GET http://app.example.com/x', { as: 'alice' }),
    one('asterisk', 'OPTIONS *', { as: 'alice' }),
    one('no-host', 'GET /oauth2/auth', { host: null }),
    one('other-host', 'GET /oauth2/start', { host: 'other.example.com:8443' }),
    one('x-forwarded-host', 'GET /oauth2/start', {
      headers: [
        ['X-Forwarded-Host', 'evil.test'],
        ['X-Forwarded-Proto', 'http'],
      ],
    }),
    one('x-request-id', 'GET /', { as: 'alice', headers: [['X-Request-Id', 'given']] }),
    login('login', 'alice', '/oauth2/start?rd=%2Fdeep%3Fa%3D1%26b%3D2', ['GET /oauth2/auth', 'GET /deep?a=1&b=2']),
    login('login-no-rd', 'alice', '/oauth2/start'),
    login('login-outside', 'alice', '/oauth2/start?rd=https%3A%2F%2Fevil.test%2F'),
    login('login-rd-prefix', 'alice', '/oauth2/start?rd=%2Foauth2%2Fsign_out'),
    login('login-no-mail', 'nomail', '/oauth2/start?rd=%2F', ['GET /oauth2/auth', 'GET /oauth2/userinfo', 'GET /x']),
    login('login-unverified', 'unverified', '/oauth2/start?rd=%2F', ['GET /oauth2/auth']),
    login('login-two-ats', 'twoats', '/oauth2/start?rd=%2F', ['GET /oauth2/auth']),
    flow('login-twice', async (side) => {
      const { jar } = await side.signIn('alice');
      const first = jar.get('_oauth2_proxy');
      await side.signIn('bob', { jar });
      side.noteFact('cookie', jar.get('_oauth2_proxy') === first ? 'the same' : 'another');
      await side.ask('GET /oauth2/userinfo', { jar }, 'userinfo');
    }),
    flow('callback-replay', async (side) => {
      const { request, jar } = await side.signIn('alice');
      await side.ask(request.line, request.ask, 'again');
      await side.ask('GET /oauth2/auth', { jar }, 'auth');
    }),
    flow('callback-other-browser', async (side) => {
      const { request } = await side.signIn('alice');
      await side.ask(request.line, { ...request.ask, jar: new Map() }, 'other browser');
    }),
    flow('sign-out-then-cookie', async (side) => {
      const { jar } = await side.signIn('alice');
      const kept = new Map(jar);
      await side.ask('GET /oauth2/sign_out', { jar }, 'sign out');
      await side.ask('GET /oauth2/auth', { jar }, 'after');
      await side.ask('GET /oauth2/auth', { jar: kept }, 'kept cookie');
    }),
    flow('two-sessions', async (side) => {
      const [alice, bob] = [await side.jarOf('alice'), await side.jarOf('bob')];
      const [one = '', other = ''] = [alice, bob].map((jar) => `_oauth2_proxy=${jar.get('_oauth2_proxy')}`);
      await side.ask('GET /oauth2/auth', { headers: [['Cookie', `${one}; ${other}`]] }, 'alice first');
      await side.ask('GET /oauth2/auth', { headers: [['Cookie', `${other}; ${one}`]] }, 'bob first');
    }),
    flow('cookie-names', async (side) => {
      const { jar } = await side.signIn('alice');
      const value = [...jar].map(([name, text]) => `${name}=${text}`).join('; ');
      await side.ask('GET /oauth2/auth', { headers: [['Cookie', `_oauth2_proxy=bogus; ${value}`]] }, 'bogus first');
      await side.ask('GET /oauth2/auth', { headers: [['Cookie', `${value}; _oauth2_proxy=bogus`]] }, 'bogus second');
      await side.ask(
        'GET /oauth2/auth',
        {
          headers: [
            ['Cookie', 'a=1'],
            ['Cookie', value],
          ],
        },
        'two fields',
      );
      await side.ask('GET /oauth2/auth', { headers: [['Cookie', value.replace(/=(.*)$/, '="$1"')]] }, 'quoted');
    }),
  ],
};
