/** Attacks on access tokens as credentials: each is refused, with its reason for the log. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { settingsFor } from './_rig.ts';
import { makeKey } from './_twin-keys.ts';
import { startTwin, type Twin } from './_twin.ts';
import { createOidcProvider, type OpenIdProvider } from './provider.ts';
import type { VerifiedBearer } from '../provider.ts';

const AUDIENCE = 'postern-api';
const now = (): number => Math.floor(Date.now() / 1_000);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

interface Rig {
  readonly twin: Twin;
  readonly provider: OpenIdProvider;
  readonly claims: (over?: Record<string, unknown>) => Record<string, unknown>;
  readonly verify: (token: string) => Promise<VerifiedBearer>;
}

async function withRig(
  work: (rig: Rig) => Promise<void>,
  over: { readonly parties?: readonly string[]; readonly hostedDomains?: readonly string[] } = {},
): Promise<void> {
  const twin = await startTwin();
  const { parties = null, hostedDomains = [] } = over;
  const settings = settingsFor(twin, { hostedDomains, bearer: { audiences: [AUDIENCE, 'other-api'], parties } });
  const provider = createOidcProvider(settings, { clock: { now: Date.now }, log: () => undefined });
  const claims = (over: Record<string, unknown> = {}): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries({
        iss: twin.issuer,
        aud: AUDIENCE,
        azp: 'ci',
        sub: 'sub-ci',
        preferred_username: 'service-account-ci',
        groups: ['/machines'],
        realm_access: { roles: ['pusher'] },
        iat: now(),
        exp: now() + 300,
        ...over,
      }).filter(([, value]) => value !== undefined),
    );
  const verify = (token: string): Promise<VerifiedBearer> => {
    assert.ok(provider.verifyBearer !== undefined);
    return provider.verifyBearer(token);
  };
  try {
    await work({ twin, provider, claims, verify });
  } finally {
    provider.close();
    await twin.stop();
  }
}

test('an access token becomes a person of its provider by the same claims as at sign-in', async () => {
  await withRig(async ({ twin, claims, verify }) => {
    const exp = now() + 300;
    const answer = await verify(twin.sign(claims({ exp, typ: 'Bearer' }), { typ: 'at+jwt' }));
    assert.ok(answer.kind === 'bearer', JSON.stringify(answer));
    const { provider, subject, name, groups, roles } = answer.person;
    assert.deepEqual(
      [provider, subject, name, groups, roles],
      ['keycloak', 'sub-ci', 'service-account-ci', ['/machines'], ['pusher']],
    );
    assert.equal(answer.expiresAt, exp * 1_000 + 60_000);
    for (const aud of [['x', 'other-api'], [AUDIENCE]])
      assert.equal((await verify(twin.sign(claims({ aud })))).kind, 'bearer');
  });
});

test('an access token says how and when the person signed in (RFC 9470), and what it does not say is not known', async () => {
  await withRig(async ({ twin, claims, verify }) => {
    const proofOf = async (over: Record<string, unknown>): Promise<unknown> => {
      const answer = await verify(twin.sign(claims(over)));
      assert.ok(answer.kind === 'bearer', JSON.stringify(answer));
      return [answer.person.acr, answer.person.authenticatedAt];
    };
    assert.deepEqual(await proofOf({ acr: 'gold', auth_time: 1_900_000_000 }), ['gold', 1_900_000_000_000]);
    assert.deepEqual(await proofOf({}), [null, null]);
    assert.deepEqual(await proofOf({ acr: ['gold'], auth_time: '1900000000' }), [null, null]);
    assert.deepEqual(await proofOf({ auth_time: 1e300 }), [null, null]);
  });
});

type Attack = (rig: Rig) => string;

const ATTACKS: Readonly<Record<string, readonly [make: Attack, reason: RegExp]>> = {
  'alg none': [({ claims }) => `${encode({ alg: 'none' })}.${encode(claims())}.`, /alg|Algorithm|Unsupported/i],
  'alg None with a signature': [
    ({ twin, claims }) => twin.sign(claims(), { alg: 'None' }),
    /alg|Algorithm|Unsupported/i,
  ],
  'HS256 with the public key': [
    ({ twin, claims }) => {
      const text = `${encode({ alg: 'HS256', kid: twin.key().kid })}.${encode(claims())}`;
      const secret = twin.key().publicKey.export({ type: 'spki', format: 'pem' });
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    },
    /alg/i,
  ],
  'another issuer': [({ twin, claims }) => twin.sign(claims({ iss: 'https://evil.example' })), /iss/],
  'no issuer': [({ twin, claims }) => twin.sign(claims({ iss: undefined })), /iss/],
  'another audience': [({ twin, claims }) => twin.sign(claims({ aud: 'argocd' })), /aud/],
  'no audience': [({ twin, claims }) => twin.sign(claims({ aud: undefined })), /aud/],
  'an audience that only begins so': [({ twin, claims }) => twin.sign(claims({ aud: `${AUDIENCE}.evil` })), /aud/],
  'a list of audiences without azp': [
    ({ twin, claims }) => twin.sign(claims({ aud: [AUDIENCE, 'b'], azp: undefined })),
    /azp/,
  ],
  expired: [({ twin, claims }) => twin.sign(claims({ exp: now() - 120 })), /exp/],
  'no exp': [({ twin, claims }) => twin.sign(claims({ exp: undefined })), /exp/],
  'exp as text': [({ twin, claims }) => twin.sign(claims({ exp: `${now() + 300}` })), /exp/],
  'exp beyond numbers': [({ twin, claims }) => twin.sign(claims({ exp: 1e300 })), /exp/],
  'nbf in the future': [({ twin, claims }) => twin.sign(claims({ nbf: now() + 600 })), /nbf/],
  'no subject': [({ twin, claims }) => twin.sign(claims({ sub: undefined })), /sub/],
  'a subject that is a list': [({ twin, claims }) => twin.sign(claims({ sub: ['a'] })), /sub/],
  'a key of somebody else under our kid': [
    ({ twin, claims }) => twin.sign(claims(), {}, { ...makeKey('x'), kid: twin.key().kid }),
    /signature/i,
  ],
  'a kid that is a path': [({ twin, claims }) => twin.sign(claims(), { kid: '../../dev/null' }), /key|JWKS/i],
  'a kid that is SQL': [({ twin, claims }) => twin.sign(claims(), { kid: "' OR 1=1 --" }), /key|JWKS/i],
  'a key in the header (jwk)': [
    ({ twin, claims }) => {
      const own = makeKey('evil');
      return twin.sign(claims(), { jwk: own.publicKey.export({ format: 'jwk' }) }, { ...own, kid: twin.key().kid });
    },
    /signature/i,
  ],
  'an address of keys in the header (jku, x5u)': [
    ({ twin, claims }) => {
      const header = { jku: 'http://127.0.0.1:1/jwks', x5u: 'http://127.0.0.1:1/cert' };
      return twin.sign(claims(), header, { ...makeKey('e'), kid: twin.key().kid });
    },
    /signature/i,
  ],
  'an unknown critical header': [
    ({ twin, claims }) => twin.sign(claims(), { crit: ['b64'], b64: false }),
    /crit|b64|unencoded/,
  ],
  'an ID token': [({ twin, claims }) => twin.sign(claims({ nonce: 'n' })), /nonce/],
  'an ID token of Keycloak': [({ twin, claims }) => twin.sign(claims({ typ: 'ID' })), /no access token/],
  'a refresh token of Keycloak': [({ twin, claims }) => twin.sign(claims({ typ: 'Refresh' })), /no access token/],
  'a logout token': [({ twin, claims }) => twin.sign(claims(), { typ: 'logout+jwt' }), /typ/],
  'a token bound to a key (cnf)': [({ twin, claims }) => twin.sign(claims({ cnf: { jkt: 'x' } })), /cnf/],
  'claims said twice, the second by the attacker': [
    ({ twin, claims }) => {
      const [head = '', body = '', signature = ''] = twin.sign(claims({ aud: 'x' })).split('.');
      const text = Buffer.from(body, 'base64url').toString().replace(/}$/, `,"aud":"${AUDIENCE}"}`);
      return `${head}.${Buffer.from(text).toString('base64url')}.${signature}`;
    },
    /signature/i,
  ],
  'a signature cut short': [({ twin, claims }) => twin.sign(claims()).slice(0, -8), /signature/i],
  'the same signature in another spelling': [
    ({ twin, claims }) => {
      const token = twin.sign(claims());
      const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      return token.slice(0, -1) + (digits[digits.indexOf(token.at(-1) ?? '') + 1] ?? '');
    },
    /one way/,
  ],
  'an encrypted token': [({ twin, claims }) => `${twin.sign(claims())}.a.b`, /JWS|Compact|Invalid|one way/i],
};

suite('An access token is refused', () => {
  for (const [name, [make, reason]] of Object.entries(ATTACKS)) {
    test(name, () =>
      withRig(async (rig) => {
        const answer = await rig.verify(make(rig));
        assert.ok(answer.kind === 'refused', JSON.stringify(answer));
        assert.match(answer.message, reason);
      }),
    );
  }

  test('of a party that may not ask', () =>
    withRig(
      async ({ twin, claims, verify }) => {
        assert.equal((await verify(twin.sign(claims()))).kind, 'bearer');
        assert.equal((await verify(twin.sign(claims({ azp: undefined, client_id: 'ci' })))).kind, 'bearer');
        for (const azp of ['web', '', undefined, ['ci'], 'CI'])
          assert.equal((await verify(twin.sign(claims({ azp })))).kind, 'refused', String(azp));
      },
      { parties: ['ci'] },
    ));
});

test('keys: a rotation goes unnoticed, a removed key stops counting, an outage is no refusal', async () => {
  await withRig(async ({ twin, claims, verify }) => {
    const before = twin.sign(claims());
    assert.equal((await verify(before)).kind, 'bearer');
    twin.rotateKeys();
    await new Promise((done) => setTimeout(done, 1_100));
    assert.equal((await verify(twin.sign(claims()))).kind, 'bearer');
    assert.equal((await verify(before)).kind, 'refused', 'the old key is not listed any more');
  });
  await withRig(async ({ twin, claims, verify }) => {
    const token = twin.sign(claims());
    await twin.stop();
    const answer = await verify(token);
    // Discovery may have been done already at the start; the keys were never fetched.
    assert.equal(answer.kind, 'unavailable', JSON.stringify(answer));
    await twin.start();
  });
});

test('whatever the text is, it is refused and nothing throws', async () => {
  await withRig(async ({ twin, claims, verify }) => {
    const good = twin.sign(claims());
    await verify(good);
    const [head = '', body = '', signature = ''] = good.split('.');
    const piece = fc.oneof(
      fc.constantFrom(head, body, signature, '.', '..', 'eyJ', encode({ alg: 'RS256' }), encode(claims()), '\u0000'),
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 7 }), async (parts) => {
        const text = parts.join('');
        if (text === good) return;
        assert.equal((await verify(text)).kind, 'refused', text);
      }),
      { numRuns: 5_000 },
    );
  });
});

test("a token of an account outside hosted_domain lets nobody in: anybody's project gets tokens for any audience", async () => {
  await withRig(
    async ({ twin, claims, verify }) => {
      for (const hd of [undefined, 'evil.example', ['example.com'], 'EXAMPLE.com', '']) {
        const answer = await verify(twin.sign(claims({ hd, email: 'robot@p.iam.example', email_verified: true })));
        assert.deepEqual(answer, { kind: 'refused', message: 'the account is not of "example.com"' });
      }
      assert.equal((await verify(twin.sign(claims({ hd: 'example.com' })))).kind, 'bearer');
    },
    { hostedDomains: ['example.com'] },
  );
});
