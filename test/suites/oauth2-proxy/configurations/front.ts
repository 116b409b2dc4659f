/** Behind a front proxy: which of its fields are believed, from whom, and where people land. */
import { flow, login, one } from '../configuration.ts';
import type { Case, Configuration } from '../configuration.ts';
import type { Field } from '../raw-client.ts';

const FRONT: readonly Field[] = [
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Host', 'app.example.com'],
  ['X-Forwarded-Uri', '/deep/link?a=1&b=2'],
  ['X-Forwarded-For', '203.0.113.9'],
  ['X-Real-IP', '203.0.113.9'],
];
const OTHER_HOST: readonly Field[] = [
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Host', 'wiki.example.com'],
  ['X-Forwarded-Uri', '/page?x=1'],
];
const BROWSER: Field = ['Accept', 'text/html,application/xhtml+xml,*/*;q=0.8'];
const AUTH_HOST = 'auth.example.com';

/** What fronts ask, in the words of each. */
const asked: readonly Case[] = [
  one('nginx', 'GET /oauth2/auth', { headers: FRONT }),
  one('nginx-alice', 'GET /oauth2/auth', { headers: FRONT, as: 'alice' }),
  one('nginx-post-length-0', 'POST /oauth2/auth', { headers: [...FRONT, ['Content-Length', '0']], as: 'alice' }),
  one('ingress', 'GET /oauth2/auth', {
    headers: [
      ['X-Original-URL', 'https://app.example.com/x'],
      ['X-Original-Method', 'POST'],
      ['X-Auth-Request-Redirect', '/x'],
    ],
  }),
  one('traefik-root', 'GET /', { headers: [...FRONT, ['X-Forwarded-Method', 'POST']] }),
  one('traefik-root-alice', 'GET /', { headers: [...FRONT, ['X-Forwarded-Method', 'POST']], as: 'alice' }),
  one('sign-in-page', 'GET /oauth2/sign_in', { headers: [BROWSER, ...FRONT] }),
  one('sign-in-program', 'GET /oauth2/sign_in', { headers: FRONT }),
  one('sign-in-other-host', 'GET /oauth2/sign_in', { headers: [BROWSER, ...OTHER_HOST], host: AUTH_HOST }),
  one('sign-in-uri-broken', 'GET /oauth2/sign_in', { headers: [BROWSER, ['X-Forwarded-Uri', '//evil.test/x']] }),
  one('sign-in-uri-prefix', 'GET /oauth2/sign_in', { headers: [['X-Forwarded-Uri', '/oauth2/auth?x']] }),
  one('sign-in-redirect-header', 'GET /oauth2/sign_in', {
    headers: [BROWSER, ['X-Auth-Request-Redirect', '/from/header?x=1&y=2']],
  }),
  one('sign-in-redirect-header-outside', 'GET /oauth2/sign_in', {
    headers: [BROWSER, ['X-Auth-Request-Redirect', 'https://evil.test/']],
  }),
  one('sign-in-rd-before-header', 'GET /oauth2/sign_in?rd=%2Ffirst', {
    headers: [BROWSER, ['X-Auth-Request-Redirect', '/second'], ...FRONT],
  }),
  one('sign-in-proto-http', 'GET /oauth2/sign_in', {
    headers: [BROWSER, ['X-Forwarded-Proto', 'http'], ...OTHER_HOST.slice(1)],
    host: AUTH_HOST,
  }),
  one('start-forwarded-host', 'GET /oauth2/start', { headers: OTHER_HOST, host: AUTH_HOST }),
  one('start-forwarded-host-list', 'GET /oauth2/start', {
    headers: [['X-Forwarded-Host', 'a.example.com, b.example.com']],
  }),
  one('start-forwarded-host-twice', 'GET /oauth2/start', {
    headers: [
      ['X-Forwarded-Host', 'a.example.com'],
      ['X-Forwarded-Host', 'b.example.com'],
    ],
  }),
  one('start-forwarded-host-port', 'GET /oauth2/start', { headers: [['X-Forwarded-Host', 'app.example.com:8443']] }),
  one('root-uri-stranger', 'GET /private', { headers: [['X-Forwarded-Uri', '/public/x']] }),
  one('auth-uri-public', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/public/x']] }),
  one('auth-uri-public-query', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/private?/public/']] }),
  one('auth-uri-dots', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/public/../admin']] }),
  one('auth-uri-encoded-dots', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/public/%2e%2e/admin']] }),
  one('auth-uri-encoded', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/%70ublic/x']] }),
  one('auth-uri-twice', 'GET /oauth2/auth', {
    headers: [
      ['X-Forwarded-Uri', '/public/x'],
      ['X-Forwarded-Uri', '/private'],
    ],
  }),
  one('auth-uri-fragment', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/private%23/public/']] }),
  one('auth-uri-absolute', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', 'https://app.example.com/public/x']] }),
  one('trusted-ip', 'GET /oauth2/auth', { headers: [['X-Real-IP', '192.0.2.7']] }),
  one('trusted-ip-port', 'GET /oauth2/auth', { headers: [['X-Real-IP', '192.0.2.7:4711']] }),
  one('trusted-ip-mapped', 'GET /oauth2/auth', { headers: [['X-Real-IP', '::ffff:192.0.2.7']] }),
  one('trusted-ip-list', 'GET /oauth2/auth', { headers: [['X-Real-IP', '192.0.2.7, 203.0.113.9']] }),
  one('trusted-ip-zone', 'GET /oauth2/auth', { headers: [['X-Real-IP', 'fe80::1%eth0']] }),
  one('trusted-ip-other', 'GET /oauth2/auth', { headers: [['X-Real-IP', '198.51.100.1']] }),
  one('trusted-ip-alice', 'GET /oauth2/auth', { headers: [['X-Real-IP', '192.0.2.7']], as: 'alice' }),
  one('trusted-ip-app', 'GET /x', { headers: [['X-Real-IP', '192.0.2.7']] }),
  one('trusted-ip-userinfo', 'GET /oauth2/userinfo', { headers: [['X-Real-IP', '192.0.2.7']] }),
  one('forwarded-for-only', 'GET /oauth2/auth', { headers: [['X-Forwarded-For', '192.0.2.7']] }),
  one('app-sees', 'GET /x', { headers: FRONT, as: 'alice' }),
];

const landings: readonly Case[] = [
  login('login-rd-absolute', 'alice', '/oauth2/start?rd=https%3A%2F%2Fwiki.example.com%2Fpage%3Fx%3D1'),
  flow('login-from-headers', async (side) => {
    await side.signIn('alice', { start: '/oauth2/start', headers: OTHER_HOST, host: AUTH_HOST, label: 'sign-in' });
  }),
  flow('login-auth-request-redirect', async (side) => {
    const headers: readonly Field[] = [['X-Auth-Request-Redirect', 'https://wiki.example.com/a%20b?x=%26&y=2']];
    await side.signIn('alice', { start: '/oauth2/start', headers, label: 'sign-in' });
  }),
];

const ENV = {
  REVERSE_PROXY: 'true',
  SET_XAUTHREQUEST: 'true',
  WHITELIST_DOMAINS: '.example.com',
  COOKIE_DOMAINS: '.example.com',
  SKIP_AUTH_ROUTES: '^/public/',
  TRUSTED_IPS: '192.0.2.0/24',
};

/** The front is on this machine, as written. */
export const front: Configuration = {
  name: 'front',
  env: { ...ENV, TRUSTED_PROXY_IPS: '127.0.0.1/32,10.0.0.0/8' },
  cases: [...asked, ...landings],
};

/** Whoever connects is not in the list: its fields are those of a stranger. */
export const frontUntrusted: Configuration = {
  name: 'front-untrusted',
  env: { ...ENV, TRUSTED_PROXY_IPS: '10.0.0.0/8' },
  cases: asked,
};

/** As most are set up: no list of proxies. */
export const frontAnybody: Configuration = {
  name: 'front-anybody',
  env: ENV,
  cases: asked,
};

const forwardedFor = (id: string, value: string): Case =>
  one(id, 'GET /oauth2/auth', { headers: [['X-Forwarded-For', value]] });

/** The client by X-Forwarded-For. */
export const frontForwardedFor: Configuration = {
  name: 'front-forwarded-for',
  env: { ...ENV, REAL_CLIENT_IP_HEADER: 'X-Forwarded-For', TRUSTED_PROXY_IPS: '127.0.0.1,198.51.100.0/24' },
  cases: [
    forwardedFor('trusted', '192.0.2.7'),
    forwardedFor('trusted-first', '192.0.2.7, 203.0.113.9'),
    forwardedFor('trusted-last', '203.0.113.9, 192.0.2.7'),
    forwardedFor('trusted-before-proxy', '192.0.2.7, 198.51.100.3'),
    forwardedFor('untrusted-before-proxy', '203.0.113.9, 198.51.100.3'),
    forwardedFor('garbage', 'unknown'),
    forwardedFor('garbage-first', 'unknown, 192.0.2.7'),
    forwardedFor('empty-first', ', 192.0.2.7'),
    forwardedFor('port', '192.0.2.7:99'),
    one('twice', 'GET /oauth2/auth', {
      headers: [
        ['X-Forwarded-For', '192.0.2.7'],
        ['X-Forwarded-For', '203.0.113.9'],
      ],
    }),
    one('real-ip', 'GET /oauth2/auth', { headers: [['X-Real-IP', '192.0.2.7']] }),
    one('none', 'GET /oauth2/auth'),
  ],
};

/** Nobody in front: the address of the connection counts. */
export const trustedDirect: Configuration = {
  name: 'trusted-direct',
  env: { TRUSTED_IPS: '127.0.0.0/8' },
  cases: [
    one('auth', 'GET /oauth2/auth'),
    one('auth-real-ip', 'GET /oauth2/auth', { headers: [['X-Real-IP', '203.0.113.9']] }),
    one('app', 'GET /x', {
      headers: [
        ['X-Forwarded-User', 'root'],
        ['X_Forwarded_User', 'root'],
      ],
    }),
    one('app-alice', 'GET /x', { as: 'alice' }),
    one('userinfo', 'GET /oauth2/userinfo'),
    one('constraint', 'GET /oauth2/auth?allowed_groups=/ops'),
    one('constraint-alice', 'GET /oauth2/auth?allowed_groups=/ops', { as: 'alice' }),
    one('sign-in', 'GET /oauth2/sign_in'),
    one('sign-out-token', 'GET /oauth2/sign_out?rd=%2Fx%3Fhint%3D%7Bid_token%7D'),
  ],
};
