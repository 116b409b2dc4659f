import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadGuard } from './load-guard.ts';
import { GUARD_FLAGS } from './guard-flags.ts';
import type { LoadedGuard } from './load-guard.ts';
import type { Settings } from '../../settings.ts';

const APP = ['--to=3000', '--url=https://app.example.com'];
const OIDC = [...APP, '--issuer=https://id.example', '--client-id=app', '--client-secret=s'];
const GITHUB = [...APP, '--github', '--client-id=app', '--client-secret=s'];

function load(args: readonly string[], env: Readonly<Record<string, string>> = {}): LoadedGuard {
  return loadGuard({ args, env, now: () => 0, cookieSecret: 'a'.repeat(32) });
}

function good(args: readonly string[], env: Readonly<Record<string, string>> = {}): Settings {
  const { settings, findings } = load(args, env);
  assert.ok(settings !== null, JSON.stringify(findings, null, 1));
  return settings;
}

function lines(args: readonly string[], env: Readonly<Record<string, string>> = {}): readonly string[] {
  return load(args, env).findings.map(
    ({ source, option, message, remedy }) => `${source}: ${option} ${message}; ${remedy}`,
  );
}

test('loadGuard() has safe defaults: PKCE, nonce, sessions on the server, a cookie of this host alone', () => {
  const settings = good([...OIDC, '--allow=signed-in']);
  const { cookie, provider, store, paths, redirects, server, upstreams, skip } = settings;
  assert.deepEqual(
    [cookie.name, cookie.secure, cookie.httpOnly, cookie.sameSite, cookie.domains],
    ['__Host-postern', true, true, 'lax', []],
  );
  assert.deepEqual([provider.codeChallengeMethod, provider.oidc.skipNonce, store.kind], [null, false, 'server']);
  assert.deepEqual(paths, {
    prefix: '/.postern',
    ping: '/.postern/ping',
    pingUserAgent: null,
    pingsOfGoogle: false,
    ready: '/.postern/ready',
    hasRobots: false,
  });
  assert.equal(redirects.callbackUrl, 'https://app.example.com/.postern/callback');
  assert.deepEqual(
    [server.http, upstreams[0]?.target, skip.providerButton],
    [':4180', { kind: 'http', url: 'http://127.0.0.1:3000' }, true],
  );
  assert.deepEqual([cookie.expireMs, cookie.refreshMs], [43_200_000, 300_000]);
  assert.deepEqual(
    settings.requestHeaders.map(({ name, keepsRequestValue }) => [name, keepsRequestValue]),
    ['X-Forwarded-Groups', 'X-Forwarded-User', 'X-Forwarded-Email', 'X-Forwarded-Preferred-Username'].map((name) => [
      name,
      false,
    ]),
  );
});

test('loadGuard() takes rules by e-mail, by group, by GitHub, and addresses', () => {
  const admission = (args: readonly string[]): unknown => {
    const { emailDomains, emails, groups, admitsWithoutEmail } = good(args).admission;
    return { emailDomains, emails, groups, admitsWithoutEmail };
  };
  assert.deepEqual(admission([...OIDC, '--allow=@Example.com', '--allow=email:Ann@b.org']), {
    emailDomains: ['example.com'],
    emails: ['ann@b.org'],
    groups: [],
    admitsWithoutEmail: false,
  });
  assert.deepEqual(admission([...OIDC, '--allow=email:ann@b.org']), {
    emailDomains: [],
    emails: ['ann@b.org'],
    groups: [],
    admitsWithoutEmail: false,
  });
  assert.deepEqual(
    admission([...OIDC, '--provider=keycloak-oidc', '--allow=group:/developers', '--allow=keycloak:role:admin']),
    {
      emailDomains: ['*'],
      emails: [],
      groups: ['/developers', 'role:admin'],
      admitsWithoutEmail: true,
    },
  );
  assert.deepEqual(admission([...GITHUB, '--allow=github:org:acme', '--allow=team:other/ops']), {
    emailDomains: ['*'],
    emails: [],
    groups: ['acme', 'other:ops'],
    admitsWithoutEmail: true,
  });
  const {
    provider,
    admission: rules,
    trust,
  } = good([...GITHUB, '--allow=user:ann', '--allow=org:acme', '--allow=ip:10.0.0.0/8']);
  assert.deepEqual(
    [provider.github.users, provider.github.org, rules.groups, trust.trustedIps],
    [['ann'], 'acme', [], ['10.0.0.0/8']],
  );
});

test('loadGuard() reads variables, and flags go before them', () => {
  const env = {
    POSTERN_TO: 'http://app:8080',
    POSTERN_URL: 'https://other.example.com',
    POSTERN_ALLOW: '@example.com, @example.org',
    POSTERN_ISSUER: 'https://id.example',
    POSTERN_CLIENT_ID: 'a',
    POSTERN_CLIENT_SECRET: 's',
    POSTERN_SERVICE_HOST: '10.0.0.1',
    POSTERN_DEBUG: '1',
  };
  const settings = good(['--url=https://app.example.com'], env);
  assert.deepEqual(settings.admission.emailDomains, ['example.com', 'example.org']);
  assert.equal(settings.redirects.callbackUrl, 'https://app.example.com/.postern/callback');
  assert.deepEqual(lines([...OIDC, '--allow=signed-in'], { POSTERN_ALOW: 'x' }), [
    'POSTERN_ALOW: POSTERN_ALOW has no effect; did you mean POSTERN_ALLOW?',
  ]);
});

