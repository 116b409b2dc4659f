import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { PosternError } from '../../src/core/errors.ts';
import { createAccounts } from '../../src/session/accounts.ts';
import { createSealKey } from '../../src/session/seal.ts';
import { createSessions } from '../../src/session/sessions.ts';
import { keyOfToken } from '../../src/session/token.ts';
import { openStore } from '../../src/store/sqlite.ts';
import type { Person } from '../../src/core/person.ts';
import type { Accounts } from '../../src/session/accounts.ts';
import type { SessionChange } from '../../src/session/record.ts';
import type { Sessions } from '../../src/session/sessions.ts';
import type { Store } from '../../src/store/sqlite.ts';

const HOUR = 3_600_000;
const ADA: Person = {
  provider: 'kc',
  subject: 's-1',
  name: 'ada',
  displayName: 'Ada',
  email: null,
  emailVerified: false,
  groups: ['ops'],
  roles: [],
  amr: ['pwd'],
};

interface Rig {
  readonly folder: string;
  readonly store: Store;
  readonly sessions: Sessions;
  readonly accounts: Accounts;
  readonly clock: { at: number; now: () => number };
  readonly limits: { lifetimeMs: number; idleMs: number };
  readonly changes: SessionChange[];
}

/** Each test runs on a store of its own, on the disk. */
function withRig(title: string, body: (rig: Rig) => Promise<void>): void {
  test(title, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-sessions-'));
    const store = openStore(folder);
    try {
      const clock = { at: 1_000_000, now: () => clock.at };
      const limits = { lifetimeMs: 12 * HOUR, idleMs: 2 * HOUR };
      const sessions = createSessions({
        store: store.sessions,
        clock,
        sealKey: createSealKey(store.sealKey),
        limits: () => limits,
      });
      const accounts = createAccounts({ store: store.accounts, sessions, clock, provider: 'local' });
      const changes: SessionChange[] = [];
      sessions.onChange((change) => changes.push(change));
      await body({ folder, store, sessions, accounts, clock, limits, changes });
    } finally {
      store.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

const kindOf = async (sessions: Sessions, key: string): Promise<string> => (await sessions.find(key)).kind;
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, 5);
  });

withRig('find() finds a sign-in and its children, with the person and the exact host', async ({ sessions }) => {
  const parent = await sessions.openSignIn(ADA, 'auth.example');
  const child = await sessions.openChild(parent.view.key, 'app.example');
  assert.ok(child);
  assert.equal(child.view.key, keyOfToken(child.token));
  assert.deepEqual(await sessions.find(child.view.key), { kind: 'found', session: child.view });
  assert.deepEqual([child.view.host, child.view.parent, child.view.person], ['app.example', parent.view.key, ADA]);
  assert.equal(await kindOf(sessions, keyOfToken('x')), 'absent');
  assert.equal(await sessions.openChild(child.view.key, 'b.example'), null, 'a child has no children');
  assert.equal(await sessions.openChild(keyOfToken('x'), 'b.example'), null);
});

withRig('revoke() of any cookie ends the whole tree and is told before it resolves', async ({ sessions, changes }) => {
  const parent = await sessions.openSignIn(ADA, 'auth.example');
  const child = await sessions.openChild(parent.view.key, 'app.example');
  const other = await sessions.openSignIn(ADA, 'auth.example');
  assert.ok(child);
  assert.equal(await sessions.revoke(child.view.key), 2);
  assert.deepEqual(changes, [{ kind: 'revoked', keys: [parent.view.key, child.view.key] }]);
  assert.deepEqual(
    [await kindOf(sessions, parent.view.key), await kindOf(sessions, child.view.key)],
    ['absent', 'absent'],
  );
  assert.equal(await kindOf(sessions, other.view.key), 'found');
  assert.equal(await sessions.revoke(child.view.key), 0);
  assert.equal(await sessions.openChild(parent.view.key, 'app.example'), null);
});

withRig('a child that is opened while its parent is revoked never lives', async ({ sessions }) => {
  for (let n = 0; n < 20; n++) {
    const parent = await sessions.openSignIn(ADA, 'auth.example');
    const [child] = await Promise.all([
      sessions.openChild(parent.view.key, 'app.example'),
      sessions.revoke(parent.view.key),
    ]);
    if (child !== null) assert.equal(await kindOf(sessions, child.view.key), 'absent');
  }
});

