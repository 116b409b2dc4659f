import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { makeKey } from '../../sign-in/oidc/_twin-keys.ts';
import { startTwin, type Twin } from '../../sign-in/oidc/_twin.ts';
import type { AuthProvider } from '../ports.ts';
import { withProvider } from './_rig.ts';

const now = (): number => Math.floor(Date.now() / 1_000);

function token(twin: Twin, claims: object = {}, header: object = {}): string {
  const own = { iss: twin.issuer, aud: twin.clientId, sub: 'robot', iat: now(), exp: now() + 300 };
  const all = Object.entries({ ...own, ...claims }).filter(([, value]) => value !== undefined);
  return twin.sign(Object.fromEntries(all), { ...header });
}

async function kindOf(provider: AuthProvider, text: string): Promise<string> {
  return (await provider.verifyBearer(text))?.kind ?? 'none';
}

test('verifyBearer() knows a machine by a JWT of the provider for this client', () =>
  withProvider(
    async ({ twin, provider }) => {
      const text = token(twin, { groups: ['ci'], preferred_username: 'ci', name: 'x' });
      const answer = await provider.verifyBearer(text);
      assert.ok(answer?.kind === 'ok');
      const { value } = answer;
      assert.equal(value.user, 'robot');
      assert.equal(value.email, 'robot', 'the subject takes the place of an address');
      assert.deepEqual(value.groups, ['ci']);
      assert.equal(value.via, 'bearer');
      assert.equal(value.accessToken, text);
      assert.equal(value.idToken, text);
      assert.equal(value.refreshToken, '');
      assert.ok((value.expiresOn ?? 0) > Date.now());
      assert.ok(!twin.requests.includes('GET /userinfo'));
    },
    {
      bearer: { accepts: true },
      prepare: (twin) => {
        twin.userinfo = { groups: ['admin'] };
      },
    },
  ));

test('verifyBearer() refuses what is no token of this provider for this client (class V)', () =>
  withProvider(
    async ({ twin, provider }) => {
      const good = token(twin);
      assert.equal(await kindOf(provider, good), 'ok');
      const bad: Readonly<Record<string, string>> = {
        expired: token(twin, { exp: now() - 1 }),
        'no exp': token(twin, { exp: undefined }),
        'not yet': token(twin, { nbf: now() + 3_600 }),
        'other audience': token(twin, { aud: 'other' }),
        'no audience': token(twin, { aud: undefined }),
        'other issuer': token(twin, { iss: 'https://evil.example' }),
        'no subject': token(twin, { sub: undefined }),
        'not verified': token(twin, { email: 'a@b.c', email_verified: false }),
        'a logout token': twin.signLogout({ sub: 'robot' }),
        'bound to a key': token(twin, { cnf: { jkt: 'x' } }),
        none: token(twin, {}, { alg: 'none' }) + 'AA',
        HS256: token(twin, {}, { alg: 'HS256' }),
        'unknown key': twin.sign({ iss: twin.issuer, aud: twin.clientId, sub: 'r', exp: now() + 60 }, {}, makeKey('x')),
        'own key in the header': token(twin, {}, { jwk: { kty: 'oct', k: 'AA' }, alg: 'HS256' }),
        'flipped bit': good.slice(0, -10) + (good.at(-10) === 'A' ? 'B' : 'A') + good.slice(-9),
      };
      for (const [name, text] of Object.entries(bad)) assert.equal(await kindOf(provider, text), 'refused', name);
    },
    { bearer: { accepts: true } },
  ));

test('verifyBearer() looks at nothing that has not the shape of a JWT, and at nothing while it is off', async () => {
  await withProvider(
    async ({ twin, provider }) => {
      const shapes = [
        '',
        'abc',
        'a.b.c',
        'postern_1_x',
        `${token(twin)}.x`,
        token(twin).replace('eyJ', 'fyJ'),
        'ey.ey.',
      ];
      for (const text of shapes) assert.equal(await kindOf(provider, text), 'none', text.slice(0, 20));
      assert.equal(await kindOf(provider, `ey${'A'.repeat(20_000)}.eyA.AA`), 'none');
    },
    { bearer: { accepts: true } },
  );
  await withProvider(async ({ twin, provider }) => {
    assert.equal(await kindOf(provider, token(twin)), 'none');
  });
});

test('verifyBearer() says when the keys cannot be had, which refuses nobody for good', () =>
  withProvider(
    async ({ twin, provider }) => {
      assert.equal(await kindOf(provider, token(twin)), 'unavailable');
    },
    { bearer: { accepts: true }, isDown: true },
  ));

test('verifyBearer() takes tokens of extra issuers with their audience, found by discovery', async () => {
  const other = await startTwin({ name: 'other' });
  try {
    await withProvider(
      async ({ twin, provider }) => {
        const claims = { aud: 'api', email: 'ci@example.com', groups: ['ci', 7], preferred_username: 'ci' };
        const answer = await provider.verifyBearer(token(other, claims));
        assert.ok(answer?.kind === 'ok');
        assert.equal(answer.value.email, 'ci@example.com');
        assert.deepEqual(answer.value.groups, ['ci', '7']);
        assert.equal(await kindOf(provider, token(other)), 'refused', 'the audience is the one beside the issuer');
        assert.equal(await kindOf(provider, token(other, { aud: twin.clientId })), 'refused', 'and not the client');
        assert.equal(await kindOf(provider, token(other, { ...claims, email_verified: false })), 'refused');
        assert.equal(await kindOf(provider, token(other, { ...claims, iss: twin.issuer })), 'refused');
        assert.equal(await kindOf(provider, token(twin, { iss: other.issuer, aud: 'api' })), 'refused');
      },
      { bearer: { accepts: true, extraIssuers: [{ issuer: other.issuer, audience: 'api' }] } },
    );
  } finally {
    await other.stop();
  }
});

test('verifyBearer() finds keys of an extra issuer without discovery at /.well-known/jwks.json', async () => {
  const signer = await startTwin({ name: 'signer' });
  const keys: unknown = await (await fetch(`${signer.issuer}/keys`)).json();
  let isUp = false;
  const server = createServer((req, res) => {
    if (isUp && req.url === '/.well-known/jwks.json') res.end(JSON.stringify(keys));
    else res.writeHead(404).end();
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await withProvider(
      async ({ provider }) => {
        const text = token(signer, { iss: issuer, aud: 'api' });
        assert.equal(await kindOf(provider, text), 'unavailable', 'nothing there yet');
        isUp = true;
        assert.equal(await kindOf(provider, text), 'ok');
      },
      { bearer: { accepts: true, extraIssuers: [{ issuer, audience: 'api' }] } },
    );
  } finally {
    server.close();
    await signer.stop();
  }
});
