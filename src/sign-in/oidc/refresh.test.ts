import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OidcProvider } from '../../config/document/providers.ts';
import { APP, AUTH } from '../_rig.ts';
import { createRefresher, type Refresher } from '../refresher.ts';
import { signInBy, withOidc, type OidcRig } from './_rig.ts';

interface Refreshing {
  readonly rig: OidcRig;
  readonly refresher: Refresher;
  readonly logged: string[];
  /** Time passes, somebody uses the sessions, what is due is asked and answered. */
  readonly later: (ms: number, keys?: readonly string[]) => Promise<void>;
}

async function withRefresher(
  work: (it: Refreshing) => Promise<void>,
  options: Parameters<typeof withOidc>[1] = {},
): Promise<void> {
  await withOidc(async (rig) => {
    const logged: string[] = [];
    const refresher = createRefresher({
      sessions: rig.sessions,
      providers: rig.deps.providers,
      clock: rig.deps.clock,
      admit: rig.deps.admit,
      log: (_, message) => logged.push(message),
    });
    const later = async (ms: number, keys?: readonly string[]): Promise<void> => {
      rig.advance(ms);
      const used = keys ?? (await rig.sessions.list()).map(({ key }) => key);
      rig.sessions.touch(used.map((key) => [key, rig.deps.clock.now()] as const));
      await turn(20);
      await refresher.tick();
      for (let i = 0; i < 4_000 && refresher.inFlight() > 0; i++) await turn(5);
      assert.equal(refresher.inFlight(), 0);
    };
    await work({ rig, refresher, logged, later });
  }, options);
}

function turn(ms: number): Promise<void> {
  return new Promise((done) => {
    setTimeout(done, ms);
  });
}

/** The rig's sessions live weeks ahead of the twin's tokens: what is due is said by recheck alone. */
const SETTINGS = { recheckMs: 300_000 };

test('A refresh takes group changes over to every session of the person, and live exchanges hear of it', () =>
  withRefresher(
    async ({ rig, later }) => {
      const { twin, browser, sessions } = rig;
      twin.claims = { ...twin.claims, groups: ['/developers'] };
      await signInBy(browser(), twin, `${APP}/`);
      await signInBy(browser(), twin, `${APP}/`);
      const heard: (readonly string[])[] = [];
      sessions.onChange((change) => {
        if (change.kind === 'person') heard.push(change.person.groups);
      });
      twin.claims = { ...twin.claims, groups: ['/ops'] };
      await later(400_000);
      for (const { person } of await sessions.list()) assert.deepEqual(person.groups, ['/ops']);
      assert.ok(heard.length >= 2 && heard.every((groups) => groups[0] === '/ops'));
    },
    { settings: SETTINGS },
  ));

test('A sign-in is asked about once at a time, and a rotated refresh token is kept', () =>
  withRefresher(async ({ rig, refresher, later }) => {
    await signInBy(rig.browser(), rig.twin, `${APP}/`);
    const before = rig.twin.refreshes();
    rig.advance(400_000);
    const [session] = await rig.sessions.list();
    rig.sessions.touch([[session?.key ?? '', rig.deps.clock.now()]]);
    await turn(20);
    await Promise.all(Array.from({ length: 20 }, () => refresher.tick()));
    for (let i = 0; i < 4_000 && refresher.inFlight() > 0; i++) await turn(5);
    assert.equal(rig.twin.refreshes() - before, 1);
    await later(400_000);
    await later(400_000);
    assert.equal(rig.twin.refreshes() - before, 3);
    assert.equal((await rig.sessions.list()).length, 1, 'a lost rotation would have ended it');
  }));

test('What nobody uses is not renewed, until somebody does', () =>
  withRefresher(async ({ rig, later }) => {
    await signInBy(rig.browser(), rig.twin, `${APP}/`);
    await later(400_000);
    const before = rig.twin.refreshes();
    await later(400_000, []);
    await later(400_000, []);
    assert.equal(rig.twin.refreshes(), before);
    await later(1_000);
    assert.equal(rig.twin.refreshes(), before + 1);
  }));