withRig('revokeByProviderSession() and revokeByPerson() end what they name', async ({ sessions }) => {
  const a = await sessions.openSignIn(ADA, 'h', { providerSession: 'sid-1' });
  const b = await sessions.openSignIn(ADA, 'h', { providerSession: 'sid-2' });
  const c = await sessions.openSignIn({ ...ADA, subject: 's-2' }, 'h');
  assert.equal(await sessions.revokeByProviderSession('github', 'sid-1'), 0);
  assert.equal(await sessions.revokeByProviderSession('kc', 'sid-1'), 1);
  assert.equal(await kindOf(sessions, a.view.key), 'absent');
  assert.equal(await sessions.revokeByPerson('kc', 's-1'), 1);
  assert.equal(await kindOf(sessions, b.view.key), 'absent');
  assert.equal(await kindOf(sessions, c.view.key), 'found');
});

withRig(
  'lifetime and idle time flow through the parent; a shorter limit counts at once',
  async ({ sessions, clock, limits }) => {
    const parent = await sessions.openSignIn(ADA, 'auth.example');
    const child = await sessions.openChild(parent.view.key, 'app.example');
    assert.ok(child);
    clock.at += 2 * HOUR - 1;
    sessions.touch([[child.view.parent, clock.at]]);
    await turn();
    clock.at += HOUR;
    assert.equal(await kindOf(sessions, parent.view.key), 'found', 'use of the child is use of the parent');
    limits.lifetimeMs = 2 * HOUR;
    assert.equal(await kindOf(sessions, parent.view.key), 'absent');
    limits.lifetimeMs = 12 * HOUR;
    assert.equal(await kindOf(sessions, parent.view.key), 'found');
    clock.at += HOUR;
    assert.equal(await kindOf(sessions, child.view.key), 'absent', 'idle');
  },
);

withRig('sweep() deletes what is over, codes too, and tells', async ({ sessions, clock, changes, store }) => {
  const old = await sessions.openSignIn(ADA, 'h');
  clock.at += 3 * HOUR;
  const live = await sessions.openSignIn(ADA, 'h');
  await sessions.sweep();
  assert.deepEqual(changes, [{ kind: 'revoked', keys: [old.view.key] }]);
  assert.equal(await kindOf(sessions, live.view.key), 'found');
  assert.deepEqual(
    (await sessions.list()).map((it) => [it.key, it.hosts]),
    [[live.view.key, ['h']]],
  );
  assert.deepEqual(await store.sessions.findSession(old.view.key), null);
});

withRig(
  'sweep() ends what a shorter lifetime has ended: a longer one brings nobody back',
  async ({ sessions, clock, limits }) => {
    const opened = await sessions.openSignIn(ADA, 'h');
    clock.at += HOUR;
    const late = await sessions.openSignIn(ADA, 'h');
    limits.lifetimeMs = HOUR;
    await sessions.sweep();
    limits.lifetimeMs = 12 * HOUR;
    assert.equal(await kindOf(sessions, opened.view.key), 'absent');
    assert.equal(await kindOf(sessions, late.view.key), 'found');
  },
);

withRig(
  'refreshPerson() changes live sessions, keeps how each signed in, and tells once',
  async ({ sessions, changes }) => {
    const a = await sessions.openSignIn(ADA, 'h');
    const b = await sessions.openSignIn({ ...ADA, amr: ['pwd', 'otp'] }, 'h');
    const fresh = { ...ADA, groups: [], amr: [] };
    await sessions.refreshPerson(fresh);
    const people = await Promise.all(
      [a, b].map(async ({ view }) => {
        const answer = await sessions.find(view.key);
        return answer.kind === 'found' ? answer.session.person : null;
      }),
    );
    assert.deepEqual(people, [
      { ...ADA, groups: [] },
      { ...ADA, groups: [], amr: ['pwd', 'otp'] },
    ]);
    assert.deepEqual(
      changes.map((it) => it.kind),
      ['person', 'person'],
    );
    await sessions.refreshPerson(fresh);
    assert.equal(changes.length, 2, 'nothing new, nothing told');
  },
);

withRig('refreshPerson() changes nobody whom another issuer vouched for under the same id', async ({ sessions }) => {
  const opened = [];
  for (const authority of ['https://old.example', 'https://new.example', ''])
    opened.push(await sessions.openSignIn({ ...ADA, provider: 'keycloak', groups: [] }, 'h', { authority }));
  // Its answer was on its way when a reload made the id another one.
  await sessions.refreshPerson({ ...ADA, provider: 'keycloak', groups: ['admins'] }, 'https://old.example');
  const groups = [];
  for (const { view } of opened) {
    const answer = await sessions.find(view.key);
    groups.push(answer.kind === 'found' ? answer.session.person.groups : answer.kind);
  }
  assert.deepEqual(groups, [['admins'], [], []]);
});

