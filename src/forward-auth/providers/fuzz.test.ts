/**
 * Providers that answer anything: nobody comes in by it, nothing throws what is no answer, and nothing that ends
 * a header or hides in a log gets through. POSTERN_FUZZ sets how many are made.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ProviderAnswer } from '../../sign-in/provider-answer.ts';
import type { ProviderHttp } from '../../sign-in/provider-http.ts';
import { compileRegExp } from '../regular-expression.ts';
import { CALLBACK, providerSettings, signIn, withProvider } from './_rig.ts';
import { claimAt, createClaimReader, textsOf } from './claims.ts';
import { textOf } from '../../sign-in/oauth/json.ts';
import { explainCallbackError, explainFailure } from './failures.ts';
import { OAuthError, Outage, Refusal } from '../../sign-in/oauth/failures.ts';
import { refusalOf } from './github/restrictions.ts';
import { buildLoginUrl } from './login-url.ts';
import { flatGroups } from './oidc/cidaas.ts';
import { rolesOf } from './oidc/keycloak.ts';
import { readPersona } from './oidc/session.ts';
import { createTokenEndpoint, noAuth } from '../../sign-in/oauth/token-endpoint.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 500);
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Texts with what attackers put in. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    'alice@example.com',
    'a@b@c',
    'x\r\nSet-Cookie: a',
    '\u2028',
    'ops',
    'role:admin',
    '',
    ' ',
    '__proto__',
  ),
);
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(text, tie('any'), { maxKeys: 4 }),
  ),
})).any;
const NAMES = [
  'sub',
  'email',
  'email_verified',
  'groups',
  'preferred_username',
  'realm_access',
  'resource_access',
  'roles',
];
const claims = fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), text), value, { maxKeys: 8 });

test('fuzz: readPersona() gives usable texts, or refuses', async () => {
  const settings = providerSettings({ additionalClaims: ['email', 'a.b'] });
  await fc.assert(
    fc.asyncProperty(claims, claims, async (own, profile) => {
      const reader = createClaimReader(own, () => Promise.resolve(profile));
      const persona = await readPersona(settings, reader).catch((error: unknown) => {
        assert.ok(error instanceof Refusal, String(error));
        return null;
      });
      if (persona === null) return;
      for (const one of [persona.user, persona.email, persona.preferredUsername, ...persona.groups])
        assert.ok(typeof one === 'string' && !CONTROL.test(one) && one.length <= 1_024, JSON.stringify(one));
    }),
    { numRuns: RUNS },
  );
});

test('fuzz: textOf(), textsOf(), claimAt(), rolesOf() and flatGroups() take anything', () => {
  fc.assert(
    fc.property(claims, value, text, (some, one, path) => {
      claimAt(some, path);
      const found = textOf(one);
      assert.ok(found === null || (found !== '' && !CONTROL.test(found)));
      for (const group of [...textsOf(one), ...rolesOf(some), ...flatGroups(some, path)])
        assert.ok(group !== '' && !CONTROL.test(group), JSON.stringify(group));
    }),
    { numRuns: RUNS },
  );
});

test('fuzz: claimAt() finds nothing that the claims themselves do not have', () => {
  for (const path of ['__proto__', 'constructor', 'toString', 'a.__proto__', 'a.constructor.name', 'a.length'])
    assert.equal(claimAt({ a: { b: 1 } }, path), undefined, path);
});

test('fuzz: a token endpoint that answers anything gives tokens, or a failure that can be told', async () => {
  const bodies = fc.oneof(
    text,
    claims.map((some) => JSON.stringify(some)),
    value.map((one) => JSON.stringify(one)),
    fc
      .record({ access_token: value, token_type: value, expires_in: value, id_token: value })
      .map((one) => JSON.stringify(one)),
    fc.constantFrom('access_token=a&token_type=bearer', 'error=bad', '{"error":{}}', '{"access_token":"x"}'),
  );
  await fc.assert(
    fc.asyncProperty(
      bodies,
      fc.constantFrom(200, 201, 302, 400, 401, 403, 404, 429, 500, 503),
      async (body, status) => {
        const http: ProviderHttp = {
          fetch: () => Promise.resolve(new ProviderAnswer(Buffer.from(body), status, new Headers())),
          fetchFirst: () => Promise.reject(new Error('nothing is asked first')),
          close: () => undefined,
        };
        const endpoint = createTokenEndpoint(http, { now: () => 1_000 });
        try {
          const tokens = await endpoint.ask({ url: 'https://id.example/token', form: {}, ways: [noAuth('client')] });
          assert.ok(status < 300 && tokens.accessToken !== '');
          for (const one of [tokens.accessToken, tokens.idToken, tokens.refreshToken])
            assert.ok(!CONTROL.test(one ?? ''), 'no token ends a header');
          assert.ok(tokens.expiresOn === null || Number.isFinite(tokens.expiresOn));
        } catch (error) {
          assert.ok(error instanceof Refusal || error instanceof Outage || error instanceof OAuthError, String(error));
          assert.ok(!CONTROL.test(explainFailure('Provider', error).message));
        }
      },
    ),
    { numRuns: RUNS },
  );
});

test('fuzz: what a provider says in an error moves no cursor in the log', () => {
  fc.assert(
    fc.property(text, fc.oneof(text, fc.constant(null)), text, (error, description, name) => {
      assert.ok(!CONTROL.test(explainCallbackError('openid groups', error, description)));
      const failures = [new OAuthError(error, description), new Error(error), { message: error }, error, null];
      for (const one of failures) assert.ok(!CONTROL.test(explainFailure('Provider', one).message), name);
      assert.ok(!explainFailure('Provider', new Error(`token-${error}`)).message.includes('token-'));
    }),
    { numRuns: RUNS },
  );
});

test('fuzz: no query of a person changes what a sign-in hangs on', () => {
  const fixed = [
    'client_id',
    'redirect_uri',
    'response_type',
    'state',
    'scope',
    'nonce',
    'code_challenge',
    'code_challenge_method',
  ];
  const names = fc.oneof(fc.constantFrom(...fixed, 'prompt', 'hint'), text);
  fc.assert(
    fc.property(fc.array(fc.tuple(names, text), { maxLength: 10 }), (pairs) => {
      const url = new URL(
        buildLoginUrl(
          {
            base: 'https://id.example/authorize?tenant=1&client_id=evil',
            clientId: 'client',
            scope: 'openid',
            responseMode: null,
            parameters: [
              ...fixed.map((name) => ({ name, default: [], allow: [{ pattern: compileRegExp('.*') }] })),
              { name: 'prompt', default: ['login'], allow: [{ value: 'none' }] },
            ],
          },
          {
            redirectUri: CALLBACK,
            state: 'state',
            nonce: 'nonce',
            codeChallenge: { challenge: 'challenge', method: 'S256' },
            overrides: new URLSearchParams(pairs),
          },
        ),
      );
      const got = fixed.map((name) => url.searchParams.getAll(name));
      const wanted = ['client', CALLBACK, 'code', 'state', 'openid', 'nonce', 'challenge', 'S256'];
      assert.deepEqual(
        got,
        wanted.map((one) => [one]),
      );
      assert.ok(['login', 'none'].includes(url.searchParams.get('prompt') ?? ''));
      assert.equal(url.origin, 'https://id.example');
      assert.ok(!url.searchParams.has('hint'));
    }),
    { numRuns: RUNS },
  );
});

test('fuzz: nobody comes in by an ID token with anything else in what it hangs on', () =>
  withProvider(async ({ twin, provider }) => {
    const decisive = ['iss', 'aud', 'exp', 'nonce', 'sub'] as const;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...decisive), value, async (name, other) => {
        let isSame = false;
        twin.tamper = (parts) => {
          const before = parts.claims[name];
          // A time to come and an audience in a list are what they were.
          isSame =
            JSON.stringify(before) === JSON.stringify(other) ||
            (name === 'exp' && typeof other === 'number' && other > Date.now() / 1_000);
          isSame ||= name === 'sub' && typeof other === 'string' && other !== '' && !CONTROL.test(other);
          return { ...parts, claims: { ...parts.claims, [name]: other } };
        };
        const answer = await signIn(provider, twin);
        assert.ok(answer.kind === 'refused' || isSame, `${name}: ${JSON.stringify(other)} gave ${answer.kind}`);
      }),
      { numRuns: Math.min(RUNS, 300) },
    );
  }));

test('fuzz: nobody is in an organisation or a team by a group that is neither', () => {
  const none = { org: null, teams: [], repo: null, token: null, users: [] };
  fc.assert(
    fc.property(fc.array(text, { maxLength: 5 }), (groups) => {
      const account = { login: 'mallory', groups };
      const isMember = groups.includes('acme');
      assert.equal(refusalOf({ ...none, org: 'acme' }, account) === null, isMember);
      const isInTeam = groups.some((group) => group.toLowerCase() === 'acme:platform');
      assert.equal(refusalOf({ ...none, org: 'acme', teams: ['platform'] }, account) === null, isInTeam);
      assert.equal(
        refusalOf({ ...none, teams: ['platform', '', ':', 'acme:platform'] }, account) === null,
        isInTeam || groups.includes(':'),
      );
    }),
    { numRuns: RUNS },
  );
});
