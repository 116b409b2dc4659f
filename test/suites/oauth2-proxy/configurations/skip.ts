/** What needs no sign-in: by route, by method, by everything but a route; and who gets JSON. */
import { one } from '../configuration.ts';
import type { Case, Configuration } from '../configuration.ts';

const both = (id: string, line: string): readonly Case[] => [one(id, line), one(`${id}-alice`, line, { as: 'alice' })];
const smuggled = [
  ['X-Forwarded-User', 'root'],
  ['X_Forwarded_Email', 'root'],
  ['X-Auth-Request-User', 'root'],
] as const;

export const skip: Configuration = {
  name: 'skip',
  env: {
    SKIP_AUTH_ROUTES: 'GET=^/public/,POST=^/hooks/[a-z]+$,^/any$,PUT!=^/put/never',
    SKIP_AUTH_REGEX: '^/old-style,\\.css$',
    SKIP_AUTH_PREFLIGHT: 'true',
    API_ROUTES: '^/api,q=json$',
  },
  cases: [
    ...both('get', 'GET /public/x'),
    one('head', 'HEAD /public/x'),
    one('post-where-get', 'POST /public/x', { body: '' }),
    one('get-smuggle', 'GET /public/x', { headers: smuggled }),
    one('get-basic', 'GET /public/x', { headers: [['Authorization', 'Basic YTpi']] }),
    one('get-bad-cookie', 'GET /public/x', { headers: [['Cookie', '_oauth2_proxy=bogus']] }),
    one('get-query', 'GET /private?x=/public/'),
    one('get-encoded', 'GET /%70ublic/x'),
    one('get-dots', 'GET /public/../private'),
    one('get-encoded-dots', 'GET /public/%2e%2e/private'),
    one('get-encoded-slash', 'GET /public%2Fx'),
    one('get-fragment', 'GET /private%23/public/'),
    one('get-raw-fragment', 'GET /public/x#/private'),
    one('get-double-slash', 'GET //public/x'),
    one('get-backslash', 'GET /public\\x'),
    one('get-upper', 'GET /PUBLIC/x'),
    one('get-constraint', 'GET /public/x?allowed_groups=nobody'),
    one('get-constraint-alice', 'GET /public/x?allowed_groups=nobody', { as: 'alice' }),
    one('hook', 'POST /hooks/github', { body: 'x' }),
    one('hook-get', 'GET /hooks/github'),
    one('hook-long', 'POST /hooks/github/x', { body: 'x' }),
    one('any', 'DELETE /any'),
    one('not-any', 'GET /anything'),
    one('regex', 'GET /old-style/x'),
    one('regex-anywhere', 'GET /deep/x.css'),
    one('regex-post', 'POST /deep/x.css', { body: '' }),
    one('negated-put', 'PUT /other', { body: '' }),
    one('negated-put-never', 'PUT /put/never', { body: '' }),
    one('negated-put-auth', 'PUT /oauth2/auth', { body: '' }),
    one('preflight', 'OPTIONS /private', {
      headers: [
        ['Origin', 'https://spa.example.com'],
        ['Access-Control-Request-Method', 'POST'],
      ],
    }),
    one('preflight-plain', 'OPTIONS /private'),
    one('preflight-auth', 'OPTIONS /oauth2/auth'),
    one('preflight-userinfo', 'OPTIONS /oauth2/userinfo'),
    one('api', 'GET /api/x'),
    one('api-html', 'GET /api/x', { headers: [['Accept', 'text/html']] }),
    one('api-query', 'GET /x?q=json'),
    one('api-anywhere', 'GET /x/api'),
    one('api-alice', 'GET /api/x', { as: 'alice' }),
    one('sign-in-auth', 'GET /oauth2/auth'),
    one('sign-out', 'GET /oauth2/sign_out?rd=%2Fpublic%2F'),
  ],
};

/** `!=` alone turns the rule around for every method. */
export const skipAllBut: Configuration = {
  name: 'skip-all-but',
  env: { SKIP_AUTH_ROUTES: '!=^/private' },
  cases: [
    one('open', 'GET /open'),
    one('private', 'GET /private/x'),
    one('private-alice', 'GET /private/x', { as: 'alice' }),
    one('auth', 'GET /oauth2/auth'),
    one('auth-alice', 'GET /oauth2/auth', { as: 'alice' }),
    one('userinfo', 'GET /oauth2/userinfo'),
    one('sign-in', 'GET /oauth2/sign_in'),
  ],
};

/** Straight to the provider, and errors as JSON. */
export const button: Configuration = {
  name: 'skip-button',
  env: { SKIP_PROVIDER_BUTTON: 'true', API_ROUTES: '^/api' },
  cases: [
    one('root', 'GET /deep?a=1&b=2'),
    one('root-html', 'GET /deep', { headers: [['Accept', 'text/html']] }),
    one('root-post', 'POST /deep', { body: 'x' }),
    one('root-json', 'GET /deep', { headers: [['Accept', 'application/json']] }),
    one('api', 'GET /api/x'),
    one('auth', 'GET /oauth2/auth'),
    one('sign-in', 'GET /oauth2/sign_in?rd=%2Fx'),
    one('sign-in-alice', 'GET /oauth2/sign_in', { as: 'alice' }),
    one('start', 'GET /oauth2/start?rd=%2Fx'),
    one('websocket', 'GET /ws', {
      headers: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
        ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
        ['Sec-WebSocket-Version', '13'],
      ],
    }),
    one('userinfo', 'GET /oauth2/userinfo'),
  ],
};

export const jsonErrors: Configuration = {
  name: 'json-errors',
  env: { FORCE_JSON_ERRORS: 'true' },
  cases: [
    one('root', 'GET /'),
    one('root-html', 'GET /', { headers: [['Accept', 'text/html']] }),
    one('auth', 'GET /oauth2/auth'),
    one('userinfo', 'GET /oauth2/userinfo'),
    one('callback-error', 'GET /oauth2/callback?error=access_denied'),
    one('sign-in', 'GET /oauth2/sign_in'),
    one('constraint', 'GET /?allowed_groups=nobody', { as: 'alice' }),
    one('constraint-auth', 'GET /oauth2/auth?allowed_groups=nobody', { as: 'alice' }),
  ],
};
