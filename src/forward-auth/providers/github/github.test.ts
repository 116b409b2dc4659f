import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GithubTwin, type TwinAccount } from '../../../sign-in/github/_twin.ts';
import type { AuthProvider } from '../../ports.ts';
import { collectingLog, depart, enter, providerSettings, secretOf, signIn, type Over } from '../_rig.ts';
import { createAuthProvider } from '../create.ts';
import { apiBase } from './kind.ts';

const ALICE: TwinAccount = {
  id: 7,
  login: 'Alice',
  emails: [
    { email: 'old@example.com', primary: false, verified: true },
    { email: 'alice@example.com', primary: true, verified: true },
  ],
  organisations: ['Acme', 'lab'],
  teams: ['Acme/platform-team', 'lab/core'],
};

interface Given {
  readonly settings?: Over;
  readonly allowedGroups?: readonly string[];
  readonly account?: TwinAccount;
  readonly prepare?: (twin: GithubTwin) => void;
  readonly apiPath?: string;
}

async function withGithub(
  work: (twin: GithubTwin, provider: AuthProvider) => Promise<void>,
  given: Given = {},
): Promise<void> {
  const twin = new GithubTwin();
  await twin.start();
  twin.account = given.account ?? { ...ALICE };
  given.prepare?.(twin);
  const logged: string[] = [];
  const settings = providerSettings({
    kind: 'github',
    clientId: twin.clientId,
    clientSecret: secretOf(twin.clientSecret),
    loginUrl: `${twin.url}/login/oauth/authorize`,
    redeemUrl: `${twin.url}/login/oauth/access_token`,
    validateUrl: twin.url + (given.apiPath ?? '/api/v3'),
    ...given.settings,
  });
  const provider = createAuthProvider(settings, {
    clock: { now: () => Date.now() },
    log: collectingLog(logged),
    allowedGroups: given.allowedGroups ?? [],
    bearer: { accepts: true, fallsBack: true, extraIssuers: [] },
  });
  try {
    await work(twin, provider);
    assert.doesNotMatch(logged.join('\n'), /gho_|github-secret/);
  } finally {
    provider.close();
    await twin.stop();
  }
}

const rules = (github: object): Over => ({
  github: { org: null, teams: [], repo: null, token: null, users: [], ...github },
});

async function outcome(github: object, given: Given = {}): Promise<string> {
  let found = '';
  await withGithub(
    async (twin, provider) => {
      const answer = await signIn(provider, twin);
      assert.doesNotMatch(JSON.stringify(answer.kind === 'ok' ? '' : answer), /gho_|github-secret/);
      found = answer.kind === 'ok' ? String(provider.authorizes(answer.value)) : `${answer.kind} ${answer.message}`;
    },
    { ...given, settings: rules(github) },
  );
  return found;
}

test('github knows a person by login, primary verified address, organisations and teams', () =>
  withGithub(async (twin, provider) => {
    assert.equal(provider.displayName, 'GitHub');
    assert.equal(provider.isReady(), true);
    assert.equal(provider.usesNonce, false);
    const session = await enter(provider, twin);
    assert.equal(session.user, 'Alice');
    assert.equal(session.email, 'alice@example.com');
    assert.deepEqual(session.groups, ['Acme', 'lab', 'Acme:platform-team', 'lab:core']);
    assert.equal(session.idToken, '');
    assert.deepEqual(await provider.validate(session), { kind: 'ok', value: true });
    const query = twin.authorizations.at(-1);
    assert.equal(query?.get('scope'), 'user:email read:org');
    assert.equal(query?.get('code_challenge_method'), 'S256');
    assert.equal(query?.get('nonce'), null);
    assert.equal(await provider.verifyBearer('eyJ.eyJ.A'), null);
  }));

test('github gives no address that is not both primary and verified (class L)', () =>
  withGithub(
    async (twin, provider) => {
      assert.equal((await enter(provider, twin)).email, '');
    },
    {
      account: {
        ...ALICE,
        emails: [
          { email: 'a@example.com', primary: true, verified: false },
          { email: 'b@example.com', primary: false, verified: true },
        ],
      },
    },
  ));

test('github reads organisations and teams to the end', () =>
  withGithub(
    async (twin, provider) => {
      const { groups } = await enter(provider, twin);
      assert.equal(groups.length, 250 + 130);
      assert.ok(groups.includes('org-249') && groups.includes('org-1:team-129'));
    },
    {
      account: {
        id: 7,
        login: 'Alice',
        organisations: Array.from({ length: 250 }, (_, i) => `org-${i}`),
        teams: Array.from({ length: 130 }, (_, i) => `org-1/team-${i}`),
      },
    },
  ));

