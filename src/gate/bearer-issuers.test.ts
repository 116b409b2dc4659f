import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import { COOKIE, createRig, policy, request } from './_rig.ts';
import { bearerIssuersOf, createBearerIssuers } from './bearer-issuers.ts';
import { keyOfBearer } from '../session/token.ts';
import type { OidcProvider } from '../config/document/providers.ts';
import type { Person } from '../core/person.ts';
import type { BearerAnswer } from './ports.ts';

const ISSUER = 'https://id.example.com/realms/main';
const ISSUERS = createBearerIssuers([
  { provider: 'keycloak', issuer: ISSUER, audiences: ['postern', 'api'], settings: '' },
]);
const jwt = (claims: unknown, head: unknown = { alg: 'RS256' }): string =>
  `${Buffer.from(JSON.stringify(head)).toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
const CI: Person = {
  provider: 'keycloak',
  subject: 'sub-ci',
  name: 'service-account-ci',
  displayName: 'ci',
  email: null,
  emailVerified: false,
  groups: [],
  roles: ['pusher'],
  amr: [],
};
const pushers = () => policy(({ identity }) => identity.kind === 'person' && identity.person.roles.includes('pusher'));

test('providerOf() knows a token by issuer and audience, and leaves the others to the app', () => {
  for (const claims of [
    { iss: ISSUER, aud: 'postern' },
    { iss: `${ISSUER}/`, aud: ['x', 'api'] },
  ])
    assert.equal(ISSUERS.providerOf(jwt(claims)), 'keycloak');
  for (const claims of [
    { iss: ISSUER, aud: 'argocd' },
    { iss: ISSUER },
    { iss: 'argocd', aud: 'postern' },
    { iss: [ISSUER], aud: 'postern' },
    { aud: 'postern' },
    null,
    7,
    [],
  ])
    assert.equal(ISSUERS.providerOf(jwt(claims)), null, JSON.stringify(claims));
  for (const text of ['', 'glsa_x', 'eyJ.eyJ.', 'eyJ', 'a.b.c', `${jwt({ iss: ISSUER, aud: 'api' })}.x`])
    assert.equal(ISSUERS.providerOf(text), null, text);
  assert.equal(ISSUERS.providerOf(jwt({ iss: ISSUER, aud: 'api', x: 'y'.repeat(9_000) })), null, 'oversized');
  assert.equal(createBearerIssuers([]).providerOf(jwt({ iss: ISSUER, aud: 'api' })), null);
  check(property(string({ unit: 'binary' }), (text) => ISSUERS.providerOf(`eyJ${text}`) === null));
});

function createJwtRig(): ReturnType<typeof createRig> & { answers: Map<string, BearerAnswer> } {
  const rig = createRig();
  const answers = new Map<string, BearerAnswer>();
  rig.settings.bearers = ISSUERS;
  rig.state.verifyBearer = (token) => answers.get(token) ?? { kind: 'absent' };
  return { ...rig, answers };
}

const found = (token: string, expiresAt: number): BearerAnswer => {
  const identity = { kind: 'person', person: CI } as const;
  return { kind: 'found', session: { key: keyOfBearer('keycloak', token), identity, expiresAt, lastSeenAt: 0 } };
};

test('a verified token is judged like its person, at once from then on, until it expires', async () => {
  const rig = createJwtRig();
  const token = jwt({ iss: ISSUER, aud: 'api', n: 1 });
  rig.answers.set(token, found(token, rig.clock.at + 60_000));
  for (const headers of [
    { Authorization: `Bearer ${token}` },
    { 'Postern-Authorization': `bearer ${token}`, Authorization: 'Bearer x' },
  ]) {
    const judged = await rig.ask(headers, pushers());
    assert.deepEqual(
      [judged.decision.kind, judged.credential, judged.removeAuthorization],
      ['allow', 'token', 'Authorization' in headers && !('Postern-Authorization' in headers)],
    );
  }
  assert.equal(rig.state.lookUps, 1);
  const judged = rig.gate.judge(
    request({ Authorization: `Bearer ${token}` }),
    { policy: pushers(), host: 'app.example', scheme: 'https' },
    null,
  );
  assert.ok(!(judged instanceof Promise));
  rig.clock.at += 60_000;
  rig.answers.delete(token);
  assert.equal((await rig.ask({ Authorization: `Bearer ${token}` }, pushers())).decision.kind, 'challenge');
});

test('a refused token is 401 beside a valid cookie too; one for somebody else passes and the cookie counts', async () => {
  const rig = createJwtRig();
  const cookie = `${COOKIE}=${rig.signIn()}`;
  const everyone = policy(({ identity }) => identity.kind === 'person');
  const bad = await rig.ask({ Cookie: cookie, Authorization: `Bearer ${jwt({ iss: ISSUER, aud: 'api' })}` }, everyone);
  assert.deepEqual(
    [bad.decision.kind, bad.credential, bad.refused, bad.removeAuthorization],
    ['challenge', 'refused', 'bearer', true],
  );
  const other = await rig.ask(
    { Cookie: cookie, Authorization: `Bearer ${jwt({ iss: ISSUER, aud: 'argocd' })}` },
    everyone,
  );
  assert.deepEqual([other.decision.kind, other.credential, other.removeAuthorization], ['allow', 'session', false]);
});

test('a provider that cannot be asked refuses nobody and lets nobody in', async () => {
  const rig = createJwtRig();
  rig.state.verifyBearer = () => ({ kind: 'unavailable' });
  const judged = await rig.ask({ Authorization: `Bearer ${jwt({ iss: ISSUER, aud: 'api' })}` }, pushers());
  assert.equal(judged.decision.kind, 'unavailable');
});

test('a document that takes the tokens back ends those that came, on open connections too', async () => {
  const rig = createJwtRig();
  await rig.gate.redecide();
  const token = jwt({ iss: ISSUER, aud: 'api' });
  rig.answers.set(token, found(token, rig.clock.at + 60_000));
  const headers = { Authorization: `Bearer ${token}` };
  const judged = await rig.ask(headers, pushers());
  const closed: string[] = [];
  rig.gate.track({
    judged,
    exchange: request(headers),
    bytesHeard: () => 0,
    findPolicy: () => pushers(),
    close: (why) => closed.push(why),
  });
  await rig.gate.redecide();
  assert.deepEqual(closed, []);
  rig.settings.bearers = createBearerIssuers([
    { provider: 'keycloak', issuer: ISSUER, audiences: ['other'], settings: '' },
  ]);
  await rig.gate.redecide();
  assert.deepEqual(closed, ['token-ended']);
  const after = await rig.ask(headers, pushers());
  assert.deepEqual([after.decision.kind, after.removeAuthorization], ['sign-in', false]);
});

test('a document that takes the tokens of fewer, or reads another person in them, asks again about those that came', async () => {
  const settings = {
    id: 'keycloak',
    type: 'oidc',
    label: 'Keycloak',
    issuer: ISSUER,
    prompt: null,
    bearer: null,
    userClaims: ['preferred_username'],
    groupsClaims: ['groups'],
    rolesClaims: [],
    emailDomains: ['*'],
    trustEmail: false,
    hostedDomains: [],
    secondFactor: { acr: [], amr: ['mfa'] },
    clockToleranceMs: 60_000,
  } as unknown as OidcProvider;
  const rig = createJwtRig();
  const token = jwt({ iss: settings.issuer, aud: 'api' });
  const headers = { Authorization: `Bearer ${token}` };
  const takes = (over: Partial<OidcProvider>): void => {
    rig.settings.bearers = createBearerIssuers(bearerIssuersOf([{ ...settings, ...over }]));
  };
  const bearer = { audiences: ['api'], parties: ['ci', 'web'] };
  takes({ bearer });
  await rig.gate.redecide();
  const stricter: Partial<OidcProvider>[] = [
    { bearer: { ...bearer, parties: ['ci'] } },
    { bearer, rolesClaims: ['roles'] },
    { bearer, groupsClaims: [] },
    { bearer, userClaims: ['sub'] },
    { bearer, emailDomains: ['example.com'] },
    { bearer, hostedDomains: ['example.com'] },
  ];
  for (const over of stricter) {
    rig.answers.set(token, found(token, rig.clock.at + 60_000));
    assert.equal((await rig.ask(headers, pushers())).decision.kind, 'allow');
    rig.answers.delete(token);
    await rig.gate.redecide();
    assert.equal((await rig.ask(headers, pushers())).decision.kind, 'allow', 'nothing of it has changed');
    takes(over);
    await rig.gate.redecide();
    assert.equal((await rig.ask(headers, pushers())).decision.kind, 'challenge', JSON.stringify(over));
  }
  const before = rig.settings.bearers.version;
  takes({ ...stricter.at(-1), label: 'Another name', prompt: 'login' });
  assert.equal(rig.settings.bearers.version, before, 'what says nothing of tokens ends none');
});

test('an open connection that rides on a token ends when the provider takes its key away', async () => {
  const rig = createJwtRig();
  const token = jwt({ iss: ISSUER, aud: 'api' });
  rig.answers.set(token, found(token, rig.clock.at + 24 * 3_600_000));
  const judged = await rig.ask({ Authorization: `Bearer ${token}` }, pushers());
  const closed: string[] = [];
  const findPolicy = (): ReturnType<typeof pushers> => pushers();
  rig.gate.track({ judged, exchange: request({}), bytesHeard: () => 0, findPolicy, close: (why) => closed.push(why) });
  const passes = async (ms: number): Promise<void> => {
    rig.clock.at += ms;
    rig.gate.tick();
    await new Promise(setImmediate);
  };
  await passes(300_000);
  const asked = rig.state.lookUps;
  assert.ok(asked > 1, 'it is asked about again');
  for (let n = 0; n < 20; n++) await passes(1_000);
  assert.equal(rig.state.lookUps, asked, 'not at each tick');
  assert.deepEqual(closed, []);
  rig.state.verifyBearer = () => ({ kind: 'unavailable' });
  await passes(300_000);
  assert.deepEqual(closed, [], 'a provider that is away ends nothing');
  rig.state.verifyBearer = () => ({ kind: 'absent' });
  await passes(300_000);
  assert.deepEqual(closed, ['token-ended']);
  assert.deepEqual(rig.tokenReports, [], 'nobody lists the use of what is no token of ours');
});
