/**
 * Settings that a program starts with or refuses, one doubtful thing each: files, addresses and providers, which
 * only a start shows. Spellings of values are compared in test/suites/oauth2-proxy-options.
 */
export interface Start {
  readonly id: string;
  /** As in a configuration. */
  readonly env: Readonly<Record<string, string | null>>;
  readonly args?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
}

const start = (id: string, env: Start['env'], more: Pick<Start, 'args' | 'files'> = {}): Start => ({
  id,
  env,
  ...more,
});

export const STARTS: readonly Start[] = [
  start('secret-missing', { COOKIE_SECRET: null }),
  start('secret-short', { COOKIE_SECRET: 'short' }),
  start('secret-base64-plus', { COOKIE_SECRET: '+/EyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=' }),
  start(
    'secret-file',
    { COOKIE_SECRET: null, COOKIE_SECRET_FILE: '{dir}/secret' },
    { files: { secret: '0123456789abcdef0123456789abcdef' } },
  ),
  start(
    'secret-file-newline',
    { COOKIE_SECRET: null, COOKIE_SECRET_FILE: '{dir}/secret' },
    { files: { secret: '0123456789abcdef0123456789abcdef\n' } },
  ),
  start('secret-file-missing', { COOKIE_SECRET: null, COOKIE_SECRET_FILE: '{dir}/secret' }),
  start('client-secret-file-missing', { CLIENT_SECRET: null, CLIENT_SECRET_FILE: '{dir}/secret' }),
  start('nobody-allowed', { EMAIL_DOMAINS: null }),
  start('email-domain-at', { EMAIL_DOMAINS: '@example.com' }),
  start('emails-file-missing', { EMAIL_DOMAINS: null, AUTHENTICATED_EMAILS_FILE: '{dir}/none' }),
  start('htpasswd-missing', { HTPASSWD_FILE: '{dir}/none' }),
  start('htpasswd-plain', { HTPASSWD_FILE: '{dir}/htpasswd' }, { files: { htpasswd: 'a:plain\n' } }),
  start(
    'htpasswd-md5',
    { HTPASSWD_FILE: '{dir}/htpasswd' },
    { files: { htpasswd: 'a:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00\n' } },
  ),
  start(
    'htpasswd-argon2',
    { HTPASSWD_FILE: '{dir}/htpasswd' },
    { files: { htpasswd: 'a:$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA\n' } },
  ),
  start('htpasswd-empty', { HTPASSWD_FILE: '{dir}/htpasswd' }, { files: { htpasswd: '' } }),
  start('issuer-missing', { OIDC_ISSUER_URL: null }),
  start('issuer-unreachable', { OIDC_ISSUER_URL: 'http://127.0.0.1:1' }),
  start('issuer-other', { OIDC_ISSUER_URL: '{issuer}/' }),
  start('discovery-off', { SKIP_OIDC_DISCOVERY: 'true' }),
  start('discovery-off-complete', {
    SKIP_OIDC_DISCOVERY: 'true',
    LOGIN_URL: '{issuer}/authorize',
    REDEEM_URL: '{issuer}/token',
    OIDC_JWKS_URL: '{issuer}/keys',
  }),
  start('variable-unknown', { COOKIE_NAMES: 'x' }),
  start('variable-singular', { EMAIL_DOMAIN: '*' }),
  start('file-missing', {}, { args: ['--config={dir}/none.cfg'] }),
  start('cookie-host-domain', { COOKIE_NAME: '__Host-x', COOKIE_DOMAINS: 'example.com' }),
  start('challenge-unknown', { CODE_CHALLENGE_METHOD: 'S512' }),
  start('https-without-certificate', { FORCE_HTTPS: 'true' }),
  start('certificate-missing', {
    HTTPS_ADDRESS: '127.0.0.1:{port}',
    TLS_CERT_FILE: '{dir}/none',
    TLS_KEY_FILE: '{dir}/none',
  }),
  start('upstream-static-word', { UPSTREAMS: 'static://ok' }),
  start('upstream-folder-missing', { UPSTREAMS: 'file://{dir}/none#/' }),
  start('route-equals', { SKIP_AUTH_ROUTES: '^/a=b$' }),
  start('redis-without-url', { SESSION_STORE_TYPE: 'redis' }),
  start('redis-unreachable', { SESSION_STORE_TYPE: 'redis', REDIS_CONNECTION_URL: 'redis://127.0.0.1:1' }),
  start('store-unknown', { SESSION_STORE_TYPE: 'memory' }),
  start('bearer-issuer-unreachable', { SKIP_JWT_BEARER_TOKENS: 'true', EXTRA_JWT_ISSUERS: 'http://127.0.0.1:1=x' }),
  start('bearer-issuer-ignored', { EXTRA_JWT_ISSUERS: '{issuer}' }),
  start('whitelist-path', { WHITELIST_DOMAINS: 'path.test/path' }),
  start('whitelist-scheme', { WHITELIST_DOMAINS: 'https://scheme.test' }),
  start('whitelist-star', { WHITELIST_DOMAINS: '*' }),
  start('prefix-no-slash', { PROXY_PREFIX: 'door' }),
  start('address-broken', { HTTP_ADDRESS: 'nonsense' }),
  start('google-health-checks', { GCP_HEALTHCHECKS: 'true' }),
  start('alpha-missing', {}, { args: ['--alpha-config={dir}/none.yaml'] }),
  start('templates-missing', { CUSTOM_TEMPLATES_DIR: '{dir}/none' }),
  start('log-format-open', { AUTH_LOGGING_FORMAT: '{{.Client' }),
  start('ca-file-missing', { PROVIDER_CA_FILES: '{dir}/none.pem' }),
];
