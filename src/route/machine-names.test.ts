import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostOf, routeOf } from './document-fixture.ts';
import { problemsOf } from './_compile-rig.ts';
import type { Document } from '../config/document.ts';
import type { IdentityValue } from '../config/document/identity-headers.ts';

const PROVIDERS = [
  { id: 'github', type: 'github' },
  { id: 'gitlab', type: 'oidc', preset: 'gitlab' },
  { id: 'keycloak', type: 'oidc', preset: 'keycloak' },
  { id: 'local', type: 'local' },
].map((one) => ({ ...one, emailDomains: [], at: [] })) as unknown as Document['providers'];

function warningsOf(
  allow: readonly (string | { all: string[] })[],
  told: readonly IdentityValue[] = ['user', 'groups'],
): string {
  const fields = told.map((value) => ({ name: `X-${value}`, value }));
  const route = routeOf('/*', [...allow]);
  const identityHeaders = { ...route.identityHeaders, fields };
  return problemsOf([hostOf('a.example.com', [{ ...route, identityHeaders }])], { providers: PROVIDERS }).join('; ');
}

test('compileTable() warns where people may call themselves as a machine of the same route is called', () => {
  assert.match(
    warningsOf(['github:org:acme', 'token:ci']),
    /^Route "\/\*" lets in "token:ci" and people of "github".*"ci" to the app, too.*"subject".*"ci_bot"/,
  );
  assert.match(warningsOf(['gitlab:signed-in', 'token:ci_bot']), /lets in "token:ci_bot" and people of "gitlab"/);
  assert.match(warningsOf([{ all: ['github:org:acme', 'ip:192.0.2.0/24'] }, 'token:ci']), /"token:ci"/);
});

test('compileTable() warns of no machine where the app can tell, or nobody can be called so', () => {
  const quiet: readonly (readonly [readonly string[], (readonly IdentityValue[])?])[] = [
    [
      ['github:org:acme', 'token:ci'],
      ['user', 'subject'],
    ],
    [
      ['github:org:acme', 'token:ci'],
      ['user', 'assertion'],
    ],
    [
      ['github:org:acme', 'token:ci'],
      ['user', 'provider'],
    ],
    [['github:org:acme', 'token:ci'], ['assertion']],
    [['github:org:acme', 'token:ci'], []],
    // No login at GitHub has it.
    [['github:org:acme', 'token:ci_bot']],
    [['github:org:acme', 'token:ci-']],
    // Whom the operator lists is no stranger; who comes without a name has none.
    [['github:user:alice', 'token:ci']],
    [['ip:192.0.2.0/24', 'token:ci']],
    [['token:ci']],
    [['github:org:acme']],
    // Names that an administrator gives out, and names with the provider before them.
    [['keycloak:group:ops', 'token:ci']],
    [['local:signed-in', 'token:ci']],
    [['github:org:acme', 'gitlab:signed-in', 'token:ci']],
  ];
  for (const [allow, told] of quiet) assert.equal(warningsOf(allow, told), '', JSON.stringify([allow, told]));
});
