import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../../../../test/support/programs.ts';
import { compileRegExp } from '../../regular-expression.ts';
import { CALLBACK, depart, enter, secretOf, signIn, withProvider } from '../_rig.ts';

test('createAuthProvider() signs in by an OpenID provider and knows the person as oauth2-proxy does', () =>
  withProvider(
    async ({ twin, provider }) => {
      twin.claims = {
        sub: 'sub-1',
        email: 'alice@example.com',
        email_verified: true,
        preferred_username: 'alice',
        groups: ['/developers', 'ops'],
        sid: 'session-1',
        department: { name: 'lab' },
      };
      const session = await enter(provider, twin);
      assert.equal(session.user, 'sub-1');
      assert.equal(session.email, 'alice@example.com');
      assert.equal(session.preferredUsername, 'alice');
      assert.deepEqual(session.groups, ['/developers', 'ops']);
      assert.equal(session.providerSession, 'session-1');
      assert.deepEqual(session.claims, { department: { name: 'lab' }, 'department.name': 'lab' });
      assert.equal(session.via, 'provider');
      assert.ok(session.accessToken !== '' && session.idToken !== '' && session.refreshToken !== '');
      assert.ok((session.expiresOn ?? 0) > session.createdAt);
      assert.deepEqual(await provider.validate(session), { kind: 'ok', value: true });
    },
    { settings: { additionalClaims: ['department', 'department.name', 'nobody-has-this'] } },
  ));

test('loginUrl() says what the original says, sorted, and a nonce and PKCE besides', () =>
  withProvider(async ({ twin, provider }) => {
    const { url, nonce, codeVerifier } = await depart(provider);
    assert.equal(url.origin, twin.issuer);
    assert.equal(url.pathname, '/authorize');
    assert.deepEqual(
      [...url.searchParams.keys()],
      [
        'client_id',
        'code_challenge',
        'code_challenge_method',
        'nonce',
        'redirect_uri',
        'response_type',
        'scope',
        'state',
      ],
    );
    assert.equal(url.searchParams.get('scope'), 'openid email profile');
    assert.equal(url.searchParams.get('redirect_uri'), CALLBACK);
    assert.equal(url.searchParams.get('state'), 'state:/deep?a=1');
    assert.equal(url.searchParams.get('code_challenge_method'), 'S256');
    assert.equal(url.searchParams.get('nonce'), nonce);
    assert.equal(codeVerifier?.length, 43);
  }));

test('loginUrl() asks for the scope "groups" where groups are restricted, and never where a scope is set', async () => {
  await withProvider(
    async ({ provider }) => {
      assert.equal((await depart(provider)).url.searchParams.get('scope'), 'openid email profile groups');
      const words =
        provider.explainCallbackError?.('invalid_scope', 'Invalid scopes: openid email profile groups') ?? '';
      assert.match(words, /"groups" is asked for because groups are restricted/);
      assert.match(words, /Set "scope" to what the provider knows, such as "openid email profile"/);
      assert.doesNotMatch(provider.explainCallbackError?.('access_denied', null) ?? '', /scope/);
    },
    { allowedGroups: ['ops'] },
  );
  await withProvider(
    async ({ provider }) => {
      assert.equal((await depart(provider)).url.searchParams.get('scope'), 'openid email');
    },
    { allowedGroups: ['ops'], settings: { scope: 'openid email' } },
  );
});

test('loginUrl() takes parameters of a person only where the settings allow the value', () =>
  withProvider(
    async ({ provider }) => {
      const overrides = new URLSearchParams(
        'prompt=login&acr_values=evil&kc_idp_hint=github&kc_idp_hint=nope&scope=admin&redirect_uri=https://evil.example&state=x&client_id=y',
      );
      const { searchParams } = (await depart(provider, overrides)).url;
      assert.deepEqual(searchParams.getAll('prompt'), ['login']);
      assert.deepEqual(searchParams.getAll('acr_values'), ['silver']);
      assert.deepEqual(searchParams.getAll('kc_idp_hint'), ['github']);
      assert.deepEqual(searchParams.getAll('scope'), ['openid email profile']);
      assert.deepEqual(searchParams.getAll('redirect_uri'), [CALLBACK]);
      assert.deepEqual(searchParams.getAll('state'), ['state:/deep?a=1']);
      assert.deepEqual(searchParams.getAll('response_mode'), ['form_post']);
      const plain = (await depart(provider)).url.searchParams;
      assert.deepEqual(plain.getAll('prompt'), ['consent']);
      assert.deepEqual(plain.getAll('approval_prompt'), ['force']);
    },
    {
      settings: {
        responseMode: 'form_post',
        loginParameters: [
          { name: 'prompt', default: ['consent'], allow: [{ value: 'login' }] },
          { name: 'acr_values', default: ['silver'], allow: [] },
          { name: 'approval_prompt', default: ['force'], allow: [] },
          { name: 'kc_idp_hint', default: [], allow: [{ pattern: compileRegExp('^git(hub|lab)$') }] },
        ],
      },
    },
  ));