test('invalid_grant ends the session; a provider that does not answer ends nothing and is asked again', () =>
  withRefresher(async ({ rig, later, logged }) => {
    const { twin, browser, sessions } = rig;
    await signInBy(browser(), twin, `${APP}/`);
    await twin.stop();
    await later(400_000);
    assert.equal((await sessions.list()).length, 1);
    assert.match(logged[0] ?? '', /cannot reach .*people who are signed in go on/);
    await later(60_000);
    assert.equal(logged.length, 1, 'said once');
    await twin.start();
    const before = twin.refreshes();
    await later(400_000);
    assert.equal(twin.refreshes(), before + 1);
    for (const error of ['temporarily_unavailable', 'server_error', 'invalid_client']) {
      twin.tokenError = { status: error === 'invalid_client' ? 401 : 503, body: { error } };
      await later(400_000);
      assert.equal((await sessions.list()).length, 1, error);
    }
    twin.tokenError = { status: 400, body: { error: 'invalid_grant', error_description: 'User disabled' } };
    await later(400_000);
    assert.equal((await sessions.list()).length, 0);
    assert.match(logged.at(-1) ?? '', /ended the session.*User disabled/);
  }));

test('A refresh that answers for somebody else ends the session', () =>
  withRefresher(async ({ rig, later }) => {
    await signInBy(rig.browser(), rig.twin, `${APP}/`);
    rig.twin.claims = { ...rig.twin.claims, sub: 'sub-mallory' };
    await later(400_000);
    assert.equal((await rig.sessions.list()).length, 0);
  }));

test('A refresh without an ID token asks userinfo', () =>
  withRefresher(
    async ({ rig, later }) => {
      await signInBy(rig.browser(), rig.twin, `${APP}/`);
      rig.twin.refreshesSilently = true;
      rig.twin.userinfo = { preferred_username: 'alice', email: 'alice@example.com', groups: ['/new'] };
      await later(400_000);
      assert.deepEqual((await rig.sessions.list())[0]?.person.groups, ['/new']);
    },
    { prepare: (twin) => (twin.userinfo = { groups: ['/old'] }) },
  ));

test('A refresh that says nothing of the person changes nothing of them', () =>
  withRefresher(async ({ rig, later }) => {
    rig.twin.claims = { ...rig.twin.claims, groups: ['/ops'], name: 'Alice' };
    await signInBy(rig.browser(), rig.twin, `${APP}/`);
    const before = (await rig.sessions.list())[0]?.person;
    assert.deepEqual([before?.name, before?.groups, before?.emailVerified], ['alice', ['/ops'], true]);
    // No ID token (Core section 12.2), and the provider has no userinfo.
    rig.twin.refreshesSilently = true;
    await later(400_000);
    assert.equal(rig.twin.refreshes(), 1);
    assert.deepEqual((await rig.sessions.list())[0]?.person, before);
  }));

test('A userinfo that does not repeat the name at a refresh renames nobody; groups count as it says them', () =>
  withRefresher(
    async ({ rig, later }) => {
      await signInBy(rig.browser(), rig.twin, `${APP}/`);
      rig.twin.refreshesSilently = true;
      rig.twin.userinfo = {};
      await later(400_000);
      const { name, email, emailVerified, groups } = (await rig.sessions.list())[0]?.person ?? {};
      assert.deepEqual([name, email, emailVerified, groups], ['alice', 'alice@example.com', true, []]);
    },
    { prepare: (twin) => (twin.userinfo = { groups: ['/ops'] }) },
  ));

test('The refresh storm after a pause makes one refresh a session', () =>
  withRefresher(async ({ rig, refresher, logged }) => {
    const { sessions, twin } = rig;
    const person = (await signInBy(rig.browser(), twin, `${APP}/`), (await sessions.list())[0]?.person);
    assert.ok(person !== undefined);
    const grant = await sessions.findGrant((await sessions.list())[0]?.key ?? '');
    const COUNT = 300;
    for (let i = 0; i < COUNT; i++) {
      const value = { ...(grant as object), refreshToken: twin.issueRefreshToken() };
      await sessions.openSignIn({ ...person, name: `user-${i}` }, 'auth.example.com', {
        authority: twin.issuer,
        grant: { value, refreshAt: rig.deps.clock.now() },
      });
    }
    rig.advance(1_000);
    sessions.touch((await sessions.list()).map(({ key }) => [key, rig.deps.clock.now()] as const));
    await turn(50);
    const before = twin.refreshes();
    for (let i = 0; i < 6_000 && twin.refreshes() - before <= COUNT; i++) {
      await refresher.tick();
      await turn(10);
      // On a machine that is busy, or stood still, one may have had no answer in time: it is asked again later.
      if (i % 500 === 499) rig.advance(60_000);
    }
    for (let i = 0; i < 4_000 && refresher.inFlight() > 0; i++) await turn(5);
    for (let i = 0; i < 20; i++) await refresher.tick();
    assert.equal(twin.refreshes() - before, COUNT + 1, logged.join('\n'));
    assert.equal((await sessions.list()).length, COUNT + 1, 'nobody lost a rotated token');
  }));

