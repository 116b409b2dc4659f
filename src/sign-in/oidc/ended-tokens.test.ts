/** An app that asks for the provider's token, and a sign-in that has none any more and can renew none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, OTHER } from '../_rig.ts';
import { departure, signInBy, withOidc } from './_rig.ts';

test('Ended tokens: a place that asks for them sends people to the provider again, any other lets them in as they are', async () => {
  const ended = new Set<string>();
  await withOidc(
    async ({ browser, twin, sessions, advance }) => {
      const alice = browser();
      assert.equal((await signInBy(alice, twin, `${APP}/`)).text, 'app for alice');
      const [before] = await sessions.list();
      ended.add(before?.key ?? '');
      assert.equal((await alice.open(`${OTHER}/`)).text, 'app for alice', 'one sign-in, no provider in between');
      advance(60_000);
      const away = new URL(await departure(alice, `${APP}/.postern/start?to=/tokens/x`));
      assert.equal(away.searchParams.get('prompt'), null, 'whoever is signed in there comes back at once');
      const page = await alice.open(twin.visit(away.href));
      assert.deepEqual([page.url, page.text], [`${APP}/tokens/x`, 'app for alice']);
      const [after, ...more] = await sessions.list();
      assert.equal(more.length, 0);
      assert.notEqual(after?.key, before?.key, 'another sign-in, another session');
    },
    { rig: { lacksTokens: (key, path) => path.startsWith('/tokens') && ended.has(key) } },
  );
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