withRig(
  'refreshPerson() goes through hundreds of sessions and lets others have their turn in between',
  async ({ sessions, changes }) => {
    const opened = await Promise.all(Array.from({ length: 250 }, () => sessions.openSignIn(ADA, 'h')));
    const child = await sessions.openChild(opened[0]?.view.key ?? '', 'app');
    let turns = 0;
    let timer = setImmediate(function turn() {
      turns++;
      timer = setImmediate(turn);
    });
    await sessions.refreshPerson({ ...ADA, groups: ['new'], amr: [] });
    clearImmediate(timer);
    assert.ok(turns >= 2, `${turns} turns for three pages`);
    const told = new Set(changes.flatMap(({ keys }) => keys));
    assert.deepEqual(told, new Set([...opened.map(({ view }) => view.key), child?.view.key]));
    for (const { view } of opened) {
      const answer = await sessions.find(view.key);
      assert.deepEqual(answer.kind === 'found' && answer.session.person.groups, ['new']);
    }
  },
);

withRig('codes work once, in time, for a value that the store cannot read', async ({ sessions, clock, folder }) => {
  const code = await sessions.mintCode({ host: 'app.example' }, 30_000);
  const db = new DatabaseSync(join(folder, 'postern.db'), { readOnly: true });
  const rows = JSON.stringify(db.prepare('SELECT * FROM codes').all());
  db.close();
  assert.ok(!rows.includes(code) && !rows.includes('app.example'));
  const got = await Promise.all(Array.from({ length: 20 }, () => sessions.redeemCode(code)));
  assert.deepEqual(
    got.filter((it) => it !== null),
    [{ host: 'app.example' }],
  );
  const late = await sessions.mintCode('x', 30_000);
  clock.at += 30_000;
  assert.equal(await sessions.redeemCode(late), null);
  for (const odd of ['', 'x', code, `${code}A`, '\u0000']) assert.equal(await sessions.redeemCode(odd), null);
});

withRig('a value that was moved to another session, or changed, opens nothing', async ({ sessions, store }) => {
  const a = await sessions.openSignIn(ADA, 'h');
  const b = await sessions.openSignIn({ ...ADA, subject: 's-2', name: 'bob' }, 'h');
  const value = (await store.sessions.findSession(a.view.key))?.signIn.value ?? '';
  await store.sessions.replaceValues([{ key: b.view.key, value }]);
  assert.equal(await kindOf(sessions, b.view.key), 'absent');
});

withRig('find() answers unavailable, never absent, while the store fails', async ({ sessions, store }) => {
  const { view } = await sessions.openSignIn(ADA, 'h');
  store.close();
  assert.deepEqual(await sessions.find(view.key), { kind: 'unavailable' });
  await assert.rejects(
    sessions.revoke(view.key),
    (error) => error instanceof PosternError && error.code === 'STORE_UNAVAILABLE',
  );
});

withRig(
  'accounts: a link sets the password once and ends sessions; names are canonical',
  async ({ accounts, sessions, clock }) => {
    const first = await accounts.addFirstAdministrator();
    assert.ok(first);
    assert.deepEqual([first.account.name, first.account.groups], ['admin', ['admins']]);
    assert.equal(await accounts.addFirstAdministrator(), null);
    const { subject } = first.account;
    const opened = await accounts.openSignIn(subject, 'auth.example', ['pwd']);
    assert.equal((await accounts.peekLink(first.link.token))?.subject, subject);
    assert.equal((await accounts.peekLink(first.link.token))?.subject, subject, 'looking consumes nothing');
    const set = await Promise.all([
      accounts.consumeLink(first.link.token, 'h1'),
      accounts.consumeLink(first.link.token, 'h2'),
    ]);
    assert.equal(set.filter((it) => it !== null).length, 1);
    assert.equal(await kindOf(sessions, opened?.view.key ?? ''), 'absent');
    assert.equal((await accounts.findByName(' ADMIN '))?.subject, subject);
    const link = await accounts.mintLink(subject, 'cli');
    clock.at += HOUR;
    assert.equal(await accounts.peekLink(link?.token ?? ''), null);
    assert.equal(await accounts.consumeLink(link?.token ?? '', 'h3'), null);
    assert.equal((await accounts.add({ name: 'Admin' }, 'cli')).kind, 'exists');
    assert.equal((await accounts.add({ name: '../x' }, 'cli')).kind, 'invalid');
    assert.equal((await accounts.add({ name: 'x', groups: [''] }, 'cli')).kind, 'invalid');
  },
);

