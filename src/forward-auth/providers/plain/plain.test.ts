/** Each provider with an API of its own, against answers in the form that its documents give. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiAnswer, ApiRequest, Twin } from '../../../sign-in/oidc/_twin.ts';
import { startTwin } from '../../../sign-in/oidc/_twin.ts';
import type { ProviderKind } from '../../settings.ts';
import { createAuthProvider } from '../create.ts';
import {
  collectingLog,
  depart,
  enter,
  providerSettings,
  signIn,
  withProvider,
  type Over,
  type ProviderRig,
} from '../_rig.ts';

interface Given {
  readonly kind: ProviderKind;
  /** What the API answers to whoever has a token. */
  readonly api: (request: ApiRequest) => unknown;
  readonly profile?: string;
  readonly validate?: string;
  readonly settings?: Over;
  readonly allowedGroups?: readonly string[];
  readonly scopes?: readonly string[];
}

function withPlain(work: (rig: ProviderRig) => Promise<void>, given: Given): Promise<void> {
  const { kind, profile = '/me', validate = '/validate', allowedGroups = [] } = given;
  return withProvider(work, {
    allowedGroups,
    twin: { issParameter: false },
    settings: (twin) => ({
      kind,
      loginUrl: `${twin.issuer}/authorize`,
      redeemUrl: `${twin.issuer}/token`,
      profileUrl: twin.issuer + profile,
      validateUrl: twin.issuer + validate,
      ...given.settings,
      oidc: { issuer: null, ...given.settings?.oidc },
    }),
    prepare(twin: Twin) {
      twin.clientAuth = 'post';
      twin.scopes = given.scopes ?? [];
      twin.api = (request): ApiAnswer | null => {
        if (request.token === '' || request.query.has('access_token')) return { status: 401, body: {} };
        const body = given.api(request);
        return body === undefined ? null : { status: 200, body };
      };
    },
  });
}

const at =
  (path: string, body: unknown): ((request: ApiRequest) => unknown) =>
  (request) =>
    request.path === path || request.path === '/validate' ? body : undefined;

test('facebook knows people by their address', () =>
  withPlain(
    async ({ twin, provider }) => {
      const { searchParams } = (await depart(provider)).url;
      assert.equal(searchParams.get('scope'), 'public_profile email');
      assert.equal(searchParams.get('nonce'), null);
      assert.equal(searchParams.get('code_challenge'), null);
      const session = await enter(provider, twin);
      assert.equal(session.email, 'alice@example.com');
      assert.equal(session.user, '');
      assert.equal(session.idToken, '', 'nobody has checked one');
      assert.deepEqual(await provider.validate(session), { kind: 'ok', value: true });
    },
    {
      kind: 'facebook',
      scopes: ['public_profile', 'email'],
      api: ({ path, query }) =>
        path === '/validate' || query.get('fields') === 'name,email'
          ? { name: 'Alice', email: 'alice@example.com' }
          : {},
    },
  ));

test('linkedin finds the address in its projection, whose letters stay as they are', () =>
  withPlain(
    async ({ twin, provider }) => {
      assert.equal((await enter(provider, twin)).email, 'alice@example.com');
      assert.equal((await depart(provider)).url.searchParams.get('scope'), 'r_emailaddress r_liteprofile');
    },
    {
      kind: 'linkedin',
      scopes: ['r_emailaddress', 'r_liteprofile'],
      api: ({ query, headers }) =>
        query.get('projection') === '(elements*(handle~))' &&
        query.get('q') === 'members' &&
        headers['x-li-format'] === 'json'
          ? { elements: [{ 'handle~': { emailAddress: 'alice@example.com' }, handle: 'urn:li:emailAddress:1' }] }
          : {},
    },
  ));

test('digitalocean takes an address that is verified', async () => {
  for (const [verified, kind] of [
    [true, 'ok'],
    [false, 'refused'],
  ] as const)
    await withPlain(
      async ({ twin, provider }) => {
        assert.equal((await signIn(provider, twin)).kind, kind);
      },
      {
        kind: 'digitalocean',
        scopes: ['read'],
        api: at('/me', { account: { email: 'alice@example.com', email_verified: verified, uuid: 'x' } }),
      },
    );
});