test('codeChallengeMethod() is S256 where it is announced, and what the settings say before that', async () => {
  const method = async (
    announced: readonly string[],
    set: 'S256' | 'plain' | 'none' | null,
  ): Promise<string | null> => {
    let found: string | null = '';
    await withProvider(
      async ({ twin, provider }) => {
        await enter(provider, twin);
        found = provider.codeChallengeMethod();
      },
      {
        settings: { codeChallengeMethod: set },
        prepare: (twin) => {
          twin.describe = (metadata) => ({ ...metadata, code_challenge_methods_supported: announced });
        },
      },
    );
    return found;
  };
  assert.equal(await method(['plain', 'S256'], null), 'S256');
  assert.equal(await method([], null), null);
  assert.equal(await method(['plain'], null), null, 'plain protects nothing, so it is never chosen by itself');
  assert.equal(await method([], 'S256'), 'S256');
  assert.equal(await method(['S256'], 'none'), null);
});

test('redeem() asks the profile for what the ID token does not have, JSON or signed', async () => {
  for (const signed of [null, {}])
    await withProvider(
      async ({ twin, provider }) => {
        twin.claims = { sub: 'sub-1' };
        twin.userinfo = { email: 'alice@example.com', realm: { roles: ['a', 'b'] }, preferred_username: 'alice' };
        twin.signedUserinfo = signed;
        const session = await enter(provider, twin);
        assert.equal(session.email, 'alice@example.com');
        assert.deepEqual(session.groups, ['a', 'b']);
        assert.equal(twin.requests.filter((one) => one === 'GET /userinfo').length, 1);
      },
      {
        settings: { oidc: { groupsClaim: 'realm.roles' } },
        prepare: (twin) => {
          twin.userinfo = {};
        },
      },
    );
});

test('redeem() refuses a profile of another person, or one that the provider did not sign', async () => {
  const tries: readonly [name: string, userinfo: Record<string, unknown>, signed: Record<string, unknown> | null][] = [
    ['another person', { sub: 'sub-2' }, null],
    ['no signature', {}, { alg: 'none' }],
    ['signed by the public key', {}, { alg: 'HS256' }],
    ['for another client', {}, { aud: 'other' }],
    ['of another issuer', {}, { iss: 'https://other.example' }],
  ];
  for (const [name, userinfo, signed] of tries)
    await withProvider(
      async ({ twin, provider }) => {
        twin.claims = { sub: 'sub-1' };
        twin.userinfo = { email: 'alice@example.com', ...userinfo };
        twin.signedUserinfo = signed;
        assert.equal((await signIn(provider, twin)).kind, 'refused', name);
      },
      {
        prepare: (twin) => {
          twin.userinfo = {};
        },
      },
    );
});

test('redeem() does not ask the profile with "skip-claims-from-profile-url"', () =>
  withProvider(
    async ({ twin, provider }) => {
      assert.deepEqual((await enter(provider, twin)).groups, []);
      assert.ok(!twin.requests.includes('GET /userinfo'));
    },
    {
      settings: { skipClaimsFromProfileUrl: true },
      prepare: (twin) => {
        twin.userinfo = { groups: ['ops'] };
      },
    },
  ));

test('redeem() reads groups as one text, a list, or objects as Go writes them', async () => {
  const groups = async (value: unknown): Promise<readonly string[]> => {
    let found: readonly string[] = [];
    await withProvider(async ({ twin, provider }) => {
      twin.claims = { ...twin.claims, groups: value };
      found = (await enter(provider, twin)).groups;
    });
    return found;
  };
  assert.deepEqual(await groups('ops'), ['ops']);
  assert.deepEqual(await groups(['a', 7, true, null, '', 'a']), ['a', '7', 'true']);
  assert.deepEqual(await groups([{ name: 'x<y', id: 1 }]), ['{"id":1,"name":"x\\u003cy"}']);
  assert.deepEqual(await groups({ b: 1, a: [2] }), ['{"a":[2],"b":1}']);
  assert.deepEqual(await groups(['good', 'evil\r\nX-Forwarded-User: root']), ['good'], 'nothing that ends a header');
});

