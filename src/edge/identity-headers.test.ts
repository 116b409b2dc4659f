import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import type { JWK } from 'jose';
import { DEFAULT_IDENTITY_HEADERS } from '../config/normalise/identity-headers.ts';
import { IDENTITY_PRESETS } from '../config/presets/identity-headers.ts';
import type { IdentityHeaders as Naming, IdentityValue } from '../config/document/identity-headers.ts';
import type { Identity, Person } from '../core/person.ts';
import { ASSERTION_LIFETIME_MS, createAssertions } from './assertion.ts';
import { createIdentityHeaders } from './identity-headers.ts';
import type { AssertionWish, MakeIdentityHeaders, SignAssertion } from './identity-headers.ts';

const ADA: Person = {
  provider: 'keycloak',
  subject: 's-1',
  name: 'ada',
  displayName: 'Ада Λ',
  email: 'ada@example.com',
  emailVerified: true,
  groups: ['/ops', 'a,b', 'ünï'],
  roles: ['admin'],
  amr: ['pwd'],
};
const CI: Identity = { kind: 'token', name: 'ci' };
const ORIGIN = 'https://app.example';

const person = (over: Partial<Person> = {}): Identity => ({ kind: 'person', person: { ...ADA, ...over } });
const naming = (fields: Partial<Record<IdentityValue, string>>, over: Partial<Naming> = {}): Naming => ({
  fields: Object.entries(fields).map(([value, name]) => ({ name, value: value as IdentityValue })),
  groupsEncoding: 'comma',
  audience: null,
  tokens: [],
  ...over,
});
const seen = (identity: Identity, isQualified = false) => ({
  identity,
  origin: ORIGIN,
  expiresAt: Number.MAX_SAFE_INTEGER,
  isQualified,
  providers: [{ id: 'keycloak' }, { id: 'gitlab' }, { id: 'local' }],
});
const QUIET = { sign: Object.assign((): null => null, { signer: () => null }) };

test('identityHeaders() says what the preset names, and nothing where there is nothing to say', () => {
  const make = createIdentityHeaders({ ...QUIET, now: Date.now });
  assert.deepEqual(make(DEFAULT_IDENTITY_HEADERS, seen(person())), [
    ['X-Forwarded-User', 'ada'],
    ['X-Forwarded-Preferred-Username', 'ada'],
    ['X-Forwarded-Name', 'Ада Λ'],
    ['X-Forwarded-Email', 'ada@example.com'],
    ['X-Forwarded-Groups', '/ops,ünï'],
  ]);
  const bare = person({ email: null, groups: [], displayName: '' });
  assert.deepEqual(
    make(DEFAULT_IDENTITY_HEADERS, seen(bare)).map(([name]) => name),
    ['X-Forwarded-User', 'X-Forwarded-Preferred-Username'],
  );
  const unverified = make(DEFAULT_IDENTITY_HEADERS, seen(person({ emailVerified: false })));
  assert.ok(!unverified.some(([name]) => name === 'X-Forwarded-Email'));
  assert.deepEqual(make(DEFAULT_IDENTITY_HEADERS, seen(CI)), [['X-Forwarded-User', 'ci']]);
  assert.deepEqual(make(DEFAULT_IDENTITY_HEADERS, seen({ kind: 'anonymous' })), []);
  for (const preset of Object.values(IDENTITY_PRESETS)) {
    const got = make({ fields: preset.fields, groupsEncoding: 'comma', audience: null, tokens: [] }, seen(person()));
    const wanted = preset.fields.filter(({ value }) => value !== 'assertion').map(({ name }) => name);
    assert.deepEqual(
      got.map(([name]) => name),
      wanted,
    );
  }
});

test('identityHeaders() writes groups by comma, JSON or one field each', () => {
  const make = createIdentityHeaders({ ...QUIET, now: Date.now });
  const groups = (groupsEncoding: Naming['groupsEncoding']) =>
    make(naming({ groups: 'X-G' }, { groupsEncoding }), seen(person()));
  assert.deepEqual(groups('comma'), [['X-G', '/ops,ünï']]);
  assert.deepEqual(groups('json'), [['X-G', String.raw`["/ops","a,b","\u00fcn\u00ef"]`]]);
  assert.deepEqual(JSON.parse(groups('json')[0]?.[1] ?? ''), ADA.groups);
  assert.deepEqual(
    groups('repeated'),
    [
      ['X-G', '/ops'],
      ['X-G', 'ünï'],
    ],
    'programs join fields of one name by commas',
  );
  const ids = make(naming({ subject: 'X-S', provider: 'X-P', roles: 'X-R' }), seen(person()));
  assert.deepEqual(ids, [
    ['X-S', 'keycloak:s-1'],
    ['X-P', 'keycloak'],
    ['X-R', 'admin'],
  ]);
});

