import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthSession } from '../../auth-session.ts';
import type { AuthProvider } from '../../ports.ts';
import { enter, withProvider } from '../_rig.ts';

async function renewed(provider: AuthProvider, session: AuthSession): Promise<AuthSession> {
  const answer = await provider.refresh(session);
  if (answer.kind !== 'ok' || answer.value === null) throw new Error(`Cannot refresh: ${JSON.stringify(answer)}`);
  return answer.value;
}

test('refresh() brings new tokens and the groups of now', () =>
  withProvider(async ({ twin, provider }) => {
    twin.claims = { ...twin.claims, groups: ['dev', 'ops'], sid: 'sid-1' };
    const before = await enter(provider, twin);
    twin.claims = { ...twin.claims, groups: ['dev'], email: 'new@example.com' };
    const after = await renewed(provider, before);
    assert.deepEqual(after.groups, ['dev']);
    assert.equal(after.email, 'new@example.com');
    assert.notEqual(after.accessToken, before.accessToken);
    assert.notEqual(after.refreshToken, before.refreshToken, 'the provider rotates');
    assert.equal(after.providerSession, 'sid-1');
    assert.equal((await provider.refresh(before)).kind, 'refused', 'a token that was used ends the session');
    assert.deepEqual((await renewed(provider, after)).groups, ['dev']);
  }));

test('refresh() keeps the refresh token where the provider does not rotate', () =>
  withProvider(async ({ twin, provider }) => {
    const before = await enter(provider, twin);
    twin.givesRefreshToken = false;
    assert.equal((await renewed(provider, before)).refreshToken, before.refreshToken);
  }));

test('refresh() without a new ID token asks the profile, so that lost groups are lost', () =>
  withProvider(
    async ({ twin, provider }) => {
      twin.userinfo = { groups: ['dev', 'ops'] };
      const before = await enter(provider, twin);
      assert.deepEqual(before.groups, ['dev', 'ops']);
      twin.refreshesSilently = true;
      twin.userinfo = { groups: ['dev'] };
      const after = await renewed(provider, before);
      assert.deepEqual(after.groups, ['dev']);
      assert.equal(after.email, 'alice@example.com');
      assert.equal(after.idToken, before.idToken, 'the last one is kept');
      twin.userinfo = { groups: ['ops'], sub: 'somebody else' };
      assert.equal((await provider.refresh(after)).kind, 'refused');
    },
    {
      prepare: (twin) => {
        twin.userinfo = {};
      },
    },
  ));

test('refresh() answers null where there is nothing to refresh with', () =>
  withProvider(async ({ twin, provider }) => {
    twin.givesRefreshToken = false;
    assert.deepEqual(await provider.refresh(await enter(provider, twin)), { kind: 'ok', value: null });
  }));

test('refresh() ends nothing while the provider is down', () =>
  withProvider(async ({ twin, provider }) => {
    const session = await enter(provider, twin);
    twin.tokenError = { status: 502, body: {} };
    assert.equal((await provider.refresh(session)).kind, 'unavailable');
    await twin.stop();
    assert.equal((await provider.refresh(session)).kind, 'unavailable');
  }));

test('refresh() refuses another person, another nonce, and an address that is not verified any more', () =>
  withProvider(async ({ twin, provider }) => {
    const change = async (claims: object): Promise<string> => {
      const session = await enter(provider, twin);
      twin.tamper = (parts) => ({ ...parts, claims: { ...parts.claims, ...claims } });
      const { kind } = await provider.refresh(session);
      twin.tamper = (parts) => parts;
      return kind;
    };
    assert.equal(await change({}), 'ok');
    assert.equal(await change({ sub: 'mallory' }), 'refused');
    assert.equal(await change({ nonce: 'another' }), 'refused');
    assert.equal(await change({ email_verified: false }), 'refused');
    assert.equal(await change({ aud: 'another' }), 'refused');
  }));

test('refresh() asks "validate-url" about the new token, as the original does', async () => {
  let isGood = true;
  await withProvider(
    async ({ twin, provider }) => {
      twin.api = ({ path }) => (path === '/valid' && isGood ? { status: 200, body: {} } : null);
      const session = await enter(provider, twin);
      const after = await renewed(provider, session);
      isGood = false;
      assert.equal((await provider.refresh(after)).kind, 'refused');
    },
    { settings: (twin) => ({ validateUrl: `${twin.issuer}/valid` }) },
  );
});
