/** Applications of every kind behind, paths of the program's own elsewhere, settings from a file and from flags. */
import { flow, login, one } from '../configuration.ts';
import type { Configuration } from '../configuration.ts';

const WEBSOCKET = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  ['Sec-WebSocket-Version', '13'],
] as const;

export const upstreams: Configuration = {
  name: 'upstreams',
  env: {
    UPSTREAMS: '{app}/,{app}/sub/,{app}/exact,file://{dir}/files#/files/,http://127.0.0.1:1/gone/',
    SKIP_AUTH_ROUTES: '^/open',
  },
  files: { 'files/page.txt': 'a file\n', 'files/sub/index.html': '<p>index</p>', 'files/.hidden': 'hidden\n' },
  cases: [
    one('root', 'GET /', { as: 'alice' }),
    one('root-deep', 'GET /a/b?x=1', { as: 'alice' }),
    one('sub', 'GET /sub/x', { as: 'alice' }),
    one('sub-no-slash', 'GET /sub', { as: 'alice' }),
    one('exact', 'GET /exact', { as: 'alice' }),
    one('exact-deeper', 'GET /exact/x', { as: 'alice' }),
    one('file', 'GET /files/page.txt', { as: 'alice' }),
    one('file-head', 'HEAD /files/page.txt', { as: 'alice' }),
    one('file-post', 'POST /files/page.txt', { as: 'alice', body: 'x' }),
    one('file-range', 'GET /files/page.txt', { as: 'alice', headers: [['Range', 'bytes=2-3']] }),
    one('file-missing', 'GET /files/none.txt', { as: 'alice' }),
    one('file-hidden', 'GET /files/.hidden', { as: 'alice' }),
    one('file-dots', 'GET /files/%2e%2e/page.txt', { as: 'alice' }),
    one('file-encoded-dots', 'GET /files/..%2f..%2fetc%2fpasswd', { as: 'alice' }),
    one('file-folder', 'GET /files/sub/', { as: 'alice' }),
    one('file-folder-no-slash', 'GET /files/sub', { as: 'alice' }),
    one('file-list', 'GET /files/', { as: 'alice' }),
    one('file-stranger', 'GET /files/page.txt'),
    one('gone', 'GET /gone/', { as: 'alice' }),
    one('gone-json', 'GET /gone/', { as: 'alice', headers: [['Accept', 'application/json']] }),
    one('websocket', 'GET /ws', { as: 'alice', headers: WEBSOCKET, afterUpgrade: 'hello' }),
    one('websocket-stranger', 'GET /ws', { headers: WEBSOCKET, afterUpgrade: 'hello' }),
    one('websocket-open', 'GET /open/ws', { headers: WEBSOCKET, afterUpgrade: 'hello' }),
    one('websocket-lower', 'GET /ws', {
      as: 'alice',
      headers: [['Connection', 'keep-alive, upgrade'], ['Upgrade', 'WebSocket'], ...WEBSOCKET.slice(2)],
      afterUpgrade: 'hello',
    }),
    one('connect', 'CONNECT app.example.com:443', { as: 'alice' }),
  ],
};

export const staticOnly: Configuration = {
  name: 'static-202',
  env: { UPSTREAMS: 'static://202', SET_XAUTHREQUEST: 'true', REVERSE_PROXY: 'true', SKIP_PROVIDER_BUTTON: 'true' },
  cases: [
    one('stranger', 'GET /', {
      headers: [
        ['X-Forwarded-Uri', '/deep?a=1&b=2'],
        ['X-Forwarded-Host', 'app.example.com'],
        ['X-Forwarded-Proto', 'https'],
      ],
    }),
    one('alice', 'GET /', { as: 'alice' }),
    one('alice-deep', 'GET /x/y', { as: 'alice' }),
    one('alice-post', 'POST /x', { as: 'alice', body: 'x' }),
    one('alice-denied', 'GET /?allowed_groups=/ops', { as: 'alice' }),
    one('json', 'GET /', { headers: [['Accept', 'application/json']] }),
    one('bob', 'GET /', { as: 'bob' }),
  ],
};

export const unixUpstream: Configuration = {
  name: 'unix-upstream',
  env: { UPSTREAMS: 'unix://{socket}' },
  cases: [
    one('root', 'GET /', { as: 'alice' }),
    one('deep', 'GET /a/b?x=1', { as: 'alice' }),
    one('host-off', 'GET /', { as: 'alice', host: 'other.example.com' }),
    one('websocket', 'GET /ws', { as: 'alice', headers: WEBSOCKET, afterUpgrade: 'hello' }),
    one('stranger', 'GET /'),
  ],
};

