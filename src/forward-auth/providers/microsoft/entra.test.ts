import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Twin } from '../../../sign-in/oidc/_twin.ts';
import { depart, enter, signIn, withProvider, type Over, type ProviderRig, type RigOptions } from '../_rig.ts';
import { entraKind } from './entra.ts';

const TENANT = '11111111-2222-3333-4444-555555555555';
const OTHER = '99999999-2222-3333-4444-555555555555';

interface Given extends Pick<RigOptions, 'allowedGroups' | 'bearer' | 'environment'> {
  readonly issuer?: string;
  readonly described?: string;
  readonly settings?: Over;
  readonly entraId?: object;
  readonly prepare?: (twin: Twin) => void;
}

function withEntra(work: (rig: ProviderRig) => Promise<void>, given: Given = {}): Promise<void> {
  const { issuer = TENANT, described = issuer, settings = {}, entraId = {}, prepare, ...rest } = given;
  return withProvider(work, {
    ...rest,
    twin: { issParameter: false },
    kind: (twin) => entraKind(`${twin.issuer}/graph`),
    settings: (twin) => ({
      kind: 'entra-id',
      ...settings,
      entraId: { tenant: 'common', allowedTenants: [], federatedToken: false, graphGroupField: 'id', ...entraId },
      oidc: { issuer: `${twin.issuer}/${issuer}/v2.0`, ...settings.oidc },
    }),
    prepare(twin) {
      twin.describe = (metadata) => ({ ...metadata, issuer: `${twin.issuer}/${described}/v2.0` });
      twin.claims = { ...twin.claims, iss: `${twin.issuer}/${TENANT}/v2.0`, tid: TENANT, groups: ['g-1'] };
      prepare?.(twin);
    },
  });
}

test('entra-id signs in people of one tenant by its issuer', () =>
  withEntra(async ({ twin, provider }) => {
    const session = await enter(provider, twin);
    assert.deepEqual(session.groups, ['g-1']);
    assert.equal(provider.displayName, 'Microsoft Entra ID');
    twin.claims = { ...twin.claims, iss: `${twin.issuer}/${OTHER}/v2.0`, tid: OTHER };
    assert.equal((await signIn(provider, twin)).kind, 'refused', 'another tenant');
  }));

test('entra-id takes people of many tenants only with a list of them, or when told to take all', async () => {
  const outcome = async (entraId: object, tenant: string, oidc: object = {}): Promise<string> => {
    let found = 'not ready';
    await withEntra(
      async ({ twin, provider }) => {
        twin.claims = { ...twin.claims, iss: `${twin.issuer}/${tenant}/v2.0`, tid: tenant };
        await depart(provider).catch(() => undefined);
        if (!provider.isReady()) return;
        const answer = await signIn(provider, twin);
        found = answer.kind === 'ok' ? 'ok' : `${answer.kind} ${answer.message}`;
      },
      { issuer: 'common', described: '{tenantid}', entraId, settings: { oidc } },
    );
    return found;
  };
  assert.equal(await outcome({ allowedTenants: [TENANT] }, TENANT), 'ok');
  assert.match(await outcome({ allowedTenants: [TENANT] }, OTHER), /^refused .*"entra-id-allowed-tenant"/);
  assert.equal(await outcome({}, TENANT), 'not ready', 'no list, and the issuer does not name itself so');
  const skips = { skipIssuerVerification: true };
  assert.equal(await outcome({}, OTHER, skips), 'ok', 'as the original documents it');
  assert.equal(await outcome({ allowedTenants: [TENANT] }, TENANT, skips), 'ok');
  assert.match(await outcome({ allowedTenants: [TENANT] }, OTHER, skips), /^refused/);
});

