/** Sessions in a real Redis, shared by replicas, and what somebody who can read it finds there. */
import assert from 'node:assert/strict';
import { suite } from 'node:test';
import {
  foundOf,
  HOUR,
  kindOf,
  makeSession,
  NAME,
  PLACE,
  signIn,
} from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import { until } from '../../support/programs.ts';
import type { SessionKeeper } from '../../../src/forward-auth/ports.ts';
import { GONE, wait, keyOf, withRedis, timed } from './_redis-rig.ts';

suite('two Posterns on one Redis', () => {
  withRedis('a session of one is found at the other, and ended at both at once', async ({ start }) => {
    const [one, other] = [await start(), await start()];
    const browser = await signIn(one);
    for (const keeper of [one, other, one, other]) assert.equal(await kindOf(keeper, browser.headers), 'found');
    await one.end(browser.headers, PLACE);
    // Told over Redis: the clock stands still, so neither would ask again by itself.
    assert.equal(await kindOf(one, browser.headers), GONE);
    await until(async () => (await kindOf(other, browser.headers)) === GONE, 'the end at the other');
  });

  withRedis('what one renewed the other finds', async ({ start, clock }) => {
    const [one, other] = [await start(), await start()];
    const browser = await signIn(one);
    await kindOf(other, browser.headers);
    clock.advance(HOUR);
    const { handle } = await foundOf(one, browser.headers);
    const fresh = makeSession({ createdAt: clock.at, accessToken: 'access.2' });
    browser.take(await one.replace(handle, fresh, PLACE, browser.headers));
    await until(
      async () => (await foundOf(other, browser.headers)).session.accessToken === 'access.2',
      'the renewal at the other',
    );
  });

  withRedis('of 50 requests that are due at both, one asks the provider', async ({ start, clock }) => {
    const [one, other] = [await start(), await start()];
    const browser = await signIn(one);
    clock.advance(HOUR);
    let calls = 0;
    const renew = async (keeper: SessionKeeper): Promise<string> => {
      const { handle } = await foundOf(keeper, browser.headers);
      return keeper.once(handle, async () => {
        const { session } = await foundOf(keeper, browser.headers);
        if (clock.at - session.createdAt < HOUR) return session.accessToken;
        calls++;
        await wait(50);
        const fresh = makeSession({ createdAt: clock.at, accessToken: `access.after-${calls}` });
        await keeper.replace(handle, fresh, PLACE, browser.headers);
        return fresh.accessToken;
      });
    };
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, i) => renew(i % 2 === 0 ? one : other)));
    assert.equal(calls, 1);
    assert.deepEqual(new Set(tokens), new Set(['access.after-1']));
  });

  withRedis('a lock of somebody who died is free when its time is over, and nobody frees another’s', async (rig) => {
    const { start, server } = rig;
    const keeper = await start();
    const browser = await signIn(keeper);
    const { handle } = await foundOf(keeper, browser.headers);
    const lock = `${keyOf(browser)}.lock`;
    await server.cli('set', lock, 'of-somebody-who-died', 'PX', '3000');
    const { value, ms } = await timed(() => keeper.once(handle, () => Promise.resolve('done')));
    assert.equal(value, 'done');
    assert.ok(ms >= 300, String(ms));
    assert.equal(await server.cli('exists', lock), '0');
    await keeper.once(handle, async () => {
      await server.cli('set', lock, 'of-another');
    });
    assert.equal(await server.cli('get', lock), 'of-another');
  });

  withRedis('a session that is deleted by hand is gone within ten seconds', async ({ start, server, clock }) => {
    const keeper = await start();
    const browser = await signIn(keeper);
    await until(async () => !((await kindOf(keeper, browser.headers)) === GONE), 'the session');
    await server.cli('del', keyOf(browser));
    clock.advance(10_000);
    assert.equal(await kindOf(keeper, browser.headers), GONE);
  });
});

suite('what Redis holds', () => {
  withRedis('neither the cookie nor anything of the session, for as long as cookie-expire says', async (rig) => {
    const { start, server } = rig;
    const browser = await signIn(await start());
    const [cookie = ''] = browser.cookies.values();
    const keys = (await server.cli('keys', '*')).split('\n').toSorted();
    assert.ok(keys.every((key) => key === keyOf(browser) || new RegExp(`^${NAME}-index-[\\w-]{43}$`).test(key)));
    // The session, and its places among all, those of the person, and those of the provider's session.
    assert.equal(keys.length, 4);
    for (const key of keys) {
      const isSession = key === keyOf(browser);
      const value = isSession ? await server.cli('get', key) : await server.cli('zrange', key, '0', '-1', 'withscores');
      // None so short that hexadecimal digits or base64 spell it now and then.
      for (const secret of [cookie, 'access.token.1', 'refresh-1', 'ada@example', 'subject-1', 'sid-1']) {
        assert.ok(!key.includes(secret) && !value.includes(secret));
        for (const part of value.split('.'))
          assert.ok(!Buffer.from(part, 'base64url').toString('latin1').includes(secret));
      }
      const ttlMs = Number(await server.cli('pttl', key)) - (isSession ? 0 : 60_000);
      assert.ok(ttlMs > 168 * HOUR - 10_000 && ttlMs <= 168 * HOUR, String(ttlMs));
    }
  });

  withRedis('an index lasts as long as the last session in it, also where a shorter one comes later', async (rig) => {
    const { start, server, clock } = rig;
    const keeper = await start();
    await signIn(keeper);
    await signIn(keeper, makeSession({ createdAt: clock.at - 160 * HOUR }));
    const indexes = (await server.cli('keys', `${NAME}-index-*`)).split('\n');
    for (const key of indexes) {
      const ttlMs = Number(await server.cli('pttl', key));
      assert.ok(ttlMs > 168 * HOUR, `${key}: ${ttlMs}`);
    }
    clock.advance(10 * HOUR);
    assert.equal((await keeper.desk.list()).length, 1);
    // The next one takes away what is over.
    await signIn(keeper, makeSession({ createdAt: clock.at }));
    assert.equal(await server.cli('zcard', indexes[0] ?? ''), '2');
  });

  withRedis(
    'a Postern that dies between the places and the session leaves nothing that is or could be one',
    async (rig) => {
      const { start, server } = rig;
      const keeper = await start();
      const browser = await signIn(keeper);
      // As after such an end.
      await server.cli('del', keyOf(browser));
      assert.deepEqual(await keeper.desk.list(), []);
      assert.equal(await keeper.desk.revokeByPerson('oidc', 'subject-1'), 0);
      // The other way round there is no session without its places: where they cannot be written, it is not.
      await server.cli('config', 'set', 'maxmemory', '1');
      await assert.rejects(keeper.open(makeSession(), PLACE, browser.headers), { code: 'STORE_UNAVAILABLE' });
      await server.cli('config', 'set', 'maxmemory', '0');
      assert.doesNotMatch(await server.cli('keys', `${NAME}-*`), new RegExp(`${NAME}-[0-9a-f]{64}`));
    },
  );

  withRedis(
    'a value that was moved to another key, cut or exchanged is no session',
    async ({ start, server, clock }) => {
      const keeper = await start();
      const [ada, eve] = [await signIn(keeper), await signIn(keeper, makeSession({ email: 'eve@example.com' }))];
      const value = await server.cli('get', keyOf(ada));
      for (const other of [await server.cli('get', keyOf(eve)), value.slice(0, -2), value.slice(2), 'x', '{}']) {
        await server.cli('set', keyOf(ada), other);
        clock.advance(10_000);
        assert.equal(await kindOf(keeper, ada.headers), GONE);
      }
    },
  );
});
