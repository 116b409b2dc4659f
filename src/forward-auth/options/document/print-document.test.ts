import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { loadDocument } from '../../../config/load.ts';
import { compileTable } from '../../../route/compile.ts';
import { ENOUGH, errors, load } from '../_told-fixture.ts';
import { patternOfExpression } from './paths.ts';
import { printDocument } from './print-document.ts';
import type { Said } from '../_told-fixture.ts';

const ENV = { CLIENT_SECRET: 'a-secret-of-the-client', OAUTH2_PROXY_CLIENT_SECRET: 'a-secret-of-the-client' };

function documentOf(said: Said): string {
  const loaded = load({ ...said, args: [...ENOUGH, ...(said.args ?? [])] });
  assert.ok(loaded.settings !== null, errors(loaded).join('\n'));
  return printDocument(loaded.settings, loaded.given);
}

/** As `postern check` judges it. */
function assertGood(text: string): void {
  const { document, diagnostics } = loadDocument({
    text,
    file: 'postern.yaml',
    env: ENV,
    readFile: () => 'a-secret-of-a-file',
  });
  const wrong = diagnostics.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  assert.deepEqual(wrong, [], text);
  assert.ok(document !== null);
  const bad = compileTable(document).diagnostics.filter(({ severity }) => severity === 'error');
  assert.deepEqual(
    bad.map(({ message }) => message),
    [],
    text,
  );
}

const emails = join(mkdtempSync(join(tmpdir(), 'postern-document-')), 'emails');
writeFileSync(emails, '# people\nann@example.com\n"bob@example.org",x\n');

const KEYCLOAK = ['--provider=keycloak-oidc', '--oidc-issuer-url=https://id.example.com/realms/main'];
const CASES: readonly (readonly [name: string, said: Said])[] = [
  ['the least there is', {}],
  [
    'GitHub',
    { args: ['--github-org=acme', '--github-team=ops,dev', '--github-user=ann', '--email-domain=example.com'] },
  ],
  [
    'GitHub Enterprise',
    {
      args: [
        '--login-url=https://git.example.com/login/oauth/authorize',
        '--redeem-url=https://git.example.com/t',
        '--github-repo=a/b',
      ],
    },
  ],
  [
    'Keycloak with groups, roles and domains',
    {
      args: [
        ...KEYCLOAK,
        '--allowed-group=/developers,/ops',
        '--allowed-role=admin',
        '--email-domain=example.com',
      ].filter((one) => one !== '--email-domain=*'),
    },
  ],
  ['addresses of a file', { args: [...KEYCLOAK, `--authenticated-emails-file=${emails}`] }],
  ['Google', { args: ['--provider=google', '--prompt=select_account'] }],
  [
    'GitLab',
    {
      args: [
        '--provider=gitlab',
        '--oidc-issuer-url=https://gitlab.com',
        '--gitlab-project=a/b=30',
        '--gitlab-group=c',
      ],
    },
  ],
  [
    'Entra ID',
    { args: ['--provider=azure', '--oidc-issuer-url=https://login.microsoftonline.com/t/v2.0', '--azure-tenant=t'] },
  ],
  ['a provider that the gateway does not know', { args: ['--provider=linkedin'] }],
  [
    'several upstreams',
    {
      args: [
        '--upstream=http://127.0.0.1:3000/',
        '--upstream=https://b/x/',
        '--upstream=unix:///run/a.sock',
        '--upstream=file:///tmp#/static/',
      ].filter((one) => !one.includes('unix')),
    },
  ],
  [
    'an answer alone, copied headers',
    { args: ['--upstream=static://202', '--set-xauthrequest', '--pass-access-token'] },
  ],
  [
    'paths without a sign-in',
    {
      args: [
        '--skip-auth-route=GET=^/health$',
        '--skip-auth-route=^/public/',
        '--skip-auth-route=!=^/private',
        '--skip-auth-regex=\\.css$',
      ],
    },
  ],
  [
    'a front, an own sign-in host, cookies of a domain',
    {
      args: [
        '--reverse-proxy',
        '--trusted-proxy-ip=10.0.0.0/8',
        '--redirect-url=https://auth.example.com/oauth2/callback',
        '--whitelist-domain=app.example.com,.example.com',
        '--cookie-domain=.example.com',
        '--http-address=0.0.0.0:4180',
      ],
    },
  ],
  ['a socket', { args: ['--http-address=unix:///run/postern.sock', '--reverse-proxy'] }],
  [
    'much that has no equal',
    {
      args: [
        ...KEYCLOAK,
        '--skip-jwt-bearer-tokens',
        '--extra-jwt-issuers=https://other.example=x',
        '--skip-auth-preflight',
        '--api-route=^/api/',
        '--session-store-type=redis',
        '--redis-connection-url=redis://127.0.0.1',
        '--cookie-expire=0',
        '--ssl-insecure-skip-verify',
        '--backend-logout-url=https://id.example.com/out',
        '--basic-auth-password=hidden-password',
      ],
    },
  ],
];