test('redeem() takes the address from the claim that the settings name', async () => {
  const email = async (claims: object, oidc: object): Promise<string> => {
    let found = '';
    await withProvider(
      async ({ twin, provider }) => {
        twin.claims = { sub: 'sub-1', ...claims };
        const answer = await signIn(provider, twin);
        found = answer.kind === 'ok' ? answer.value.email : answer.message;
      },
      { settings: { oidc } },
    );
    return found;
  };
  assert.equal(await email({ upn: 'a@corp.com' }, { emailClaim: 'upn' }), 'a@corp.com');
  assert.equal(await email({ upn: 'a@corp.com' }, { userIdClaim: 'upn' }), 'a@corp.com');
  assert.equal(await email({ emails: ['a@corp.com'] }, { emailClaim: 'emails' }), 'a@corp.com');
  assert.match(await email({ emails: ['a@x', 'b@y'] }, { emailClaim: 'emails' }), /"emails" holds no single address/);
  assert.match(await email({ email: 'a@x\nb: c' }, {}), /"email" holds no single address/);
  assert.match(await email({ email: { a: 1 } }, {}), /"email" holds no single address/);
  assert.match(await email({}, {}), /neither the ID token nor the profile has an address/);
});

test('redeem() refuses an address that the provider says is not verified, unless told to take it', async () => {
  const tries: readonly [verified: unknown, isTaken: boolean][] = [
    [true, true],
    ['true', true],
    [1, true],
    [undefined, true],
    [false, false],
    ['false', false],
    ['yes', false],
    [0, false],
    [{}, false],
  ];
  for (const [verified, isTaken] of tries)
    await withProvider(async ({ twin, provider }) => {
      twin.claims = {
        sub: 'sub-1',
        email: 'a@example.com',
        ...(verified === undefined ? {} : { email_verified: verified }),
      };
      assert.equal((await signIn(provider, twin)).kind, isTaken ? 'ok' : 'refused', JSON.stringify(verified));
    });
  await withProvider(
    async ({ twin, provider }) => {
      twin.claims = { sub: 'sub-1', email: 'a@example.com', email_verified: false };
      assert.equal((await enter(provider, twin)).email, 'a@example.com');
    },
    { settings: { oidc: { allowUnverifiedEmail: true } } },
  );
});

test('isReady() is false until discovery succeeds, which is tried again without anybody asking', () =>
  withProvider(
    async ({ twin, provider, logged }) => {
      const answer = await provider.loginUrl({
        redirectUri: CALLBACK,
        state: 's',
        nonce: 'n',
        codeChallenge: null,
        overrides: new URLSearchParams(),
      });
      assert.equal(answer.kind, 'unavailable');
      assert.match(
        answer.kind === 'unavailable' ? answer.message : '',
        /OpenID Connect: cannot be reached: ECONNREFUSED/,
      );
      assert.equal(provider.isReady(), false);
      assert.equal(logged.length, 1, 'said once');
      await twin.start();
      await until(() => provider.isReady(), 'the provider is found again');
      assert.equal((await signIn(provider, twin)).kind, 'ok');
      assert.match(logged.at(-1) ?? '', /OpenID Connect answers/);
    },
    { isDown: true },
  ));

