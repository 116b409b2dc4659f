/** An app that asks for the provider's token, and a sign-in that has none any more and can renew none. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { SignInSummary } from '../../session/record.ts';
import { keyOfToken } from '../../session/token.ts';
import { APP, AUTH, OTHER, type Browser } from '../_rig.ts';
import { readGrant } from '../provider.ts';
import { departure, signInBy, withOidc, type OidcRig } from './_rig.ts';

test('Ended tokens: a place that asks for them sends people to the provider again, any other lets them in as they are', async () => {
  const ended = new Set<string>();
  await withOidc(
    async ({ browser, twin, sessions, advance }) => {
      const alice = browser();
      assert.equal((await signInBy(alice, twin, `${APP}/`)).text, 'app for alice');
      const [before] = await sessions.list();
      ended.add(before?.key ?? '');
      assert.equal((await alice.open(`${OTHER}/`)).text, 'app for alice', 'one sign-in, no provider in between');
      const elsewhere = alice.sessionToken(OTHER);
      advance(60_000);
      const away = new URL(await departure(alice, `${APP}/.postern/start?to=/tokens/x`));
      assert.equal(away.searchParams.get('prompt'), null, 'whoever is signed in there comes back at once');
      const page = await alice.open(twin.visit(away.href));
      assert.deepEqual([page.url, page.text], [`${APP}/tokens/x`, 'app for alice']);
      const [after, ...more] = await sessions.list();
      assert.equal(more.length, 0);
      assert.equal(after?.key, before?.key, 'the session goes on, with all that is open by it');
      assert.equal(after?.expiresAt, before?.expiresAt, 'and ends when it would have ended');
      assert.equal(alice.sessionToken(OTHER), elsewhere);
      assert.equal((await alice.send(`${OTHER}/`)).text, 'app for alice');
    },
    { rig: { lacksTokens: (key, path) => path.startsWith('/tokens') && ended.has(key) } },
  );
});

suite('Ended tokens: the session goes on with', () => {
  /** Signs alice in, ends her tokens, lets `change` happen at the provider, and sends her there for new ones. */
  const fetchAgain = (
    change: (rig: OidcRig, alice: Browser) => unknown,
    check: (rig: OidcRig, alice: Browser, before: SignInSummary) => Promise<void>,
  ): Promise<void> => {
    const ended = new Set<string>();
    return withOidc(
      async (rig) => {
        const alice = rig.browser();
        rig.twin.claims = { ...rig.twin.claims, sid: 'sid-1', groups: ['/a'], acr: 'silver', auth_time: 1 };
        await signInBy(alice, rig.twin, `${APP}/`);
        await alice.open(`${OTHER}/`);
        const [before] = await rig.sessions.list();
        assert.ok(before !== undefined);
        ended.add(before.key);
        rig.advance(60_000);
        const away = await departure(alice, `${APP}/.postern/start?to=/tokens`);
        await change(rig, alice);
        await alice.open(rig.twin.visit(away));
        await check(rig, alice, before);
      },
      { rig: { lacksTokens: (key, path) => path === '/tokens' && ended.has(key) } },
    );
  };
  const grantOf = async ({ sessions }: OidcRig, key: string) => readGrant(await sessions.findGrant(key));

  test('the new tokens and groups, and shows no more than it has shown', () => {
    let old: string | null | undefined;
    return fetchAgain(
      async (rig) => {
        const [session] = await rig.sessions.list();
        old = (await grantOf(rig, session?.key ?? ''))?.accessToken;
        rig.twin.claims = {
          ...rig.twin.claims,
          groups: ['/b'],
          acr: 'gold',
          auth_time: Math.floor(Date.now() / 1_000),
        };
      },
      async (rig, alice, before) => {
        const [after] = await rig.sessions.list();
        assert.equal(after?.key, before.key);
        assert.deepEqual(after.person, { ...before.person, groups: ['/b'] }, 'neither acr nor the time are taken over');
        const { accessToken } = (await grantOf(rig, before.key)) ?? {};
        assert.ok(typeof accessToken === 'string' && accessToken !== old);
        assert.equal((await alice.send(`${OTHER}/`)).text, 'app for alice');
      },
    );
  });

  const others: Readonly<Record<string, (rig: OidcRig, alice: Browser) => unknown>> = {
    'another person': ({ twin }) => (twin.claims = { ...twin.claims, sub: 'sub-bob', preferred_username: 'bob' }),
    'another session of the provider': ({ twin }) => (twin.claims = { ...twin.claims, sid: 'sid-2' }),
  };
  for (const [name, change] of Object.entries(others))
    test(`nobody but the same: ${name} gets a session of its own, and the old one ends everywhere`, () =>
      fetchAgain(change, async (rig, alice, before) => {
        const [after, ...more] = await rig.sessions.list();
        assert.equal(more.length, 0);
        assert.ok(after !== undefined && after.key !== before.key);
        assert.equal((await alice.send(`${OTHER}/`)).status, 302, 'a new session, a new hand-off');
      }));

  test('nobody but the same: a session of hers that was put in its place meanwhile gets nothing of it, and ends', () => {
    const ended = new Set<string>();
    return withOidc(
      async (rig) => {
        const [alice, elsewhere] = [rig.browser(), rig.browser()];
        await signInBy(alice, rig.twin, `${APP}/`);
        const [hers] = await rig.sessions.list();
        ended.add(hers?.key ?? '');
        await signInBy(elsewhere, rig.twin, `${APP}/`);
        rig.advance(60_000);
        const away = await departure(alice, `${APP}/.postern/start?to=/tokens`);
        const at = alice.jar.findIndex(({ value }) => value === alice.sessionToken(AUTH));
        const [own] = alice.jar.splice(at, 1);
        alice.plant('auth.example.com', own?.name ?? '', elsewhere.sessionToken(AUTH) ?? '');
        await alice.open(rig.twin.visit(away));
        const now = keyOfToken(alice.sessionToken(AUTH) ?? '');
        const keys = (await rig.sessions.list()).map(({ key }) => key);
        assert.deepEqual(keys, [now], 'a new id; landing on the app host ended hers as well');
        assert.ok(now !== hers?.key && now !== keyOfToken(elsewhere.sessionToken(AUTH) ?? ''));
      },
      { rig: { lacksTokens: (key, path) => path === '/tokens' && ended.has(key) } },
    );
  });
});

test('Ended tokens: a provider whose tokens have ended when they come is not asked for ever', () =>
  withOidc(
    async ({ browser, twin }) => {
      const alice = browser();
      assert.equal((await signInBy(alice, twin, `${APP}/`)).text, 'app for alice');
      let rounds = 0;
      for (;;) {
        const first = await alice.send(`${APP}/.postern/start?to=/tokens`);
        const next = await alice.send(first.headers.get('location') ?? '');
        if (next.status === 409) break;
        assert.ok(++rounds < 6, 'it goes round and round');
        await alice.open(twin.visit(next.headers.get('location') ?? ''));
      }
      assert.equal(rounds, 3);
    },
    { rig: { lacksTokens: () => true } },
  ));
