/* oxlint-disable max-lines-per-function -- a suite of tests is one function */
/** The promises that every session store keeps. Each driver's test runs it. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { SessionStore, StoredSignIn } from '../core/session-store.ts';

export interface SessionStoreRig {
  readonly store: SessionStore;
  close(): void;
}

function signIn(key: string, over: Partial<StoredSignIn> = {}): StoredSignIn {
  const times = { createdAt: 1_000, expiresAt: 100_000, lastSeenAt: 1_000 };
  return {
    key,
    provider: 'local',
    subject: 'ada',
    authority: '',
    providerSession: null,
    value: `value-${key}`,
    ...times,
    ...over,
  };
}

export function sessionStoreContract(name: string, open: () => SessionStoreRig): void {
  const check = (title: string, body: (store: SessionStore) => Promise<void>): void => {
    test(title, async () => {
      const rig = open();
      try {
        await body(rig.store);
      } finally {
        rig.close();
      }
    });
  };

  suite(`${name} keeps the session store contract`, () => {
    check('findSession() finds a sign-in by its own key and by that of a child', async (store) => {
      await store.putSignIn(signIn('p'), 'auth.example');
      assert.deepEqual(await store.putCookie('p', 'c', 'app.example'), { added: true, replaced: [] });
      assert.deepEqual(await store.findSession('p'), {
        key: 'p',
        host: 'auth.example',
        awaitsUse: false,
        signIn: signIn('p'),
      });
      assert.deepEqual(await store.findSession('c'), {
        key: 'c',
        host: 'app.example',
        awaitsUse: false,
        signIn: signIn('p'),
      });
      assert.equal(await store.findSession('x'), null);
    });

    check('putCookie() adds nothing to a sign-in that is gone', async (store) => {
      assert.deepEqual(await store.putCookie('p', 'c', 'app.example'), { added: false, replaced: [] });
      assert.equal(await store.findSession('c'), null);
    });

    check('putCookie() keeps the four newest cookies of a host and names those it replaced', async (store) => {
      await store.putSignIn(signIn('p'), 'app.example');
      for (const key of ['a', 'b', 'c', 'd']) await store.putCookie('p', key, 'app.example');
      await store.putCookie('p', 'other', 'b.example');
      assert.deepEqual(await store.putCookie('p', 'e', 'app.example'), { added: true, replaced: ['a'] });
      assert.equal(await store.findSession('a'), null);
      for (const key of ['p', 'b', 'e', 'other']) assert.notEqual(await store.findSession(key), null, key);
    });

    check('deleteSignIns() takes the whole tree by any of its cookies', async (store) => {
      await store.putSignIn(signIn('p'), 'auth.example');
      await store.putSignIn(signIn('q'), 'auth.example');
      await store.putCookie('p', 'c', 'app.example');
      assert.deepEqual(await store.deleteSignIns({ by: 'cookie', key: 'c' }), ['p', 'c']);
      for (const key of ['p', 'c']) assert.equal(await store.findSession(key), null);
      assert.notEqual(await store.findSession('q'), null);
      assert.deepEqual(await store.deleteSignIns({ by: 'cookie', key: 'c' }), []);
    });

    check('deleteSignIns() selects by person and by provider session', async (store) => {
      await store.putSignIn(signIn('a', { subject: 'ada', authority: '', providerSession: 's1', provider: 'kc' }), 'h');
      await store.putSignIn(signIn('b', { subject: 'ada', authority: '', providerSession: 's2', provider: 'kc' }), 'h');
      await store.putSignIn(
        signIn('c', { subject: 'ada', authority: '', providerSession: 's1', provider: 'other' }),
        'h',
      );
      assert.deepEqual(await store.deleteSignIns({ by: 'provider-session', provider: 'kc', providerSession: 's1' }), [
        'a',
      ]);
      await store.putSignIn(signIn('d', { subject: 'ada', provider: 'kc', providerSession: null }), 'h');
      await store.putSignIn(signIn('e', { subject: 'bob', provider: 'kc', providerSession: null }), 'h');
      const unnamed = { by: 'unnamed-session', provider: 'kc', subject: 'ada' } as const;
      assert.deepEqual(await store.deleteSignIns(unnamed), ['d']);
      assert.deepEqual(await store.deleteSignIns({ by: 'person', provider: 'kc', subject: 'ada' }), ['b']);
      for (const key of ['c', 'e']) assert.notEqual(await store.findSession(key), null, key);
    });

    check('deleteSignIns() by expiry takes what is over or idle and nothing else', async (store) => {
      await store.putSignIn(signIn('old', { expiresAt: 5_000, lastSeenAt: 4_900 }), 'h');
      await store.putSignIn(signIn('idle', { lastSeenAt: 1_000 }), 'h');
      await store.putSignIn(signIn('live', { lastSeenAt: 4_900 }), 'h');
      const dead = await store.deleteSignIns({ by: 'expiry', expiredAt: 5_000, idleSince: 1_000 });
      assert.deepEqual([...dead].sort(), ['idle', 'old']);
      assert.notEqual(await store.findSession('live'), null);
    });

    check('deleteSignIns() by age takes what was opened until then', async (store) => {
      await store.putSignIn(signIn('first', { createdAt: 400 }), 'h');
      await store.putSignIn(signIn('second', { createdAt: 401 }), 'h');
      assert.deepEqual(await store.deleteSignIns({ by: 'age', openedUntil: 400 }), ['first']);
      assert.notEqual(await store.findSession('second'), null);
    });

    check('findSession() tells whose grant waits for somebody to use it, until somebody does', async (store) => {
      await store.putSignIn(signIn('p'), 'h', { value: 'grant', refreshAt: 5_000 });
      await store.putSignIn(signIn('q'), 'h');
      const awaitsUse = async (key: string): Promise<boolean | undefined> => (await store.findSession(key))?.awaitsUse;
      assert.deepEqual([await awaitsUse('p'), await awaitsUse('q')], [false, false]);
      await store.deferGrants([['p', null]]);
      assert.equal(await awaitsUse('p'), true);
      await store.touch([['p', 6_000]]);
      assert.equal(await awaitsUse('p'), false);
    });

    check('setGrantsBack() brings forward what is to be renewed, and touches nothing else', async (store) => {
      await store.putSignIn(signIn('p'), 'h', { value: 'grant', refreshAt: 500_000 });
      await store.putSignIn(signIn('q'), 'h', { value: 'grant', refreshAt: null });
      await store.putSignIn(signIn('r'), 'h', { value: 'grant', refreshAt: 9_000 });
      await store.deferGrants([['r', null]]);
      const due = async (now: number): Promise<string[]> =>
        (await store.listDueGrants(signIn('p').provider, now, 10)).map((one) => one.signIn.key);
      assert.deepEqual(await due(499_999), []);
      await store.setGrantsBack(100_000);
      assert.deepEqual([await due(399_999), await due(400_000)], [[], ['p']]);
      await store.setGrantsBack(900_000);
      assert.deepEqual(await due(0), ['p'], 'and no further than to the beginning of time');
    });

    check('touch() counts for the parent and never moves back', async (store) => {
      await store.putSignIn(signIn('p'), 'auth.example');
      await store.putCookie('p', 'c', 'app.example');
      await store.touch([
        ['c', 9_000],
        ['nobody', 9_000],
      ]);
      await store.touch([['p', 8_000]]);
      assert.equal((await store.findSession('p'))?.signIn.lastSeenAt, 9_000);
    });

    check('replaceValues() changes those that exist', async (store) => {
      await store.putSignIn(signIn('p'), 'h');
      await store.replaceValues([
        { key: 'p', value: 'new' },
        { key: 'gone', value: 'new' },
      ]);
      assert.equal((await store.findSession('p'))?.signIn.value, 'new');
      assert.equal(await store.findSession('gone'), null);
    });

    check('renewSignIn() changes one that exists', async (store) => {
      await store.putSignIn(signIn('p'), 'h', { value: 'old grant', refreshAt: null });
      await store.putSignIn(signIn('q'), 'h');
      const renewed = { value: 'new', grant: { value: 'new grant', refreshAt: null }, expiresAt: 200_000 };
      assert.equal(await store.renewSignIn('p', renewed), true);
      assert.equal(await store.renewSignIn('gone', renewed), false);
      const found = await store.findSession('p');
      assert.deepEqual(found?.signIn, signIn('p', { value: 'new', expiresAt: 200_000 }));
      assert.equal(await store.findGrant('p'), 'new grant');
      assert.equal(await store.findGrant('gone'), null);
      assert.equal((await store.findSession('q'))?.signIn.value, 'value-q');
    });

    check('listSignIns() lists trees newest first and no more than asked', async (store) => {
      for (const n of [1, 2, 3]) await store.putSignIn(signIn(`k${n}`, { createdAt: n }), 'h');
      await store.putCookie('k3', 'c', 'app.example');
      const trees = await store.listSignIns({ by: 'everything' }, 2);
      assert.deepEqual(
        trees.map((tree) => tree.signIn.key),
        ['k3', 'k2'],
      );
      assert.deepEqual(trees[0]?.cookies, [
        { key: 'k3', host: 'h' },
        { key: 'c', host: 'app.example' },
      ]);
    });

    check('pageSignIns() goes through the sign-ins of one person, each once', async (store) => {
      for (const n of [3, 1, 2]) await store.putSignIn(signIn(`k${n}`), 'h');
      await store.putSignIn(signIn('k0', { subject: 'bob' }), 'h');
      await store.putSignIn(signIn('k4', { provider: 'other' }), 'h');
      const ada = { provider: 'local', subject: 'ada' };
      const keysAfter = async (after: string): Promise<string[]> =>
        (await store.pageSignIns(ada, after, 2)).map(({ key }) => key);
      assert.deepEqual(await keysAfter(''), ['k1', 'k2']);
      assert.deepEqual(await keysAfter('k2'), ['k3']);
      assert.deepEqual(await keysAfter('k3'), []);
      assert.deepEqual((await store.pageSignIns(ada, 'k2', 1))[0], signIn('k3'));
    });

    check('pageSignIns() of everybody goes through all of them, each once', async (store) => {
      for (const n of [3, 1, 2]) await store.putSignIn(signIn(`k${n}`, { subject: `s${n}` }), 'h');
      assert.deepEqual(
        (await store.pageSignIns(null, '', 2)).map(({ key }) => key),
        ['k1', 'k2'],
      );
      assert.deepEqual(await store.pageSignIns(null, 'k2', 2), [signIn('k3', { subject: 's3' })]);
    });

    check('The surplus of a person is the oldest of their sign-ins, and never the one just opened', async (store) => {
      for (const n of [1, 2, 3]) await store.putSignIn(signIn(`k${n}`, { createdAt: n }), 'h');
      // The clock was set back.
      await store.putSignIn(signIn('new', { createdAt: 0 }), 'h');
      await store.putSignIn(signIn('bob', { subject: 'bob', createdAt: 0 }), 'h');
      await store.putCookie('k1', 'c', 'app.example');
      const surplus = { by: 'surplus', provider: 'local', subject: 'ada', newest: 'new', most: 2 } as const;
      assert.deepEqual(
        (await store.listSignIns(surplus, 9)).map((tree) => tree.signIn.key),
        ['k2', 'k1'],
      );
      assert.deepEqual((await store.deleteSignIns(surplus)).toSorted(), ['c', 'k1', 'k2']);
      assert.deepEqual(await store.deleteSignIns(surplus), []);
      assert.notEqual(await store.findSession('bob'), null);
    });

    check('takeCode() gives a code to one of a hundred callers', async (store) => {
      await store.putCode('k', 'v', 2_000);
      const taken = await Promise.all(Array.from({ length: 100 }, () => store.takeCode('k')));
      assert.deepEqual(
        taken.filter((it) => it !== null),
        [{ value: 'v', expiresAt: 2_000 }],
      );
    });

    check('deleteExpiredCodes() deletes what is over', async (store) => {
      await store.putCode('old', 'v', 1_000);
      await store.putCode('new', 'v', 1_001);
      assert.equal(await store.deleteExpiredCodes(1_000), 1);
      assert.equal(await store.takeCode('old'), null);
      assert.notEqual(await store.takeCode('new'), null);
    });

    check(
      'spend() is true for one of a hundred callers, for each use by itself, until it is deleted as over',
      async (store) => {
        const spend = (use: string, key: string, until = 2_000): Promise<boolean> =>
          store.spend(use, key, { until, most: 100 });
        const answers = await Promise.all(Array.from({ length: 100 }, () => spend('flow', 'k')));
        assert.equal(answers.filter(Boolean).length, 1);
        assert.deepEqual([await store.wasSpent('flow', 'k'), await store.wasSpent('logout', 'k')], [true, false]);
        assert.equal(await spend('logout', 'k'), true);
        assert.equal(await spend('flow', 'later', 3_000), true);
        assert.equal(await store.deleteSpent(1_999), 0);
        assert.equal(await store.deleteSpent(2_000), 2);
        assert.equal(await spend('flow', 'later', 3_000), false, 'kept until it is over');
      },
    );

    check('spend() takes no more of a use than it may hold, and nothing of another use for it', async (store) => {
      const spend = (use: string, key: string, until: number): Promise<boolean> =>
        store.spend(use, key, { until, most: 3 });
      for (const key of ['a', 'b', 'c']) assert.equal(await spend('flow', key, 1_000), true);
      assert.equal(await spend('flow', 'd', 2_000), false, 'full: try again later');
      assert.equal(await spend('flow', 'a', 1_000), false);
      assert.equal(await spend('logout', 'd', 2_000), true);
      await store.deleteSpent(1_000);
      assert.equal(await spend('flow', 'd', 2_000), true);
    });

    check('one failing write fails alone, the others of its turn are kept', async (store) => {
      const results = await Promise.allSettled([
        store.putCode('a', 'v', 1),
        store.putCode('a', 'v', 1),
        store.putCode('b', 'v', 1),
      ]);
      assert.deepEqual(
        results.map((it) => it.status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      assert.notEqual(await store.takeCode('b'), null);
    });
  });
}