test('github-org lets in its members, and its case counts', async () => {
  assert.equal(await outcome({ org: 'Acme' }), 'true');
  assert.match(await outcome({ org: 'acme' }), /^refused .*"Alice" is not in the organisation "acme"/);
  assert.match(await outcome({ org: 'Acme:platform-team' }), /^refused/, 'a team is no organisation');
  assert.match(await outcome({ org: 'other' }), /^refused/);
});

test('a person whom a restriction keeps out is told apart from a registration that is wrong', () =>
  withGithub(
    async (twin, provider) => {
      const out = await signIn(provider, twin);
      assert.ok(out.kind === 'refused' && out.isNotAdmitted === true);
      const wrong = await signIn(provider, twin, { code: 'none' });
      assert.ok(wrong.kind === 'refused' && wrong.isNotAdmitted !== true);
    },
    { settings: rules({ org: 'other' }) },
  ));

test('github-org says why an organisation that restricts apps looks like no membership', async () => {
  const prepare = (twin: GithubTwin): unknown => twin.restricted.add('acme');
  assert.match(await outcome({ org: 'Acme' }, { prepare }), /an owner has to approve this one|not in the organisation/);
  const sso = (twin: GithubTwin): unknown => twin.ssoRequired.add('acme');
  assert.match(await outcome({ org: 'acme' }, { prepare: sso }), /^refused .*single sign-on/);
});

test('github-team with github-org lets in members of any of the teams of that organisation', async () => {
  assert.equal(await outcome({ org: 'acme', teams: ['nobody', ' Platform-Team '] }), 'true');
  assert.match(await outcome({ org: 'Acme', teams: ['core'] }), /^refused .*none of the teams "core" of "Acme"/);
  assert.match(await outcome({ org: 'lab', teams: ['platform-team'] }), /^refused/);
});

test('github-team without github-org needs the organisation beside the team', async () => {
  assert.equal(await outcome({ teams: ['x:y', 'LAB:Core'] }), 'true');
  assert.match(await outcome({ teams: ['core'] }), /^refused .*write them as "org:team-slug"/);
  assert.match(await outcome({ teams: ['Acme:core'] }), /^refused/);
});

test('github-user lets in by name whoever the rest would keep out, and keeps out others where it is alone', async () => {
  assert.equal(await outcome({ users: ['Alice'] }), 'true');
  assert.equal(await outcome({ users: ['Alice'], org: 'other' }), 'true');
  assert.equal(await outcome({ users: ['Alice'], org: 'other', repo: 'acme/none' }), 'true');
  assert.equal(await outcome({ users: ['Bob'], org: 'Acme' }), 'true', 'the organisation is another way in');
  assert.match(await outcome({ users: ['Bob'] }), /^refused .*"Alice" is not among "github-user"/);
  assert.match(await outcome({ users: ['Bob'], teams: ['lab:core'] }), /^refused/, 'a team alone is no other way in');
});

test('github-repo lets in who may push, or read what is private', async () => {
  const repositories: GithubTwin['repositories'] = {
    'acme/open': { private: false, members: { Alice: 'pull' } },
    'acme/pushed': { private: false, members: { Alice: 'push' } },
    'acme/secret': { private: true, members: { Alice: 'pull' } },
    'acme/closed': { private: true, members: {} },
  };
  const prepare = (twin: GithubTwin): void => {
    twin.repositories = repositories;
  };
  assert.equal(await outcome({ repo: 'acme/pushed' }, { prepare }), 'true');
  assert.equal(await outcome({ repo: 'acme/secret' }, { prepare }), 'true');
  assert.match(
    await outcome({ repo: 'acme/open' }, { prepare }),
    /^refused .*no access to the repository "acme\/open"/,
  );
  assert.match(await outcome({ repo: 'acme/closed' }, { prepare }), /^refused/);
  assert.match(await outcome({ repo: 'acme/missing' }, { prepare }), /^refused/);
  assert.match(await outcome({ repo: 'acme/open', org: 'Acme' }, { prepare }), /^refused/, 'both have to hold');
  assert.equal(await outcome({ repo: 'acme/pushed', org: 'Acme' }, { prepare }), 'true');
});

test('github-repo with github-token lets in collaborators, readers too', async () => {
  const prepare = (twin: GithubTwin): void => {
    twin.repositories = {
      'acme/open': { private: false, members: { Alice: 'pull' } },
      'acme/other': { private: false, members: { Bob: 'push' } },
    };
  };
  const token = 'ghp_operator';
  assert.equal(await outcome({ repo: 'acme/open', token }, { prepare }), 'true');
  assert.match(await outcome({ repo: 'acme/other', token }, { prepare }), /^refused .*no access/);
  const wrong = await outcome({ repo: 'acme/open', token: 'ghp_revoked' }, { prepare });
  assert.match(wrong, /^refused .*"github-token" may not ask who collaborates/);
  assert.doesNotMatch(wrong, /ghp_/);
});

