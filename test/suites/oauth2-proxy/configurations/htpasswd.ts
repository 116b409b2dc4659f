/** Names and passwords of a file: over the form and with every request, beside the provider or not. */
import { flow, one } from '../configuration.ts';
import type { Ask, Side } from '../side.ts';
import type { Case, Configuration } from '../configuration.ts';

/** bcrypt (cost 4) of "pw-admin", SHA-1 of "pw-old". */
const FILE = `# people
admin:$2a$04$/uaF/uaF/uaF/uaF/uaF/uzgrCPoMNb.z0alK41j9noWrWi2I0vr2
old:{SHA}cjBBFGZaKg4SXuq6aBzo2TnSHXI=

`;
const FORM = [['Content-Type', 'application/x-www-form-urlencoded']] as const;
const basic = (text: string): Ask => ({
  headers: [['Authorization', `Basic ${Buffer.from(text).toString('base64')}`]],
});
const post = (id: string, body: string, path = '/oauth2/sign_in'): Case =>
  one(id, `POST ${path}`, { body, headers: FORM });

/** The form's answer, then what the session is good for. */
async function enter(side: Side, body: string): Promise<void> {
  const jar = new Map<string, string>();
  await side.ask('POST /oauth2/sign_in', { jar, body, headers: FORM }, 'form');
  await side.ask('GET /oauth2/auth', { jar }, 'auth');
  await side.ask('GET /x', { jar }, 'application');
  await side.ask('GET /oauth2/userinfo', { jar }, 'userinfo');
  await side.ask('GET /oauth2/auth?allowed_groups=staff', { jar }, 'group');
  await side.ask('GET /oauth2/auth?allowed_emails=admin', { jar }, 'e-mail');
}

const cases: readonly Case[] = [
  one('sign-in', 'GET /oauth2/sign_in?rd=%2Fdeep%3Fa%3D1'),
  one('root', 'GET /deep'),
  flow('enter', (side) => enter(side, 'username=admin&password=pw-admin&rd=%2Fdeep%3Fa%3D1%26b%3D2')),
  flow('enter-sha', (side) => enter(side, 'username=old&password=pw-old&rd=%2F')),
  post('wrong', 'username=admin&password=wrong&rd=%2Fdeep'),
  post('unknown', 'username=nobody&password=x&rd=%2F'),
  post('empty-name', 'username=&password=x'),
  post('empty-password', 'username=admin&password='),
  post('nothing', ''),
  post('name-case', 'username=Admin&password=pw-admin'),
  post('name-space', 'username=admin+&password=pw-admin'),
  post('outside', 'username=admin&password=pw-admin&rd=https%3A%2F%2Fevil.test%2F'),
  post('outside-slashes', 'username=admin&password=pw-admin&rd=%2F%2Fevil.test'),
  post('query-password', '', '/oauth2/sign_in?username=admin&password=pw-admin'),
  post('broken-form', 'username=%zz'),
  ...['https://app.example.com', 'https://evil.test', 'null'].map((origin) =>
    one(`origin-${origin}`, 'POST /oauth2/sign_in', {
      body: 'username=admin&password=pw-admin&rd=%2Fx',
      headers: [...FORM, ['Origin', origin]],
    }),
  ),
  ...['PUT', 'PATCH'].map((method) =>
    one(`method-${method}`, `${method} /oauth2/sign_in`, {
      body: 'username=admin&password=pw-admin&rd=%2Fx',
      headers: FORM,
    }),
  ),
  one('get-password', 'GET /oauth2/sign_in?username=admin&password=pw-admin'),
  one('json-form', 'POST /oauth2/sign_in', {
    body: '{"username":"admin"}',
    headers: [['Content-Type', 'application/json']],
  }),
  one('basic', 'GET /oauth2/auth', basic('admin:pw-admin')),
  one('basic-sha', 'GET /oauth2/auth', basic('old:pw-old')),
  one('basic-app', 'GET /x', basic('admin:pw-admin')),
  one('basic-userinfo', 'GET /oauth2/userinfo', basic('admin:pw-admin')),
  one('basic-wrong', 'GET /oauth2/auth', basic('admin:wrong')),
  one('basic-wrong-app', 'GET /x', basic('admin:wrong')),
  one('basic-unknown', 'GET /oauth2/auth', basic('nobody:x')),
  one('basic-lower-scheme', 'GET /oauth2/auth', {
    headers: [['Authorization', `basic ${Buffer.from('admin:pw-admin').toString('base64')}`]],
  }),
  one('basic-broken', 'GET /oauth2/auth', { headers: [['Authorization', 'Basic !!!']] }),
  one('basic-group', 'GET /oauth2/auth?allowed_groups=staff', basic('admin:pw-admin')),
  one('basic-and-session', 'GET /oauth2/auth', { ...basic('admin:pw-admin'), as: 'alice' }),
  one('basic-wrong-and-session', 'GET /oauth2/auth', { ...basic('admin:wrong'), as: 'alice' }),
];

