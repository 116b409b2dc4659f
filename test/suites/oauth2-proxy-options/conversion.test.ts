/** The older options mean here what the real oauth2-proxy's own conversion to the structured form says they mean. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CORE, ENOUGH, askOriginal, askPostern, plain } from './original.ts';
import { skipWithout } from '../../support/peers.ts';
import type { Said } from './original.ts';

const skip = skipWithout('oauth2-proxy');
const FLAGS = [
  'pass-basic-auth',
  'pass-user-headers',
  'pass-access-token',
  'pass-authorization-header',
  'set-basic-auth',
  'set-xauthrequest',
  'set-authorization-header',
  'prefer-email-to-user',
  'skip-auth-strip-headers',
] as const;

/** Settings by the older options, and by the original's conversion of the same. */
function both(said: Said): { readonly older: Record<string, unknown>; readonly converted: Record<string, unknown> } {
  const args = [...ENOUGH, ...(said.args ?? [])];
  const older = askPostern({ ...said, args });
  const alpha = askOriginal({ ...said, args }, 'convert-config-to-alpha');
  assert.ok(alpha.isGood, alpha.output);
  const converted = askPostern({ args: CORE }, alpha.output);
  const told = [...older.findings, ...converted.findings]
    .map(({ option, message }) => `${option} ${message}`)
    .join('\n');
  assert.ok(older.settings !== null && converted.settings !== null, `${told}\n${alpha.output}`);
  return { older: plain(older.settings), converted: plain(converted.settings) };
}

/** Every combination that the original starts with. */
function headerCombinations(): readonly (readonly string[])[] {
  return Array.from({ length: 2 ** FLAGS.length }, (_, bits) =>
    FLAGS.map((flag, index) => `--${flag}=${(bits >> index) % 2 === 1}`),
  ).filter((args) => !isRefused(args));
}

/** Two options that set Authorization, each way. */
function isRefused(args: readonly string[]): boolean {
  const isOn = (flag: (typeof FLAGS)[number]): boolean => args.includes(`--${flag}=true`);
  return (
    (isOn('pass-basic-auth') && isOn('pass-authorization-header')) ||
    (isOn('set-basic-auth') && isOn('set-authorization-header'))
  );
}

test('header options become the headers that oauth2-proxy makes of them, in every combination', { skip }, () => {
  // Every seventh: the pattern of each option against each other is there, and it takes seconds.
  const all = headerCombinations();
  assert.ok(all.length > 200);
  for (const args of all.filter((_, index) => index % 7 === 0)) {
    const { older, converted } = both({ args: [...args, '--basic-auth-password=pw'] });
    const label = args.join(' ');
    assert.deepEqual(older['requestHeaders'], converted['requestHeaders'], label);
    assert.deepEqual(older['responseHeaders'], converted['responseHeaders'], label);
  }
});

const MORE: readonly (readonly [name: string, said: Said])[] = [
  ['nothing more', {}],
  ['quotes of a Kubernetes args list', { args: ['--allowed-group="/developers"', '--allowed-group=a,"b,c"'] }],
  ['lists of variables, where quotes are none', { env: { OAUTH2_PROXY_ALLOWED_GROUPS: '/a,b' } }],
  [
    'lists and words of the file',
    { toml: 'allowed_groups = "a,b"\nskip_oidc_discovery = "t"\nuser_id_claim = "upn"\n' },
  ],
  [
    'upstreams of each kind',
    {
      args: ['--upstream=http://a:80/x/', '--upstream=file:///tmp#/static/', '--upstream=unix:///run/x.sock'],
    },
  ],
  [
    'an upstream that is a status',
    { args: ['--upstream=static://202', '--upstream-timeout=5m', '--flush-interval=2s'] },
  ],
  [
    'upstream options',
    {
      args: [
        '--upstream=https://a/',
        '--pass-host-header=false',
        '--ssl-upstream-insecure-skip-verify',
        '--disable-keep-alives',
        '--proxy-websockets=false',
        '--upstream-timeout=1h30m',
      ],
    },
  ],
  [
    'github',
    {
      args: ['--provider=github', '--github-org=acme', '--github-team=a,b', '--github-user=alice', '--github-user=bob'],
    },
  ],
  [
    'gitlab',
    {
      args: [
        '--provider=gitlab',
        '--oidc-issuer-url=https://gitlab.com',
        '--gitlab-group=a',
        '--gitlab-project=a/b=30',
      ],
    },
  ],
  [
    'keycloak-oidc',
    {
      args: ['--provider=keycloak-oidc', '--oidc-issuer-url=https://id.example/realms/a', '--allowed-role=admin'],
    },
  ],
  [
    'entra-id',
    {
      args: ['--provider=entra-id', '--oidc-issuer-url=https://login.example/v2.0', '--entra-id-allowed-tenant=a,b'],
    },
  ],
  [
    'endpoints and parameters',
    {
      args: [
        '--provider=oidc',
        '--oidc-issuer-url=https://id.example',
        '--skip-oidc-discovery',
        '--oidc-jwks-url=https://id.example/jwks',
        '--login-url=https://id.example/a',
        '--redeem-url=https://id.example/t',
        '--profile-url=https://id.example/u',
        '--validate-url=https://id.example/v',
        '--backend-logout-url=https://id.example/out?hint={id_token}',
        '--acr-values=loa2',
        '--prompt=login',
        '--scope=openid email',
        '--oidc-extra-audience=x',
        '--oidc-audience-claim=aud,azp',
        '--oidc-enabled-signing-alg=ES256',
        '--code-challenge-method=S256',
        '--insecure-oidc-allow-unverified-email',
        '--insecure-oidc-skip-issuer-verification',
        '--skip-claims-from-profile-url',
        '--auth-request-response-mode=form_post',
        '--provider-display-name=Main',
      ],
    },
  ],
  ['listeners', { args: ['--http-address=:8080', '--metrics-address=127.0.0.1:9100'] }],
];

for (const [name, said] of MORE) {
  test(`provider, listeners and upstreams are what oauth2-proxy makes of them: ${name}`, { skip }, () => {
    const { older, converted } = both(said);
    // Its conversion writes the default of the nonce out, which then counts as told; ours is the safe one.
    const bare = (settings: Record<string, unknown>): unknown => {
      const { provider, server, metrics, upstreams, admission } = structuredClone(settings);
      const { oidc } = provider as { readonly oidc: { skipNonce: boolean } };
      oidc.skipNonce = false;
      return { provider, server, metrics, upstreams, admission };
    };
    assert.deepEqual(bare(older), bare(converted));
  });
}