test('nextcloud knows id, address and groups, asked at "validate-url" where there is no profile', () =>
  withPlain(
    async ({ twin, provider }) => {
      const session = await enter(provider, twin);
      assert.equal(session.user, 'alice');
      assert.equal(session.email, 'alice@example.com');
      assert.deepEqual(session.groups, ['admin', 'staff']);
      assert.equal(provider.authorizes(session), true);
    },
    {
      kind: 'nextcloud',
      scopes: [''],
      allowedGroups: ['staff'],
      settings: { profileUrl: null },
      validate: '/ocs/v2.php/cloud/user?format=json',
      api: ({ path, query, headers }) =>
        path === '/ocs/v2.php/cloud/user' && query.get('format') === 'json' && headers['ocs-apirequest'] === 'true'
          ? {
              ocs: {
                meta: { status: 'ok' },
                data: { id: 'alice', email: 'alice@example.com', groups: ['admin', 'staff'] },
              },
            }
          : undefined,
    },
  ));

test('sourcehut is asked by GraphQL', () =>
  withPlain(
    async ({ twin, provider }) => {
      const session = await enter(provider, twin);
      assert.deepEqual(
        [session.user, session.preferredUsername, session.email],
        ['alice', 'alice', 'alice@example.com'],
      );
    },
    {
      kind: 'srht',
      scopes: ['meta.sr.ht/PROFILE:RO'],
      profile: '/query',
      api: ({ path, method, body, headers }) =>
        path === '/query' &&
        method === 'POST' &&
        headers['content-type'] === 'application/json' &&
        (JSON.parse(body) as { query: string }).query.includes('me { username')
          ? { data: { me: { username: 'alice', email: 'alice@example.com' } } }
          : undefined,
    },
  ));

test('keycloak, the deprecated kind, reads the profile, and lets in by its groups', async () => {
  const isIn = async (allowedGroups: readonly string[]): Promise<boolean> => {
    let found = false;
    await withPlain(
      async ({ twin, provider }) => {
        const session = await enter(provider, twin);
        assert.equal(session.user, 'alice');
        found = provider.authorizes(session);
      },
      {
        kind: 'keycloak',
        scopes: ['api'],
        allowedGroups,
        api: at('/me', { sub: '1', email: 'alice@example.com', preferred_username: 'alice', groups: ['/admin', ''] }),
      },
    );
    return found;
  };
  assert.equal(await isIn([]), true);
  assert.equal(await isIn(['/admin']), true);
  assert.equal(await isIn(['admin']), false);
});

test('bitbucket takes the primary address that is confirmed', async () => {
  const email = async (values: readonly object[]): Promise<string> => {
    let found = '';
    await withPlain(
      async ({ twin, provider }) => {
        const answer = await signIn(provider, twin);
        found = answer.kind === 'ok' ? answer.value.email : answer.kind;
      },
      { kind: 'bitbucket', scopes: ['email'], validate: '/2.0/user/emails', api: at('/2.0/user/emails', { values }) },
    );
    return found;
  };
  const second = { email: 'b@example.com', is_primary: false, is_confirmed: true };
  assert.equal(
    await email([second, { email: 'a@example.com', is_primary: true, is_confirmed: true }]),
    'a@example.com',
  );
  assert.equal(await email([second, { email: 'a@example.com', is_primary: true, is_confirmed: false }]), 'refused');
  assert.equal(await email([second]), 'refused');
});

test('bitbucket-repository lets in who may use it, and refuses where that cannot be told (CVE-2021-21411)', async () => {
  const isIn = async (repository: string, answer: unknown): Promise<string> => {
    let found = '';
    await withPlain(
      async ({ twin, provider }) => {
        assert.equal((await depart(provider)).url.searchParams.get('scope'), 'email repository');
        found = (await signIn(provider, twin)).kind;
      },
      {
        kind: 'bitbucket',
        scopes: ['email', 'repository'],
        validate: '/2.0/user/emails',
        settings: { bitbucket: { team: null, repository } },
        api: ({ path, query }) => {
          if (path === '/2.0/user/emails') return { values: [{ email: 'a@example.com', is_primary: true }] };
          const isAsked = path === '/2.0/repositories/acme' && query.get('role') === 'contributor';
          return isAsked && query.get('q') === 'full_name="acme/app"' ? answer : undefined;
        },
      },
    );
    return found;
  };
  assert.equal(await isIn('acme/app', { values: [{ full_name: 'acme/app' }] }), 'ok');
  assert.equal(await isIn('acme/app', { values: [{ full_name: 'acme/other' }] }), 'refused');
  assert.equal(await isIn('acme/app', { values: [] }), 'refused');
  assert.equal(await isIn('acme/app', {}), 'refused');
  assert.equal(await isIn('other/app', { values: [{ full_name: 'other/app' }] }), 'refused');
});

