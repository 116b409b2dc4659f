import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ENOUGH, errors, good, lines, load } from './_told-fixture.ts';
import { OPTIONS } from './option-table.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 150);

test('loadSettings() has flags win over variables, and variables over the file', () => {
  const toml = 'cookie_name = "file"\ncookie_path = "/file"\ncookie_samesite = "lax"\n';
  const env = { OAUTH2_PROXY_COOKIE_NAME: 'env', OAUTH2_PROXY_COOKIE_PATH: '/env' };
  const { cookie } = good({ args: ['--cookie-name=flag'], env, toml });
  assert.deepEqual([cookie.name, cookie.path, cookie.sameSite], ['flag', '/env', 'lax']);
});

test('loadSettings() takes an empty variable for one that is not given', () => {
  assert.equal(good({ env: { OAUTH2_PROXY_COOKIE_PATH: '' }, toml: 'cookie_path = "/x"' }).cookie.path, '/x');
});

test('loadSettings() has the env file win over the environment', () => {
  const { cookie } = good({ env: { OAUTH2_PROXY_COOKIE_NAME: 'env' }, envFile: 'OAUTH2_PROXY_COOKIE_NAME="file"\n' });
  assert.equal(cookie.name, 'file');
});

test('loadSettings() reports every fault at once, by option, place and remedy, and no secret', () => {
  const loaded = load({
    args: ['--cookie-secret=verysecretvalue', '--cookie-expire=12'],
    env: { OAUTH2_PROXY_SKIP_PROVIDER_BUTTON: 'yes', OAUTH2_PROXY_ALLOWED_GROUP: 'ops' },
    toml: 'client_id = "x"\n\nrealip_header = "X"\nskip_auth_routes = ["^/(a"]\n',
  });
  assert.equal(loaded.settings, null);
  assert.deepEqual(errors(loaded), [
    'error --cookie-expire: cookie_expire is "12", not a duration; write a number and its unit, such as 168h, 15m or 30s',
    'error OAUTH2_PROXY_SKIP_PROVIDER_BUTTON: skip_provider_button is "yes", not true or false; write true or false',
    'error OAUTH2_PROXY_ALLOWED_GROUP: OAUTH2_PROXY_ALLOWED_GROUP is no variable that is known, and looks like a rule about who may enter; did you mean OAUTH2_PROXY_ALLOWED_GROUPS?',
    'error a.cfg:3: "realip_header" is no key that is known; take it out',
    'error not given: email_domains is not given, so nobody could enter; set it to your domain, to "*" for everybody whom the provider signs in, or give authenticated_emails_file',
    'error a.cfg:4: skip_auth_routes holds "^/(a", no regular expression: missing closing ): `^/(a`; write it as RE2 reads it: https://github.com/google/re2/wiki/Syntax',
    "error --cookie-secret: cookie_secret is 15 bytes, not 16, 24 or 32; make one: openssl rand -base64 32 | tr -- '+/' '-_'",
    'error not given: client_secret is not given; write the secret that the provider gives, or client_secret_file',
  ]);
  assert.ok(!lines(loaded).join('').includes('verysecretvalue'));
});

test('loadSettings() ignores what Kubernetes sets for a service called oauth2-proxy', () => {
  const env = {
    OAUTH2_PROXY_PORT: 'tcp://10.0.0.1:80',
    OAUTH2_PROXY_SERVICE_HOST: '10.0.0.1',
    OAUTH2_PROXY_SERVICE_PORT_HTTP: '80',
    OAUTH2_PROXY_PORT_80_TCP_ADDR: '10.0.0.1',
    OAUTH2_PROXY_METRICS_PORT_44180_TCP: 'tcp://10.0.0.1:44180',
  };
  assert.deepEqual(lines(load({ args: ENOUGH, env })), []);
});

