import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, startServing } from './_rig.ts';
import type { HeaderInjection } from '../settings.ts';

const claim = (name: string, of: string): HeaderInjection => ({
  name,
  keepsRequestValue: false,
  skipsNormalisation: false,
  values: [{ kind: 'claim', claim: of, prefix: '', basicPassword: null }],
});

test('/oauth2/auth answers 401 in the words of oauth2-proxy, and sets no cookie for who has none', async (t) => {
  const rig = await startServing(t);
  const answer = await rig.ask('/oauth2/auth');
  assert.equal(answer.status, 401);
  assert.equal(answer.body, 'Unauthorized\n');
  assert.deepEqual(answer.headers['content-type'], ['text/plain; charset=utf-8']);
  assert.deepEqual(answer.headers['x-content-type-options'], ['nosniff']);
  assert.equal(answer.headers['set-cookie'], undefined);
});

test('/oauth2/auth clears a cookie that is none of a session', async (t) => {
  const rig = await startServing(t);
  const answer = await rig.ask('/oauth2/auth', { headers: ['Cookie: _oauth2_proxy=nonsense'] });
  assert.equal(answer.status, 401);
  assert.match(answer.headers['set-cookie']?.join() ?? '', /^_oauth2_proxy=; Path=\/; Max-Age=0/);
});

test('/oauth2/auth answers 202 with the fields that are asked for, none for an empty claim', async (t) => {
  const responseHeaders = [
    claim('X-Auth-Request-User', 'user'),
    claim('X-Auth-Request-Email', 'email'),
    claim('X-Auth-Request-Groups', 'groups'),
    claim('X-Auth-Request-Nothing', 'no_such_claim'),
  ];
  const rig = await startServing(t, { settings: { responseHeaders } });
  const answer = await rig.ask('/oauth2/auth', { headers: [await rig.signIn()] });
  assert.equal(answer.status, 202);
  assert.equal(answer.body, '');
  assert.deepEqual(answer.headers['gap-auth'], ['alice@example.com']);
  assert.deepEqual(answer.headers['x-auth-request-user'], ['sub-alice']);
  assert.deepEqual(answer.headers['x-auth-request-email'], ['alice@example.com']);
  assert.deepEqual(answer.headers['x-auth-request-groups'], ['/developers,ops']);
  assert.equal(answer.headers['x-auth-request-nothing'], undefined);
});

test('/oauth2/auth sends what is beyond ASCII as UTF-8, and no claim can begin a second field', async (t) => {
  const responseHeaders = [claim('X-Auth-Request-User', 'user')];
  const rig = await startServing(t, { settings: { responseHeaders } });
  const odd = await rig.signIn({ ...ALICE, user: 'größe\r\nX-Auth-Request-Groups: admins' });
  const answer = await rig.ask('/oauth2/auth', { headers: [odd] });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers['x-auth-request-groups'], undefined);
  const user = Buffer.from(answer.headers['x-auth-request-user']?.[0] ?? '', 'latin1').toString('utf8');
  assert.equal(user, 'größe  X-Auth-Request-Groups: admins');
});

test('/oauth2/auth answers every method, and reads no body', async (t) => {
  const rig = await startServing(t);
  const cookie = await rig.signIn();
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
    assert.equal((await rig.ask('/oauth2/auth', { method, headers: [cookie] })).status, 202, method);
  assert.equal((await rig.ask('/oauth2/auth', { method: 'POST', headers: [cookie], body: 'x' })).status, 202);
});

test('/oauth2/auth answers 403 where a constraint does not hold, and keeps the session', async (t) => {
  const rig = await startServing(t);
  const headers = [await rig.signIn()];
  const forbidden = await rig.ask('/oauth2/auth?allowed_groups=admins', { headers });
  assert.equal(forbidden.status, 403);
  assert.equal(forbidden.body, 'Forbidden\n');
  assert.equal(forbidden.headers['set-cookie'], undefined);
  assert.equal((await rig.ask('/oauth2/auth?allowed_groups=admins,ops', { headers })).status, 202);
});

test('/oauth2/auth with compat 401 ends the session of somebody whom the settings keep out, as the original', async (t) => {
  let isAllowed = true;
  const provider = { authorizes: () => isAllowed };
  const rig = await startServing(t, { provider, settings: { compat: { deniedStatus: 401 } } });
  const headers = [await rig.signIn()];
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 202);
  isAllowed = false;
  const denied = await rig.ask('/oauth2/auth', { headers });
  assert.equal(denied.status, 401);
  assert.match(denied.headers['set-cookie']?.join() ?? '', /_oauth2_proxy=; .*Max-Age=0/);
  isAllowed = true;
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 401);
});

