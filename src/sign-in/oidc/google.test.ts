/** Groups of Google's directory for the gateway: `providers.X.directory`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADMIN, keyFile, Workspace } from '../google/_workspace.ts';
import { readGrant } from '../provider.ts';
import { signInBy, withOidc, type OidcRig } from './_rig.ts';

const APP = 'https://app.example.com';

type GoogleRig = OidcRig & { readonly workspace: Workspace };

interface Given {
  readonly named?: readonly string[];
  readonly claims?: object;
}

function withGoogle(work: (rig: GoogleRig) => Promise<void>, { named = [], claims = {} }: Given = {}): Promise<void> {
  const workspace = new Workspace();
  return withOidc((rig) => work({ ...rig, workspace }), {
    namedGroups: named,
    settings: {
      preset: 'google',
      userClaims: ['email'],
      rolesClaims: [],
      emailDomains: ['corp.com'],
      directory: { admin: ADMIN, serviceAccount: keyFile('').replace('"token_uri":""', '"x":1'), principal: null },
    },
    prepare(twin) {
      twin.api = workspace.answer;
      twin.claims = {
        sub: '1001',
        email: 'alice@corp.com',
        email_verified: true,
        groups: ['forged@corp.com'],
        ...claims,
      };
    },
  });
}

const groupsOf = async ({ sessions }: OidcRig): Promise<readonly string[]> =>
  (await sessions.list()).at(-1)?.person.groups ?? [];

test('google with a directory knows the groups of a person, and takes none of a token', () =>
  withGoogle(async (rig) => {
    rig.workspace.members = { 'a@corp.com': ['alice@corp.com'], 'b@corp.com': ['alice@corp.com'], 'c@corp.com': [] };
    await signInBy(rig.browser(), rig.twin, `${APP}/`);
    assert.deepEqual(await groupsOf(rig), ['a@corp.com', 'b@corp.com']);
    assert.equal((await rig.sessions.list()).at(-1)?.person.cut, undefined);
    assert.deepEqual([...new Set(rig.workspace.grants.map(({ sub }) => sub))], [ADMIN]);
  }));

test('google asks about each group that a rule names and the list does not have', () =>
  withGoogle(
    async (rig) => {
      await signInBy(rig.browser(), rig.twin, `${APP}/`);
      assert.deepEqual(await groupsOf(rig), ['dev@corp.com']);
      const asked = rig.workspace.asked.filter((path) => path.includes('/hasMember/'));
      assert.deepEqual(asked, ['/admin/directory/v1/groups/ops%40corp.com/hasMember/alice%40corp.com']);
    },
    { named: ['dev@corp.com', 'ops@corp.com'] },
  ));

test('google asks the directory about nobody whose address is not verified', () =>
  withGoogle(
    async (rig) => {
      await signInBy(rig.browser(), rig.twin, `${APP}/`);
      assert.deepEqual(await groupsOf(rig), []);
      assert.deepEqual(rig.workspace.asked, []);
    },
    { claims: { email_verified: false } },
  ));

test('google signs in people whom the directory does not know, and says where it refuses, without groups', () =>
  withGoogle(async (rig) => {
    rig.workspace.allowed = [];
    await signInBy(rig.browser(), rig.twin, `${APP}/`);
    assert.deepEqual(await groupsOf(rig), []);
    // Nobody knows which: whoever rules keep out by a group is kept out.
    assert.deepEqual((await rig.sessions.list()).at(-1)?.person.cut, ['groups']);
    assert.match(rig.logged.join('\n'), /Groups of a person are missing: .*domain-wide delegation/);
    assert.doesNotMatch(rig.logged.join('\n'), /PRIVATE KEY|ya29/);
  }));

test('google counts ten thousand groups, and marks what is not all', () =>
  withGoogle(async (rig) => {
    // The twin has one on a page.
    const many = (count: number): Record<string, string[]> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`g${i}@corp.com`, ['alice@corp.com']]));
    for (const [count, known, cut] of [
      [50, 50, undefined],
      [51, 50, ['groups']],
    ] as const) {
      rig.workspace.members = many(count);
      await signInBy(rig.browser(), rig.twin, `${APP}/`);
      const person = (await rig.sessions.list()).find(({ person: one }) => one.groups.length > 0)?.person;
      assert.deepEqual([person?.groups.length, person?.cut], [known, cut]);
      for (const { key } of await rig.sessions.list()) await rig.sessions.revoke(key);
    }
  }));

test('google lets nobody new in while the directory does not answer: half the groups would decide', () =>
  withGoogle(async (rig) => {
    rig.workspace.isDown = true;
    const page = await signInBy(rig.browser(), rig.twin, `${APP}/`);
    assert.equal(page.status, 503);
    assert.deepEqual(await rig.sessions.list(), []);
  }));

test('google takes a lost group over at the next refresh, and keeps what it knew while the directory is down', () =>
  withGoogle(async (rig) => {
    const { provider, workspace, twin } = rig;
    await signInBy(rig.browser(), twin, `${APP}/`);
    const person = (await rig.sessions.list()).at(-1)?.person;
    assert.ok(person !== undefined);
    const grant = { accessToken: 'a', refreshToken: twin.issueRefreshToken(), idToken: null, expiresAt: null };
    workspace.isDown = true;
    assert.equal((await provider.refresh(person, grant)).kind, 'unavailable');
    workspace.isDown = false;
    workspace.members = {};
    for (const isSilent of [false, true]) {
      twin.refreshesSilently = isSilent;
      const after = await provider.refresh(person, { ...grant, refreshToken: twin.issueRefreshToken() });
      assert.ok(after.kind === 'known');
      assert.deepEqual(after.person.groups, []);
    }
    workspace.members = { 'dev@corp.com': ['alice@corp.com'] };
    const again = await provider.refresh(person, { ...grant, refreshToken: twin.issueRefreshToken() });
    assert.deepEqual(again.kind === 'known' ? again.person.groups : null, ['dev@corp.com'], 'by the address it knew');
  }));

test('google looks at the groups again where it gave no refresh token: after the first consent it gives none', () =>
  withGoogle(async (rig) => {
    const { provider, workspace, twin, sessions } = rig;
    twin.givesRefreshToken = false;
    await signInBy(rig.browser(), twin, `${APP}/`);
    assert.deepEqual(await groupsOf(rig), ['dev@corp.com']);
    const [session] = await sessions.list();
    assert.ok(session !== undefined);
    // The provider's clock is the real one, behind that of the sessions: what is to be looked at again is due already.
    rig.advance(1_000);
    sessions.touch([[session.key, session.lastSeenAt + 1_000]]);
    assert.deepEqual(
      (await sessions.dueGrants('keycloak', 10)).map(({ key }) => key),
      [session.key],
    );
    const grant = readGrant(await sessions.findGrant(session.key));
    assert.ok(grant?.refreshToken === null);
    twin.requests.length = 0;
    workspace.isDown = true;
    assert.equal((await provider.refresh(session.person, grant)).kind, 'unavailable');
    workspace.isDown = false;
    workspace.members = {};
    const askedAt = Date.now();
    const after = await provider.refresh(session.person, grant);
    const answeredAt = Date.now();
    assert.ok(after.kind === 'known');
    // How and when they signed in is of the session, not of an answer.
    assert.deepEqual({ ...after.person, acr: null, authenticatedAt: null }, { ...session.person, groups: [] });
    const { refreshAt } = after;
    assert.ok(refreshAt !== null && refreshAt >= askedAt + 290_000 && refreshAt <= answeredAt + 310_000);
    assert.deepEqual(after.grant, grant);
    assert.ok(!twin.requests.some((one) => one.endsWith('/token') || one.endsWith('/userinfo')));
  }));

test('postern check --live says whether the directory tells the groups, and what is missing', () =>
  withGoogle(async ({ provider, workspace }) => {
    const last = async (): Promise<unknown> => (await provider.probe('https://auth.example.com/x')).at(-1);
    workspace.allowed = [];
    assert.match(JSON.stringify(await last()), /"ok":false,"message":"Directory of .*domain-wide delegation/);
    workspace.allowed = ['https://www.googleapis.com/auth/admin.directory.group.readonly'];
    assert.deepEqual(await last(), { ok: true, message: 'its directory says the groups' });
    workspace.isDown = true;
    assert.match(JSON.stringify(await last()), /"ok":false.*answered 503/);
  }));