test('loadSettings() takes base64 of 32 bytes, standard or URL-safe, and says which the original refuses', () => {
  const standard = Buffer.alloc(32, 0xfb).toString('base64');
  const args = [...ENOUGH.filter((arg) => !arg.includes('cookie-secret')), `--cookie-secret=${standard}`];
  const loaded = load({ args });
  assert.match(lines(loaded).join('\n'), /^warning --cookie-secret: cookie_secret is standard base64/);
  assert.equal(loaded.settings?.cookie.secret.read().toString(), standard.replaceAll('+', '-').replaceAll('/', '_'));
});

test('loadSettings() refuses restrictions that the provider never looks at', () => {
  const loaded = load({ args: [...ENOUGH, '--gitlab-group=ops', '--allowed-role=x', '--keycloak-group=y'] });
  assert.deepEqual(
    errors(loaded).map((one) => one.split(' ')[2]),
    ['allowed_roles', 'gitlab_groups', 'keycloak_groups'],
  );
});

test('loadSettings() refuses what the original refuses at start', () => {
  const cases: readonly (readonly [args: readonly string[], wanted: RegExp])[] = [
    [['--force-https'], /force_https needs a certificate/],
    [
      ['--session-cookie-minimal', '--set-xauthrequest', '--pass-access-token'],
      /session_cookie_minimal leaves out the access_token/,
    ],
    [['--session-cookie-minimal', '--cookie-refresh=1h'], /session_cookie_minimal leaves out the tokens/],
    [['--upstream=http://a/', '--upstream=http://b/'], /upstreams serves the path "\/" twice/],
    [['--cookie-expire=1h', '--cookie-refresh=1h'], /cookie_refresh is 1h0m0s, not less/],
    [['--cookie-samesite=maybe'], /cookie_samesite is "maybe"/],
    [['--upstream=ftp://x'], /upstreams is "ftp:\/\/x", no kind/],
    [['--real-client-ip-header=X-Mine', '--reverse-proxy'], /real_client_ip_header is "X-Mine"/],
    [['--trusted-ip=300.1.1.1'], /trusted_ips holds "300.1.1.1"/],
    [['--skip-jwt-bearer-tokens', '--extra-jwt-issuers=https://a'], /extra_jwt_issuers holds "https:\/\/a"/],
    [['--pass-authorization-header', '--basic-auth-password=x'], /sets the header "Authorization" a second time/],
    [['--set-basic-auth'], /set_basic_auth needs basic_auth_password/],
    [['--provider=oidc'], /oidc_issuer_url is not given/],
    [['--session-store-type=redis'], /redis_connection_url is not given/],
    [['--authenticated-emails-file=/nowhere'], /authenticated_emails_file is "\/nowhere", which does not exist/],
    [['--oidc-enabled-signing-alg=none'], /oidc_enabled_signing_algs holds "none"/],
    [['--code-challenge-method=S512'], /code_challenge_method is "S512"/],
    [['--provider=github', '--github-team=a'], /github_team is "a", without an organisation/],
    [['--allowed-group=,'], /allowed_groups holds only an empty item/],
  ];
  for (const [args, wanted] of cases) assert.match(errors(load({ args: [...ENOUGH, ...args] })).join('\n'), wanted);
});

test('loadSettings() takes addresses and networks of both families, and no address within a network', () => {
  const takes = (ip: string): boolean => load({ args: [...ENOUGH, `--trusted-ip=${ip}`] }).settings !== null;
  for (const ip of ['10.0.0.1', '10.0.0.0/8', '::1', '2001:db8::/32', '::/0', 'fe80::1/128', '0.0.0.0/0'])
    assert.ok(takes(ip), ip);
  for (const ip of ['10.0.0.1/8', '2001:db8::1/32', '10.0.0.0/33', '10.0.0', 'localhost', ' 10.0.0.1'])
    assert.ok(!takes(ip), ip);
});

test('loadSettings() checks nonces and asks for PKCE unless told otherwise', () => {
  const args = ['--provider=oidc', '--oidc-issuer-url=https://id.example'];
  const { provider } = good({ args });
  assert.deepEqual([provider.oidc.skipNonce, provider.codeChallengeMethod], [false, null]);
  assert.equal(good({ args: [...args, '--insecure-oidc-skip-nonce'] }).provider.oidc.skipNonce, true);
});

