import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Twin } from '../../../sign-in/oidc/_twin.ts';
import { depart, enter, signIn, withProvider, type RigOptions } from '../_rig.ts';

const ACCESS = {
  realm_access: { roles: ['reviewer'] },
  resource_access: { account: { roles: ['view-profile'] }, odd: { roles: 'text' } },
};

function asKeycloak(options: RigOptions = {}): RigOptions {
  return {
    ...options,
    settings: { kind: 'keycloak-oidc', ...(options.settings as object) },
    prepare: (twin: Twin) => {
      twin.claims = { ...twin.claims, groups: ['/developers', 'role:admin'] };
      twin.accessClaims = ACCESS;
    },
  };
}

test('keycloak-oidc adds the roles of the access token to the groups, and takes no group for a role', () =>
  withProvider(async ({ twin, provider }) => {
    assert.equal(provider.displayName, 'Keycloak OIDC');
    const session = await enter(provider, twin);
    assert.deepEqual(session.groups, ['/developers', 'role:reviewer', 'role:account:view-profile']);
    twin.accessClaims = { realm_access: { roles: [] } };
    const after = await provider.refresh(session);
    assert.ok(after.kind === 'ok' && after.value !== null);
    assert.deepEqual(after.value.groups, ['/developers'], 'a role that was taken is gone');
    twin.refreshesSilently = true;
    twin.accessClaims = ACCESS;
    const silent = await provider.refresh(after.value);
    assert.ok(silent.kind === 'ok' && silent.value !== null);
    assert.deepEqual(silent.value.groups, ['/developers', 'role:reviewer', 'role:account:view-profile']);
  }, asKeycloak()));

test('keycloak-oidc lets in by role, alone or beside groups', async () => {
  const isIn = async (roles: readonly string[], allowedGroups: readonly string[] = []): Promise<boolean> => {
    let found = false;
    await withProvider(
      async ({ twin, provider }) => {
        twin.scopes = [...twin.scopes, 'groups'];
        found = provider.authorizes(await enter(provider, twin));
      },
      asKeycloak({ settings: { roles }, allowedGroups }),
    );
    return found;
  };
  assert.equal(await isIn(['reviewer']), true);
  assert.equal(await isIn(['account:view-profile']), true);
  assert.equal(await isIn(['admin']), false, 'a group "role:admin" is no role');
  assert.equal(await isIn(['view-profile']), false, 'a role of a client is not one of the realm');
  assert.equal(await isIn(['admin'], ['/developers']), true, 'one of them is enough');
  assert.equal(await isIn(['admin'], ['/ops']), false);
});

test('keycloak-oidc asks for the scope "groups" for groups, not for roles', async () => {
  const scope = async (options: RigOptions): Promise<string | null> => {
    let found: string | null = null;
    await withProvider(async ({ provider }) => {
      found = (await depart(provider)).url.searchParams.get('scope');
    }, asKeycloak(options));
    return found;
  };
  assert.equal(await scope({ settings: { roles: ['reviewer'] } }), 'openid email profile');
  assert.equal(await scope({ allowedGroups: ['/developers'] }), 'openid email profile groups');
});

test('keycloak-oidc reads roles only of a token of this realm, for this client and person', async () => {
  const tries: readonly [name: string, claims: object, kind: string][] = [
    ['its own', {}, 'ok'],
    ['another person', { sub: 'mallory' }, 'refused'],
    ['another client', { azp: 'other' }, 'refused'],
    ['another issuer', { iss: 'https://evil.example' }, 'refused'],
    ['expired', { exp: 1 }, 'refused'],
  ];
  for (const [name, claims, kind] of tries)
    await withProvider(async ({ twin, provider }) => {
      twin.accessClaims = { ...ACCESS, ...claims };
      assert.equal((await signIn(provider, twin)).kind, kind, name);
    }, asKeycloak());
});

test('keycloak-oidc lets nobody in by role where the access token says none', () =>
  withProvider(
    async ({ twin, provider }) => {
      twin.accessClaims = null;
      const session = await enter(provider, twin);
      assert.deepEqual(session.groups, ['/developers']);
      assert.equal(provider.authorizes(session), false);
    },
    asKeycloak({ settings: { roles: ['reviewer'] } }),
  ));

test('keycloak-oidc reads roles of a machine from the token it brought', () =>
  withProvider(
    async ({ twin, provider }) => {
      const now = Math.floor(Date.now() / 1_000);
      const claims = { iss: twin.issuer, aud: twin.clientId, azp: 'ci', sub: 'robot', exp: now + 60, ...ACCESS };
      const answer = await provider.verifyBearer(twin.sign(claims));
      assert.ok(answer?.kind === 'ok');
      assert.deepEqual(answer.value.groups, ['role:reviewer', 'role:account:view-profile']);
      assert.equal(provider.authorizes(answer.value), true);
    },
    asKeycloak({ settings: { roles: ['reviewer'] }, bearer: { accepts: true } }),
  ));
