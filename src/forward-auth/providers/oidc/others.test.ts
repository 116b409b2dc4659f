/** Kinds that are OpenID Connect with one thing of their own. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { depart, enter, providerSettings, secretOf, signIn, withProvider } from '../_rig.ts';
import { flatGroups } from './cidaas.ts';

test('cidaas makes groups with roles flat, and asks for them again at every refresh', () =>
  withProvider(
    async ({ twin, provider }) => {
      assert.equal((await depart(provider)).url.searchParams.get('scope'), 'openid email profile roles groups');
      twin.scopes = [...twin.scopes, 'roles', 'groups'];
      twin.userinfo = { groups: [{ groupId: 'g1', roles: ['admin', 'user'] }], roles: ['SUPER'] };
      const session = await enter(provider, twin);
      assert.deepEqual(session.groups, ['g1:admin', 'g1:user', 'cidaas:SUPER']);
      assert.equal(provider.authorizes(session), true);
      twin.userinfo = { groups: [{ groupId: 'g1', roles: ['user'] }] };
      const after = await provider.refresh(session);
      assert.ok(after.kind === 'ok' && after.value !== null);
      assert.deepEqual(after.value.groups, ['g1:user']);
      assert.equal(provider.authorizes(after.value), false);
    },
    {
      settings: { kind: 'cidaas' },
      allowedGroups: ['g1:admin'],
      prepare: (twin) => {
        twin.userinfo = {};
      },
    },
  ));

test('flatGroups() takes nothing from groups of another form', () => {
  for (const groups of [
    undefined,
    'g1:admin',
    ['g1:admin'],
    [{ groupId: 'g1' }],
    [{ roles: ['x'] }],
    [{ groupId: 'g1', roles: 'x' }],
  ])
    assert.deepEqual(flatGroups({ groups }, 'groups'), []);
  assert.deepEqual(flatGroups({ groups: [{ groupId: 7, roles: ['a', 7, null] }] }, 'groups'), ['7:a']);
});

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

test('login.gov shows a statement that its key signed, and takes only verified addresses', () =>
  withProvider(
    async ({ twin, provider }) => {
      const { searchParams } = (await depart(provider)).url;
      assert.equal(searchParams.get('acr_values'), 'http://idmanagement.gov/ns/assurance/loa/1');
      assert.equal(searchParams.get('scope'), 'email openid');
      const shown: string[] = [];
      twin.checkAssertion = (assertion) => shown.push(assertion) > 0;
      const session = await enter(provider, twin);
      assert.equal(session.email, 'alice@agency.gov');
      const audience = `${twin.issuer}/token`;
      const { payload } = await jwtVerify(shown[0] ?? '', publicKey, { audience, issuer: twin.clientId });
      assert.equal(payload.sub, twin.clientId);
      assert.ok((payload.exp ?? 0) - (payload.iat ?? 0) <= 300);
      assert.notEqual(payload.jti, undefined);
      assert.equal(decodeProtectedHeader(shown[0] ?? '').alg, 'RS256');
      await enter(provider, twin);
      assert.notEqual(shown[1], shown[0], 'one for each time');
      twin.userinfo = { email: 'alice@agency.gov', email_verified: false };
      assert.equal((await signIn(provider, twin)).kind, 'refused');
      twin.userinfo = { email: 'alice@agency.gov' };
      assert.equal((await signIn(provider, twin)).kind, 'refused');
      twin.checkAssertion = () => false;
      const answer = JSON.stringify(await signIn(provider, twin));
      assert.match(answer, /refused.*invalid_client/);
      assert.doesNotMatch(answer, /PRIVATE|eyJ/);
    },
    {
      settings: (twin) => ({
        kind: 'login.gov',
        clientSecret: null,
        loginUrl: `${twin.issuer}/authorize`,
        redeemUrl: `${twin.issuer}/token`,
        profileUrl: `${twin.issuer}/userinfo`,
        loginGov: { jwtKey: secretOf(PEM), pubjwkUrl: `${twin.issuer}/keys` },
        oidc: { issuer: null },
      }),
      twin: { issParameter: false },
      prepare: (twin) => {
        twin.clientAuth = 'assertion';
        twin.claims = { sub: 'uuid-1', iss: 'https://secure.login.gov/' };
        twin.userinfo = { email: 'alice@agency.gov', email_verified: true };
      },
    },
  ));

test('login.gov is found by its issuer where the settings name one, and an acr of theirs wins', () =>
  withProvider(
    async ({ twin, provider }) => {
      const { url } = await depart(provider);
      assert.equal(url.origin, twin.issuer);
      assert.deepEqual(url.searchParams.getAll('acr_values'), ['urn:acr.login.gov:auth-only']);
      assert.equal((await enter(provider, twin)).user, 'uuid-1');
    },
    {
      settings: {
        kind: 'login.gov',
        clientSecret: null,
        loginParameters: [{ name: 'acr_values', default: ['urn:acr.login.gov:auth-only'], allow: [] }],
        loginGov: { ...providerSettings().loginGov, jwtKey: secretOf(PEM) },
      },
      prepare: (twin) => {
        twin.clientAuth = 'assertion';
        twin.checkAssertion = () => true;
        twin.claims = { sub: 'uuid-1' };
        twin.userinfo = { email: 'alice@agency.gov', email_verified: true };
      },
    },
  ));
