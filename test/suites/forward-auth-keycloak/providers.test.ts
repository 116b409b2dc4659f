/**
 * The provider "keycloak-oidc" of forward-auth against a real Keycloak: what oauth2-proxy's users have in
 * their realms, what changes there while people are signed in, and what goes wrong in its words.
 */
import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectingLog, providerSettings, secretOf, type Over } from '../../../src/forward-auth/providers/_rig.ts';
import type { AuthSession } from '../../../src/forward-auth/auth-session.ts';
import { createAuthProvider } from '../../../src/forward-auth/providers/create.ts';
import type { AuthProvider, ProviderAnswer } from '../../../src/forward-auth/ports.ts';
import { startKeycloak, type Keycloak } from '../../support/keycloak.ts';
import { skipWithout } from '../../support/peers.ts';
import { until } from '../../support/programs.ts';
import { createVisitor, type Visitor } from '../../support/visitor.ts';

const SECRET = 'secret:+/ %of o2p';

suite('Keycloak as the provider of forward-auth', { skip: skipWithout('kc') }, () => {
  let keycloak: Keycloak;
  let app: Server;
  let callback: string;
  const open: AuthProvider[] = [];
  const logged: string[] = [];

  before(async () => {
    app = createServer((_, res) => res.end('back'));
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    callback = `http://localhost:${(app.address() as AddressInfo).port}/oauth2/callback`;
    keycloak = await startKeycloak({ signInUrl: 'http://localhost:1', backChannelUrl: 'http://localhost:1' });
    await makeClient('o2p');
  });
  after(async () => {
    for (const one of open) one.close();
    await keycloak?.close();
    app?.closeAllConnections();
    app?.close();
  });

  const groupsMapper = {
    name: 'groups',
    protocol: 'openid-connect',
    protocolMapper: 'oidc-group-membership-mapper',
    config: { 'claim.name': 'groups', 'full.path': 'true', 'id.token.claim': 'true', 'userinfo.token.claim': 'true' },
  };

  const makeClient = async (clientId: string, more: object = {}): Promise<void> => {
    await keycloak.admin('POST', '/clients', {
      clientId,
      secret: SECRET,
      publicClient: false,
      redirectUris: [callback],
      protocolMappers: [groupsMapper],
      ...more,
    });
  };

  const providerOf = (over: Over = {}, allowedGroups: readonly string[] = []): AuthProvider => {
    const settings = providerSettings({
      kind: 'keycloak-oidc',
      clientId: 'o2p',
      clientSecret: secretOf(SECRET),
      ...over,
      oidc: { issuer: keycloak.issuer, ...over.oidc },
    });
    const provider = createAuthProvider(settings, {
      clock: { now: () => Date.now() },
      log: collectingLog(logged),
      allowedGroups,
      bearer: { accepts: true, fallsBack: true, extraIssuers: [] },
    });
    open.push(provider);
    return provider;
  };

  interface Visit {
    readonly back: URLSearchParams;
    readonly nonce: string;
    readonly codeVerifier: string | null;
  }

  const visit = async (provider: AuthProvider, name: string, visitor: Visitor = createVisitor()): Promise<Visit> => {
    await until(() => Promise.resolve(provider.isReady()), 'discovery');
    const nonce = randomBytes(16).toString('base64url');
    const method = provider.codeChallengeMethod();
    const codeVerifier = method === null ? null : randomBytes(32).toString('base64url');
    const challenge = hash('sha256', codeVerifier ?? '', 'base64url');
    const answer = await provider.loginUrl({
      redirectUri: callback,
      state: 'state:/deep',
      nonce,
      codeChallenge: method === null ? null : { challenge, method },
      overrides: new URLSearchParams(),
    });
    assert.ok(answer.kind === 'ok');
    const page = await visitor.open(answer.value);
    const landed = page.url.startsWith(callback)
      ? page
      : await visitor.submit(page, { username: name, password: `pw-${name}` });
    assert.ok(landed.url.startsWith(callback), `${landed.status} ${landed.url} ${landed.body.slice(0, 2_000)}`);
    return { back: new URL(landed.url).searchParams, nonce, codeVerifier };
  };

  const signIn = async (provider: AuthProvider, name: string): Promise<ProviderAnswer<AuthSession>> => {
    const { back, nonce, codeVerifier } = await visit(provider, name);
    assert.equal(back.get('state'), 'state:/deep');
    const code = back.get('code') ?? '';
    return provider.redeem({ code, redirectUri: callback, codeVerifier, nonce, issuer: back.get('iss') });
  };

  const enter = async (provider: AuthProvider, name: string): Promise<AuthSession> => {
    const answer = await signIn(provider, name);
    if (answer.kind !== 'ok') throw new Error(`Cannot enter: ${answer.message}`);
    return answer.value;
  };

  const renewed = async (provider: AuthProvider, session: AuthSession): Promise<AuthSession> => {
    const answer = await provider.refresh(session);
    if (answer.kind !== 'ok' || answer.value === null) throw new Error(`Cannot refresh: ${JSON.stringify(answer)}`);
    return answer.value;
  };

  test('alice is known by her groups with their paths, and her roles', async () => {
    const provider = providerOf({ additionalClaims: ['given_name'] });
    const session = await enter(provider, 'alice');
    assert.equal(session.email, 'alice@example.com');
    assert.equal(session.preferredUsername, 'alice');
    assert.match(session.user, /^[0-9a-f-]{36}$/);
    assert.ok(session.groups.includes('/developers'), session.groups.join());
    assert.ok(session.groups.includes('role:reviewer'), session.groups.join());
    assert.deepEqual(session.claims, { given_name: 'alice' });
    assert.notEqual(session.providerSession, '');
    assert.equal(provider.codeChallengeMethod(), 'S256');
    const groups = providerOf({ scope: 'openid email profile' }, ['/developers']);
    assert.equal(groups.authorizes(session), true);
    assert.equal(groups.authorizes(await enter(groups, 'bob')), false);
    assert.equal(providerOf({ roles: ['reviewer'] }).authorizes(session), true);
    assert.equal(providerOf({ roles: ['o2p:reviewer'] }).authorizes(session), false);
  });

  test('a group or role that is taken while carol is signed in is gone after the refresh', async () => {
    const provider = providerOf({ scope: 'openid email profile' }, ['/developers']);
    await keycloak.addToGroup('carol', 'developers');
    const before = await enter(provider, 'carol');
    assert.equal(provider.authorizes(before), true);
    await keycloak.removeFromGroup('carol', 'developers');
    const after = await renewed(provider, before);
    assert.equal(provider.authorizes(after), false);
    assert.notEqual(after.refreshToken, before.refreshToken);
    assert.equal(after.providerSession, before.providerSession);
    await keycloak.addToGroup('carol', 'developers');
    assert.equal(provider.authorizes(await renewed(provider, after)), true);
  });

  test('the scope "groups" that a group asks for is refused by Keycloak, and explained', async () => {
    const provider = providerOf({}, ['/developers']);
    const { back } = await visit(provider, 'alice');
    assert.equal(back.get('error'), 'invalid_scope');
    const words = provider.explainCallbackError?.('invalid_scope', back.get('error_description')) ?? '';
    assert.match(words, /"groups" is asked for because groups are restricted.*Set "scope"/);
    await keycloak.admin('POST', '/client-scopes', { name: 'groups', protocol: 'openid-connect' });
    const scopes = (await keycloak.admin('GET', '/client-scopes')) as { id: string; name: string }[];
    const [client] = (await keycloak.admin('GET', '/clients?clientId=o2p')) as { id: string }[];
    const id = scopes.find(({ name }) => name === 'groups')?.id ?? '';
    await keycloak.admin('PUT', `/clients/${client?.id ?? ''}/optional-client-scopes/${id}`);
    assert.equal(provider.authorizes(await enter(provider, 'alice')), true);
  });

  test('a machine needs the client in the audience of its token, and has its roles', async () => {
    const provider = providerOf({ roles: ['reviewer'], oidc: { allowUnverifiedEmail: true } });
    const audience = {
      name: 'o2p',
      protocol: 'openid-connect',
      protocolMapper: 'oidc-audience-mapper',
      config: { 'included.client.audience': 'o2p', 'access.token.claim': 'true' },
    };
    const grants = { serviceAccountsEnabled: true, standardFlowEnabled: false };
    await makeClient('ci', { ...grants, protocolMappers: [audience] });
    await makeClient('foreign', { ...grants, protocolMappers: [] });
    const [user] = (await keycloak.admin('GET', '/users?username=service-account-ci')) as { id: string }[];
    const role = await keycloak.admin('GET', '/roles/reviewer');
    await keycloak.admin('POST', `/users/${user?.id ?? ''}/role-mappings/realm`, [role]);
    const tokenOf = async (clientId: string): Promise<string> => {
      const body = new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: SECRET,
      });
      const answer = await fetch(`${keycloak.issuer}/protocol/openid-connect/token`, { method: 'POST', body });
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    const strict = await providerOf().verifyBearer(await tokenOf('ci'));
    assert.match(JSON.stringify(strict), /refused.*\\"email_verified\\" is false/, 'as in the original');
    const machine = await provider.verifyBearer(await tokenOf('ci'));
    assert.ok(machine?.kind === 'ok', JSON.stringify(machine));
    assert.equal(machine.value.preferredUsername, 'service-account-ci');
    assert.equal(provider.authorizes(machine.value), true);
    const foreign = await provider.verifyBearer(await tokenOf('foreign'));
    assert.match(JSON.stringify(foreign), /refused.*names none of.*an audience mapper/);
    const person = await enter(provider, 'alice');
    assert.equal((await provider.verifyBearer(person.idToken))?.kind, 'ok', 'an ID token of this client, as before');
    assert.equal((await provider.verifyBearer(person.refreshToken))?.kind, 'refused');
  });

  test('a signed profile counts as a plain one', async () => {
    await makeClient('signed', {
      attributes: { 'user.info.response.signature.alg': 'RS256' },
      protocolMappers: [{ ...groupsMapper, config: { ...groupsMapper.config, 'id.token.claim': 'false' } }],
    });
    const session = await enter(providerOf({ clientId: 'signed' }), 'alice');
    assert.ok(session.groups.includes('/developers'), session.groups.join());
  });

  test('a lightweight access token has no roles, so a rule for a role lets nobody in', async () => {
    await makeClient('light', { attributes: { 'client.use.lightweight.access.token.enabled': 'true' } });
    const provider = providerOf({ clientId: 'light', roles: ['reviewer'] });
    const session = await enter(provider, 'alice');
    assert.deepEqual(session.groups, ['/developers']);
    assert.equal(provider.authorizes(session), false);
  });

  test('new keys: nobody notices', async () => {
    const provider = providerOf();
    const before = await enter(provider, 'alice');
    await keycloak.rotateKeys();
    // Keys are looked at again at most once a second: tokens of strangers must not make us hammer.
    await sleep(1_100);
    assert.equal((await enter(provider, 'bob')).preferredUsername, 'bob');
    assert.equal((await renewed(provider, before)).user, before.user);
  });

  test('a wrong secret, a used code, a logout at Keycloak: each said in words, without a secret', async () => {
    const wrong = await signIn(providerOf({ clientSecret: secretOf('wrong-secret') }), 'alice');
    assert.match(JSON.stringify(wrong), /refused.*check \\"client-id\\" and \\"client-secret\\"/);
    const provider = providerOf();
    const { back, nonce, codeVerifier } = await visit(provider, 'bob');
    const wish = { code: back.get('code') ?? '', redirectUri: callback, codeVerifier, nonce, issuer: back.get('iss') };
    const first = await provider.redeem(wish);
    assert.ok(first.kind === 'ok');
    const second = await provider.redeem(wish);
    assert.match(JSON.stringify(second), /refused.*invalid_grant/);
    const bob = await enter(provider, 'bob');
    await keycloak.logOut('bob');
    const ended = await provider.refresh(bob);
    assert.match(JSON.stringify(ended), /refused.*invalid_grant/);
    const words = JSON.stringify([wrong, second, ended]) + logged.join('\n');
    for (const text of ['wrong-secret', SECRET, wish.code, bob.refreshToken]) assert.ok(!words.includes(text));
  });

  test('an outage of Keycloak ends nobody, and is over by itself', async () => {
    const provider = providerOf();
    const session = await enter(provider, 'alice');
    await keycloak.stop();
    assert.equal((await provider.refresh(session)).kind, 'unavailable');
    const late = providerOf();
    assert.equal(late.isReady(), false);
    await keycloak.start();
    await until(() => Promise.resolve(late.isReady()), 'discovery after the outage');
    assert.equal((await enter(late, 'alice')).user, session.user);
    assert.match(logged.join('\n'), /Keycloak OIDC: cannot be reached: ECONNREFUSED/);
  });
});