test('entra-id refuses an issuer that is no tenant, or not the one of "tid"', () =>
  withEntra(
    async ({ twin, provider }) => {
      const kindFor = async (claims: object): Promise<string> => {
        twin.tamper = (parts) => ({ ...parts, claims: { ...parts.claims, ...claims } });
        return (await signIn(provider, twin)).kind;
      };
      assert.equal(await kindFor({}), 'ok');
      for (const iss of [
        'https://evil.example',
        `https://evil.example/${TENANT}/v2.0`,
        `${twin.issuer}/${TENANT}/v2.0/`,
        `${twin.issuer}/${TENANT}/x/v2.0`,
        `${twin.issuer}/${TENANT}`,
        `${twin.issuer}.evil.example/${TENANT}/v2.0`,
        7,
        undefined,
      ])
        assert.equal(await kindFor({ iss }), 'refused', String(iss));
      assert.equal(await kindFor({ tid: OTHER }), 'refused');
    },
    { issuer: 'common', described: '{tenantid}', settings: { oidc: { skipIssuerVerification: true } } },
  ));

test('entra-id warns where people of every tenant may come', async () => {
  const warned = async (allowedTenants: readonly string[]): Promise<boolean> => {
    let found = false;
    await withEntra(
      async ({ logged }) => {
        found = logged.join('\n').includes('People of every tenant may sign in');
        return Promise.resolve();
      },
      { entraId: { allowedTenants }, settings: { oidc: { skipIssuerVerification: true } } },
    );
    return found;
  };
  assert.equal(await warned([]), true);
  assert.equal(await warned([TENANT]), false);
});

test('entra-id asks Graph for groups that did not fit, at sign-in and at every refresh (#3230)', () =>
  withEntra(
    async ({ twin, provider }) => {
      twin.claims = { ...twin.claims, groups: undefined, _claim_names: { groups: 'src1' } };
      twin.graphPages = [['g-1', 'g-2'], ['g-300']];
      const session = await enter(provider, twin);
      assert.deepEqual(session.groups, ['g-1', 'g-2', 'g-300']);
      assert.equal(provider.authorizes(session), true);
      twin.graphPages = [['g-1']];
      const after = await provider.refresh(session);
      assert.ok(after.kind === 'ok' && after.value !== null);
      assert.deepEqual(after.value.groups, ['g-1']);
      assert.equal(provider.authorizes(after.value), false);
    },
    { allowedGroups: ['g-300'], settings: { scope: 'openid profile email' } },
  ));

test('entra-id lets nobody in by a group that Graph does not say', () =>
  withEntra(
    async ({ twin, provider, logged }) => {
      twin.claims = { ...twin.claims, groups: undefined, _claim_names: { groups: 'src1' } };
      const session = await enter(provider, twin);
      assert.deepEqual(session.groups, []);
      assert.equal(provider.authorizes(session), false);
      assert.match(logged.join('\n'), /add "User.Read" to "scope"/);
    },
    { allowedGroups: ['g-1'], settings: { scope: 'openid profile email' } },
  ));

test('entra-id never sends the token to where another answer points', () =>
  withEntra(async ({ twin, provider }) => {
    twin.claims = { ...twin.claims, groups: undefined, _claim_names: { groups: 'src1' } };
    twin.graphPages = [['g-1'], ['g-2']];
    twin.graphLink = 'https://evil.example/graph';
    assert.deepEqual((await enter(provider, twin)).groups, ['g-1']);
  }));

test('entra-id shows the token of the cluster in place of a secret, read again each time', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-federated-'));
  const file = join(dir, 'token');
  try {
    writeFileSync(file, 'eyJ.first.token\n');
    await withEntra(
      async ({ twin, provider }) => {
        twin.clientAuth = 'assertion';
        twin.checkAssertion = (assertion) => assertion === 'eyJ.first.token';
        const session = await enter(provider, twin);
        twin.checkAssertion = (assertion) => assertion === 'eyJ.second.token';
        assert.equal((await provider.refresh(session)).kind, 'refused');
        writeFileSync(file, 'eyJ.second.token\n');
        assert.equal((await signIn(provider, twin)).kind, 'ok');
        rmSync(file);
        const answer = await signIn(provider, twin);
        assert.equal(answer.kind, 'unavailable');
        assert.doesNotMatch(JSON.stringify(answer), /eyJ/);
      },
      {
        entraId: { federatedToken: true },
        settings: { clientSecret: null },
        environment: { AZURE_FEDERATED_TOKEN_FILE: file },
      },
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});
