/** Settings together, and values in forms that only some write: fronts, skip rules, places to go, fields, cookies. */
import { alphaForms } from './alpha-forms.ts';
import { headerSets } from './header-sets.ts';
import { flow, login, one } from '../configuration.ts';
import { members, WITH_SESSION } from './members.ts';
import type { Case, Configuration } from '../configuration.ts';
import type { Field } from '../raw-client.ts';

const BROWSER: Field = ['Accept', 'text/html'];
const FORM: Field = ['Content-Type', 'application/x-www-form-urlencoded'];
const basic = (text: string): Field => ['Authorization', `Basic ${Buffer.from(text, 'latin1').toString('base64')}`];

const forwarded = (id: string, ...fields: readonly Field[]): readonly Case[] => [
  one(`${id}-start`, 'GET /oauth2/start', { headers: fields }),
  one(`${id}-sign-in`, 'GET /oauth2/sign_in', { headers: [BROWSER, ...fields] }),
];
const FRONT = { REVERSE_PROXY: 'true', TRUSTED_PROXY_IPS: '127.0.0.1', WHITELIST_DOMAINS: '.example.com' };

/** What a front says, in forms that few send. */
const frontForms: Configuration = {
  name: 'front-forms',
  env: { ...FRONT, API_ROUTES: '^/api/', SKIP_AUTH_ROUTES: '^/public' },
  cases: [
    ...['https', 'HTTPS', 'http', 'https,http', 'wss', 'ftp', ''].flatMap((proto) =>
      forwarded(`proto-${proto}`, ['X-Forwarded-Proto', proto], ['X-Forwarded-Host', 'wiki.example.com']),
    ),
    ...[
      'WIKI.example.com',
      'wiki.example.com.',
      '[::1]:8443',
      'wiki.example.com:443',
      'a b',
      'u@wiki.example.com',
    ].flatMap((host) => forwarded(`host-${host}`, ['X-Forwarded-Proto', 'https'], ['X-Forwarded-Host', host])),
    ...['', 'relative', '/a#b', '/%zz', '?a=1', '/ü', '/a b', '/a/../b', '/oauth2/sign_in?rd=/x', '/oauth2'].flatMap(
      (uri) => forwarded(`uri-${uri}`, ['X-Forwarded-Uri', Buffer.from(uri).toString('latin1')]),
    ),
    one('api', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/api/x']] }),
    one('api-root', 'GET /', { headers: [['X-Forwarded-Uri', '/api/x']] }),
    one('api-own', 'GET /api/x', { headers: [['X-Forwarded-Uri', '/page']] }),
    one('public-json', 'GET /oauth2/auth', {
      headers: [
        ['X-Forwarded-Uri', '/public'],
        ['Accept', 'application/json'],
      ],
    }),
    one('public-query', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/public?x=/private']] }),
    one('public-slashes', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '//public']] }),
    one('public-backslash', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/public\\..\\private']] }),
    one('public-semicolon', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/public;/../private']] }),
    one('public-nul', 'GET /oauth2/auth', { headers: [['X-Forwarded-Uri', '/public%00']] }),
  ],
};

const accepts = (id: string, ...values: readonly string[]): Case =>
  one(`accept-${id}`, 'GET /x', { headers: values.map((value) => ['Accept', value] as const) });

/** Who gets JSON, and who a page. */
const acceptForms: Configuration = {
  name: 'accept-forms',
  env: { API_ROUTES: '^/api$,(?i)^/case,\\.json$' },
  cases: [
    accepts('upper', 'APPLICATION/JSON'),
    accepts('any', '*/*'),
    accepts('space', ' application/json '),
    accepts('list', 'application/json, text/plain, */*'),
    accepts('list-tight', 'text/html,application/json'),
    accepts('twice', 'text/html', 'application/json'),
    accepts('charset', 'application/json; charset=utf-8'),
    accepts('problem', 'application/problem+json'),
    accepts('empty', ''),
    one('api', 'GET /api'),
    one('api-query', 'GET /api?x=1'),
    one('api-slash', 'GET /api/'),
    one('api-case', 'GET /CASE'),
    one('api-suffix', 'GET /a.json'),
    one('api-suffix-query', 'GET /a?b=c.json'),
    one('api-denied', 'GET /api?allowed_groups=none', { as: 'alice' }),
  ],
};

/** Skip rules in every form. */
const skipForms: Configuration = {
  name: 'skip-forms',
  env: {
    SKIP_AUTH_ROUTES: [
      'get=^/lower$',
      '=^/empty$',
      'GET!=^/(?:private|a|b|c|lower|empty|digits|case|q|group|x|sp|anything|x.png|PNG)',
      '^/a/b=c$',
      '(?i)^/case$',
      '^/q\\?x=1$',
      '^/group/(?:one|two)$',
      ' ^/sp$',
    ].join(','),
    SKIP_AUTH_REGEX: '^/digits/\\d+$',
  },
  args: ['--skip-auth-route=POST=^/flag/\\w{2,4}$', '--skip-auth-regex=\\.png$'],
  cases: [
    ...[
      'GET /lower',
      'POST /lower',
      'GET /empty',
      'POST /empty',
      'GET /a/b=c',
      'GET /CaSe',
      'GET /q?x=1',
      'GET /group/one',
    ].map((line) => one(line, line)),
    ...['GET /group/three', 'GET /sp', 'GET /%20sp', 'GET /digits/12', 'POST /digits/12', 'GET /digits/1a'].map(
      (line) => one(line, line),
    ),
    ...['POST /flag/abc', 'GET /flag/abc', 'POST /flag/abcde', 'GET /x.png', 'GET /x.PNG', 'GET /elsewhere'].map(
      (line) => one(line, line),
    ),
    ...['POST /elsewhere', 'GET /private', 'HEAD /elsewhere', 'GET /elsewhere/%2e%2e/private'].map((line) =>
      one(line, line),
    ),
  ],
};

const PLACES = [
  'http://[::1]:8080/x',
  'http://[::1]/x',
  'https://a.any.test:1/x',
  'https://any.test/x',
  'https://a.port.test:8443/x',
  'https://port.test:8443/x',
  'https://port.test/x',
  'https://upper.test/x',
  'https://UPPER.test/x',
  'https://sub.upper.test/x',
  'http://localhost:3000/x',
  'http://localhost/x',
  'https://star.test/x',
  'https://.dot.test/x',
  'https://a..dot.test/x',
  'https://adot.test/x',
  'https://dot.test.evil.test/x',
  'https://dot.test@evil.test/x',
  'https://evil.test#.dot.test/x',
  'https://evil.test?.dot.test/x',
  'https://evil.test\\.dot.test/x',
  'javascript:alert(1)//.dot.test/',
  'https:///dot.test/x',
  'https:/dot.test/x',
  'https:dot.test/x',
  '//dot.test/x',
  '/%09/dot.test',
  '/%2f%2fevil.test',
  '/\\evil.test',
  '/.//evil.test',
  'x',
  '?x',
  '',
];

/** Forms of what the whitelist may hold. */
const whitelistForms: Configuration = {
  name: 'whitelist-forms',
  env: {
    WHITELIST_DOMAINS: '[::1]:8080,*.any.test:*,.port.test:8443,UPPER.test,localhost:*,.dot.test',
  },
  cases: PLACES.flatMap((rd, index) => [
    one(`sign-in-${index}`, `GET /oauth2/sign_in?rd=${encodeURIComponent(rd)}`),
    one(`sign-out-${index}`, `GET /oauth2/sign_out?rd=${encodeURIComponent(rd)}`),
  ]),
};

const entered: readonly Case[] = [
  one('start', 'GET /oauth2/start?rd=%2Fx'),
  login('login', 'alice', '/oauth2/start?rd=%2Fx', WITH_SESSION),
  one('sign-out', 'GET /oauth2/sign_out', { as: 'alice' }),
  one('bogus', 'GET /oauth2/auth', { headers: [['Cookie', '__Secure-door=bogus; door.x=bogus']] }),
];

const cookieForms: readonly Configuration[] = [
  {
    name: 'cookie-secure-prefix',
    env: {
      COOKIE_NAME: '__Secure-door',
      COOKIE_DOMAINS: '.example.com',
      COOKIE_SAMESITE: 'none',
      COOKIE_CSRF_PER_REQUEST: 'true',
    },
    cases: entered,
  },
  {
    name: 'cookie-odd-name',
    env: {
      COOKIE_NAME: 'door.x',
      COOKIE_PATH: '/',
      COOKIE_DOMAINS: 'other.test,app.example.com',
      COOKIE_EXPIRE: '90m',
      COOKIE_REFRESH: '1h',
    },
    cases: entered,
  },
];

/** bcrypt (cost 4) of "pw-admin"; the prefix alone differs. */
const BCRYPT = '$04$/uaF/uaF/uaF/uaF/uaF/uzgrCPoMNb.z0alK41j9noWrWi2I0vr2';
const htpasswdForms: Configuration = {
  name: 'htpasswd-forms',
  env: { HTPASSWD_FILE: '{dir}/htpasswd', SET_XAUTHREQUEST: 'true' },
  files: {
    htpasswd: `a2:$2a${BCRYPT}\r\nb2:$2b${BCRYPT}\r\n  y2:$2y${BCRYPT}\n#no:$2a${BCRYPT}\ntwice:$2a${BCRYPT}\ntwice:{SHA}cjBBFGZaKg4SXuq6aBzo2TnSHXI=\ngröße:$2y${BCRYPT}\nsp ace:$2y${BCRYPT}\n`,
  },
  cases: [
    ...['a2', 'b2', 'y2', '  y2', '#no', 'no', 'twice', 'sp ace'].flatMap((name) => [
      one(`basic-${name}`, 'GET /oauth2/auth', { headers: [basic(`${name}:pw-admin`)] }),
      one(`form-${name}`, 'POST /oauth2/sign_in', {
        body: `username=${encodeURIComponent(name)}&password=pw-admin&rd=%2Fx`,
        headers: [FORM],
      }),
    ]),
    one('basic-twice-second', 'GET /oauth2/auth', { headers: [basic('twice:pw-old')] }),
    one('basic-utf8', 'GET /oauth2/auth', { headers: [basic(`${Buffer.from('größe').toString('latin1')}:pw-admin`)] }),
    one('basic-latin1', 'GET /oauth2/auth', { headers: [basic('gr\xf6\xdfe:pw-admin')] }),
    one('basic-no-colon', 'GET /oauth2/auth', { headers: [basic('a2')] }),
    one('basic-empty', 'GET /oauth2/auth', { headers: [basic(':')] }),
    one('basic-colon-in-password', 'GET /oauth2/auth', { headers: [basic('a2:pw-admin:x')] }),
    one('basic-unpadded', 'GET /oauth2/auth', {
      headers: [['Authorization', `Basic ${Buffer.from('a2:pw-admin').toString('base64').replaceAll('=', '')}`]],
    }),
    one('basic-two-blanks', 'GET /oauth2/auth', {
      headers: [['Authorization', `Basic  ${Buffer.from('a2:pw-admin').toString('base64')}`]],
    }),
    one('basic-twice-said', 'GET /oauth2/auth', { headers: [basic('a2:pw-admin'), basic('a2:wrong')] }),
    one('form-multipart', 'POST /oauth2/sign_in', {
      body: '--x\r\nContent-Disposition: form-data; name="username"\r\n\r\na2\r\n--x\r\nContent-Disposition: form-data; name="password"\r\n\r\npw-admin\r\n--x--\r\n',
      headers: [['Content-Type', 'multipart/form-data; boundary=x']],
    }),
    one('form-long', 'POST /oauth2/sign_in', { body: `username=a2&password=${'p'.repeat(100)}`, headers: [FORM] }),
  ],
};

/** Signing out, and the server-side call that goes wrong. */
const backendGone: Configuration = {
  name: 'backend-logout-gone',
  env: { BACKEND_LOGOUT_URL: 'http://127.0.0.1:1/told?hint={id_token}', WHITELIST_DOMAINS: '127.0.0.1:*' },
  cases: [
    one('sign-out', 'GET /oauth2/sign_out?rd=%2Fbye', { as: 'alice' }),
    flow('encoded', async (side) => {
      const { jar } = await side.signIn('alice');
      const rd = encodeURIComponent(`${side.issuer}/logout?hint=%7Bid_token%7D&again={id_token}`);
      await side.ask(`GET /oauth2/sign_out?rd=${rd}`, { jar }, 'sign out');
    }),
    flow('template', async (side) => {
      const { jar } = await side.signIn('alice');
      const back = encodeURIComponent('https://app.example.com/?a=1&b=2');
      const rd = encodeURIComponent(
        `${side.issuer}/logout?client_id=front-door&post_logout_redirect_uri=${back}&id_token_hint={id_token}#part`,
      );
      await side.ask(`GET /oauth2/sign_out?rd=${rd}`, { jar }, 'sign out');
    }),
    one('form-and-query', 'POST /oauth2/sign_out?rd=%2Fquery', { as: 'alice', body: 'rd=%2Fform', headers: [FORM] }),
  ],
};

/** Places of its own elsewhere. */
const paths: Configuration = {
  name: 'paths',
  env: { PROXY_PREFIX: '/a/b', PING_PATH: '/a/b/ping', READY_PATH: '/x', UPSTREAMS: 'static://404,{app}/deep/' },
  cases: [
    ...[
      '/a/b/auth',
      '/a/b/sign_in?rd=%2Fx',
      '/a/b/ping',
      '/ping',
      '/x',
      '/ready',
      '/robots.txt',
      '/a/b/static/x',
      '/a/b',
      '/a/b/',
    ].map((path) => one(path, `GET ${path}`)),
    ...['/', '/deep', '/deep/', '/deep/x?y=1', '/other'].map((path) =>
      one(`alice-${path}`, `GET ${path}`, { as: 'alice' }),
    ),
    login('login', 'alice', '/a/b/start?rd=%2Fdeep%2Fx', ['GET /a/b/auth', 'GET /a/b/userinfo']),
  ],
};

/** What the provider may send back. */
const callbacks: Configuration = {
  name: 'callbacks',
  env: { COOKIE_CSRF_PER_REQUEST: 'true', ENCODE_STATE: 'true', SKIP_PROVIDER_BUTTON: 'true' },
  cases: [
    ...[
      'error=login_required',
      'error=access_denied&error_description=%3Cb%3Eno%3C%2Fb%3E',
      'error=consent_required&state=abcdefgh:%2Fx',
      'code=&state=abcdefgh:%2Fx',
      'code=x&state=',
      'code=x&state=:',
      'code=x&code=y&state=abcdefgh:%2Fx',
      'code=x&state=abcdefgh:%2Fx&state=abcdefgh:%2Fy',
      'code=x&state=abcdefghijkl%3Ahttps%3A%2F%2Fevil.test%2F',
      'state=x',
      'id_token=x&access_token=y',
    ].map((query) => one(query, `GET /oauth2/callback?${query}`)),
    flow('state-changed', async (side) => {
      const jar = new Map<string, string>();
      const start = await side.ask('GET /oauth2/start?rd=%2Fx', { jar });
      const location = start.fields.find(([name]) => name.toLowerCase() === 'location')?.[1] ?? '';
      const state = new URL(location).searchParams.get('state') ?? '';
      const changed = Buffer.from(state, 'base64url').toString('latin1').replace(/:.*$/, ':https://evil.test/');
      const query = `code=x&state=${Buffer.from(changed, 'latin1').toString('base64url')}`;
      await side.ask(`GET /oauth2/callback?${query}`, { jar }, 'callback');
    }),
    login('login-deep', 'alice', '/deep?a=1&b=%26%3D%20&c', WITH_SESSION),
    login('login-long', 'alice', `/oauth2/start?rd=${encodeURIComponent(`/x?${'a'.repeat(3_000)}`)}`),
    login('login-colons', 'alice', '/oauth2/start?rd=%2Fa%3Ab%3Ac'),
    login('login-twice-rd', 'alice', '/oauth2/start?rd=%2Ffirst&rd=%2Fsecond'),
  ],
};

/** Several restrictions at once. */
const restricted: Configuration = {
  name: 'restricted',
  env: {
    ALLOWED_GROUPS: '/developers',
    EMAIL_DOMAINS: 'example.com',
    SKIP_AUTH_ROUTES: '^/open',
    TRUSTED_IPS: '192.0.2.1',
    SET_XAUTHREQUEST: 'true',
    SKIP_AUTH_STRIP_HEADERS: 'false',
  },
  cases: [
    ...members,
    login('many', 'many', '/oauth2/start?rd=%2Fx', WITH_SESSION),
    one('open-alice', 'GET /open', { as: 'alice' }),
    one('open-constraint', 'GET /open?allowed_emails=bob@example.com', { as: 'alice' }),
    one('smuggle-open', 'GET /open', {
      headers: [
        ['X-Auth-Request-User', 'root'],
        ['X-Forwarded-Groups', 'root'],
      ],
    }),
    one('smuggle-auth', 'GET /oauth2/auth', { as: 'alice', headers: [['X-Auth-Request-User', 'root']] }),
  ],
};

export const COMBINED: readonly Configuration[] = [
  alphaForms,
  frontForms,
  acceptForms,
  skipForms,
  whitelistForms,
  ...headerSets,
  ...cookieForms,
  htpasswdForms,
  backendGone,
  paths,
  callbacks,
  restricted,
];