const ENV = { HTPASSWD_FILE: '{dir}/htpasswd', SET_XAUTHREQUEST: 'true' };
const files = { htpasswd: FILE };

export const htpasswd: Configuration = { name: 'htpasswd', env: ENV, files, cases };

export const htpasswdGroups: Configuration = {
  name: 'htpasswd-groups',
  env: { ...ENV, HTPASSWD_USER_GROUPS: 'staff,/htpasswd', DISPLAY_HTPASSWD_FORM: 'false' },
  files,
  cases,
};

/** The file names people, the provider's groups let them in: the two do not meet. */
export const htpasswdAllowedGroups: Configuration = {
  name: 'htpasswd-allowed-groups',
  env: { ...ENV, ALLOWED_GROUPS: '/developers', EMAIL_DOMAINS: 'example.com' },
  files,
  cases: [
    flow('enter', (side) => enter(side, 'username=admin&password=pw-admin&rd=%2F')),
    one('basic', 'GET /oauth2/auth', basic('admin:pw-admin')),
    one('basic-app', 'GET /x', basic('admin:pw-admin')),
  ],
};

export const htpasswdNoButton: Configuration = {
  name: 'htpasswd-no-button',
  env: { ...ENV, SKIP_PROVIDER_BUTTON: 'true' },
  files,
  cases: [
    one('sign-in', 'GET /oauth2/sign_in?rd=%2Fx'),
    one('root', 'GET /x'),
    post('form', 'username=admin&password=pw-admin&rd=%2Fx'),
    post('form-wrong', 'username=admin&password=wrong&rd=%2Fx'),
    one('basic', 'GET /oauth2/auth', basic('admin:pw-admin')),
  ],
};

/** The name of Basic credentials is then the e-mail address, to which the rules about those apply; the form's is not. */
export const htpasswdEmails: readonly Configuration[] = ['*', 'example.com'].map((domains) => ({
  name: domains === '*' ? 'htpasswd-email' : 'htpasswd-email-domain',
  env: { ...ENV, PREFER_EMAIL_TO_USER: 'true', BASIC_AUTH_PASSWORD: 'pw', EMAIL_DOMAINS: domains },
  files: { htpasswd: `${FILE}${FILE.replaceAll(/^(?=\w)/gm, 'of-').replaceAll(/^(of-\w+):/gm, '$1@example.com:')}` },
  cases: [
    flow('enter', (side) => enter(side, 'username=admin&password=pw-admin&rd=%2F')),
    ...['admin', 'of-admin@example.com'].flatMap((name) => [
      one(`${name}-auth`, 'GET /oauth2/auth', basic(`${name}:pw-admin`)),
      one(`${name}-constraint`, 'GET /oauth2/auth?allowed_email_domains=example.com', basic(`${name}:pw-admin`)),
      one(`${name}-app`, 'GET /x', basic(`${name}:pw-admin`)),
      one(`${name}-userinfo`, 'GET /oauth2/userinfo', basic(`${name}:pw-admin`)),
    ]),
  ],
}));
