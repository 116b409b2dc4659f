/** Settings that few have, each with what it changes. */
import { flow, login, one } from '../configuration.ts';
import { members, WITH_SESSION } from './members.ts';
import { valueOf } from '../side.ts';
import type { Configuration } from '../configuration.ts';
import type { Jar } from '../side.ts';
import type { Field } from '../raw-client.ts';

/** Claims by other names. */
export const claimNames: Configuration = {
  name: 'claim-names',
  env: {
    OIDC_EMAIL_CLAIM: 'preferred_username',
    OIDC_GROUPS_CLAIM: 'email',
    USER_ID_CLAIM: 'preferred_username',
    SET_XAUTHREQUEST: 'true',
    PASS_ACCESS_TOKEN: 'true',
  },
  cases: [
    ...members,
    one('rd-own-host', 'GET /oauth2/sign_in?rd=https%3A%2F%2Fapp.example.com%2Fx%3Fa%3D1'),
    one('rd-own-host-http', 'GET /oauth2/sign_in?rd=http%3A%2F%2Fapp.example.com%2Fx'),
    login('login-own-host', 'alice', '/oauth2/start?rd=http%3A%2F%2Fapp.example.com%2Fx'),
  ],
};

export const minimalSession: Configuration = {
  name: 'session-minimal',
  env: { SESSION_COOKIE_MINIMAL: 'true', SET_XAUTHREQUEST: 'true' },
  cases: [...members, one('sign-out-token', 'GET /oauth2/sign_out?rd=%2Fx%3Fhint%3D%7Bid_token%7D', { as: 'alice' })],
};

/** Asks the provider for each thing that there is a setting for. */
export const wishes: Configuration = {
  name: 'wishes',
  env: {
    APPROVAL_PROMPT: 'auto',
    RESOURCE: 'https://api.example.com',
    CODE_CHALLENGE_METHOD: 'plain',
    SCOPE: 'openid email profile offline_access',
    SKIP_PROVIDER_BUTTON: 'true',
    PROVIDER_DISPLAY_NAME: 'House & Co',
    REDIRECT_URL: '/oauth2/callback',
  },
  cases: [
    one('start', 'GET /oauth2/start?rd=%2Fx'),
    one('root', 'GET /deep?a=1&b=2'),
    one('root-json', 'GET /deep', { headers: [['Accept', 'application/json']] }),
    one('root-post', 'POST /deep?a=1', {
      body: 'x=1',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
    }),
    one('sign-in', 'GET /oauth2/sign_in?rd=%2Fx%3Fa%3D1'),
    one('root-own-rd', 'GET /deep?rd=https%3A%2F%2Fevil.test%2F&prompt=none'),
    login('login', 'alice', '/oauth2/start?rd=%2Fx', WITH_SESSION),
    login('login-root', 'alice', '/deep?a=1&b=2', WITH_SESSION),
  ],
};

/** Without discovery, each address by itself; the profile is not asked. */
export const noDiscovery: Configuration = {
  name: 'no-discovery',
  env: {
    SKIP_OIDC_DISCOVERY: 'true',
    LOGIN_URL: '{issuer}/authorize?theme=dark',
    REDEEM_URL: '{issuer}/token',
    OIDC_JWKS_URL: '{issuer}/keys',
    PROFILE_URL: '{issuer}/userinfo',
    SKIP_CLAIMS_FROM_PROFILE_URL: 'true',
    VALIDATE_URL: '{issuer}/userinfo',
    INSECURE_OIDC_SKIP_ISSUER_VERIFICATION: 'true',
    OIDC_EXTRA_AUDIENCES: 'machines',
    SET_XAUTHREQUEST: 'true',
  },
  cases: [one('start', 'GET /oauth2/start'), ...members],
};

/** The provider is told when somebody signs out here. */
export const backendLogout: Configuration = {
  name: 'backend-logout',
  env: { BACKEND_LOGOUT_URL: '{app}/told?hint={id_token}', WHITELIST_DOMAINS: '.example.com' },
  cases: [
    one('sign-out', 'GET /oauth2/sign_out', { as: 'alice' }),
    one('sign-out-rd', 'GET /oauth2/sign_out?rd=https%3A%2F%2Fwiki.example.com%2Fbye', { as: 'alice' }),
    one('sign-out-stranger', 'GET /oauth2/sign_out'),
    one('sign-out-post', 'POST /oauth2/sign_out', {
      as: 'alice',
      body: 'rd=%2Fbye',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
    }),
    one('sign-out-token', 'GET /oauth2/sign_out?rd=https%3A%2F%2Fwiki.example.com%2F%3Fhint%3D%7Bid_token%7D', {
      as: 'alice',
    }),
  ],
};

