import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ProviderSettings } from '../../settings.ts';
import { depart, enter, providerSettings, signIn, withProvider, type ProviderRig } from '../_rig.ts';
import { ACCOUNT, ADMIN, keyFile, POOL, SCOPE, Workspace } from '../../../sign-in/google/_workspace.ts';
import { googleKind } from './kind.ts';

type GoogleRig = ProviderRig & { readonly workspace: Workspace };

interface Given {
  readonly google?: Partial<ProviderSettings['google']>;
  /** False: no key file is set. */
  readonly hasKey?: boolean;
  readonly allowedGroups?: readonly string[];
  readonly scope?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** The text of default credentials, with ISSUER for the twin's address; null: there are none. */
  readonly defaults?: string | null;
  /** What stands beside them in a file called "token". */
  readonly token?: string;
}

async function withGoogle(work: (rig: GoogleRig) => Promise<void>, given: Given = {}): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-google-'));
  const key = join(dir, 'key.json');
  const defaults = join(dir, 'defaults.json');
  const workspace = new Workspace();
  const { hasKey = true, allowedGroups = [], scope = null } = given;
  if (given.token !== undefined) writeFileSync(join(dir, 'token'), given.token);
  try {
    await withProvider((rig) => work({ ...rig, workspace }), {
      allowedGroups,
      twin: { issParameter: false },
      environment: {
        HOME: dir,
        ...(given.defaults === undefined ? {} : { GOOGLE_APPLICATION_CREDENTIALS: defaults }),
        ...given.environment,
      },
      kind: ({ issuer }) => googleKind({ directory: issuer, iam: issuer, metadata: issuer, token: `${issuer}/grant` }),
      settings(twin) {
        writeFileSync(key, keyFile(`${twin.issuer}/grant`));
        if (typeof given.defaults === 'string')
          writeFileSync(defaults, given.defaults.replaceAll('ISSUER', twin.issuer).replaceAll('FOLDER', dir));
        const account = hasKey ? { serviceAccountFile: key, adminEmail: ADMIN } : {};
        return {
          kind: 'google',
          scope,
          loginUrl: `${twin.issuer}/authorize?access_type=offline`,
          redeemUrl: `${twin.issuer}/token`,
          google: { ...providerSettings().google, ...account, ...given.google },
          oidc: { issuer: null, jwksUrl: `${twin.issuer}/keys` },
        };
      },
      prepare(twin) {
        twin.clientAuth = 'post';
        twin.claims = {
          sub: '1001',
          email: 'alice@corp.com',
          email_verified: true,
          iss: 'https://accounts.google.com',
        };
        twin.api = workspace.answer;
      },
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('google signs in by an ID token that its keys signed, with its own scope, a nonce and PKCE', () =>
  withGoogle(
    async ({ twin, provider }) => {
      const { searchParams } = (await depart(provider)).url;
      assert.equal(searchParams.get('scope'), 'openid profile email');
      assert.equal(searchParams.get('access_type'), 'offline');
      assert.equal(searchParams.get('code_challenge_method'), 'S256');
      assert.ok(searchParams.has('nonce'));
      const session = await enter(provider, twin);
      assert.equal(session.user, '1001');
      assert.equal(session.email, 'alice@corp.com');
      assert.deepEqual(session.groups, []);
      twin.claims = { ...twin.claims, iss: 'accounts.google.com' };
      assert.equal((await signIn(provider, twin)).kind, 'ok', 'Google writes either');
    },
    { hasKey: false },
  ));

test('google refuses tokens of others, and addresses that are not said to be verified', () =>
  withGoogle(
    async ({ twin, provider }) => {
      for (const change of [
        { iss: twin.issuer },
        { aud: 'x' },
        { email_verified: false },
        { email_verified: undefined },
      ]) {
        twin.tamper = (parts) => ({ ...parts, claims: { ...parts.claims, ...change } });
        assert.equal((await signIn(provider, twin)).kind, 'refused', JSON.stringify(change));
      }
    },
    { hasKey: false },
  ));

test('google-group asks the directory in the name of the administrator, with the least scope that is allowed', () =>
  withGoogle(
    async ({ twin, provider, workspace }) => {
      const session = await enter(provider, twin);
      assert.deepEqual(session.groups, ['dev@corp.com']);
      assert.equal(provider.authorizes(session), true);
      assert.deepEqual(
        workspace.grants.map(({ scope, sub, iss }) => [scope, sub, iss]),
        [
          [`${SCOPE}admin.directory.group.member.readonly`, ADMIN, ACCOUNT],
          [`${SCOPE}admin.directory.group.readonly`, ADMIN, ACCOUNT],
        ],
      );
      await enter(provider, twin);
      assert.equal(workspace.grants.length, 2, 'the token is kept');
      twin.claims = { ...twin.claims, sub: '1002', email: 'bob@corp.com' };
      assert.equal(provider.authorizes(await enter(provider, twin)), false);
    },
    { google: { groups: ['missing@corp.com', 'dev@corp.com'] } },
  ));

test('google-group takes a member of another domain only while active', () =>
  withGoogle(
    async ({ twin, provider, workspace }) => {
      twin.claims = { ...twin.claims, email: 'guest@elsewhere.com' };
      assert.equal(provider.authorizes(await enter(provider, twin)), false);
      workspace.guests = { 'guest@elsewhere.com': 'SUSPENDED' };
      assert.equal(provider.authorizes(await enter(provider, twin)), false);
      workspace.guests = { 'guest@elsewhere.com': 'ACTIVE' };
      assert.equal(provider.authorizes(await enter(provider, twin)), true);
    },
    { google: { groups: ['dev@corp.com'] } },
  ));

test('google asks again at every refresh, and an outage of the directory ends nobody', () =>
  withGoogle(
    async ({ twin, provider, workspace }) => {
      const session = await enter(provider, twin);
      workspace.isDown = true;
      assert.equal((await provider.refresh(session)).kind, 'unavailable');
      workspace.isDown = false;
      const [again] = [await enter(provider, twin)];
      workspace.members = { 'dev@corp.com': [] };
      const after = await provider.refresh(again);
      assert.ok(after.kind === 'ok' && after.value !== null);
      assert.equal(provider.authorizes(after.value), false);
    },
    { google: { groups: ['dev@corp.com'] } },
  ));

test('google lists all groups where none is restricted, and lets nobody wait for them', () =>
  withGoogle(async ({ twin, provider, workspace, logged }) => {
    workspace.members = { 'a@corp.com': ['alice@corp.com'], 'b@corp.com': ['alice@corp.com'], 'c@corp.com': [] };
    assert.deepEqual((await enter(provider, twin)).groups, ['a@corp.com', 'b@corp.com']);
    workspace.isDown = true;
    const session = await enter(provider, twin);
    assert.deepEqual(session.groups, []);
    assert.match(logged.join('\n'), /Groups of a person are missing/);
  }));

test('google with allowed-group never lets in while the directory is silent', () =>
  withGoogle(
    async ({ twin, provider, workspace }) => {
      assert.equal(provider.authorizes(await enter(provider, twin)), true);
      workspace.isDown = true;
      assert.equal((await signIn(provider, twin)).kind, 'unavailable');
    },
    { allowedGroups: ['dev@corp.com'] },
  ));

test('google says what the account lacks where the domain allows it nothing', () =>
  withGoogle(
    async ({ twin, provider, workspace }) => {
      workspace.allowed = [];
      assert.match(JSON.stringify(await signIn(provider, twin)), /refused.*domain-wide delegation/);
      assert.equal(workspace.grants.length, 4, 'every scope was tried');
    },
    { google: { groups: ['dev@corp.com'] } },
  ));

test('google-use-organization-id takes the preferred name from the directory', () =>
  withGoogle(
    async ({ twin, provider, workspace }) => {
      assert.equal((await enter(provider, twin)).preferredUsername, 'E-1001');
      assert.match(workspace.grants.at(-1)?.scope ?? '', /admin.directory.user.readonly$/);
      workspace.organizationIds = {};
      assert.equal((await signIn(provider, twin)).kind, 'refused');
    },
    { google: { useOrganizationId: true } },
  ));

test('google-use-application-default-credentials has an account sign for the machine, a key file, or a user', async () => {
  const user = { type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: '1//user' };
  const tries: readonly [
    defaults: string | undefined,
    environment: Record<string, string>,
    principal: string | null,
  ][] = [
    [undefined, {}, ACCOUNT],
    [JSON.stringify(user), {}, ACCOUNT],
    [keyFile('').replace('"token_uri":""', '"x":1'), {}, null],
  ];
  for (const [defaults, environment, targetPrincipal] of tries)
    await withGoogle(
      async ({ twin, provider, workspace }) => {
        const session = await enter(provider, twin);
        assert.deepEqual(session.groups, ['dev@corp.com']);
        assert.equal(workspace.grants.at(-1)?.sub, ADMIN);
      },
      {
        hasKey: false,
        environment,
        ...(defaults === undefined ? {} : { defaults }),
        google: { groups: ['dev@corp.com'], useDefaultCredentials: true, adminEmail: ADMIN, targetPrincipal },
      },
    );
});

const WORKLOAD = {
  type: 'external_account',
  audience: POOL,
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: 'ISSUER/sts',
  credential_source: { file: 'FOLDER/token' },
};

test('google takes a workload identity: its token by file or address, and an account that it stands for', async () => {
  const byUrl = {
    url: 'ISSUER/workload-token',
    headers: { 'X-Who': 'workload' },
    format: { type: 'json', subject_token_field_name: 'token' },
  };
  const stands = { service_account_impersonation_url: `ISSUER/sa/serviceAccounts/${ACCOUNT}:generateAccessToken` };
  const tries: readonly [file: object, token: string, principal: string | null][] = [
    [WORKLOAD, 'workload\n', ACCOUNT],
    [{ ...WORKLOAD, credential_source: byUrl }, '', ACCOUNT],
    [{ ...WORKLOAD, ...stands }, 'workload', null],
  ];
  for (const [file, token, targetPrincipal] of tries)
    await withGoogle(
      async ({ twin, provider, workspace }) => {
        assert.deepEqual((await enter(provider, twin)).groups, ['dev@corp.com']);
        assert.equal(workspace.grants.at(-1)?.sub, ADMIN);
      },
      {
        hasKey: false,
        defaults: JSON.stringify(file),
        token,
        google: { groups: ['dev@corp.com'], useDefaultCredentials: true, adminEmail: ADMIN, targetPrincipal },
      },
    );
});

test('google refuses a workload identity that it cannot use, without its words', async () => {
  const source = (credential_source: object): object => ({ ...WORKLOAD, credential_source });
  for (const [file, expected] of [
    [source({ environment_id: 'aws1', url: 'http://169.254.169.254/x' }), /takes its token from AWS/],
    [source({ executable: { command: '/bin/x' } }), /takes its token from AWS, a program/],
    [source({ file: 'FOLDER/none' }), /cannot be read/],
    [source({ file: 'FOLDER/token', format: { type: 'json', subject_token_field_name: 'x' } }), /holds none/],
    [{ ...WORKLOAD, token_url: 'http://sts.example.com/' }, /no https:\/\/ address/],
    [{ ...WORKLOAD, audience: '' }, /lacks \\"audience/],
    [{ ...WORKLOAD, audience: 'other' }, /invalid_grant|refused/],
  ] as const)
    await withGoogle(
      async ({ twin, provider }) => {
        const answer = JSON.stringify(await signIn(provider, twin));
        assert.match(answer, expected, JSON.stringify(file));
        assert.doesNotMatch(answer, /private words/);
      },
      {
        hasKey: false,
        defaults: JSON.stringify(file),
        token: 'private words',
        google: { groups: ['dev@corp.com'], useDefaultCredentials: true, adminEmail: ADMIN, targetPrincipal: ACCOUNT },
      },
    );
});

test('google says which default credentials it cannot use, without their words', async () => {
  for (const [defaults, expected] of [
    ['{"type":"gdch_service_account"}', /use the key file of a service account/],
    ['private words', /are no JSON object/],
    [
      '{"type":"authorized_user","refresh_token":"private words"}',
      /name the one that signs for them \(\\"google-target-principal\\"/,
    ],
  ] as const)
    await withGoogle(
      async ({ twin, provider }) => {
        const answer = JSON.stringify(await signIn(provider, twin));
        assert.match(answer, expected);
        assert.doesNotMatch(answer, /private words/);
      },
      {
        hasKey: false,
        defaults,
        google: {
          groups: ['dev@corp.com'],
          useDefaultCredentials: true,
          adminEmail: ADMIN,
          targetPrincipal: expected.source.includes('principal') ? null : ACCOUNT,
        },
      },
    );
});