test('Sessions end whose provider is gone from the document, or means another issuer by now', () =>
  withOidc(async ({ browser, twin, sessions }) => {
    await signInBy(browser(), twin, `${APP}/`);
    assert.equal(await sessions.revokeStrangers((id, authority) => id === 'keycloak' && authority === twin.issuer), 0);
    const alice = browser();
    await signInBy(alice, twin, `${APP}/`);
    assert.ok(
      (await sessions.revokeStrangers((id, authority) => id === 'keycloak' && authority === 'https://new.example')) > 0,
    );
    assert.deepEqual(await sessions.list(), []);
    assert.notEqual((await alice.send(`${AUTH}/`)).status, 200);
  }));

test('renew() asks once however many wait, overtakes what waits for its turn, and answers what became of it', () =>
  withRefresher(async ({ rig, refresher }) => {
    const { twin, sessions } = rig;
    await signInBy(rig.browser(), twin, `${APP}/`);
    const [session] = await sessions.list();
    const key = session?.key ?? '';
    const told: string[] = [];
    sessions.onChange((change) => told.push(`${change.kind} ${change.keys.join()}`));
    const before = twin.refreshes();
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresher.renew(key)));
    assert.deepEqual([...new Set(answers)], ['renewed']);
    assert.equal(twin.refreshes() - before, 1);
    assert.deepEqual(told, [`tokens ${key}`], 'workers hear of it, once');
    assert.equal(await refresher.renew('0'.repeat(64)), 'ended');
    await twin.stop();
    assert.equal(await refresher.renew(key), 'unavailable');
    assert.equal((await sessions.list()).length, 1);
    await twin.start();
    rig.advance(120_000);
    assert.equal(await refresher.renew(key), 'renewed');
    twin.tokenError = { status: 400, body: { error: 'invalid_grant' } };
    assert.equal(await refresher.renew(key), 'ended');
    assert.equal((await sessions.list()).length, 0);
  }));

test('renew() and the background ask about one sign-in together, never with a refresh token that was used', () =>
  withRefresher(async ({ rig, refresher }) => {
    const { twin, sessions } = rig;
    for (let i = 0; i < 40; i++) await signInBy(rig.browser(), twin, `${APP}/`);
    const keys = (await sessions.list()).map(({ key }) => key);
    rig.advance(400_000);
    sessions.touch(keys.map((key) => [key, rig.deps.clock.now()] as const));
    await turn(20);
    const before = twin.refreshes();
    const background = refresher.tick();
    const answers = await Promise.all(keys.map((key) => refresher.renew(key)));
    await background;
    for (let i = 0; i < 4_000 && refresher.inFlight() > 0; i++) await turn(5);
    assert.ok(answers.every((one) => one === 'renewed'));
    assert.equal(twin.refreshes() - before, 40, 'one question a sign-in');
    assert.equal((await sessions.list()).length, 40, 'a refresh token that was used twice would have ended one');
  }));

test('A rotated refresh token is kept where the provider breaks off after it', () =>
  withRefresher(
    async ({ rig, later }) => {
      const { twin, sessions } = rig;
      twin.userinfo = { preferred_username: 'alice', email: 'alice@example.com', groups: ['/ops'] };
      twin.claims = { sub: 'sub-alice' };
      await signInBy(rig.browser(), twin, `${APP}/`);
      twin.signedUserinfo = { alg: 'none' };
      await later(400_000);
      assert.equal((await sessions.list()).length, 1);
      twin.signedUserinfo = null;
      await later(400_000);
      await later(400_000);
      assert.equal((await sessions.list()).length, 1, 'the old one would have been refused');
    },
    { prepare: (twin) => (twin.userinfo = { groups: [] }) },
  ));

test('A provider that gives no refresh token is named where the first who comes is refused, too', () =>
  withOidc(
    async ({ browser, twin, events }) => {
      twin.givesRefreshToken = false;
      await signInBy(browser(), twin, `${APP}/`);
      const event = events.findLast(({ kind }) => kind === 'provider-problem');
      assert.ok(event?.kind === 'provider-problem' && event.reason === 'not-admitted');
      assert.match(event.notes?.join() ?? '', /gave no refresh token/);
    },
    { rig: { admit: () => () => Promise.resolve({ kind: 'refused', message: 'another has the name' }) } },
  ));