test('a provider that does not say who it is signs nobody in, and one that is down is no refusal', async () => {
  const kinds = ['facebook', 'linkedin', 'digitalocean', 'nextcloud', 'srht', 'keycloak', 'bitbucket'] as const;
  const scopes = 'public_profile email r_emailaddress r_liteprofile read meta.sr.ht/PROFILE:RO api'
    .split(' ')
    .concat('');
  for (const kind of kinds) {
    for (const body of [
      {},
      { email: 7 },
      { email: '' },
      { email: 'a\nb', account: { email: ' ' } },
      { email: 'a@evil.com@corp.com' },
      [],
    ])
      await withPlain(
        async ({ twin, provider }) => {
          assert.equal((await signIn(provider, twin)).kind, 'refused', `${kind} ${JSON.stringify(body)}`);
        },
        { kind, scopes, api: () => body },
      );
    await withPlain(
      async ({ twin, provider }) => {
        twin.api = () => ({ status: 502, body: {} });
        assert.equal((await signIn(provider, twin)).kind, 'unavailable', kind);
        twin.api = () => ({ status: 403, body: {} });
        assert.equal((await signIn(provider, twin)).kind, 'refused', kind);
      },
      { kind, scopes, api: () => ({}) },
    );
  }
});

test('refresh() asks who it is again, with a new token where the old one ends', () => {
  let email = 'alice@example.com';
  const tokens: string[] = [];
  return withPlain(
    async ({ twin, provider }) => {
      const session = await enter(provider, twin);
      const again = await provider.refresh(session);
      assert.ok(again.kind === 'ok' && again.value !== null);
      assert.equal(again.value.accessToken, session.accessToken, 'good for another while');
      twin.expiresIn = 30;
      const short = await enter(provider, twin);
      const renewed = await provider.refresh(short);
      assert.ok(renewed.kind === 'ok' && renewed.value !== null);
      assert.notEqual(renewed.value.accessToken, short.accessToken);
      assert.equal(tokens.at(-1), renewed.value.accessToken);
      email = 'mallory@example.com';
      assert.equal((await provider.refresh(renewed.value)).kind, 'refused', 'another person');
      twin.api = () => ({ status: 401, body: {} });
      assert.equal((await provider.refresh(session)).kind, 'refused', 'the token was taken back');
    },
    {
      kind: 'facebook',
      scopes: ['public_profile', 'email'],
      api: ({ token }) => {
        tokens.push(token);
        return { email };
      },
    },
  );
});

test('extra issuers count for machines whatever signs people in', async () => {
  const other = await startTwin({ name: 'ci' });
  try {
    const logged: string[] = [];
    const provider = createAuthProvider(providerSettings({ kind: 'facebook' }), {
      clock: { now: () => Date.now() },
      log: collectingLog(logged),
      allowedGroups: [],
      bearer: { accepts: true, fallsBack: true, extraIssuers: [{ issuer: other.issuer, audience: 'api' }] },
    });
    const exp = Math.floor(Date.now() / 1_000) + 60;
    const good = await provider.verifyBearer(other.sign({ iss: other.issuer, aud: 'api', sub: 'ci', exp }));
    assert.equal(good?.kind, 'ok');
    assert.equal(
      (await provider.verifyBearer(other.sign({ iss: other.issuer, aud: 'x', sub: 'ci', exp })))?.kind,
      'refused',
    );
    assert.equal(
      await provider.verifyBearer(other.sign({ iss: 'https://x.example', aud: 'api', sub: 'ci', exp })),
      null,
    );
    provider.close();
  } finally {
    await other.stop();
  }
});

test('createAuthProvider() refuses what it could only ignore, and what lacks an address', () => {
  const deps = {
    clock: { now: () => Date.now() },
    log: collectingLog([]),
    allowedGroups: [],
    bearer: { accepts: false, fallsBack: true, extraIssuers: [] },
  };
  const create = (over: Over): unknown => createAuthProvider(providerSettings(over), deps);
  const team = { kind: 'bitbucket', bitbucket: { team: 'acme', repository: null } } as const;
  assert.throws(() => create(team), /"bitbucket-team" cannot be checked; use "bitbucket-repository"/);
  for (const kind of ['gitea', 'nextcloud', 'keycloak'] as const) {
    assert.throws(() => create({ kind }), /set "login-url" and "redeem-url"/);
    const urls = { loginUrl: 'https://x.example/a', redeemUrl: 'https://x.example/t' };
    assert.throws(() => create({ kind, ...urls }), /set "validate-url"/);
  }
});
