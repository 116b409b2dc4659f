import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearerOf } from './bearer.ts';
import { ALICE, startServing } from './_rig.ts';
import type { AuthProvider } from '../ports.ts';

const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln';
const OTHER = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ5In0.c2ln';
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

test('bearerOf() finds a JWT where oauth2-proxy does, and nothing else', () => {
  for (const field of [`Bearer ${JWT}`, basic(`${JWT}:`), basic(`${JWT}:x-oauth-basic`), basic(`anybody:${JWT}`)])
    assert.equal(bearerOf(field), JWT, field);
  for (const field of [
    '',
    JWT,
    `bearer ${JWT}`,
    `Bearer  ${JWT}`,
    `Bearer ${JWT} `,
    `Bearer ${JWT}, Bearer ${OTHER}`,
    'Bearer opaque',
    'Bearer ey.ey.',
    `Token ${JWT}`,
    basic(`${JWT}:secret`),
    basic('alice:secret'),
    'Basic %%%',
    `Bearer ${JWT}${'A'.repeat(20_000)}`,
  ])
    assert.equal(bearerOf(field), null, field.slice(0, 60));
});

interface Wish {
  readonly verifyBearer?: AuthProvider['verifyBearer'];
  readonly fallsBack?: boolean;
}

const settingsFor = (fallsBack: boolean): { bearer: { accepts: true; fallsBack: boolean } } => ({
  bearer: { accepts: true, fallsBack },
});

const verifyJwt: AuthProvider['verifyBearer'] = (token) =>
  Promise.resolve(
    token === JWT
      ? {
          kind: 'ok',
          value: { ...ALICE, user: 'machine', email: 'machine', via: 'bearer', expiresOn: Date.UTC(2026, 0, 3) },
        }
      : { kind: 'refused', message: 'the signature does not fit' },
  );

const start = async (
  t: Parameters<typeof startServing>[0],
  wish: Wish = {},
): Promise<Awaited<ReturnType<typeof startServing>>> =>
  startServing(t, {
    provider: { verifyBearer: wish.verifyBearer ?? verifyJwt },
    settings: settingsFor(wish.fallsBack ?? true),
  });

test('a bearer that holds is who comes, and e-mail and groups are judged all the same', async (t) => {
  const rig = await start(t);
  const answer = await rig.ask('/oauth2/auth', { headers: [`Authorization: Bearer ${JWT}`] });
  assert.equal(answer.status, 202);
  assert.deepEqual(answer.headers['gap-auth'], ['machine']);
  const strict = await startServing(t, {
    provider: { verifyBearer: verifyJwt },
    settings: { ...settingsFor(true), admission: { emailDomains: ['example.com'] }, compat: { deniedStatus: 403 } },
  });
  assert.equal((await strict.ask('/oauth2/auth', { headers: [`Authorization: Bearer ${JWT}`] })).status, 403);
});

test('a bearer that does not hold falls through to the session, or ends in 403 without the fallback', async (t) => {
  const headers = [`Authorization: Bearer ${OTHER}`];
  const rig = await start(t);
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 401);
  assert.equal((await rig.ask('/oauth2/auth', { headers: [...headers, await rig.signIn()] })).status, 202);
  assert.match(rig.flowCalls.join(), /the signature does not fit/);
  const strict = await start(t, { fallsBack: false });
  assert.equal((await strict.ask('/oauth2/auth', { headers })).status, 403);
  assert.equal((await strict.ask('/oauth2/auth', { headers: [...headers, await strict.signIn()] })).status, 403);
  assert.equal((await strict.ask('/oauth2/auth', { headers: ['Authorization: Basic eDp5'] })).status, 403);
  assert.equal((await strict.ask('/oauth2/auth')).status, 401);
});

test('two Authorization fields are no bearer', async (t) => {
  const rig = await start(t);
  const headers = [`Authorization: Bearer ${OTHER}`, `Authorization: Bearer ${JWT}`];
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 401);
  assert.equal((await rig.ask('/oauth2/auth', { headers: headers.toReversed() })).status, 401);
});

test('a provider that cannot be asked about a bearer is 503, never a sign-in', async (t) => {
  const rig = await start(t, { verifyBearer: () => Promise.resolve({ kind: 'unavailable', message: 'down' }) });
  assert.equal((await rig.ask('/oauth2/auth', { headers: [`Authorization: Bearer ${JWT}`] })).status, 503);
  const broken = await start(t, { verifyBearer: () => Promise.reject(new Error('a defect')) });
  assert.equal((await broken.ask('/oauth2/auth', { headers: [`Authorization: Bearer ${JWT}`] })).status, 503);
});

test('a bearer is remembered for a minute, and never beyond its end', async (t) => {
  let asked = 0;
  let endsAt = Date.UTC(2030, 0, 1);
  const verifyBearer: AuthProvider['verifyBearer'] = () => {
    asked++;
    return Promise.resolve({ kind: 'ok', value: { ...ALICE, via: 'bearer', expiresOn: endsAt } });
  };
  const rig = await start(t, { verifyBearer });
  const headers = [`Authorization: Bearer ${JWT}`];
  for (let i = 0; i < 3; i++) assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 202);
  assert.equal(asked, 1);
  rig.advance(60_000);
  endsAt = rig.now() + 5_000;
  await rig.ask('/oauth2/auth', { headers });
  assert.equal(asked, 2);
  rig.advance(5_000);
  await rig.ask('/oauth2/auth', { headers });
  assert.equal(asked, 3);
});

test('an Authorization field is not looked at where bearers are not accepted', async (t) => {
  const rig = await startServing(t, { provider: { verifyBearer: () => assert.fail('it was asked') } });
  assert.equal((await rig.ask('/oauth2/auth', { headers: [`Authorization: Bearer ${JWT}`] })).status, 401);
});
