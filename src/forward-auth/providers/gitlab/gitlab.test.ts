import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Twin } from '../../../sign-in/oidc/_twin.ts';
import { depart, enter, signIn, withProvider, type ProviderRig } from '../_rig.ts';

interface Given {
  readonly groups?: readonly string[];
  readonly projects?: readonly { readonly path: string; readonly level: number }[];
  readonly allowedGroups?: readonly string[];
}

/** Path -> what the API says of it to alice. */
const PROJECTS: Record<string, unknown> = {
  'acme/app': { archived: false, permissions: { project_access: { access_level: 30 }, group_access: null } },
  'acme/by-group': { archived: false, permissions: { project_access: null, group_access: { access_level: 40 } } },
  'acme/lower': {
    permissions: { project_access: { access_level: 10 }, group_access: { access_level: 40 } },
  },
  'acme/old': { archived: true, permissions: { project_access: { access_level: 50 }, group_access: null } },
  'acme/nobody': { archived: false, permissions: { project_access: null, group_access: null } },
  'acme/odd': { archived: false, permissions: { project_access: { access_level: '50' } } },
};

function withGitlab(work: (rig: ProviderRig) => Promise<void>, given: Given = {}): Promise<void> {
  const { groups = [], projects = [], allowedGroups = [] } = given;
  return withProvider(work, {
    settings: { kind: 'gitlab', gitlab: { groups, projects } },
    allowedGroups,
    prepare(twin: Twin) {
      twin.scopes = [...twin.scopes, 'read_api'];
      twin.claims = { sub: '42', email: 'id-token@example.com' };
      twin.userinfo = {
        nickname: 'alice',
        email: 'alice@example.com',
        email_verified: true,
        groups: ['acme', 'acme/sub', 'project:acme/forged'],
      };
      twin.api = ({ path, token }) => {
        const name = decodeURIComponent(path.replace('/api/v4/projects/', ''));
        if (token === '' || !path.startsWith('/api/v4/projects/') || path.split('/').length !== 5) return null;
        return Object.hasOwn(PROJECTS, name) ? { status: 200, body: PROJECTS[name] } : null;
      };
    },
  });
}

const level = (path: string, wanted = 20): { path: string; level: number } => ({ path, level: wanted });

test('gitlab knows a person by nickname, address and groups of the profile', () =>
  withGitlab(async ({ twin, provider }) => {
    const { url } = await depart(provider);
    assert.equal(url.searchParams.get('scope'), 'openid email');
    const session = await enter(provider, twin);
    assert.equal(session.user, 'alice');
    assert.equal(session.email, 'alice@example.com');
    assert.deepEqual(session.groups, ['acme', 'acme/sub'], 'and takes no group for a project');
  }));

test('gitlab-group lets in members of one of the groups alone (CVE-2021-21411)', async () => {
  const isIn = async (groups: readonly string[], allowedGroups: readonly string[] = []): Promise<boolean> => {
    let found = false;
    await withGitlab(
      async ({ twin, provider }) => {
        found = provider.authorizes(await enter(provider, twin));
      },
      { groups, allowedGroups },
    );
    return found;
  };
  assert.equal(await isIn(['acme']), true);
  assert.equal(await isIn(['other', 'acme/sub']), true);
  assert.equal(await isIn(['other']), false);
  assert.equal(await isIn(['Acme']), false);
  assert.equal(await isIn([], ['other']), false, '"allowed-group" counts as well');
  assert.equal(await isIn([], ['acme']), true);
});

test('gitlab-project lets in whoever has the level, by the project itself or its group', async () => {
  const groupsFor = async (...projects: { path: string; level: number }[]): Promise<readonly string[]> => {
    let found: readonly string[] = [];
    await withGitlab(
      async ({ twin, provider }) => {
        assert.equal((await depart(provider)).url.searchParams.get('scope'), 'openid email read_api');
        const session = await enter(provider, twin);
        found = session.groups.filter((group) => group.startsWith('project:'));
        assert.equal(provider.authorizes(session), found.length > 0);
      },
      { projects },
    );
    return found;
  };
  assert.deepEqual(await groupsFor(level('acme/app')), ['project:acme/app']);
  assert.deepEqual(await groupsFor(level('acme/app', 40)), [], 'developer is less than maintainer');
  assert.deepEqual(await groupsFor(level('acme/by-group', 40)), ['project:acme/by-group']);
  assert.deepEqual(await groupsFor(level('acme/lower')), [], "the project's own word comes first");
  assert.deepEqual(await groupsFor(level('acme/old', 10)), [], 'archived');
  assert.deepEqual(await groupsFor(level('acme/nobody', 10)), []);
  assert.deepEqual(await groupsFor(level('acme/odd', 10)), []);
  assert.deepEqual(await groupsFor(level('acme/missing', 10)), []);
  assert.deepEqual(await groupsFor(level('acme/forged', 10)), [], 'a group of that spelling is no project');
  assert.deepEqual(await groupsFor(level('acme/missing'), level('acme/app')), ['project:acme/app']);
});

test('gitlab asks again for groups and projects at every refresh', () =>
  withGitlab(
    async ({ twin, provider }) => {
      const before = await enter(provider, twin);
      assert.equal(provider.authorizes(before), true);
      twin.userinfo = { ...twin.userinfo, groups: [] };
      twin.api = () => null;
      const after = await provider.refresh(before);
      assert.ok(after.kind === 'ok' && after.value !== null);
      assert.equal(after.value.user, 'alice');
      assert.equal(provider.authorizes(after.value), false, JSON.stringify(after.value.groups));
    },
    { projects: [level('acme/app')] },
  ));

test('gitlab refuses an address that is not said to be verified, and a profile of another', () =>
  withGitlab(async ({ twin, provider }) => {
    for (const change of [{ email_verified: false }, { email_verified: undefined }, { sub: '43' }]) {
      const before = twin.userinfo;
      twin.userinfo = { ...before, ...change };
      assert.equal((await signIn(provider, twin)).kind, 'refused', JSON.stringify(change));
      twin.userinfo = before;
    }
  }));
