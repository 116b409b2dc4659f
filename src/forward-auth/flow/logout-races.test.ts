/** Logout tokens that come while the session which they are about is being opened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthSession } from '../auth-session.ts';
import {
  ALICE,
  answerOfProvider,
  APP,
  createRig,
  LOGOUT_TOKENS,
  logOut,
  START,
  type Answer,
  type Rig,
} from './_rig.ts';

const START_URL = `${APP}/oauth2/start?rd=%2Freports`;

/** `token` comes once, after the provider has given its tokens and before the session is kept. */
function rigWith(...tokens: readonly string[]): Rig {
  const coming = [...tokens];
  const rig: Rig = createRig({
    provider: LOGOUT_TOKENS,
    async beforeOpening() {
      for (const token of coming.splice(0)) assert.equal((await logOut(rig, token)).status, 200);
    },
  });
  return rig;
}

function assertRefused(rig: Rig, answer: Answer): void {
  assert.equal(answer.status, 403);
  assert.equal(rig.sessions.size, 0);
  assert.ok(!answer.cookies.some((one) => /^_oauth2_proxy=[^;]/.test(one)), 'nobody gets a cookie of it');
  assert.match(answer.body, /start\?rd=%2Freports/, 'the way to where they wanted is not lost');
  const event = rig.events.at(-1);
  assert.match(event?.kind === 'refused' ? event.reason : '', /signed the person out meanwhile/);
}

const NAMED: Readonly<Record<string, readonly [providerSession: string, token: string]>> = {
  'the sid of it': ['s1', 'sid=s1#a'],
  'its sid and its subject': ['s1', 'sid=s1&sub=u-alice#a'],
  'its subject alone': ['s1', 'sub=u-alice#a'],
  'a sid that the ID token does not say, and its subject': ['', 'sid=s1&sub=u-alice#a'],
};
for (const [name, [providerSession, token]] of Object.entries(NAMED)) {
  test(`A logout token that names ${name} ends a session that is being opened`, async () => {
    const rig = rigWith(token);
    const browser = rig.browser();
    assertRefused(rig, await browser.signIn(START_URL, { ...ALICE, providerSession }));
    const another = await browser.signIn(START_URL, { ...ALICE, providerSession: providerSession && 's2' });
    assert.deepEqual([another.status, another.location], [302, '/reports'], 'another sign-in counts');
  });
}

test('A logout token about somebody else, or another session, leaves the one that is being opened', async () => {
  for (const token of ['sub=u-bob#a', 'sid=s2#a', 'sid=s2&sub=u-alice#a']) {
    const rig = rigWith(token);
    assert.equal((await rig.browser().signIn(START_URL, { ...ALICE, providerSession: 's1' })).status, 302, token);
    assert.equal(rig.sessions.size, 1);
  }
});

/** A token that comes while the person is at the provider, who then comes back as `account`. */
async function backAfter(rig: Rig, token: string, account: AuthSession): Promise<Answer> {
  const browser = rig.browser();
  const away = await browser.open(START_URL);
  rig.advance(1_000);
  await logOut(rig, token);
  rig.advance(1_000);
  return browser.open(answerOfProvider(rig, away.location ?? '', account));
}

test('A logout token that comes while the person is at the provider counts for a sid that is known a moment later', async () => {
  const rig = rigWith();
  assertRefused(rig, await backAfter(rig, 'sid=s1#a', { ...ALICE, providerSession: 's1' }));
  assert.equal((await rig.browser().signIn(START_URL, { ...ALICE, providerSession: 's1' })).status, 302);
});

test('Whoever signed in at the provider after a logout token is in, though they left for it before', async () => {
  const account = (at: number): AuthSession => ({ ...ALICE, claims: { auth_time: at } });
  assert.equal((await backAfter(rigWith(), 'sub=u-alice#a', account(START + 1_500))).status, 302);
  const rig = rigWith();
  assertRefused(rig, await backAfter(rig, 'sub=u-alice#a', account(START)));
});