export const noUpstream: Configuration = {
  name: 'no-upstream',
  env: { UPSTREAMS: null, SET_XAUTHREQUEST: 'true' },
  cases: [
    one('root', 'GET /'),
    one('root-alice', 'GET /', { as: 'alice' }),
    one('auth', 'GET /oauth2/auth', { as: 'alice' }),
    login('login', 'alice', '/oauth2/start?rd=%2Fx', ['GET /x']),
  ],
};

export const prefix: Configuration = {
  name: 'prefix',
  env: {
    PROXY_PREFIX: '/door',
    PING_PATH: '/health/live',
    READY_PATH: '/health/ready',
    PING_USER_AGENT: 'probe/1.0',
    CODE_CHALLENGE_METHOD: 'S256',
    ENCODE_STATE: 'true',
    INSECURE_OIDC_SKIP_NONCE: 'false',
    REDIRECT_URL: 'https://auth.example.com/door/callback',
    PROMPT: 'login',
    ACR_VALUES: 'gold silver',
    AUTH_REQUEST_RESPONSE_MODE: 'form_post',
    PROVIDER_DISPLAY_NAME: 'The <House>',
  },
  cases: [
    one('auth', 'GET /door/auth'),
    one('auth-alice', 'GET /door/auth', { as: 'alice' }),
    one('old-auth', 'GET /oauth2/auth', { as: 'alice' }),
    one('sign-in', 'GET /door/sign_in?rd=%2Fx'),
    one('sign-in-rd-prefix', 'GET /door/sign_in?rd=%2Fdoor%2Fsign_out'),
    one('start', 'GET /door/start?rd=%2Fx'),
    one('ping', 'GET /health/live'),
    one('ping-agent', 'GET /health/live', { headers: [['User-Agent', 'probe/1.0']] }),
    one('agent-alone', 'GET /x', { headers: [['User-Agent', 'probe/1.0']] }),
    one('agent-auth', 'GET /door/auth', { headers: [['User-Agent', 'probe/1.0']] }),
    one('agent-google', 'GET /door/auth', { headers: [['User-Agent', 'GoogleHC/1.0']] }),
    one('ping-old', 'GET /ping'),
    one('ready', 'GET /health/ready'),
    one('ready-agent', 'GET /health/ready', { headers: [['User-Agent', 'probe/1.0']] }),
    one('sign-out', 'GET /door/sign_out', { as: 'alice' }),
    one('userinfo', 'GET /door/userinfo', { as: 'alice' }),
    login('login', 'alice', '/door/start?rd=%2Fdeep%3Fa%3D1%26b%3D2', ['GET /door/auth']),
    login('login-absolute', 'alice', '/door/start?rd=https%3A%2F%2Fevil.test', ['GET /door/auth']),
    flow('callback-get', async (side) => {
      await side.ask('GET /door/callback?code=x&state=bm9uZTovCg', {}, 'callback');
    }),
  ],
};

/** The file is read, the environment goes before it, a flag before both. */
export const toml: Configuration = {
  name: 'toml',
  env: { OIDC_ISSUER_URL: null, EMAIL_DOMAINS: null, UPSTREAMS: null, COOKIE_NAME: '_from_env' },
  args: [
    '--config',
    '{dir}/oauth2-proxy.cfg',
    '--ping-path=/from-flag',
    '--skip-auth-route=GET=^/flag',
    '--skip-auth-route=^/again',
    '--set-xauthrequest',
  ],
  files: {
    'oauth2-proxy.cfg': `# as shipped
oidc_issuer_url = "{issuer}"
email_domains = [ "example.com", "other.test" ]
upstreams = [
  "{app}",
]
cookie_name = "_from_file"
ping_path = "/from-file"
skip_provider_button = true
cookie_expire = "2h"
pass_host_header = false
whitelist_domains = ".example.com"
`,
  },
  cases: [
    one('ping-flag', 'GET /from-flag'),
    one('ping-file', 'GET /from-file'),
    one('ping-default', 'GET /ping'),
    one('skip', 'GET /flag'),
    one('skip-again', 'GET /again'),
    one('start', 'GET /oauth2/start'),
    one('sign-in', 'GET /oauth2/sign_in'),
    one('auth', 'GET /oauth2/auth', { as: 'alice' }),
    one('app', 'GET /x', { as: 'alice' }),
    login('login', 'alice', '/oauth2/start?rd=https%3A%2F%2Fwiki.example.com%2F'),
    login('login-other', 'bob', '/oauth2/start?rd=%2F'),
  ],
};