test('loadGuard() reports everything that is missing at once', () => {
  assert.deepEqual(lines([]), [
    'not given: to is not given; write http://127.0.0.1:3000, https://HOST, unix:/PATH or a port alone',
    'not given: url is not given; write the address that people type: https://app.example.com',
    'not given: issuer is not given, so nobody could sign in; write --issuer URL, --github, --provider KIND or --passwords FILE',
    'not given: allow is not given, so nobody could enter; write --allow signed-in for everybody who can sign in, or name them',
  ]);
});

test('loadGuard() refuses rules that it could only carry as something else', () => {
  const cases: readonly (readonly [args: readonly string[], wanted: RegExp])[] = [
    [[...OIDC, '--allow=@a.org', '--allow=group:b'], /rules by e-mail address and by group/],
    [[...GITHUB, '--allow=user:a', '--allow=team:b/c'], /people by name beside teams/],
    [[...OIDC, '--allow=user:ann'], /names of people are no rule here/],
    [[...OIDC, '--allow=org:acme'], /a rule for GitHub/],
    [[...OIDC, '--allow=role:admin'], /roles are known of Keycloak alone/],
    [[...OIDC, '--allow=public'], /needs no guard/],
    [[...OIDC, '--allow=everybody'], /no rule of a guard/],
    [[...OIDC, '--allow=group:'], /names nobody/],
    [[...OIDC, '--allow='], /no rule of a guard/],
    [[...OIDC, '--allow=signed-in', '--url=http://app.example.com'], /could be read on the way/],
    [[...OIDC, '--allow=signed-in', '--url=https://app.example.com/x'], /with a path/],
    [[...OIDC, '--allow=signed-in', '--to=http://a/b'], /with a path/],
    [[...OIDC, '--allow=signed-in', '--to=file:///etc'], /no application/],
    [[...OIDC, '--allow=signed-in', '--public=/a*'], /public holds "\/a\*"/],
    [[...OIDC, '--allow=signed-in', '--prefix=x'], /prefix is "x"/],
    [[...OIDC, '--allow=signed-in', '--github'], /beside another provider/],
    [[...OIDC, '--allow=signed-in', '--session-lifetime=forever'], /session-lifetime is "forever"/],
    [[...OIDC, '--allow=signed-in', '--tls-cert=/nowhere'], /tls-key|tls_key_file|tls-cert/],
    [[...APP, '--client-id=x', '--passwords=/nowhere', '--allow=signed-in'], /there is no provider/],
    [[...OIDC, '--alow=x'], /did you mean --allow/],
    [[...GITHUB, '--allow=signed-in', '--github-url=git.example.com'], /github-url is "git.example.com"/],
  ];
  for (const [args, wanted] of cases) {
    assert.equal(load(args).settings, null, args.join(' '));
    assert.match(lines(args).join('\n'), wanted);
  }
});

test('loadGuard() takes a password file alone, or beside a provider for everybody who signs in', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'postern-guard-')), 'passwords');
  writeFileSync(file, 'ann:$2y$05$abcdefghijklmnopqrstuu1T.1bW1pF4x1c0nJ0mF7mY3iJ5sJ8nK\n');
  const alone = good([...APP, `--passwords=${file}`, '--allow=signed-in']);
  assert.deepEqual([alone.provider.kind, alone.htpasswd?.showsForm, alone.skip.providerButton], ['none', true, false]);
  assert.equal(good([...OIDC, `--passwords=${file}`, '--allow=signed-in']).skip.providerButton, false);
  assert.match(lines([...OIDC, `--passwords=${file}`, '--allow=@a.org']).join(''), /only the rule signed-in lets in/);
});

test('loadGuard() makes expressions of public paths that match nothing else', () => {
  const { routes } = good([...OIDC, '--allow=signed-in', '--public=/a.b/*', '--public=/health']).skip;
  const isPublic = (path: string): boolean => routes.some(({ pattern }) => pattern.matches(path));
  for (const path of ['/a.b', '/a.b/', '/a.b/c', '/health']) assert.ok(isPublic(path), path);
  for (const path of ['/aXb', '/a.bc', '/x/a.b', '/health/', '/healthy']) assert.ok(!isPublic(path), path);
});

test('loadGuard() stands on loopback without an address of its own, over plain HTTP', () => {
  const args = [
    '--to=3000',
    '--listen=127.0.0.1:8080',
    '--issuer=http://127.0.0.1:9',
    '--client-id=a',
    '--client-secret=b',
  ];
  const { cookie, redirects } = good([...args, '--allow=signed-in']);
  assert.deepEqual(
    [cookie.name, cookie.secure, redirects.callbackUrl],
    ['postern', false, 'http://localhost:8080/.postern/callback'],
  );
});

test('loadGuard() answers any flags and variables with settings or findings, and never throws', () => {
  const flag = fc.constantFrom(...GUARD_FLAGS.map((one) => one.flag));
  const value = fc.oneof(fc.string(), fc.constantFrom('https://a', 'x:y', '@', ':', 'github:org:a', '/x/*', 'true'));
  const arg = fc.oneof(
    fc.tuple(flag, value).map(([name, text]) => `--${name}=${text}`),
    fc.string(),
  );
  const env = fc.dictionary(
    flag.map((name) => `POSTERN_${name.toUpperCase().replaceAll('-', '_')}`),
    value,
  );
  fc.assert(
    fc.property(fc.array(arg), env, (args, variables) => {
      const { settings, findings } = load([...OIDC, ...args], variables);
      assert.equal(
        settings === null,
        findings.some(({ severity }) => severity === 'error'),
      );
    }),
    { numRuns: Number(process.env['POSTERN_FUZZ'] ?? 150) },
  );
});