test('people of two providers with one name are two to every header made for them', () => {
  const make = createIdentityHeaders({ ...QUIET, now: Date.now });
  const fields = naming({ subject: 'X-S', user: 'X-U', groups: 'X-G' });
  const one = make(fields, seen(person({ groups: ['a'] })));
  const two = make(fields, seen(person({ provider: 'local', groups: ['b'] })));
  assert.deepEqual(one, [
    ['X-S', 'keycloak:s-1'],
    ['X-U', 'ada'],
    ['X-G', 'a'],
  ]);
  assert.deepEqual(two, [
    ['X-S', 'local:s-1'],
    ['X-U', 'ada'],
    ['X-G', 'b'],
  ]);
});

test('a subject in the place of a name that the provider does not say is not told as a name: it may be somebody else’s', async () => {
  const rig = createSigner();
  const fields = naming({ user: 'X-U', preferred_username: 'X-P' });
  const nameless = person({ name: 'ada', subject: 'ada', unsaid: ['name'] });
  assert.deepEqual(rig.make(fields, seen(nameless)), [
    ['X-U', 'keycloak:ada'],
    ['X-P', 'keycloak:ada'],
  ]);
  // Whoever takes that for a name has the provider before it.
  assert.deepEqual(rig.make(naming({ user: 'X-U' }), seen(person({ name: 'keycloak:ada' }))), [
    ['X-U', 'keycloak:keycloak:ada'],
  ]);
  const claimsOf = async (one: Identity): Promise<readonly unknown[]> => {
    const { sub, preferred_username: name } = await rig.verify(tokenOf(rig.make(ASSERTED, seen(one))), ORIGIN);
    return [sub, name];
  };
  assert.deepEqual(await claimsOf(nameless), ['keycloak:ada', 'keycloak:ada']);
  assert.deepEqual(await claimsOf(person({ name: 'keycloak:ada' })), ['keycloak:s-1', 'keycloak:keycloak:ada']);
});

function createSigner(): {
  make: MakeIdentityHeaders;
  clock: { at: number };
  signed: () => number;
  verify: (token: string, audience: string) => Promise<Record<string, unknown>>;
  rotate: () => void;
} {
  const clock = { at: 1_700_000_000_000 };
  const keys: JWK[] = [];
  const mint = (kid: string) => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    keys.push({ ...pair.publicKey.export({ format: 'jwk' }), kid });
    return { kid, privateKey: new Uint8Array(pair.privateKey.export({ format: 'der', type: 'pkcs8' })) };
  };
  let key = mint('k1');
  let count = 0;
  const sign = createAssertions({ key: () => key, issuer: () => 'https://auth.example', now: () => clock.at });
  const counted: SignAssertion = Object.assign((wish: AssertionWish) => (count++, sign(wish)), { signer: sign.signer });
  return {
    clock,
    make: createIdentityHeaders({ sign: counted, now: () => clock.at }),
    signed: () => count,
    rotate: () => (key = mint('k2')),
    verify: async (token, audience) => {
      const options = {
        audience,
        issuer: 'https://auth.example',
        algorithms: ['ES256'],
        currentDate: new Date(clock.at),
      };
      return (await jwtVerify(token, createLocalJWKSet({ keys }), options)).payload;
    },
  };
}

const ASSERTED = naming({ user: 'X-User', assertion: 'Postern-Assertion' });
const tokenOf = (headers: readonly (readonly [string, string])[]): string =>
  headers.find(([name]) => name === 'Postern-Assertion')?.[1] ?? '';

