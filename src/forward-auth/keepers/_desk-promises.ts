/* oxlint-disable max-lines-per-function -- a suite of tests is one function */
/** What every keeper of sessions promises the operator and the provider: sessions are listed, and end when they say so. */
import assert from 'node:assert/strict';
import { foundOf, HOUR, kindOf, makeSession, PLACE, PRESENT, signIn } from './_keeper-rig.ts';
import type { Browser } from './_keeper-rig.ts';
import type { Promised } from './_keeper-promises.ts';

export function deskPromises({ promise, revokesEverywhere }: Promised): void {
  promise('desk.list() says who is signed in, newest first, and nothing of cookies or tokens', async (rig) => {
    const { keeper, clock } = rig;
    assert.deepEqual(await keeper.desk.list(), []);
    await foundOf(keeper, (await signIn(keeper)).headers);
    clock.advance(HOUR);
    const bob = await signIn(
      keeper,
      makeSession({ email: '', preferredUsername: 'bob', via: 'htpasswd', createdAt: clock.at }),
    );
    await foundOf(keeper, bob.headers);
    const lines = await keeper.desk.list();
    assert.deepEqual(
      lines.map(({ person, createdAt, expiresAt }) => [
        person.provider,
        person.name,
        person.subject,
        createdAt,
        expiresAt,
      ]),
      [
        ['htpasswd', 'bob', 'subject-1', clock.at, clock.at + 168 * HOUR],
        ['oidc', 'ada@example.com', 'subject-1', clock.at - HOUR, clock.at + 167 * HOUR],
      ],
    );
    const text = JSON.stringify(lines);
    for (const secret of ['access.token', 'refresh-1', ...bob.cookies.values()]) assert.ok(!text.includes(secret));
  });

  promise('desk.list() leaves out what is over, ended, or of another secret', async ({ keeper, clock, restart }) => {
    const browser = await signIn(keeper);
    await foundOf(keeper, browser.headers);
    const secret = { bytes: Buffer.from('another secret of thirty-two byt'), read: () => secret.bytes };
    assert.deepEqual(await (await restart({ secret })).desk.list(), []);
    clock.advance(167 * HOUR);
    assert.equal((await keeper.desk.list()).length, 1);
    await keeper.end(browser.headers, PLACE);
    assert.deepEqual(await keeper.desk.list(), []);
    await signIn(keeper);
    clock.advance(HOUR);
    assert.deepEqual(await keeper.desk.list(), []);
  });

  promise('desk.revoke() ends one session for every copy of it, and no other', async ({ keeper, restart }) => {
    const [one, other] = [await signIn(keeper), await signIn(keeper)];
    await foundOf(keeper, one.headers);
    const [{ key } = { key: '' }] = await keeper.desk.list();
    await foundOf(keeper, other.headers);
    assert.equal(await keeper.desk.revoke(key), 1);
    assert.equal(await keeper.desk.revoke(key), 0);
    assert.equal(await keeper.desk.revoke('nobody'), 0);
    const again = revokesEverywhere ? [keeper, await restart()] : [keeper];
    for (const one2 of again) {
      const kinds = [await kindOf(one2, one.headers), await kindOf(one2, other.headers)];
      assert.deepEqual(kinds.toSorted(), [PRESENT, 'found']);
    }
  });

  promise('desk.revokeByPerson() ends all of one person, renewed ones too, and lets them sign in anew', async (rig) => {
    const { keeper, clock, restart } = rig;
    const browsers = [await signIn(keeper), await signIn(keeper, makeSession({ email: 'ada@other.example' }))];
    const htpasswd = await signIn(keeper, makeSession({ via: 'htpasswd' }));
    const eve = await signIn(keeper, makeSession({ user: 'subject-2' }));
    const [renewed] = browsers as [Browser, Browser];
    clock.advance(HOUR);
    const { handle } = await foundOf(keeper, renewed.headers);
    renewed.take(await keeper.replace(handle, makeSession({ createdAt: clock.at }), PLACE, renewed.headers));
    for (const browser of [...browsers, htpasswd, eve]) await foundOf(keeper, browser.headers);
    assert.equal(await keeper.desk.revokeByPerson('oidc', 'subject-1'), 2);
    const again = revokesEverywhere ? [keeper, await restart()] : [keeper];
    for (const one of again) {
      for (const browser of browsers) assert.equal(await kindOf(one, browser.headers), PRESENT);
      for (const browser of [htpasswd, eve]) assert.equal(await kindOf(one, browser.headers), 'found');
    }
    assert.equal((await keeper.desk.list()).length, 2);
    clock.advance(1);
    const anew = await signIn(keeper, makeSession({ createdAt: clock.at }));
    for (const one of again) assert.equal(await kindOf(one, anew.headers), 'found');
  });

  promise('desk.revokeByProviderSession() ends what a sid names', async ({ keeper, restart }) => {
    const browser = await signIn(keeper);
    const other = await signIn(keeper, makeSession({ providerSession: 'sid-2' }));
    const none = await signIn(keeper, makeSession({ providerSession: '' }));
    for (const one of [browser, other, none]) await foundOf(keeper, one.headers);
    assert.equal(await keeper.desk.revokeByProviderSession('github', 'sid-1'), 0);
    assert.equal(await keeper.desk.revokeByProviderSession('oidc', ''), 0);
    assert.equal(await keeper.desk.revokeByProviderSession('oidc', 'sid-1'), 1);
    assert.equal(await keeper.desk.revokeByProviderSession('oidc', 'sid-1'), 0);
    for (const one of revokesEverywhere ? [keeper, await restart()] : [keeper]) {
      assert.equal(await kindOf(one, browser.headers), PRESENT);
      for (const kept of [other, none]) assert.equal(await kindOf(one, kept.headers), 'found');
    }
  });

  promise('desk.revokeUnnamed() ends sessions of a person of which the provider said no sid', async (rig) => {
    const { keeper, clock, restart } = rig;
    const unnamed = await signIn(keeper, makeSession({ providerSession: '' }));
    const named = await signIn(keeper);
    const eve = await signIn(keeper, makeSession({ user: 'subject-2', providerSession: '' }));
    const htpasswd = await signIn(keeper, makeSession({ via: 'htpasswd', providerSession: '' }));
    for (const one of [unnamed, named, eve, htpasswd]) await foundOf(keeper, one.headers);
    assert.equal(await keeper.desk.revokeUnnamed('github', 'subject-1'), 0);
    assert.equal(await keeper.desk.revokeUnnamed('oidc', 'subject-1'), 1);
    assert.equal(await keeper.desk.revokeUnnamed('oidc', 'subject-1'), 0);
    clock.advance(1);
    const anew = await signIn(keeper, makeSession({ providerSession: '', createdAt: clock.at }));
    for (const one of revokesEverywhere ? [keeper, await restart()] : [keeper]) {
      assert.equal(await kindOf(one, unnamed.headers), PRESENT);
      for (const kept of [named, eve, htpasswd, anew]) assert.equal(await kindOf(one, kept.headers), 'found');
    }
  });

  promise('desk.revokeByPerson() ends what is being renewed', async ({ keeper, clock }) => {
    const browser = await signIn(keeper);
    const { handle } = await foundOf(keeper, browser.headers);
    await keeper.desk.revokeByPerson('oidc', 'subject-1');
    const fresh = makeSession({ createdAt: clock.at });
    await assert.rejects(keeper.replace(handle, fresh, PLACE, browser.headers), { code: 'ACCESS_DENIED' });
    assert.equal(await kindOf(keeper, browser.headers), PRESENT);
  });
}