const clientIp = (name: string, value: string): Field => [name, value];

/** Load balancers name the client in fields of their own. */
export const cloudFront: Configuration = {
  name: 'client-ip-cf',
  env: {
    REVERSE_PROXY: 'true',
    TRUSTED_PROXY_IPS: '127.0.0.1',
    REAL_CLIENT_IP_HEADER: 'CF-Connecting-IP',
    TRUSTED_IPS: '192.0.2.0/24,2001:db8::/32,198.51.100.7',
  },
  cases: [
    one('v4', 'GET /oauth2/auth', { headers: [clientIp('CF-Connecting-IP', '192.0.2.7')] }),
    one('v6', 'GET /oauth2/auth', { headers: [clientIp('CF-Connecting-IP', '2001:db8::7')] }),
    one('v6-upper', 'GET /oauth2/auth', { headers: [clientIp('CF-Connecting-IP', '2001:DB8:0::7')] }),
    one('single', 'GET /oauth2/auth', { headers: [clientIp('CF-Connecting-IP', '198.51.100.7')] }),
    one('single-other', 'GET /oauth2/auth', { headers: [clientIp('CF-Connecting-IP', '198.51.100.8')] }),
    one('other-field', 'GET /oauth2/auth', { headers: [clientIp('X-Real-IP', '192.0.2.7')] }),
    one('none', 'GET /oauth2/auth'),
    one('empty', 'GET /oauth2/auth', { headers: [clientIp('CF-Connecting-IP', '')] }),
    one('app', 'GET /x', { headers: [clientIp('CF-Connecting-IP', '192.0.2.7')] }),
    one('app-other', 'GET /x', { headers: [clientIp('CF-Connecting-IP', '203.0.113.1')] }),
  ],
};

