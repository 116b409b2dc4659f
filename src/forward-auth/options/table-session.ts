/** Options about cookies, sessions, headers, the application, pages and logs. */
import { toOptions } from './option.ts';
import type { Option } from './option.ts';

const HOUR_MS = 3_600_000;
const COLLECTOR = 'there is one stream of lines, and whoever collects it sorts by level';

const COOKIE: readonly Option[] = toOptions('cookie', [
  { flag: 'cookie-name', default: '_oauth2_proxy', help: 'name of the session cookie' },
  { flag: 'cookie-secret', isSecret: true, help: '16, 24 or 32 bytes, raw or as URL-safe base64' },
  { flag: 'cookie-secret-file', help: 'a file with it; read again when it changes' },
  {
    flag: 'cookie-domain',
    key: 'cookie_domains',
    type: 'list',
    help: 'domains of the cookie; the longest that the host is in counts',
    note: 'A whole domain matches, not any end of the name: "evilexample.com" is not in "example.com".',
  },
  { flag: 'cookie-path', default: '/', help: 'path of the cookie' },
  { flag: 'cookie-expire', type: 'duration', default: 168 * HOUR_MS, help: 'lifetime of a session; 0: of the browser' },
  { flag: 'cookie-refresh', type: 'duration', help: 'ask the provider anew after this time; 0: never' },
  { flag: 'cookie-secure', type: 'bool', default: true, help: 'cookies for HTTPS alone' },
  { flag: 'cookie-httponly', type: 'bool', default: true, help: 'cookies that scripts cannot read' },
  { flag: 'cookie-samesite', help: 'lax, strict, none or nothing' },
  { flag: 'cookie-csrf-per-request', type: 'bool', help: 'a cookie for each sign-in that was begun' },
  { flag: 'cookie-csrf-per-request-limit', type: 'int', help: 'how many of them; 0: no limit' },
  { flag: 'cookie-csrf-expire', type: 'duration', default: HOUR_MS / 4, help: 'time that a sign-in may take' },
  { flag: 'cookie-csrf-samesite', help: 'SameSite of these; as cookie-samesite where not given' },
]);

const SESSION: readonly Option[] = toOptions('session', [
  {
    flag: 'session-store-type',
    default: 'cookie',
    help: 'cookie or redis',
    note: '`cookie` keeps sessions in `--data`, with a small cookie; `--session-mode stateless` seals them into the cookie.',
  },
  {
    flag: 'session-cookie-minimal',
    type: 'bool',
    help: 'leave the tokens out of the cookie',
    note: 'With `--session-mode stateless`; kept on the server, tokens are in no cookie anyway.',
  },
  { flag: 'redis-connection-url', isSecret: true, help: 'redis:// or rediss:// address' },
  { flag: 'redis-username', help: 'user, instead of the one in the address' },
  { flag: 'redis-password', isSecret: true, help: 'password, instead of the one in the address' },
  { flag: 'redis-use-sentinel', type: 'bool', help: 'find the server through sentinels' },
  { flag: 'redis-sentinel-password', isSecret: true, help: 'password of the sentinels' },
  { flag: 'redis-sentinel-master-name', help: 'name of the server at the sentinels' },
  {
    flag: 'redis-sentinel-connection-urls',
    type: 'list',
    isSecret: true,
    help: 'addresses of the sentinels',
  },
  { flag: 'redis-use-cluster', type: 'bool', help: 'the server is a cluster' },
  { flag: 'redis-cluster-connection-urls', type: 'list', isSecret: true, help: 'addresses of its nodes' },
  { flag: 'redis-ca-path', help: 'certificate authority of the server, PEM' },
  { flag: 'redis-insecure-skip-tls-verify', type: 'bool', help: 'do not check the certificate of the server' },
  {
    flag: 'redis-connection-idle-timeout',
    type: 'int',
    help: 'seconds after which an idle connection is closed',
    withoutEffect: 'one connection is kept, and made anew where Redis closes it',
  },
]);