test('allowed-group works on organisations and teams', async () => {
  assert.equal(await outcome({}, { allowedGroups: ['lab:core'] }), 'true');
  assert.equal(await outcome({}, { allowedGroups: ['lab:nobody', 'Acme'] }), 'true');
  assert.equal(await outcome({}, { allowedGroups: ['acme'] }), 'false');
});

test('authorizes() holds sessions to the restrictions of now, and leaves people of a password file alone', () =>
  withGithub(
    async (twin, provider) => {
      const session = await enter(provider, twin);
      assert.equal(provider.authorizes(session), true);
      assert.equal(provider.authorizes({ ...session, groups: ['lab'] }), false, 'as if "github-org" had been changed');
      assert.equal(provider.authorizes({ ...session, groups: [], via: 'htpasswd' }), true);
    },
    { settings: rules({ org: 'Acme' }) },
  ));

test('refresh() looks at memberships again with the token that is there', () =>
  withGithub(
    async (twin, provider) => {
      const session = await enter(provider, twin);
      twin.account.organisations = ['Acme'];
      twin.account.teams = [];
      const answer = await provider.refresh(session);
      assert.ok(answer.kind === 'ok' && answer.value !== null);
      assert.deepEqual(answer.value.groups, ['Acme']);
      assert.equal(answer.value.accessToken, session.accessToken);
      twin.account.organisations = [];
      assert.equal((await provider.refresh(session)).kind, 'refused');
      twin.account.organisations = ['Acme'];
      twin.failsWith = 502;
      assert.equal((await provider.refresh(session)).kind, 'unavailable');
      twin.failsWith = null;
      twin.limitedUntil = Math.floor(Date.now() / 1_000) + 60;
      assert.equal((await provider.refresh(session)).kind, 'unavailable', 'a limit signs nobody out');
      twin.limitedUntil = null;
      twin.revokeTokens();
      assert.equal((await provider.refresh(session)).kind, 'refused');
      assert.equal((await provider.validate(session)).kind, 'refused');
    },
    { settings: rules({ org: 'Acme' }) },
  ));

test('refresh() renews tokens of GitHub Apps that end', () =>
  withGithub(
    async (twin, provider) => {
      const session = await enter(provider, twin);
      assert.notEqual(session.refreshToken, '');
      const answer = await provider.refresh(session);
      assert.ok(answer.kind === 'ok' && answer.value !== null);
      assert.notEqual(answer.value.accessToken, session.accessToken);
      assert.notEqual(answer.value.refreshToken, session.refreshToken);
    },
    {
      prepare: (twin) => {
        twin.expiresIn = 30;
      },
    },
  ));

test('redeem() tells what GitHub said of a code or a secret', () =>
  withGithub(async (twin, provider) => {
    assert.match(
      JSON.stringify(await signIn(provider, twin, { code: 'none' })),
      /refused.*bad_verification_code.*is none/,
    );
    assert.match(JSON.stringify(await signIn(provider, twin, { codeVerifier: 'x' })), /refused/);
    twin.failsWith = 500;
    assert.equal((await signIn(provider, twin)).kind, 'unavailable');
  }));

test('gitea and forgejo are known by their names, their paths, and pages without links', async () => {
  for (const kind of ['github', 'gitea'] as const)
    await withGithub(
      async (twin, provider) => {
        const { groups } = await enter(provider, twin);
        assert.equal(groups.length, 41);
        assert.ok(groups.includes('org-39') && groups.includes('org-1:Owners'));
        assert.equal((await depart(provider)).url.pathname, '/login/oauth/authorize');
      },
      {
        settings: { kind },
        apiPath: '/api/v1/user/emails',
        prepare: (twin) => {
          twin.isGitea = true;
        },
        account: {
          id: 3,
          login: 'alice',
          organisations: Array.from({ length: 40 }, (_, i) => `org-${i}`),
          teams: ['org-1/Owners'],
        },
      },
    );
});

test('apiBase() is the API of github.com, of an Enterprise Server, of Gitea', () => {
  assert.equal(apiBase('https://api.github.com/'), 'https://api.github.com');
  assert.equal(apiBase('https://git.example.com/api/v3'), 'https://git.example.com/api/v3');
  assert.equal(apiBase('https://git.example.com/api/v3/user'), 'https://git.example.com/api/v3');
  assert.equal(apiBase('https://git.example.com:3000/api/v1/user/emails'), 'https://git.example.com:3000/api/v1');
});