/** With a certificate, only HTTPS is served; who came by HTTP to the front is sent back. */
export const https: Configuration = {
  name: 'https',
  tls: true,
  env: {
    HTTP_ADDRESS: '127.0.0.1:0',
    HTTPS_ADDRESS: '127.0.0.1:{port}',
    TLS_CERT_FILE: '{dir}/cert.pem',
    TLS_KEY_FILE: '{dir}/key.pem',
    FORCE_HTTPS: 'true',
    REVERSE_PROXY: 'true',
    COOKIE_SECURE: 'false',
  },
  cases: [
    one('auth', 'GET /oauth2/auth'),
    one('auth-alice', 'GET /oauth2/auth', { as: 'alice' }),
    one('start', 'GET /oauth2/start'),
    one('forwarded-http', 'GET /deep?a=1', { headers: [['X-Forwarded-Proto', 'http']] }),
    one('forwarded-http-host', 'GET /deep', {
      headers: [
        ['X-Forwarded-Proto', 'http'],
        ['X-Forwarded-Host', 'wiki.example.com'],
      ],
    }),
    one('forwarded-http-port', 'GET /deep', { host: 'app.example.com:8080', headers: [['X-Forwarded-Proto', 'http']] }),
    one('forwarded-http-post', 'POST /deep', { body: 'x', headers: [['X-Forwarded-Proto', 'http']] }),
    one('forwarded-https', 'GET /deep', { headers: [['X-Forwarded-Proto', 'https']] }),
    one('forwarded-upper', 'GET /deep', { headers: [['X-Forwarded-Proto', 'HTTPS']] }),
    one('ping', 'GET /ping'),
    one('ping-forwarded-http', 'GET /ping', { headers: [['X-Forwarded-Proto', 'http']] }),
    one('auth-forwarded-http', 'GET /oauth2/auth', { headers: [['X-Forwarded-Proto', 'http']] }),
    one('app-alice', 'GET /x', { as: 'alice' }),
    login('login', 'alice', '/oauth2/start?rd=%2Fx', ['GET /oauth2/auth']),
  ],
};

export const metrics: Configuration = {
  name: 'metrics',
  env: {
    METRICS_ADDRESS: '127.0.0.1:{metrics}',
    REQUEST_ID_HEADER: 'X-Trace',
  },
  cases: [
    flow('families', async (side) => {
      await side.ask('GET /oauth2/auth');
      const { body, status } = await side.ask('GET /metrics', { port: side.metricsPort ?? 0 });
      const families = new Set(
        [...body.matchAll(/^(oauth2_proxy_\w+)\{([^}]*)\}/gm)].map(([, name, labels = '']) => {
          return `${name} by ${[...labels.matchAll(/(\w+)=/g)]
            .map(([, label]) => label)
            .filter((label) => label !== 'le')
            .join(', ')}`;
        }),
      );
      side.noteFact('families', `${status}: ${[...families].sort().join('; ')}`);
    }),
    flow('other-paths', async (side) => {
      for (const path of ['/', '/oauth2/auth', '/ping', '/debug/pprof/'])
        side.noteFact(path, String((await side.ask(`GET ${path}`, { port: side.metricsPort ?? 0 })).status));
    }),
    one('request-id', 'GET /x', {
      as: 'alice',
      headers: [
        ['X-Trace', 'abc'],
        ['X-Request-Id', 'def'],
      ],
    }),
    one('start', 'GET /oauth2/start'),
  ],
};

export const googleHealth: Configuration = {
  name: 'google-health',
  env: { GCP_HEALTHCHECKS: 'true' },
  cases: [
    one('liveness', 'GET /liveness_check'),
    one('readiness', 'GET /readiness_check'),
    one('agent', 'GET /', { headers: [['User-Agent', 'GoogleHC/1.0']] }),
    one('agent-deep', 'GET /x', { headers: [['User-Agent', 'GoogleHC/1.0']] }),
    one('agent-auth', 'GET /oauth2/auth', { headers: [['User-Agent', 'GoogleHC/1.0']] }),
    one('agent-alice', 'GET /x', { as: 'alice', headers: [['User-Agent', 'GoogleHC/1.0']] }),
    one('liveness-agent', 'GET /liveness_check', { headers: [['User-Agent', 'GoogleHC/1.0']] }),
    one('ping', 'GET /ping'),
    one('ping-agent', 'GET /ping', { headers: [['User-Agent', 'GoogleHC/1.0']] }),
  ],
};

/** The provider is told a path alone. */
export const relativeRedirect: Configuration = {
  name: 'relative-redirect',
  env: { RELATIVE_REDIRECT_URL: 'true' },
  cases: [one('start', 'GET /oauth2/start?rd=%2Fx'), one('sign-in', 'GET /oauth2/sign_in?rd=%2Fx')],
};

export const slowUpstream: Configuration = {
  name: 'slow-upstream',
  env: { UPSTREAM_TIMEOUT: '1s' },
  cases: [one('slow', 'GET /slow', { as: 'alice' }), one('fast', 'GET /x', { as: 'alice' })],
};