const HEADERS: readonly Option[] = toOptions('headers', [
  {
    flag: 'set-xauthrequest',
    type: 'bool',
    help: 'X-Auth-Request-User, -Email, -Groups and -Preferred-Username in the answer',
  },
  {
    flag: 'set-authorization-header',
    type: 'bool',
    help: '"Authorization: Bearer" with the id token in the answer',
  },
  { flag: 'set-basic-auth', type: 'bool', help: '"Authorization: Basic" in the answer' },
  {
    flag: 'pass-user-headers',
    type: 'bool',
    default: true,
    help: 'X-Forwarded-User, -Email, -Groups and -Preferred-Username for the application',
    note: 'To leave them out, `pass-basic-auth` must be off too, as in the original.',
  },
  {
    flag: 'pass-basic-auth',
    type: 'bool',
    default: true,
    help: '"Authorization: Basic" for the application, where basic-auth-password is given, and the same headers',
  },
  { flag: 'basic-auth-password', isSecret: true, help: 'password in it' },
  {
    flag: 'pass-access-token',
    type: 'bool',
    help: 'X-Forwarded-Access-Token; with set-xauthrequest X-Auth-Request-Access-Token too',
  },
  {
    flag: 'pass-authorization-header',
    type: 'bool',
    help: '"Authorization: Bearer" with the id token for the application',
  },
  {
    flag: 'prefer-email-to-user',
    type: 'bool',
    help: 'the e-mail address where the user name would be',
    note: 'X-Auth-Request-User stays the user, as in the original.',
  },
  {
    flag: 'skip-auth-strip-headers',
    type: 'bool',
    default: true,
    help: 'take these headers out of what visitors send',
    note: 'In every spelling ("_" and "." for "-"), and on requests that need no sign-in as well.',
  },
]);

const UPSTREAM: readonly Option[] = toOptions('upstream', [
  {
    flag: 'upstream',
    key: 'upstreams',
    type: 'list',
    help: 'http://, https://, unix://, file:///FOLDER#/PATH or static://STATUS; its path says what it serves',
  },
  { flag: 'pass-host-header', type: 'bool', default: true, help: 'send the Host that the visitor asked for' },
  {
    flag: 'proxy-websockets',
    type: 'bool',
    default: true,
    help: 'let WebSockets through',
    note: 'false refuses them: in the original it has no effect.',
  },
  { flag: 'upstream-timeout', type: 'duration', default: 30_000, help: 'how long an answer may take to begin' },
  {
    flag: 'flush-interval',
    type: 'duration',
    default: 1000,
    help: 'how long an answer may be held back',
    withoutEffect: 'answers are passed on as they come',
  },
  { flag: 'disable-keep-alives', type: 'bool', help: 'a connection for each request' },
  {
    flag: 'ssl-upstream-insecure-skip-verify',
    type: 'bool',
    help: 'do not check certificates of applications',
  },
]);

const PAGES: readonly Option[] = toOptions('pages', [
  { flag: 'custom-templates-dir', help: 'folder with sign_in.html and error.html' },
  { flag: 'custom-sign-in-logo', help: 'file or URL of a picture on the sign-in page, "-" for none' },
  { flag: 'banner', help: 'text on the sign-in page, "-" for none' },
  { flag: 'footer', help: 'text at its end, "-" for none' },
  { flag: 'show-debug-on-error', type: 'bool', help: 'details on error pages; not for production' },
]);

const LOGGING: readonly Option[] = toOptions('logging', [
  { flag: 'auth-logging', type: 'bool', default: true, help: 'lines about sign-ins' },
  { flag: 'auth-logging-format', help: 'template of these lines; without one they are JSON' },
  { flag: 'request-logging', type: 'bool', default: true, help: 'lines about requests' },
  { flag: 'request-logging-format', help: 'template of these lines; without one they are JSON' },
  { flag: 'standard-logging', type: 'bool', default: true, help: 'lines about the process' },
  { flag: 'standard-logging-format', help: 'template of these lines; without one they are JSON' },
  { flag: 'errors-to-info-log', type: 'bool', help: 'errors on standard output', withoutEffect: COLLECTOR },
  {
    flag: 'exclude-logging-path',
    key: 'exclude_logging_paths',
    type: 'list',
    help: 'paths whose requests leave no line',
  },
  {
    flag: 'logging-local-time',
    type: 'bool',
    default: true,
    help: 'local time in lines of templates; UTC without',
    note: 'JSON lines are in UTC always.',
  },
  { flag: 'silence-ping-logging', type: 'bool', help: 'no lines about ping and ready' },
  { flag: 'logging-filename', help: 'file for lines instead of standard output' },
  { flag: 'logging-max-size', type: 'int', default: 100, help: 'megabytes after which a new file is begun' },
  { flag: 'logging-max-age', type: 'int', default: 7, help: 'days that old files are kept' },
  { flag: 'logging-max-backups', type: 'int', help: 'how many old files are kept; 0: all' },
  {
    flag: 'logging-compress',
    type: 'bool',
    help: 'gzip old files',
    withoutEffect: 'old files stay as they are; logrotate can compress them',
  },
  { flag: 'metrics-address', help: 'where /metrics answers' },
  { flag: 'metrics-secure-address', help: 'where /metrics answers with TLS' },
  { flag: 'metrics-tls-cert-file', help: 'certificate for it, PEM' },
  { flag: 'metrics-tls-key-file', help: 'its private key, PEM' },
]);

export const SESSION_OPTIONS: readonly Option[] = [
  ...COOKIE,
  ...SESSION,
  ...HEADERS,
  ...UPSTREAM,
  ...PAGES,
  ...LOGGING,
];
