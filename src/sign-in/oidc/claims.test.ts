import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Claims } from './claims.ts';
import { readNames, readText, splitPath } from './claims.ts';
import { personFrom } from './person.ts';
import { settingsFor } from './_rig.ts';
import { startTwin } from './_twin.ts';

const KEYCLOAK: Claims = {
  groups: ['/developers', '/ops/night', ' padded', '', 7, 'con\u0000trol', '/developers'],
  realm_access: { roles: ['admin', 'user'] },
  resource_access: { grafana: { roles: ['editor'] }, 'my.app': { roles: ['viewer'] } },
  'https://example.com/roles': ['by-url'],
  'urn:zitadel:iam:org:project:roles': { reviewer: { '123': 'acme.example' } },
  named: [{ name: 'one' }, { other: 'x' }, null],
  single: 'alone',
};

test('readNames() finds groups and roles by claim path', () => {
  const cases: [paths: string[], names: string[] | null][] = [
    [['groups'], ['/developers', '/ops/night']],
    [['realm_access.roles'], ['admin', 'user']],
    [['resource_access.grafana.roles'], ['editor']],
    [['resource_access.my\\.app.roles'], ['viewer']],
    [['resource_access.*.roles'], ['grafana:editor', 'my.app:viewer']],
    [['https://example.com/roles'], ['by-url']],
    [['urn:zitadel:iam:org:project:roles'], ['reviewer']],
    [['named'], ['one']],
    [['single'], ['alone']],
    [
      ['realm_access.roles', 'resource_access.*.roles'],
      ['admin', 'user', 'grafana:editor', 'my.app:viewer'],
    ],
    [['missing'], null],
    [['groups.deeper'], null],
    [['realm_access.roles.0'], null],
    [['__proto__'], null],
    [['constructor.name'], null],
    [[], null],
  ];
  for (const [paths, names] of cases) assert.deepEqual(readNames(KEYCLOAK, paths), names, paths.join());
});

test('splitPath() parts at dots that no backslash stands before', () => {
  assert.deepEqual(splitPath('a.b\\.c.d'), ['a', 'b.c', 'd']);
  assert.deepEqual(splitPath('a\\\\.b'), ['a\\', 'b']);
  assert.deepEqual(splitPath(''), ['']);
});

test('readNames() and readText() take whatever a provider sends without an exception', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string({ maxLength: 30 }), (claims, path) => {
      for (const name of readNames(claims, [path, '*.*', 'a.b']) ?? []) {
        assert.ok(name.length <= 256 && !/[\u0000-\u001f]/.test(name));
      }
      readText(claims, [path]);
    }),
  );
});

test('A name that would show otherwise than it is written is none (bidirectional overrides, ends of lines)', async () => {
  const twin = await startTwin();
  const settings = settingsFor(twin);
  await twin.stop();
  for (const odd of [
    '\u202eecila',
    'alice\u2066',
    'a\u2028b',
    'a\r\nX-Forwarded-User: root',
    'a\u0085b',
    'alice\u202c',
  ]) {
    const claims = { preferred_username: odd, name: odd, groups: ['/ops', odd] };
    const { person } = personFrom(settings, 'sub-1', [claims]);
    assert.deepEqual(
      [person.name, person.displayName, person.groups],
      ['sub-1', 'sub-1', ['/ops']],
      JSON.stringify(odd),
    );
  }
  // Names of every script stay as they are, with the joiners that some need.
  for (const name of ['\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645', '\u05d3\u05d5\u05d3', '\uae40\ubbfc\uc900'])
    assert.equal(personFrom(settings, 'sub-1', [{ preferred_username: name }]).person.name, name);
});

test('personFrom() takes e-mail only if it is verified and the provider is listed for its domain', async () => {
  const twin = await startTwin();
  const settings = settingsFor(twin);
  await twin.stop();
  const verified = (claims: Claims, over = {}): boolean =>
    personFrom({ ...settings, ...over }, 'sub', [claims]).person.emailVerified;
  const email = 'alice@example.com';
  assert.equal(verified({ email, email_verified: true }), true);
  assert.equal(verified({ email, email_verified: 'true' }), true);
  for (const odd of [undefined, false, 'false', 1, 'yes', null, [true]])
    assert.equal(verified({ email, email_verified: odd }), false);
  for (const address of [
    'alice@other.test',
    'alice@example.com.evil.test',
    'a@evil.test@example.com',
    'alice@ex\u0430mple.com',
    '"a b"@example.com',
    'alice@example.com.',
    ['alice@example.com'],
  ])
    assert.equal(verified({ email: address, email_verified: true }), false, String(address));
  assert.equal(verified({ email }, { trustEmail: true }), true);
  assert.equal(verified({ email: 'a@any.test', email_verified: true }, { emailDomains: ['*'] }), true);
});

test('personFrom() never takes the word of one source for the address of another', async () => {
  const twin = await startTwin();
  const settings = settingsFor(twin);
  await twin.stop();
  const from = (...sources: Claims[]): [string | null, boolean] => {
    const { email, emailVerified } = personFrom(settings, 'sub', sources).person;
    return [email, emailVerified];
  };
  const own = { email: 'mallory@example.com', email_verified: true };
  // An address that a person wrote into the ID token, and a verified one of theirs in userinfo.
  assert.deepEqual(from({ email: 'root@example.com' }, own), ['root@example.com', false]);
  assert.deepEqual(from({ email: 'root@example.com' }, { email_verified: true }), ['root@example.com', false]);
  assert.deepEqual(from({ email: 'root@example.com', email_verified: false }, own), ['root@example.com', false]);
  assert.deepEqual(from({ email_verified: true }, { email: 'root@example.com' }), ['root@example.com', false]);
  const same = { email: 'mallory@example.com' };
  assert.deepEqual(from(same, own), ['mallory@example.com', true], 'the same address, verified by the second');
  assert.deepEqual(
    from({ ...same, email_verified: false }, own),
    ['mallory@example.com', false],
    'the first word counts',
  );
  assert.deepEqual(from({ email: null }, own), ['mallory@example.com', true]);
  assert.deepEqual(from({ email: '' }, own), ['mallory@example.com', true]);
});