test('A provider that gives no refresh token is named once, with what to change: its groups are not followed', async () => {
  const notesOf = async (over: Partial<OidcProvider>): Promise<readonly string[]> => {
    const found: string[] = [];
    await withOidc(
      async ({ browser, twin, events }) => {
        twin.givesRefreshToken = false;
        twin.claims = { ...twin.claims, groups: ['/dev'], realm_access: { roles: [] } };
        for (let n = 0; n < 2; n++) await signInBy(browser(), twin, `${APP}/`);
        for (const event of events) if (event.kind === 'signed-in') found.push(...(event.notes ?? []));
      },
      { settings: over },
    );
    return found;
  };
  const [only = '', ...more] = await notesOf({});
  assert.match(only, /"keycloak" gave no refresh token.*sign in anew; .*"offline_access".*"session.lifetime"/);
  assert.deepEqual(more, []);
  assert.deepEqual(await notesOf({ groupsClaims: [], rolesClaims: [] }), [], 'there is nothing to follow');
});

for (const [what, error] of Object.entries({
  '403': { status: 403 },
  '401 with a challenge': { status: 401, challenge: 'Bearer error="invalid_token"' },
})) {
  test(`A person whom userinfo refuses for ever (${what}) holds up nobody else, and is told of once`, () =>
    withRefresher(
      async ({ rig, refresher, logged, later }) => {
        const { twin, browser, sessions } = rig;
        const bob = { ...twin.claims, sub: 'sub-bob', preferred_username: 'bob' };
        twin.people = new Map([
          ['sub-alice', twin.claims],
          ['sub-bob', bob],
        ]);
        twin.userinfo = {};
        await signInBy(browser(), twin, `${APP}/`);
        twin.claims = bob;
        await signInBy(browser(), twin, `${APP}/`);
        twin.userinfoError = (subject) => (subject === 'sub-alice' ? error : null);
        const keyOf = async (name: string): Promise<string> =>
          (await sessions.list()).find(({ person }) => person.name === name)?.key ?? '';
        for (let times = 1; times <= 3; times++) {
          await later(400_000);
          assert.equal(twin.refreshesOf.get('sub-alice'), times, 'asked about in its turn');
          // At once: nobody waits for the end of a pause.
          assert.equal(await refresher.renew(await keyOf('bob')), 'renewed');
        }
        assert.equal((await sessions.list()).length, 2, 'and nobody is signed out');
        const lines = logged.filter((one) => one.includes('userinfo answered'));
        assert.equal(lines.length, 1, logged.join('\n'));
        assert.match(lines[0] ?? '', /check "scopes" of "providers\.keycloak"; people who are signed in go on/);
      },
      { settings: SETTINGS, prepare: (twin) => (twin.userinfo = {}) },
    ));
}

test('A refusal of the token endpoint that is about one person holds up nobody else; one about the client does', () =>
  withRefresher(async ({ rig, refresher }) => {
    const { twin, browser, sessions } = rig;
    const people = ['sub-alice', 'sub-bob'].map((sub) => ({ ...twin.claims, sub, preferred_username: sub }));
    twin.people = new Map(people.map((one) => [one.sub, one]));
    for (const one of people) {
      twin.claims = one;
      await signInBy(browser(), twin, `${APP}/`);
    }
    const [first, second] = (await sessions.list()).map(({ key }) => key) as [string, string];
    for (const [error, isHeldUp] of [
      ['insufficient_permissions', false],
      ['invalid_client', true],
    ] as const) {
      twin.tokenError = { status: error === 'invalid_client' ? 401 : 403, body: { error } };
      assert.equal(await refresher.renew(first), 'unavailable', error);
      twin.tokenError = null;
      assert.equal(await refresher.renew(second), isHeldUp ? 'unavailable' : 'renewed', error);
      assert.equal((await sessions.list()).length, 2);
      rig.advance(400_000);
      assert.equal(await refresher.renew(first), 'renewed');
    }
  }));

test('A provider that wants to see a person again, or refuses them, ends their session alone', () =>
  withRefresher(async ({ rig, refresher, logged }) => {
    const { twin, browser, sessions } = rig;
    for (const error of ['access_denied', 'interaction_required', 'login_required', 'consent_required']) {
      const before = new Set((await sessions.list()).map(({ key }) => key));
      await signInBy(browser(), twin, `${APP}/`);
      const key = (await sessions.list()).map((one) => one.key).find((one) => !before.has(one)) ?? '';
      twin.tokenError = { status: 503, body: { error } };
      assert.equal(await refresher.renew(key), 'unavailable', 'whoever cannot answer says nothing of anybody');
      rig.advance(400_000);
      twin.tokenError = { status: 400, body: { error, error_description: 'MFA is required' } };
      assert.equal(await refresher.renew(key), 'ended', error);
      twin.tokenError = null;
      assert.deepEqual(new Set((await sessions.list()).map((one) => one.key)), before);
      assert.match(logged.at(-1) ?? '', /ended the session.*MFA is required/);
      await signInBy(browser(), twin, `${APP}/`);
    }
  }));