test('an assertion is a JWT that jose verifies: ES256, kid, issuer, one audience, five minutes', async () => {
  const rig = createSigner();
  const token = tokenOf(rig.make(ASSERTED, seen(person())));
  assert.deepEqual(decodeProtectedHeader(token), { alg: 'ES256', kid: 'k1', typ: 'JWT' });
  const claims = await rig.verify(token, ORIGIN);
  assert.deepEqual(claims, {
    iss: 'https://auth.example',
    aud: ORIGIN,
    sub: 'keycloak:s-1',
    iat: 1_700_000_000,
    nbf: 1_700_000_000,
    exp: 1_700_000_300,
    kind: 'person',
    provider: 'keycloak',
    preferred_username: 'ada',
    name: 'Ада Λ',
    email: 'ada@example.com',
    email_verified: true,
    groups: ADA.groups,
    roles: ['admin'],
    amr: ['pwd'],
  });
  await assert.rejects(rig.verify(token, 'https://other.example'), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' });
  rig.clock.at += ASSERTION_LIFETIME_MS + 1_000;
  await assert.rejects(rig.verify(token, ORIGIN), { code: 'ERR_JWT_EXPIRED' });
  const machine = await rig.verify(tokenOf(rig.make(ASSERTED, seen(CI))), ORIGIN);
  assert.deepEqual([machine['sub'], machine['kind'], machine['email']], ['token:ci', 'token', undefined]);
});

test('an assertion is signed once for a session and audience, anew at half its life, and never outlives the session', async () => {
  const rig = createSigner();
  const ada = person();
  const first = rig.make(ASSERTED, seen(ada));
  for (let n = 0; n < 1_000; n++) assert.equal(rig.make(ASSERTED, seen(ada)), first);
  assert.equal(rig.signed(), 1);
  const other = rig.make(ASSERTED, { ...seen(ada), origin: 'https://b.example' });
  assert.equal((await rig.verify(tokenOf(other), 'https://b.example'))['aud'], 'https://b.example');
  assert.equal(rig.make(ASSERTED, seen(ada)), first, 'one audience does not push the other out');
  rig.clock.at += ASSERTION_LIFETIME_MS / 2;
  assert.notEqual(rig.make(ASSERTED, seen(ada)), first);
  const ending = person();
  const short = rig.make(ASSERTED, { ...seen(ending), expiresAt: rig.clock.at + 10_500 });
  assert.equal((await rig.verify(tokenOf(short), ORIGIN))['exp'], Math.floor((rig.clock.at + 10_500) / 1_000));
  const long = rig.make(ASSERTED, seen(ada));
  const shorter = rig.make(ASSERTED, { ...seen(ada), expiresAt: rig.clock.at + 20_000 });
  assert.notEqual(shorter, long, 'one person, two sessions: the shorter gets one of its own');
  assert.equal((await rig.verify(tokenOf(shorter), ORIGIN))['exp'], Math.floor((rig.clock.at + 20_000) / 1_000));
  assert.equal(rig.make(ASSERTED, seen(ada)), shorter, 'which serves the longer one too');
  for (let n = 0; n < 500; n++) rig.make(ASSERTED, { ...seen(ada), origin: `https://h${n}.example` });
  assert.ok(await rig.verify(tokenOf(rig.make(ASSERTED, seen(ada))), ORIGIN));
});

test('after a rotation new assertions name the new key, and those signed before still verify', async () => {
  const rig = createSigner();
  const ada = person();
  const old = tokenOf(rig.make(ASSERTED, seen(ada)));
  rig.rotate();
  const fresh = tokenOf(rig.make(ASSERTED, seen(ada)));
  assert.deepEqual([decodeProtectedHeader(old).kid, decodeProtectedHeader(fresh).kid], ['k1', 'k2']);
  assert.ok((await rig.verify(old, ORIGIN)) && (await rig.verify(fresh, ORIGIN)));
});

test('where people of several providers come, names and groups carry theirs', () => {
  const make = createIdentityHeaders({ ...QUIET, now: Date.now });
  const fields = naming({ user: 'X-U', preferred_username: 'X-P', groups: 'X-G' });
  const ada = person({ groups: ['/ops', '/dev'] });
  assert.deepEqual(make(fields, seen(ada, true)), [
    ['X-U', 'keycloak:ada'],
    ['X-P', 'keycloak:ada'],
    ['X-G', 'keycloak:/ops,keycloak:/dev'],
  ]);
  assert.deepEqual(make(fields, seen(ada)), [
    ['X-U', 'ada'],
    ['X-P', 'ada'],
    ['X-G', '/ops,/dev'],
  ]);
  assert.deepEqual(make(fields, seen(CI, true)), [['X-U', 'ci']]);
});

test('a plain name that reads as one of another provider, or as a link, is told with its own', () => {
  const make = createIdentityHeaders({ ...QUIET, now: Date.now });
  const fields = naming({ user: 'X-U', preferred_username: 'X-P', groups: 'X-G', roles: 'X-R' });
  const plain = (name: string): unknown => make(fields, seen(person({ name, groups: [name], roles: [name] })));
  const all = (name: string): unknown => ['X-U', 'X-P', 'X-G', 'X-R'].map((field) => [field, name]);
  for (const name of ['gitlab:bob', 'local:admin', 'keycloak:ada', 'link:report'])
    assert.deepEqual(plain(name), all(`keycloak:${name}`), name);
  for (const name of ['bob', 'urn:bob', 'gitlab', ':gitlab:bob', 'gitlab-bob', 'GITLAB:bob'])
    assert.deepEqual(plain(name), all(name), name);
  const bob = make(fields, seen(person({ provider: 'gitlab', name: 'bob', groups: ['bob'], roles: ['bob'] }), true));
  assert.deepEqual(bob, all('gitlab:bob'), 'the only one who is told so');
});