test('/oauth2/auth with compat 403 leaves the session of somebody whom the settings keep out', async (t) => {
  let isAllowed = false;
  const provider = { authorizes: () => isAllowed };
  const rig = await startServing(t, { provider, settings: { compat: { deniedStatus: 403 } } });
  const headers = [await rig.signIn()];
  const denied = await rig.ask('/oauth2/auth', { headers });
  assert.equal(denied.status, 403);
  assert.equal(denied.headers['gap-auth'], undefined);
  isAllowed = true;
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 202);
});

test('/oauth2/auth answers 503 while the store is away: no sign-out, no access', async (t) => {
  let isAway = false;
  const rig = await startServing(t, {
    keeper: (keeper) => ({ ...keeper, find: (headers) => (isAway ? { kind: 'unavailable' } : keeper.find(headers)) }),
  });
  const headers = [await rig.signIn()];
  isAway = true;
  const away = await rig.ask('/oauth2/auth', { headers });
  assert.equal(away.status, 503);
  assert.equal(away.headers['set-cookie'], undefined);
  isAway = false;
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 202);
});

test('/oauth2/auth answers 500, and lets nobody in, where a part of it fails unexpectedly', async (t) => {
  const rig = await startServing(t, {
    keeper: (keeper) => ({
      ...keeper,
      find() {
        throw new TypeError('a defect');
      },
    }),
  });
  assert.equal((await rig.ask('/oauth2/auth')).status, 500);
  assert.equal(rig.defects.length, 1);
});

test('CVE-2026-34457: a User-Agent of health checks opens nothing', async (t) => {
  const rig = await startServing(t, { settings: { paths: { pingUserAgent: 'GoogleHC/1.0' } } });
  const headers = ['User-Agent: GoogleHC/1.0'];
  assert.equal((await rig.ask('/oauth2/auth', { headers })).status, 401);
  assert.equal((await rig.ask('/private', { headers })).status, 403);
  assert.equal((await rig.ask('/ping', { headers })).status, 200);
  assert.equal((await rig.ask('/ping')).status, 403);
});

test('CVE-2026-25748: cookies that are damaged never count', async (t) => {
  const rig = await startServing(t);
  const good = (await rig.signIn()).replace('Cookie: ', '');
  const [name = '', value = ''] = good.split('=');
  const flipped = value.startsWith('A') ? `B${value.slice(1)}` : `A${value.slice(1)}`;
  const damaged = [
    `${name}=`,
    `${name}=|||`,
    `${name}=${value.slice(0, -1)}`,
    `${name}=${value}A`,
    `${name}=${flipped}`,
    `${name}=%00`,
    `${name}=\xff\xfe`,
    `${name}=${'A'.repeat(100_000)}`,
    `${name.toUpperCase()}=${value}`,
    `${name}_0=${value}`,
    `${name}_csrf=${value}`,
    `other=${value}`,
    Array.from({ length: 150 }, (_, part) => `${name}_${part}=x`).join('; '),
  ];
  for (const cookie of damaged) {
    const { status } = await rig.ask('/oauth2/auth', { headers: [`Cookie: ${cookie}`] });
    assert.ok(status === 401 || status === 431, `${status} for ${cookie.slice(0, 60)}`);
  }
  assert.equal((await rig.ask('/oauth2/auth', { headers: [`Cookie: ${good}`] })).status, 202);
});

test('CVE-2026-33544: answers of many people at once are never swapped', async (t) => {
  const rig = await startServing(t, { settings: { responseHeaders: [claim('X-Auth-Request-User', 'user')] } });
  const names = Array.from({ length: 100 }, (_, at) => `person-${at}`);
  const cookies = await Promise.all(
    names.map((user) => rig.signIn({ ...ALICE, user, email: `${user}@example.com`, groups: [user] })),
  );
  const rounds = [...names.entries(), ...names.entries()];
  await Promise.all(
    rounds.map(async ([at, name]) => {
      const headers = [cookies[at] as string];
      const answer = await rig.ask(`/oauth2/auth?allowed_groups=${name}`, { headers });
      assert.deepEqual([answer.status, answer.headers['x-auth-request-user']], [202, [name]]);
      const other = await rig.ask(`/oauth2/auth?allowed_groups=person-${(at + 1) % 100}`, { headers });
      assert.equal(other.status, 403);
    }),
  );
});
