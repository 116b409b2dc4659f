/** Options about listening, front proxies, rules and what needs no sign-in. */
import { toOptions } from './option.ts';
import type { Option } from './option.ts';

const SERVER: readonly Option[] = toOptions('server', [
  {
    flag: 'http-address',
    default: '127.0.0.1:4180',
    help: 'where to listen: ADDRESS:PORT, unix:///PATH or fd:NUMBER',
    note: 'Not used where a certificate is given: then only `https-address` listens, as in the original.',
  },
  { flag: 'https-address', default: ':443', help: 'where to listen with TLS; needs a certificate' },
  { flag: 'tls-cert-file', help: 'certificate chain, PEM; read again when it changes' },
  { flag: 'tls-key-file', help: 'its private key, PEM; read again when it changes' },
  { flag: 'tls-min-version', help: 'TLS1.2 or TLS1.3', note: 'TLS 1.2 where not given; older ones are not spoken.' },
  {
    flag: 'tls-cipher-suite',
    key: 'tls_cipher_suites',
    type: 'list',
    help: 'the only cipher suites for TLS 1.2, by their IANA names',
    note: 'Suites that Node does not speak, such as RC4 and 3DES, are refused.',
  },
  { flag: 'force-https', type: 'bool', help: 'send visitors of plain HTTP to HTTPS' },
  { flag: 'proxy-prefix', default: '/oauth2', help: 'the path that sign-in pages and endpoints are below' },
  { flag: 'ping-path', default: '/ping', help: 'answers 200 while the process runs' },
  {
    flag: 'ping-user-agent',
    help: 'answer the ping path only to this User-Agent',
    note: 'Path and User-Agent must both match.',
  },
  { flag: 'ready-path', default: '/ready', help: 'answers 200 while sessions and provider are there too' },
  {
    flag: 'gcp-healthchecks',
    type: 'bool',
    help: 'health checks of Google load balancers by their User-Agent',
    note: 'At `/liveness_check`, `/readiness_check` and the ping path, which then answer nobody else, as in the original. Deprecated there: point the health check at the ping path instead.',
  },
]);

const PROXIES: readonly Option[] = toOptions('proxies', [
  {
    flag: 'reverse-proxy',
    type: 'bool',
    help: 'a proxy stands in front: its X-Forwarded-Proto, -Host and -Uri count',
  },
  {
    flag: 'trusted-proxy-ip',
    key: 'trusted_proxy_ips',
    type: 'list',
    help: 'addresses and networks of those proxies',
    note: 'Where not given, loopback and private addresses are trusted, not everybody.',
  },
  {
    flag: 'real-client-ip-header',
    default: 'X-Real-IP',
    help: 'X-Forwarded-For, X-Real-IP, X-ProxyUser-IP, X-Envoy-External-Address or CF-Connecting-IP',
    note: 'Counts from trusted proxies only; of X-Forwarded-For the nearest address that no trusted proxy has.',
  },
  { flag: 'request-id-header', default: 'X-Request-Id', help: 'header that brings the id of a request' },
  {
    flag: 'redirect-url',
    help: 'where the provider sends people back to, such as https://app.example.com/oauth2/callback',
  },
  { flag: 'relative-redirect-url', type: 'bool', help: 'name the callback without scheme and host' },
  {
    flag: 'whitelist-domain',
    key: 'whitelist_domains',
    type: 'list',
    help: 'hosts that people may be sent to after signing in or out: host, .host or *.host, each with :PORT or :*',
  },
  { flag: 'encode-state', type: 'bool', help: 'send the state parameter as base64' },
  { flag: 'allow-query-semicolons', type: 'bool', help: 'take ";" in a query for a separator' },
  {
    flag: 'signature-key',
    isSecret: true,
    help: 'sign requests to the application with GAP-Signature',
    refused:
      'take it out: the original deprecates it. Let only Postern reach the application, or use the gateway and its signed Postern-Assertion',
  },
]);

const PEOPLE: readonly Option[] = toOptions('people', [
  {
    flag: 'email-domain',
    key: 'email_domains',
    type: 'list',
    help: 'domain of those who may enter, .DOMAIN for its subdomains, or * for everybody',
    isRestriction: true,
  },
  {
    flag: 'authenticated-emails-file',
    help: 'file of e-mail addresses that may enter, one a line; read again when it changes',
    isRestriction: true,
  },
  {
    flag: 'allowed-group',
    key: 'allowed_groups',
    type: 'list',
    help: 'groups of which one is needed',
    isRestriction: true,
  },
  {
    flag: 'allowed-role',
    key: 'allowed_roles',
    type: 'list',
    help: 'roles of which one is needed',
    providers: ['keycloak-oidc'],
    isRestriction: true,
  },
  {
    flag: 'htpasswd-file',
    help: 'names and passwords, bcrypt ("htpasswd -B"); read again when it changes',
    note: '`{SHA}` is taken too, as in the original, though whoever gets the file guesses such passwords quickly.',
  },
  {
    flag: 'htpasswd-user-group',
    key: 'htpasswd_user_groups',
    type: 'list',
    help: 'groups of everybody in that file',
  },
  { flag: 'display-htpasswd-form', type: 'bool', default: true, help: 'show a form for name and password' },
]);

const SKIP: readonly Option[] = toOptions('skip', [
  {
    flag: 'skip-auth-route',
    key: 'skip_auth_routes',
    type: 'list',
    help: 'METHOD=REGEX, METHOD!=REGEX, REGEX or !=REGEX on the path: no sign-in needed',
    note: 'Matched on the one path that the application sees; ambiguous paths need a sign-in.',
  },
  {
    flag: 'skip-auth-regex',
    key: 'skip_auth_regex',
    type: 'list',
    help: 'older form of skip-auth-route, for all methods',
  },
  {
    flag: 'trusted-ip',
    key: 'trusted_ips',
    type: 'list',
    help: 'addresses and networks that need no sign-in',
    note: 'Behind a proxy only what a trusted proxy says counts.',
  },
  { flag: 'skip-auth-preflight', type: 'bool', help: 'let OPTIONS through' },
  {
    flag: 'api-route',
    key: 'api_routes',
    type: 'list',
    help: 'REGEX on path and query: answered 401 instead of a page',
  },
  { flag: 'skip-provider-button', type: 'bool', help: 'go to the provider at once, without the sign-in page' },
  { flag: 'force-json-errors', type: 'bool', help: 'JSON instead of pages and redirects' },
  {
    flag: 'skip-jwt-bearer-tokens',
    type: 'bool',
    help: 'take a JWT of the provider in Authorization for a sign-in',
  },
  {
    flag: 'bearer-token-login-fallback',
    type: 'bool',
    default: true,
    help: 'go on to sign-in where such a token does not hold; false: 403',
  },
  {
    flag: 'extra-jwt-issuers',
    key: 'extra_jwt_issuers',
    type: 'list',
    help: 'ISSUER=AUDIENCE of more whose tokens count',
  },
]);

export const FRONT_OPTIONS: readonly Option[] = [...SERVER, ...PROXIES, ...PEOPLE, ...SKIP];
