import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, APP, createRig, logOut as call, LOGOUT_TOKENS as provider, type Rig } from './_rig.ts';

async function rigWith(...sessions: readonly string[]): Promise<Rig> {
  const rig = createRig({ provider });
  for (const providerSession of sessions)
    await rig.browser().signIn(`${APP}/oauth2/start`, { ...ALICE, providerSession });
  return rig;
}

test('backChannelLogout() ends the session that a sid names, and all of a person by sub', async () => {
  const rig = await rigWith('s1', 's2', 's3');
  const one = await call(rig, 'sid=s2#a');
  assert.deepEqual([one.status, one.body, one.cookies], [200, '', []]);
  assert.match(one.headers.get('cache-control') ?? '', /no-store/);
  assert.deepEqual(
    [...rig.sessions.values()].map(({ providerSession }) => providerSession),
    ['s1', 's3'],
  );
  assert.equal((await call(rig, 'sub=u-bob#b')).status, 200);
  assert.equal(rig.sessions.size, 2);
  assert.equal((await call(rig, 'sub=u-alice#c')).status, 200);
  assert.equal(rig.sessions.size, 0);
  assert.deepEqual(rig.events.at(-1)?.kind === 'ended-by-provider' && rig.events.at(-1), rig.events.at(-1));
});

test('backChannelLogout() ends sessions without a sid, too, where a token names one and the person', async () => {
  const rig = await rigWith('s1', '', 's2');
  assert.equal((await call(rig, 'sid=s1#a')).status, 200);
  assert.equal(rig.sessions.size, 2);
  assert.equal((await call(rig, 'sid=s9&sub=u-bob#b')).status, 200);
  assert.equal(rig.sessions.size, 2);
  assert.equal((await call(rig, 'sid=s9&sub=u-alice#c')).status, 200);
  assert.deepEqual(
    [...rig.sessions.values()].map(({ providerSession }) => providerSession),
    ['s2'],
  );
});

test('backChannelLogout() takes a token once, and tells nobody why it takes none', async () => {
  const rig = await rigWith('s1');
  assert.equal((await call(rig, 'sid=other#a')).status, 200);
  for (const token of ['sid=s1#a', 'forged', '', 'x'.repeat(20_000)]) {
    const answer = await call(rig, token);
    assert.deepEqual([answer.status, answer.body], [400, '{"error":"invalid_request"}\n'], token.slice(0, 10));
  }
  assert.equal((await call(rig, 'down')).status, 503);
  const twice = { body: 'logout_token=sid%3Ds1%23x&logout_token=sid%3Ds1%23y' };
  assert.equal((await rig.browser().open(`${APP}/oauth2/backchannel-logout`, twice)).status, 400);
  assert.equal((await rig.browser().open(`${APP}/oauth2/backchannel-logout?logout_token=sid%3Ds1%23z`)).status, 400);
  assert.equal(rig.sessions.size, 1);
});

test('backChannelLogout() says 501 where the provider knows no such thing', async () => {
  assert.equal((await call(createRig(), 'sid=s1#a')).status, 501);
});