test('personFrom() takes no word for an address of who says it of every account, unless the document trusts it', async () => {
  const twin = await startTwin();
  const settings = { ...settingsFor(twin), userClaims: ['preferred_username', 'email'] };
  await twin.stop();
  // As Gitea and Forgejo write it: of every active account, whatever address its owner has typed.
  const claims = { sub: '7', email: 'root@example.com', email_verified: true };
  const of = (preset: string, trustEmail = false): [name: string, isVerified: boolean] => {
    const { person } = personFrom({ ...settings, preset, trustEmail }, '7', [claims]);
    return [person.name, person.emailVerified];
  };
  for (const preset of ['gitea', 'forgejo']) {
    assert.deepEqual(of(preset), ['7', false], preset);
    assert.deepEqual(of(preset, true), ['root@example.com', true], preset);
  }
  for (const preset of ['oidc', 'keycloak', 'gitlab']) assert.deepEqual(of(preset), ['root@example.com', true], preset);
});

test('personFrom() names nobody by an address that is not verified', async () => {
  const twin = await startTwin();
  const settings = { ...settingsFor(twin), userClaims: ['email'] };
  await twin.stop();
  const nameOf = (claims: Claims): string => personFrom(settings, 'sub-1', [claims]).person.name;
  assert.equal(nameOf({ email: 'root@example.com', email_verified: true }), 'root@example.com');
  assert.equal(nameOf({ email: 'root@example.com', email_verified: false }), 'sub-1');
  assert.equal(nameOf({}), 'sub-1');
});

test("personFrom() explains Entra's overage, and takes no groups from it", async () => {
  const twin = await startTwin();
  const settings = settingsFor(twin);
  await twin.stop();
  for (const claims of [{ _claim_names: { groups: 'src1' }, _claim_sources: { src1: {} } }, { hasgroups: true }]) {
    const { person, notes } = personFrom(settings, 'sub', [claims]);
    assert.deepEqual(person.groups, []);
    assert.match(notes.join(), /too many \(overage\).*app roles/);
    assert.deepEqual(person.cut, ['groups'], 'a deny about a group has to know that there are more');
  }
});

test('personFrom() tells what was not said from what was said to be none', async () => {
  const twin = await startTwin();
  const settings = settingsFor(twin);
  await twin.stop();
  const unsaid = (claims: Claims, over = {}): readonly string[] | undefined =>
    personFrom({ ...settings, ...over }, 'sub', [{ preferred_username: 'bob', ...claims }]).person.unsaid;
  assert.deepEqual(unsaid({}), ['groups', 'roles']);
  assert.deepEqual(unsaid({ groups: [] }), ['roles']);
  assert.deepEqual(unsaid({ realm_access: { roles: [] } }), ['groups']);
  assert.equal(unsaid({ groups: [], resource_access: { app: { roles: [] } } }), undefined);
  assert.equal(unsaid({}, { groupsClaims: [], rolesClaims: [] }), undefined, 'nobody looks for them');
});

test('personFrom() knows thousands of groups, and says of more that it does not know them all', async () => {
  const twin = await startTwin();
  const settings = settingsFor(twin);
  await twin.stop();
  const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `/g${at}`);
  const many = personFrom(settings, 'sub', [
    { preferred_username: 'a', groups: names(5_000), realm_access: { roles: [] } },
  ]);
  assert.deepEqual([many.person.groups.length, many.person.cut, many.notes], [5_000, undefined, []]);
  const more = personFrom(settings, 'sub', [{ groups: names(10_001), realm_access: { roles: names(10_001) } }]);
  assert.deepEqual([more.person.groups.length, more.person.cut], [10_000, ['groups', 'roles']]);
  assert.match(more.notes.join(), /more than 10000 groups or roles: the rest does not count/);
});

test('personFrom() says where nobody named the person, who then has no name but the subject', async () => {
  const twin = await startTwin();
  const settings = settingsFor(twin);
  await twin.stop();
  const { person, notes } = personFrom(settings, 'f:1:bob', [{ email: 'root@example.com', groups: [] }]);
  assert.deepEqual([person.name, person.unsaid?.includes('name')], ['f:1:bob', true]);
  assert.match(notes.join(), /"preferred_username" is missing.*"profile".*"user_claim" of "providers.keycloak"/);
  assert.equal(personFrom(settings, 'sub', [{ preferred_username: 'bob' }]).person.unsaid?.includes('name'), false);
  assert.equal(personFrom({ ...settings, userClaims: [] }, 'sub', [{}]).person.unsaid?.includes('name'), false);
});

test('personFrom() marks groups of which there are more than it was told', async () => {
  const twin = await startTwin();
  const settings = settingsFor(twin);
  await twin.stop();
  const of = (...sources: Claims[]) => personFrom(settings, 'sub', sources);
  const some: Claims = { groups: ['/a', '/b'] };
  const pointer = { _claim_names: { groups: 'src1' } };
  for (const whole of [[some], [{}], [pointer, some], [some, { hasgroups: true }]])
    assert.equal(of(...whole).person.cut, undefined);
  const part = of(pointer, { ...some, hasgroups: true });
  assert.deepEqual([of(pointer).person.cut, part.person.cut], [['groups'], ['groups']]);
  assert.match(part.notes.join(), /not all known: every "deny" by a group of "keycloak"/);
});