for (const [name, said] of CASES) {
  test(`printDocument() writes a document that postern check takes: ${name}`, () => {
    const text = documentOf(said);
    assertGood(text);
    assert.ok(!text.includes('hidden-password') && !text.includes('0123456789abcdef'), 'no secret is in it');
  });
}

test('printDocument() asks for both where settings ask for e-mail and group', () => {
  const args = [...KEYCLOAK.slice(0), '--allowed-group=/developers'];
  const loaded = load({
    args: [...ENOUGH.filter((arg) => !arg.includes('email-domain')), ...args, '--email-domain=example.com'],
  });
  assert.ok(loaded.settings !== null);
  const text = printDocument(loaded.settings, loaded.given);
  assert.match(text, /- \{ all: \["email-domain:example.com", "group:\/developers"\] \}/);
  assertGood(text);
});

test('printDocument() lets nobody in, rather than everybody, where a rule has no equal', () => {
  const text = documentOf({
    args: ['--provider=gitlab', '--oidc-issuer-url=https://gitlab.com', '--gitlab-project=a/b=30'],
  });
  assert.match(text, /- "group:write-the-group-here"/);
  assert.ok(!text.includes('signed-in'));
});

test('printDocument() names where a secret is, and never writes it', () => {
  assert.match(documentOf({}), /client_secret: "\$\{CLIENT_SECRET\}"/);
  const env = { OAUTH2_PROXY_CLIENT_SECRET: 'very-secret' };
  const loaded = load({ args: ENOUGH.filter((arg) => !arg.includes('client-secret')), env });
  assert.ok(loaded.settings !== null);
  const text = printDocument(loaded.settings, loaded.given);
  assert.match(text, /client_secret: "\$\{OAUTH2_PROXY_CLIENT_SECRET\}"/);
  assert.ok(!text.includes('very-secret'));
});

test('patternOfExpression() takes what is a path alone, or a path and all below', () => {
  const cases = {
    '^/health$': '/health',
    '^/$': '/',
    '^/public/': '/public/*',
    '^/public/.*': '/public/*',
    '^/public/.*$': '/public/*',
    '^/a\\.b/c(/.*)?$': '/a.b/c/*',
    '^/': '/*',
  };
  for (const [source, pattern] of Object.entries(cases)) assert.equal(patternOfExpression(source), pattern, source);
  for (const source of ['/x', '^/x', '^/x.y$', '^/(a|b)$', '^/x/?$', '^/x//', '^x', '^/x/$', '^/[a]/', '\\.css$'])
    assert.equal(patternOfExpression(source), null, source);
});

test('printDocument() holds any value of an operator as that value', () => {
  const word = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/^\s*$/.test(text));
  fc.assert(
    fc.property(word, word, word, (id, name, group) => {
      const args = [...KEYCLOAK, `--provider-display-name=${name}`, `--client-id=${id}`];
      const loaded = load({ args: [...ENOUGH, ...args], toml: `allowed_groups = [${JSON.stringify(group)}]` });
      if (loaded.settings === null) return;
      const text = printDocument(loaded.settings, loaded.given);
      const { document } = loadDocument({ text, file: 'x', env: ENV, readFile: () => '' });
      const [provider] = document?.providers ?? [];
      if (provider !== undefined && 'clientId' in provider) assert.equal(provider.clientId, id);
      assert.doesNotMatch(text.split('\n').find((line) => line.startsWith('version:')) ?? 'none', /none/);
    }),
    { numRuns: 100 },
  );
});