test('isReady() stays false for a provider that names itself otherwise, and says what to write', () =>
  withProvider(
    async ({ provider, twin, logged }) => {
      await provider.loginUrl({
        redirectUri: CALLBACK,
        state: 's',
        nonce: 'n',
        codeChallenge: null,
        overrides: new URLSearchParams(),
      });
      assert.equal(provider.isReady(), false);
      assert.match(logged[0] ?? '', /names itself "https:\/\/other.example", but "oidc-issuer-url" is "http:/);
      assert.ok(twin.requests.every((one) => !one.includes('/token')));
    },
    {
      prepare: (twin) => {
        twin.describe = (metadata) => ({ ...metadata, issuer: 'https://other.example' });
      },
    },
  ));

test('createAuthProvider() skips discovery for addresses and keys of the settings', () =>
  withProvider(
    async ({ twin, provider }) => {
      const session = await enter(provider, twin);
      assert.equal(session.email, 'alice@example.com');
      assert.deepEqual(session.groups, ['from-profile']);
      assert.ok(!twin.requests.includes('GET /.well-known/openid-configuration'));
    },
    {
      settings: (twin) => ({
        loginUrl: `${twin.issuer}/authorize?tenant=1`,
        redeemUrl: `${twin.issuer}/token`,
        profileUrl: `${twin.issuer}/userinfo`,
        oidc: { skipDiscovery: true, jwksUrl: `${twin.issuer}/keys` },
      }),
      prepare: (twin) => {
        twin.userinfo = { groups: ['from-profile'] };
      },
    },
  ));

test('createAuthProvider() takes keys from files, whichever of them signed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-keys-'));
  const [right, wrong] = [join(dir, 'right.pem'), join(dir, 'wrong.pem')];
  try {
    await withProvider(
      async ({ twin, provider }) => {
        assert.equal((await enter(provider, twin)).user, 'sub-alice');
        twin.rotateKeys();
        assert.equal((await signIn(provider, twin)).kind, 'refused', 'a key that is in no file');
      },
      {
        settings: (twin) => {
          writeFileSync(right, twin.key().publicKey.export({ type: 'spki', format: 'pem' }));
          twin.rotateKeys();
          writeFileSync(wrong, twin.key().publicKey.export({ type: 'spki', format: 'pem' }));
          return {
            loginUrl: `${twin.issuer}/authorize`,
            redeemUrl: `${twin.issuer}/token`,
            oidc: { skipDiscovery: true, publicKeyFiles: [right, wrong] },
          };
        },
      },
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('redeem() shows the client in the way that the provider takes, tried where it does not say', async () => {
  for (const announced of [['client_secret_post'], ['client_secret_basic', 'client_secret_post'], undefined])
    await withProvider(
      async ({ twin, provider }) => {
        assert.equal((await signIn(provider, twin)).kind, 'ok');
        const before = twin.requests.length;
        assert.equal((await signIn(provider, twin)).kind, 'ok');
        const asked = twin.requests.slice(before).filter((one) => one === 'POST /token');
        assert.equal(asked.length, 1, 'what worked is remembered');
      },
      {
        prepare: (twin) => {
          twin.clientAuth = 'post';
          twin.describe = (metadata) => ({ ...metadata, token_endpoint_auth_methods_supported: announced });
        },
      },
    );
});

test('redeem() reads the secret again for every code, so that a file of it may change', () => {
  let secret = 'old';
  return withProvider(
    async ({ twin, provider }) => {
      const refused = await signIn(provider, twin);
      assert.equal(refused.kind, 'refused');
      assert.match(
        refused.kind === 'refused' ? refused.message : '',
        /"invalid_client"; check "client-id" and "client-secret"/,
      );
      secret = twin.clientSecret;
      assert.equal((await signIn(provider, twin)).kind, 'ok');
    },
    { settings: { clientSecret: { read: () => secretOf(secret).read() } } },
  );
});

test('validate() asks "validate-url" whether the access token still counts', async () => {
  for (const [path, kind] of [
    ['/userinfo', 'ok'],
    ['/nowhere', 'refused'],
  ] as const)
    await withProvider(
      async ({ twin, provider }) => {
        const session = await enter(provider, twin);
        assert.equal((await provider.validate(session)).kind, kind);
        await twin.stop();
        assert.equal((await provider.validate(session)).kind, 'unavailable');
      },
      { settings: (twin) => ({ validateUrl: twin.issuer + path }) },
    );
});

test('authorizes() lets in whoever has one of the groups, exactly so written, and everybody where none is named', async () => {
  const isIn = async (allowedGroups: readonly string[], groups: readonly string[]): Promise<boolean> => {
    let found = false;
    await withProvider(
      async ({ twin, provider }) => {
        twin.claims = { ...twin.claims, groups };
        twin.scopes = [...twin.scopes, 'groups'];
        found = provider.authorizes(await enter(provider, twin));
      },
      { allowedGroups },
    );
    return found;
  };
  assert.equal(await isIn([], []), true);
  assert.equal(await isIn([''], []), true, 'an empty name is no restriction, as in the original');
  assert.equal(await isIn(['/developers', 'ops'], ['ops']), true);
  assert.equal(await isIn(['/developers'], ['developers', '/Developers', '/developers/sub']), false);
  assert.equal(await isIn(['/developers'], []), false);
});
