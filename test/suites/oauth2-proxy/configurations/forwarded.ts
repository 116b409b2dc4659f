/** Each forwarded field by itself and all together, where they count and where they do not; and who a client is. */
import { one } from '../configuration.ts';
import type { Configuration } from '../configuration.ts';
import type { Field } from '../raw-client.ts';

const BROWSER: Field = ['Accept', 'text/html'];
const FIELDS: readonly Field[] = [
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Host', 'wiki.example.com'],
  ['X-Forwarded-Uri', '/u?a=1'],
  ['X-Forwarded-For', '203.0.113.1'],
  ['X-Forwarded-Port', '8443'],
  ['X-Forwarded-Prefix', '/p'],
  ['X-Forwarded-Server', 's'],
  ['X-Forwarded-Ssl', 'on'],
  ['X-Real-IP', '203.0.113.1'],
  ['X-Rewrite-URL', '/rw'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['Forwarded', 'for=198.51.100.1;host=evil.test;proto=http'],
];
const ORIGINAL: readonly Field[] = [
  ['X-Original-URL', '/orig'],
  ['X-Original-URI', '/orig'],
  ['X-Original-Method', 'DELETE'],
];

const forwarded = (name: string, env: Configuration['env']): Configuration => ({
  name,
  env: { ...env, WHITELIST_DOMAINS: '.example.com', SKIP_AUTH_ROUTES: '^/open' },
  cases: [
    ...['auth', 'sign_in', 'start', 'userinfo', 'sign_out'].flatMap((endpoint) => [
      one(`all-${endpoint}`, `GET /oauth2/${endpoint}`, { headers: [BROWSER, ...FIELDS] }),
      one(`all-${endpoint}-alice`, `GET /oauth2/${endpoint}`, { headers: [BROWSER, ...FIELDS], as: 'alice' }),
    ]),
    ...[...FIELDS, ...ORIGINAL].flatMap((field) => [
      one(`${field[0]}-start`, 'GET /oauth2/start', { headers: [field] }),
      one(`${field[0]}-sign-in`, 'GET /oauth2/sign_in', { headers: [BROWSER, field] }),
      one(`${field[0]}-app`, 'GET /own', { headers: [BROWSER, field] }),
      one(`${field[0]}-app-alice`, 'GET /own', { headers: [BROWSER, field], as: 'alice' }),
    ]),
    one('all-open', 'GET /open', { headers: FIELDS }),
    one('all-app-alice', 'GET /own', { headers: FIELDS, as: 'alice' }),
  ],
});

const NAMES = ['X-Real-IP', 'X-Forwarded-For', 'X-ProxyUser-IP', 'X-Envoy-External-Address', 'CF-Connecting-IP'];
const ADDRESSES = [
  '192.0.2.7',
  ' 192.0.2.7 ',
  '192.0.2.7:80',
  '[2001:db8::1]',
  '[2001:db8::1]:80',
  '2001:db8::1',
  '198.51.100.1',
  '192.0.2',
  '192.0.2.007',
  'x',
];

/** The field that is named counts, no other. */
const clientIp = (header: string | null): Configuration => ({
  name: `client-ip-${header?.toLowerCase() ?? 'unsaid'}`,
  env: {
    REVERSE_PROXY: 'true',
    TRUSTED_PROXY_IPS: '127.0.0.1',
    TRUSTED_IPS: '192.0.2.0/24,2001:db8::1',
    ...(header === null ? {} : { REAL_CLIENT_IP_HEADER: header }),
  },
  cases: NAMES.flatMap((name) =>
    ADDRESSES.map((address) => one(`${name}-${address}`, 'GET /oauth2/auth', { headers: [[name, address]] })),
  ),
});

export const forwardedFields: readonly Configuration[] = [
  forwarded('forwarded-off', {}),
  forwarded('forwarded-on', { REVERSE_PROXY: 'true' }),
  ...[null, 'X-Forwarded-For', 'X-ProxyUser-IP', 'X-Envoy-External-Address'].map(clientIp),
];