/** Rules with methods, asked about by a front that may say the method. */
export const skipMethods: Configuration = {
  name: 'skip-methods',
  env: {
    REVERSE_PROXY: 'true',
    TRUSTED_PROXY_IPS: '127.0.0.1',
    SKIP_AUTH_ROUTES: 'GET=^/public/,POST=^/hooks/,OPTIONS=^/cors/',
  },
  cases: [
    one('get', 'GET /oauth2/auth', {
      headers: [
        ['X-Forwarded-Uri', '/public/x'],
        ['X-Forwarded-Method', 'GET'],
      ],
    }),
    one('unsaid', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/public/x']] }),
    one('delete-asked-by-get', 'GET /oauth2/auth', {
      headers: [
        ['X-Forwarded-Uri', '/public/x'],
        ['X-Forwarded-Method', 'DELETE'],
      ],
    }),
    one('delete-own', 'DELETE /oauth2/auth', { headers: [['X-Forwarded-Uri', '/public/x']] }),
    one('hook', 'POST /oauth2/auth', { headers: [['X-Forwarded-Uri', '/hooks/x']], body: '' }),
    one('hook-asked-by-get', 'GET /oauth2/auth', {
      headers: [
        ['X-Forwarded-Uri', '/hooks/x'],
        ['X-Forwarded-Method', 'POST'],
      ],
    }),
    one('preflight-own', 'OPTIONS /oauth2/auth', { headers: [['X-Forwarded-Uri', '/cors/x']] }),
    one('private', 'GET /oauth2/auth', {
      headers: [
        ['X-Forwarded-Uri', '/private'],
        ['X-Forwarded-Method', 'GET'],
      ],
    }),
    one('alice', 'GET /oauth2/auth', { as: 'alice', headers: [['X-Forwarded-Uri', '/public/x']] }),
  ],
};

/** What Traefik's errors middleware asks for in place of a 403, in both forms. */
const TRAEFIK: readonly Field[] = [
  ['X-Forwarded-Host', 'app.example.com'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Server', 'traefik'],
];
const PLACE = 'rd=https%3A%2F%2Fapp.example.com%2Fadmin%3Fa%3D1';

export const errorsMiddleware: Configuration = {
  name: 'errors-middleware',
  env: { REVERSE_PROXY: 'true', TRUSTED_PROXY_IPS: '127.0.0.1', WHITELIST_DOMAINS: '.example.com' },
  cases: [
    one('stranger', `GET /oauth2/sign_in?${PLACE}`, { headers: TRAEFIK }),
    one('alice', `GET /oauth2/sign_in?${PLACE}`, { headers: TRAEFIK, as: 'alice' }),
    one('alice-status', `GET /oauth2/sign_in?${PLACE}&status=403`, { headers: TRAEFIK, as: 'alice' }),
    one('alice-status-401', `GET /oauth2/sign_in?${PLACE}&status=401`, {
      headers: [...TRAEFIK, ['X-Forwarded-For', '203.0.113.9']],
      as: 'alice',
    }),
    one('alice-by-herself', `GET /oauth2/sign_in?${PLACE}`, {
      headers: [...TRAEFIK, ['X-Forwarded-For', '203.0.113.9']],
      as: 'alice',
    }),
  ],
};

/** Words of the operator's on pages; pages themselves are no contract. */
export const pages: Configuration = {
  name: 'pages',
  env: {
    CUSTOM_TEMPLATES_DIR: '{dir}/templates',
    BANNER: '-',
    FOOTER: '<b>own</b>',
    SHOW_DEBUG_ON_ERROR: 'true',
  },
  files: {
    'templates/sign_in.html':
      '{{define "sign_in.html"}}<!doctype html><form method="GET" action="{{.ProxyPrefix}}/start"><input type="hidden" name="rd" value="{{.Redirect}}"></form><a href="{{.ProxyPrefix}}/start?rd={{.Redirect}}">sign in</a>{{end}}',
    'templates/error.html': '{{define "error.html"}}<!doctype html><h1>{{.StatusCode}} {{.Title}}</h1>{{end}}',
    'templates/robots.txt': 'User-agent: nice\nAllow: /\n',
  },
  cases: [
    one('sign-in', 'GET /oauth2/sign_in?rd=%2Fx%3Fa%3D%22%3E%3Cb'),
    one('root', 'GET /deep?a=1'),
    one('callback-error', 'GET /oauth2/callback?error=access_denied'),
    one('robots', 'GET /robots.txt'),
    one('gone', 'GET /resets', { as: 'alice' }),
    flow('link', async (side) => {
      const { body } = await side.ask('GET /a%3Fb');
      const link = /href="([^"]*)"/.exec(body)?.[1] ?? '';
      const jar: Jar = new Map();
      const start = await side.ask(`GET ${link.replaceAll('&amp;', '&')}`, { jar });
      const { callback } = await side.finish(valueOf(start, 'location') ?? '', 'alice', { jar });
      side.noteFact('lands', `${callback.status} at ${valueOf(callback, 'location')}`);
    }),
  ],
};

/** What hosts of a domain share, and where else people may go. */
export const hosts: Configuration = {
  name: 'hosts',
  env: {
    REVERSE_PROXY: 'true',
    TRUSTED_PROXY_IPS: '127.0.0.1',
    COOKIE_DOMAINS: '.example.com,.other.test',
    WHITELIST_DOMAINS: '.example.com,*.other.test:8443,plain.test,any.test:*',
    REDIRECT_URL: 'https://auth.example.com/oauth2/callback',
  },
  cases: [
    ...[
      'https://wiki.example.com/',
      'https://example.com/',
      'https://wiki.example.com:8443/',
      'https://a.other.test:8443/x',
      'https://other.test:8443/x',
      'https://a.other.test/x',
      'https://plain.test/',
      'https://a.plain.test/',
      'https://plain.test:443/',
      'https://any.test:1234/',
      'https://any.test/',
      'http://wiki.example.com/',
      'ftp://wiki.example.com/',
      'https://notexample.com/',
    ].flatMap((rd, index) => [
      one(`start-${index}`, `GET /oauth2/sign_in?rd=${encodeURIComponent(rd)}`),
      login(`login-${index}`, 'alice', `/oauth2/start?rd=${encodeURIComponent(rd)}`),
    ]),
    flow('other-domain', async (side) => {
      const headers: readonly Field[] = [
        ['X-Forwarded-Host', 'app.other.test'],
        ['X-Forwarded-Uri', '/x?a=1&b=2'],
        ['Accept', 'text/html'],
      ];
      await side.ask('GET /oauth2/start', { headers, host: 'auth.example.com' }, 'start');
      await side.ask('GET /oauth2/sign_in', { headers, host: 'auth.example.com' }, 'sign-in');
    }),
  ],
};
