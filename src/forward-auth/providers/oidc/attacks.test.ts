/** What a provider, or somebody between, could send: each in its class of the catalogue, none gets in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeKey } from '../../../sign-in/oidc/_twin-keys.ts';
import type { Twin } from '../../../sign-in/oidc/_twin.ts';
import { depart, enter, signIn, withProvider, type Over } from '../_rig.ts';

type Tamper = Twin['tamper'];

async function outcome(tamper: (twin: Twin) => Tamper, settings: Over = {}): Promise<string> {
  let found = '';
  await withProvider(
    async ({ twin, provider, logged }) => {
      twin.tamper = tamper(twin);
      const answer = await signIn(provider, twin);
      found = answer.kind === 'ok' ? 'ok' : `${answer.kind} ${answer.message}`;
      assert.doesNotMatch(found + logged.join('\n'), /eyJ|twin secret/, 'no token and no secret in words');
    },
    { settings },
  );
  return found;
}

const changed =
  (claims: object): ((twin: Twin) => Tamper) =>
  () =>
  (parts) => ({ ...parts, claims: { ...parts.claims, ...claims } });

test('redeem() refuses an ID token without, or with another, nonce (class K)', async () => {
  assert.equal(await outcome(changed({})), 'ok');
  assert.match(await outcome(changed({ nonce: undefined })), /^refused .*"nonce"/);
  assert.match(await outcome(changed({ nonce: 'another' })), /^refused .*"nonce"/);
});

test('insecure-oidc-skip-nonce, written down, sends none and looks at none', () =>
  withProvider(
    async ({ twin, provider }) => {
      assert.equal(provider.usesNonce, false);
      assert.equal((await depart(provider)).url.searchParams.has('nonce'), false);
      twin.tamper = (parts) => ({ ...parts, claims: { ...parts.claims, nonce: 'of somebody else' } });
      assert.equal((await signIn(provider, twin)).kind, 'ok');
    },
    { settings: { oidc: { skipNonce: true } } },
  ));

test('redeem() refuses signatures by nobody, by the public key, and by another key (class K)', async () => {
  const header = (alg: string) => (): Tamper => (parts) => ({ ...parts, header: { alg } });
  assert.match(await outcome(header('none')), /^refused/);
  assert.match(await outcome(header('HS256')), /^refused/);
  const stranger = makeKey('stranger');
  assert.match(
    await outcome(
      (twin) =>
        ({ claims }) =>
          twin.sign(claims, {}, stranger),
    ),
    /^refused/,
  );
  assert.match(
    await outcome(
      (twin) =>
        ({ claims }) =>
          twin.sign(claims, { kid: twin.key().kid }, stranger),
    ),
    /^refused .*signature/,
  );
  assert.match(await outcome(() => () => 'not.a.token'), /^refused/);
  assert.match(await outcome(() => () => ''), /^refused .*no ID token/);
});

test('redeem() takes only signing algorithms that the settings name and the provider announces', async () => {
  assert.equal(await outcome(changed({}), { oidc: { signingAlgorithms: ['RS256', 'ES256'] } }), 'ok');
  await withProvider(
    async ({ provider, logged }) => {
      await assert.rejects(
        depart(provider),
        /signs by RS256, HS256, none, of which none is in "oidc-enabled-signing-alg"/,
      );
      assert.equal(logged.length, 1);
    },
    { settings: { oidc: { signingAlgorithms: ['ES256', 'HS256'] } } },
  );
});

test('redeem() refuses tokens of another issuer, for another client, by another party (class J, V)', async () => {
  assert.match(await outcome(changed({ iss: 'https://evil.example' })), /^refused .*issuer/);
  assert.match(
    await outcome(changed({ aud: 'another' })),
    /^refused .*"aud" of a token names none of "client-of-twin"/,
  );
  assert.match(await outcome(changed({ aud: [] })), /^refused/);
  assert.match(await outcome(changed({ aud: undefined })), /^refused .*audience claims "aud"/);
  assert.match(await outcome(changed({ aud: { 'client-of-twin': 1 } })), /^refused/);
  assert.match(await outcome(changed({ azp: 'another' })), /^refused .*"azp"/);
  assert.equal(await outcome(changed({ azp: 'client-of-twin', aud: ['client-of-twin', 'x'] })), 'ok');
});

test('redeem() takes audiences from the claims and the extra audiences of the settings', async () => {
  assert.equal(await outcome(changed({ aud: 'api' }), { oidc: { extraAudiences: ['api'] } }), 'ok');
  const other = { oidc: { audienceClaims: ['client_id', 'aud'] } };
  assert.equal(await outcome(changed({ aud: 'other', client_id: 'client-of-twin' }), other), 'ok');
  assert.equal(await outcome(changed({}), other), 'ok', 'the next claim counts where the first is missing');
  assert.match(await outcome(changed({ client_id: 'other' }), other), /^refused/, 'the first that is there decides');
});

test('redeem() compares the issuer unless told not to', async () => {
  const settings = { oidc: { skipIssuerVerification: true } };
  assert.equal(await outcome(changed({ iss: 'https://other.example' }), settings), 'ok');
});

test('redeem() refuses tokens out of their time', async () => {
  const now = Math.floor(Date.now() / 1_000);
  assert.match(await outcome(changed({ exp: now - 3_600 })), /^refused .*expired/);
  assert.match(await outcome(changed({ exp: undefined })), /^refused .*"exp"/);
  assert.match(await outcome(changed({ nbf: now + 3_600 })), /^refused .*"nbf"/);
});

test('redeem() refuses a subject that is none', async () => {
  for (const sub of [undefined, '', 7, 'a\r\nb', 'x'.repeat(5_000)])
    assert.match(await outcome(changed({ sub })), /^refused .*"sub"/, JSON.stringify(sub)?.slice(0, 20));
});

test('redeem() refuses an answer that names another provider (RFC 9207, class J)', () =>
  withProvider(async ({ twin, provider }) => {
    assert.equal((await signIn(provider, twin)).kind, 'ok');
    const tokens = twin.requests.filter((one) => one === 'POST /token').length;
    assert.equal((await signIn(provider, twin, { issuer: 'https://evil.example' })).kind, 'refused');
    assert.equal(
      (await signIn(provider, twin, { issuer: null })).kind,
      'refused',
      'it says that it always names itself',
    );
    const after = twin.requests.filter((one) => one === 'POST /token').length;
    assert.equal(after, tokens, 'and the code was not handed to anybody');
  }));

test('redeem() refuses a code with another verifier, and a code that was used', () =>
  withProvider(async ({ twin, provider }) => {
    assert.match(
      JSON.stringify(await signIn(provider, twin, { codeVerifier: 'x'.repeat(43) })),
      /refused.*invalid_grant/,
    );
    assert.match(JSON.stringify(await signIn(provider, twin, { codeVerifier: null })), /refused.*invalid_grant/);
    const { url, nonce, codeVerifier } = await depart(provider);
    const back = new URL(twin.visit(url.href)).searchParams;
    const wish = { code: back.get('code') ?? '', codeVerifier, nonce, issuer: back.get('iss') };
    const redirectUri = url.searchParams.get('redirect_uri') ?? '';
    assert.equal((await provider.redeem({ ...wish, redirectUri })).kind, 'ok');
    assert.equal((await provider.redeem({ ...wish, redirectUri })).kind, 'refused');
  }));

test('redeem() knows an outage from a refusal (class T)', () =>
  withProvider(async ({ twin, provider }) => {
    twin.tokenError = { status: 503, body: {} };
    assert.equal((await signIn(provider, twin)).kind, 'unavailable');
    twin.tokenError = { status: 400, body: { error: 'temporarily_unavailable' } };
    assert.equal((await signIn(provider, twin)).kind, 'unavailable');
    twin.tokenError = { status: 400, body: { error: 'invalid_request', error_description: 'no\nway' } };
    assert.match(JSON.stringify(await signIn(provider, twin)), /refused.*\\"invalid_request\\": no\?way/);
    twin.tokenError = { status: 200, body: { access_token: '' } };
    assert.equal((await signIn(provider, twin)).kind, 'refused');
    twin.tokenError = { status: 200, body: { access_token: 'a', token_type: 'DPoP' } };
    assert.equal((await signIn(provider, twin)).kind, 'refused');
    twin.tokenError = { status: 302, body: {} };
    assert.equal((await signIn(provider, twin)).kind, 'refused');
    twin.tokenError = { status: 200, body: { access_token: 'a'.repeat(2_000_000) } };
    assert.equal((await signIn(provider, twin)).kind, 'unavailable', 'an answer without end is not read');
  }));

test('redeem() follows new keys of the provider without anybody noticing', () =>
  withProvider(async ({ twin, provider }) => {
    await enter(provider, twin);
    twin.rotateKeys();
    // Unknown keys are looked for once a second at most.
    await new Promise((done) => {
      setTimeout(done, 1_050);
    });
    assert.equal((await signIn(provider, twin)).kind, 'ok');
  }));
