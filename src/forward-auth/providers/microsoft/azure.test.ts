import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiAnswer, ApiRequest, Twin } from '../../../sign-in/oidc/_twin.ts';
import { depart, enter, signIn, withProvider, type ProviderRig } from '../_rig.ts';
import { ADFS } from './adfs.ts';
import { azureKind } from './azure.ts';

interface Given {
  readonly version?: '' | '/v2.0';
  readonly resource?: string | null;
  readonly scope?: string;
  readonly field?: 'id' | 'displayName';
  readonly graph?: (request: ApiRequest) => ApiAnswer | null;
}

function withAzure(work: (rig: ProviderRig) => Promise<void>, given: Given = {}): Promise<void> {
  const { version = '', resource = null, scope = null, field = 'id' } = given;
  return withProvider(work, {
    kind: (twin) => azureKind(twin.issuer),
    twin: { issParameter: false },
    settings: (twin) => ({
      kind: 'azure',
      resource,
      scope,
      entraId: { tenant: 't', allowedTenants: [], federatedToken: false, graphGroupField: field },
      oidc: { issuer: twin.issuer + version },
    }),
    prepare(twin: Twin) {
      twin.describe = (metadata) => ({
        ...metadata,
        issuer: twin.issuer + version,
        authorization_endpoint: `${twin.issuer}${version}/authorize`,
      });
      twin.claims = { ...twin.claims, iss: twin.issuer + version };
      twin.scopes = [...twin.scopes, `${twin.issuer}/.default`];
      twin.api = (request) => given.graph?.(request) ?? null;
    },
  });
}

const GROUPS = [
  { id: 'g-1', displayName: 'Developers' },
  { id: 'g-2', displayName: 'Ops' },
];

test('azure signs in by the first endpoint, with its resource in both steps and the groups of the token', () =>
  withAzure(
    async ({ twin, provider }) => {
      twin.claims = { ...twin.claims, groups: ['from-token'] };
      const { url } = await depart(provider);
      assert.equal(url.searchParams.get('resource'), 'https://graph.example');
      assert.equal(url.searchParams.get('scope'), 'openid');
      assert.deepEqual((await enter(provider, twin)).groups, ['from-token']);
    },
    { resource: 'https://graph.example' },
  ));

test('azure asks Graph for the address that a token lacks', async () => {
  const email = async (me: object): Promise<string> => {
    let found = '';
    await withAzure(
      async ({ twin, provider }) => {
        const { email: _, ...claims } = twin.claims;
        twin.claims = claims;
        const answer = await signIn(provider, twin);
        found = answer.kind === 'ok' ? answer.value.email : answer.kind;
      },
      { graph: ({ path, token }) => (path === '/v1.0/me' && token !== '' ? { status: 200, body: me } : null) },
    );
    return found;
  };
  assert.equal(await email({ mail: 'a@corp.com' }), 'a@corp.com');
  assert.equal(await email({ mail: null, otherMails: ['b@corp.com'], userPrincipalName: 'c@corp.com' }), 'b@corp.com');
  assert.equal(await email({ userPrincipalName: 'c@corp.com' }), 'c@corp.com');
  assert.equal(await email({}), 'refused');
});

test('azure with the second endpoint asks Graph for security groups, by the field that names them', async () => {
  for (const field of ['id', 'displayName'] as const)
    await withAzure(
      async ({ twin, provider }) => {
        const { searchParams } = (await depart(provider)).url;
        assert.equal(searchParams.get('scope'), `openid ${twin.issuer}/.default`, '"groups" is no scope there');
        assert.equal(searchParams.get('resource'), null);
        const { groups } = await enter(provider, twin);
        assert.deepEqual(groups, field === 'id' ? ['g-1', 'g-2'] : ['Developers', 'Ops']);
      },
      {
        version: '/v2.0',
        resource: 'https://graph.example',
        scope: 'openid groups',
        field,
        graph: ({ path, query, headers }) =>
          path === '/v1.0/me/transitiveMemberOf' &&
          query.get('$filter') === 'securityEnabled eq true' &&
          query.get('$count') === 'true' &&
          query.get('$select') === field &&
          headers['consistencylevel'] === 'eventual'
            ? { status: 200, body: { value: GROUPS } }
            : null,
      },
    );
});

test('azure lets nobody in while Graph does not say the groups', () =>
  withAzure(
    async ({ twin, provider }) => {
      const answer = await signIn(provider, twin);
      assert.match(JSON.stringify(answer), /refused.*Group.Read.All/);
    },
    { version: '/v2.0', graph: () => ({ status: 403, body: {} }) },
  ));

test('adfs escapes the state twice, knows people by UPN, and puts the resource before the scope', () =>
  withProvider(
    async ({ twin, provider }) => {
      const { url } = await depart(provider);
      assert.equal(url.searchParams.get('state'), encodeURIComponent('state:/deep?a=1'));
      assert.equal(url.searchParams.get('scope'), 'https://app.example/openid email profile');
      twin.claims = { sub: 'sub-1', upn: 'alice@corp.local' };
      twin.scopes = ['https://app.example/openid', 'email', 'profile'];
      const session = await enter(provider, twin);
      assert.equal(session.email, 'alice@corp.local');
      const after = await provider.refresh(session);
      assert.equal(after.kind === 'ok' ? after.value?.email : null, 'alice@corp.local');
      twin.claims = { sub: 'sub-1' };
      assert.equal((await signIn(provider, twin)).kind, 'refused');
    },
    { kind: () => ADFS, settings: { kind: 'adfs', resource: 'https://app.example' } },
  ));

test('adfs sends no scope where the settings say so', () =>
  withProvider(
    async ({ provider }) => {
      assert.equal((await depart(provider)).url.searchParams.has('scope'), false);
    },
    { settings: { kind: 'adfs', skipsScope: true } },
  ));
