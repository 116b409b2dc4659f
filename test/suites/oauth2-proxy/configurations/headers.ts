/** Identity in fields: to the front, to the application, and what a visitor may smuggle in. */
import { flow, one } from '../configuration.ts';
import type { Case, Configuration } from '../configuration.ts';

const smuggled: readonly Case[] = [
  one('smuggle-dash', 'GET /x', {
    as: 'alice',
    headers: [
      ['X-Forwarded-User', 'root'],
      ['X-Forwarded-Email', 'root@example.com'],
    ],
  }),
  one('smuggle-case', 'GET /x', { as: 'alice', headers: [['x-forwarded-USER', 'root']] }),
  one('smuggle-underscore', 'GET /x', {
    as: 'alice',
    headers: [
      ['X_Forwarded_User', 'root'],
      ['x_forwarded-groups', 'root'],
    ],
  }),
  one('smuggle-dot', 'GET /x', { as: 'alice', headers: [['X.Forwarded.User', 'root']] }),
  one('smuggle-twice', 'GET /x', {
    as: 'alice',
    headers: [
      ['X-Forwarded-User', 'a'],
      ['X-Forwarded-User', 'b'],
    ],
  }),
  one('smuggle-token', 'GET /x', {
    as: 'alice',
    headers: [
      ['X-Forwarded-Access-Token', 'a'],
      ['X_Forwarded_Access_Token', 'b'],
    ],
  }),
  one('smuggle-auth-request', 'GET /x', {
    as: 'alice',
    headers: [
      ['X-Auth-Request-User', 'root'],
      ['X_Auth_Request_Email', 'root'],
    ],
  }),
  one('smuggle-authorization', 'GET /x', { as: 'alice', headers: [['Authorization', 'Bearer of-the-visitor']] }),
  one('smuggle-connection', 'GET /x', {
    as: 'alice',
    headers: [['Connection', 'X-Forwarded-User, X-Forwarded-Email']],
  }),
  one('smuggle-gap', 'GET /x', { as: 'alice', headers: [['Gap-Auth', 'root']] }),
  one('smuggle-missing-claim', 'GET /x', {
    as: 'bob',
    headers: [
      ['X-Forwarded-Groups', 'root'],
      ['X_Forwarded_Groups', 'root'],
    ],
  }),
  one('smuggle-auth', 'GET /oauth2/auth', { as: 'bob', headers: [['X-Auth-Request-Groups', 'root']] }),
];

const told: readonly Case[] = [
  one('auth', 'GET /oauth2/auth', { as: 'alice' }),
  one('auth-no-groups', 'GET /oauth2/auth', { as: 'bob' }),
  one('auth-odd-groups', 'GET /oauth2/auth', { as: 'carol' }),
  one('auth-one-group', 'GET /oauth2/auth', { as: 'dave' }),
  one('auth-stranger', 'GET /oauth2/auth'),
  one('auth-denied', 'GET /oauth2/auth?allowed_groups=nobody', { as: 'alice' }),
  one('app', 'GET /x', { as: 'alice' }),
  one('app-no-groups', 'GET /x', { as: 'bob' }),
  one('app-odd-groups', 'GET /x', { as: 'carol' }),
  one('userinfo', 'GET /oauth2/userinfo', { as: 'alice' }),
];

const answers: readonly Case[] = [
  one('app-cookies', 'GET /cookies', { as: 'alice' }),
  one('app-repeats', 'GET /twice', { as: 'alice' }),
  one('app-claims-itself', 'GET /claims', { as: 'alice' }),
  one('app-early-hints', 'GET /early', { as: 'alice' }),
  one('app-redirects', 'GET /redirect', { as: 'alice' }),
  one('app-404', 'GET /missing', { as: 'alice' }),
  one('app-500', 'GET /failed', { as: 'alice' }),
  one('app-204', 'GET /nothing', { as: 'alice' }),
  one('app-401', 'GET /ask', { as: 'alice' }),
  one('app-head', 'HEAD /x', { as: 'alice' }),
  one('app-repeated-fields', 'GET /x', {
    as: 'alice',
    headers: [
      ['X-Two', 'a'],
      ['X-Two', 'b'],
      ['Accept', 'a/b'],
      ['Accept', 'c/d'],
    ],
  }),
  one('app-cookies-of-visitor', 'GET /x', { as: 'alice', headers: [['Cookie', 'own=1; two=2']] }),
  one('app-forwarded-fields', 'GET /x', {
    as: 'alice',
    headers: [
      ['X-Forwarded-For', '203.0.113.9'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', 'h'],
      ['X-Real-IP', '203.0.113.9'],
      ['Forwarded', 'for=1'],
    ],
  }),
  one('app-hop-by-hop', 'GET /x', {
    as: 'alice',
    headers: [
      ['Connection', 'close, X-Hop'],
      ['X-Hop', '1'],
      ['TE', 'trailers'],
      ['Proxy-Authorization', 'x'],
    ],
  }),
  flow('app-chunked', async (side) => {
    const jar = await side.jarOf('alice');
    await side.ask(
      'POST /x',
      { jar, headers: [['Transfer-Encoding', 'chunked']], body: '3\r\nabc\r\n0\r\n\r\n' },
      'chunked',
    );
  }),
];

export const headers: Configuration = {
  name: 'headers',
  env: {
    SET_XAUTHREQUEST: 'true',
    PASS_ACCESS_TOKEN: 'true',
    SET_AUTHORIZATION_HEADER: 'true',
    PASS_AUTHORIZATION_HEADER: 'true',
  },
  cases: [...told, ...smuggled, ...answers],
};

/** The application is handed a password that it trusts. */
export const basicHeaders: Configuration = {
  name: 'headers-basic',
  env: { BASIC_AUTH_PASSWORD: 'shared with the app', SET_BASIC_AUTH: 'true', SET_XAUTHREQUEST: 'true' },
  cases: [...told, ...smuggled],
};

export const emailAsUser: Configuration = {
  name: 'headers-email',
  env: { PREFER_EMAIL_TO_USER: 'true', BASIC_AUTH_PASSWORD: 'pw', SET_XAUTHREQUEST: 'true', PASS_HOST_HEADER: 'false' },
  cases: told,
};

/** Nothing is told; and what a visitor says of himself passes, unless it is taken away. */
export const noHeaders: Configuration = {
  name: 'headers-none',
  env: { PASS_USER_HEADERS: 'false', PASS_BASIC_AUTH: 'false' },
  cases: [...told, ...smuggled],
};

export const keptHeaders: Configuration = {
  name: 'headers-kept',
  env: { SKIP_AUTH_STRIP_HEADERS: 'false', SKIP_AUTH_ROUTES: '^/public' },
  cases: [
    one('public', 'GET /public', {
      headers: [
        ['X-Forwarded-User', 'root'],
        ['X_Forwarded_User', 'root'],
      ],
    }),
    one('private', 'GET /x', {
      as: 'alice',
      headers: [
        ['X-Forwarded-User', 'root'],
        ['X_Forwarded_User', 'root'],
      ],
    }),
  ],
};