withRig(
  'accounts: disabling and deleting end sessions, groups reach live ones',
  async ({ accounts, sessions, changes }) => {
    const added = await accounts.add({ name: 'bob', groups: ['a'] }, 'cli');
    assert.ok(added.kind === 'added');
    const { subject } = added.account;
    const one = await accounts.openSignIn(subject, 'h', ['pwd']);
    assert.ok(one);
    await accounts.setGroups(subject, ['a', 'b', 'a'], 'cli');
    const found = await sessions.find(one.view.key);
    assert.deepEqual(found.kind === 'found' && found.session.person.groups, ['a', 'b']);
    await accounts.disable(subject, 'cli');
    assert.equal(await kindOf(sessions, one.view.key), 'absent');
    assert.deepEqual(
      changes.map((it) => it.kind),
      ['person', 'revoked'],
    );
    assert.equal(await accounts.openSignIn(subject, 'h', ['pwd']), null);
    assert.equal(await accounts.mintLink(subject, 'cli'), null);
    await accounts.enable(subject, 'cli');
    const two = await accounts.openSignIn(subject, 'h', ['pwd']);
    assert.equal(await accounts.delete(subject, 'cli'), true);
    assert.equal(await kindOf(sessions, two?.view.key ?? ''), 'absent');
    const again = await accounts.add({ name: 'bob' }, 'cli');
    assert.ok(again.kind === 'added' && again.account.subject !== subject);
  },
);

withRig(
  'accounts: whoever signs in while the account is disabled or changed has no session of before',
  async ({ accounts, sessions }) => {
    for (let n = 0; n < 20; n++) {
      const added = await accounts.add({ name: `u${n}`, groups: ['admins'] }, 'cli');
      assert.ok(added.kind === 'added');
      const { subject } = added.account;
      const [opened] = await Promise.all([
        accounts.openSignIn(subject, 'h', ['pwd']),
        n % 2 === 0 ? accounts.disable(subject, 'cli') : accounts.setGroups(subject, [], 'cli'),
      ]);
      const answer = await sessions.find(opened?.view.key ?? '');
      if (n % 2 === 0) assert.equal(answer.kind, 'absent');
      else assert.deepEqual(answer.kind === 'found' && answer.session.person.groups, []);
    }
  },
);

withRig('accounts: a password that was changed during its check opens nothing', async ({ accounts }) => {
  const added = await accounts.add({ name: 'bob' }, 'cli');
  assert.ok(added.kind === 'added');
  await accounts.setPassword(added.account.subject, 'new', 'cli');
  assert.equal(await accounts.openSignIn(added.account.subject, 'h', ['pwd'], { verified: 'old' }), null);
  assert.ok(await accounts.openSignIn(added.account.subject, 'h', ['pwd'], { verified: 'new' }));
});

withRig('accounts: reconcile() makes good what a crash left', async ({ accounts, sessions, store }) => {
  const added = await accounts.add({ name: 'bob', groups: ['a'] }, 'cli');
  const other = await accounts.add({ name: 'eve' }, 'cli');
  assert.ok(added.kind === 'added' && other.kind === 'added');
  const bob = await accounts.openSignIn(added.account.subject, 'h', ['pwd']);
  const eve = await accounts.openSignIn(other.account.subject, 'h', ['pwd']);
  await store.accounts.updateAccount(added.account.subject, { groups: [] });
  await store.accounts.updateAccount(other.account.subject, { disabled: true });
  await accounts.reconcile();
  const found = await sessions.find(bob?.view.key ?? '');
  assert.deepEqual(found.kind === 'found' && [found.session.person.groups, found.session.person.amr], [[], ['pwd']]);
  assert.equal(await kindOf(sessions, eve?.view.key ?? ''), 'absent');
});

withRig('the store holds neither tokens nor names of signed-in people in the clear', async ({ sessions, folder }) => {
  const { token, view } = await sessions.openSignIn({ ...ADA, displayName: 'Countess Lovelace' }, 'h');
  const db = new DatabaseSync(join(folder, 'postern.db'), { readOnly: true });
  const rows = JSON.stringify([db.prepare('SELECT * FROM sign_ins').all(), db.prepare('SELECT * FROM cookies').all()]);
  db.close();
  assert.ok(rows.includes(view.key) && !rows.includes(token) && !rows.includes('Lovelace'));
});