test('loadSettings() keeps sessions on the server unless told otherwise', () => {
  assert.deepEqual(good({}).store, { kind: 'server' });
  assert.deepEqual(good({ args: ['--session-mode=stateless'] }).store, { kind: 'stateless', isMinimal: false });
  assert.deepEqual(good({ env: { POSTERN_SESSION_MODE: 'stateless' } }).store, { kind: 'stateless', isMinimal: false });
  assert.match(errors(load({ args: [...ENOUGH, '--session-mode=x'] })).join(''), /session-mode is "x"/);
});

test('loadSettings() makes the headers of the older options as the original does', () => {
  const names = (...args: readonly string[]): string => {
    const { requestHeaders, responseHeaders } = good({ args });
    const of = (list: typeof requestHeaders): string => list.map(({ name }) => name).join(' ');
    return `${of(requestHeaders)} | ${of(responseHeaders)}`;
  };
  const user = 'X-Forwarded-Groups X-Forwarded-User X-Forwarded-Email X-Forwarded-Preferred-Username';
  assert.equal(names(), `${user} | `);
  assert.equal(names('--pass-user-headers=false'), `${user} | `);
  assert.equal(names('--pass-user-headers=false', '--pass-basic-auth=false'), ' | ');
  assert.equal(
    names('--prefer-email-to-user'),
    'X-Forwarded-Groups X-Forwarded-User X-Forwarded-Preferred-Username | ',
  );
  assert.equal(
    names('--set-xauthrequest', '--pass-access-token', '--set-authorization-header'),
    `${user} X-Forwarded-Access-Token | X-Auth-Request-User X-Auth-Request-Email X-Auth-Request-Preferred-Username X-Auth-Request-Groups X-Auth-Request-Access-Token Authorization`,
  );
});

const someArg = fc.oneof(
  fc
    .constantFrom(...OPTIONS.map(({ flag }) => flag))
    .chain((flag) =>
      fc.oneof(fc.string(), fc.constantFrom('1', '"x"', '=', 'a,b', '0')).map((value) => `--${flag}=${value}`),
    ),
  fc.string(),
);

test('loadSettings() answers any flags with settings or findings, and never throws', () => {
  fc.assert(
    fc.property(fc.array(someArg, { maxLength: 8 }), (args) => isAnswered({ args: args.filter(isNoFile) })),
    { numRuns: RUNS },
  );
});

/** Nothing of a fuzz run is read from, or written to, a place that it made up. */
function isNoFile(arg: string): boolean {
  return !/^-{1,2}(?:config|alpha-config|env-file)\b/.test(arg);
}

test('loadSettings() answers any variables with settings or findings, and never throws', () => {
  const name = fc.constantFrom(...OPTIONS.map(({ env }) => env), 'OAUTH2_PROXY_X', 'POSTERN_SESSION_MODE');
  fc.assert(
    fc.property(fc.dictionary(name, fc.string()), (env) => isAnswered({ args: ENOUGH, env })),
    { numRuns: RUNS },
  );
});

test('loadSettings() answers any TOML with settings or findings, and never throws', () => {
  const key = fc.oneof(fc.constantFrom(...OPTIONS.map((option) => option.key)), fc.string());
  const value = fc.oneof(
    fc.string().map((text) => JSON.stringify(text)),
    fc.constantFrom('1', '-1', '1.5', 'true', '[]', '["a", 1]', '{}', '1979-05-27', '"', '[[', 'inf', '[{}]'),
  );
  const line = fc.tuple(key, value).map(([left, right]) => `${left} = ${right}`);
  const text = fc.oneof(
    fc.array(line).map((all) => all.join('\n')),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (toml) => isAnswered({ args: ENOUGH, toml })),
    { numRuns: RUNS },
  );
});

function isAnswered(said: Parameters<typeof load>[0]): void {
  const loaded = load(said);
  const isBad = loaded.findings.some(({ severity }) => severity === 'error');
  assert.equal(loaded.settings === null, isBad);
}
