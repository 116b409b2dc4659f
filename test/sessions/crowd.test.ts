/** Many sessions: of one person, who has a bound, and of a crowd, in which an operator still finds whom they mean. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { revokeById, revokeByName } from '../../src/control/people.ts';
import { LINK_PROVIDER, type Person } from '../../src/core/person.ts';
import type { SessionChange } from '../../src/session/record.ts';
import { createSealKey } from '../../src/session/seal.ts';
import { createSessions, type Sessions } from '../../src/session/sessions.ts';
import { openStore } from '../../src/store/sqlite.ts';

const HOUR = 3_600_000;
/** More than any list shows. */
const CROWD = 10_100;

function personOf(name: string, changes: Partial<Person> = {}): Person {
  const words = { name, displayName: name, email: null, emailVerified: false, groups: [], roles: [], amr: [] };
  return { provider: 'kc', subject: `s-${name}`, ...words, ...changes };
}

interface Rig {
  readonly sessions: Sessions;
  readonly changes: SessionChange[];
  readonly clock: { at: number; now: () => number };
  mostPerPerson: number;
  mostPerLink?: number;
}

async function withRig(work: (rig: Rig) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-crowd-'));
  const store = openStore(folder);
  try {
    const clock = { at: 1_000_000, now: () => clock.at };
    const changes: SessionChange[] = [];
    const rig: Omit<Rig, 'sessions'> = { clock, changes, mostPerPerson: 1_000 };
    const sessions = createSessions({
      store: store.sessions,
      clock,
      sealKey: createSealKey(store.sealKey),
      limits() {
        const { mostPerPerson, mostPerLink } = rig;
        const perLink = mostPerLink === undefined ? {} : { mostPerLink };
        return { lifetimeMs: 12 * HOUR, idleMs: 12 * HOUR, mostPerPerson, ...perLink };
      },
    });
    sessions.onChange((change) => changes.push(change));
    await work(Object.assign(rig, { sessions }));
  } finally {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test('Signing in once more than session.per_person ends the oldest sign-in of the person, with its cookies, and nobody else', () =>
  withRig(async (rig) => {
    const { sessions, changes, clock } = rig;
    rig.mostPerPerson = 2;
    const opened = [];
    for (let n = 0; n < 3; n++) {
      opened.push(await sessions.openSignIn(personOf('ada'), 'auth.example'));
      if (n === 0) await sessions.openChild(opened[0]?.view.key ?? '', 'app.example');
      clock.at += 1_000;
    }
    const kinds = await Promise.all(opened.map(async ({ view }) => (await sessions.find(view.key)).kind));
    assert.deepEqual(kinds, ['absent', 'found', 'found']);
    assert.deepEqual(
      changes.map((change) => [change.kind, change.keys.length]),
      [['revoked', 2]],
    );
    const others = [personOf('ada', { provider: 'other' }), personOf('bob'), personOf('ada', { subject: 's-2' })];
    for (const other of others) await sessions.openSignIn(other, 'auth.example');
    assert.equal((await sessions.list()).length, 5);
    const link = personOf('report', { provider: LINK_PROVIDER });
    for (let n = 0; n < 5; n++) await sessions.openSignIn(link, 'app.example');
    assert.equal((await sessions.list({ provider: LINK_PROVIDER, subject: link.subject })).length, 5);
    // A reload that lowers it counts at the next sign-in.
    rig.mostPerPerson = 1;
    await sessions.openSignIn(personOf('ada'), 'auth.example');
    assert.equal((await sessions.list({ provider: 'kc', subject: 's-ada' })).length, 1);
  }));

test('A link that is opened again and again fills nothing: the oldest of its sessions give way', () =>
  withRig(async (rig) => {
    const { sessions, clock } = rig;
    rig.mostPerLink = 3;
    const link = personOf('report', { provider: LINK_PROVIDER });
    const another = await sessions.openSignIn(personOf('other', { provider: LINK_PROVIDER }), 'app.example');
    const opened = [];
    for (let n = 0; n < 10; n++) {
      opened.push(await sessions.openSignIn(link, 'app.example'));
      clock.at += 1_000;
    }
    const kinds = await Promise.all(opened.map(async ({ view }) => (await sessions.find(view.key)).kind));
    assert.deepEqual(kinds, [...Array.from({ length: 7 }, () => 'absent'), 'found', 'found', 'found']);
    assert.equal((await sessions.find(another.view.key)).kind, 'found');
    // Of many a tenth at once.
    rig.mostPerLink = 20;
    const count = async (): Promise<number> =>
      (await sessions.list({ provider: LINK_PROVIDER, subject: link.subject })).length;
    for (let n = 3; n < 20; n++) await sessions.openSignIn(link, 'app.example');
    assert.equal(await count(), 20);
    await sessions.openSignIn(link, 'app.example');
    assert.equal(await count(), 18);
  }));

test('sessions revoke finds whom it means among more sessions than a list shows', () =>
  withRig(async ({ sessions, clock }) => {
    const first = await sessions.openSignIn(personOf('alice'), 'auth.example');
    const renamed = await sessions.openSignIn(personOf('alice', { subject: 's-9' }), 'auth.example');
    const third = await sessions.openSignIn(personOf('carol'), 'auth.example');
    clock.at += 1_000;
    const crowd = Array.from({ length: CROWD }, (_, n) => sessions.openSignIn(personOf(`p${n}`), 'auth.example'));
    await Promise.all(crowd);
    const listed = await sessions.list();
    assert.ok(!listed.some(({ person }) => person.name === 'alice' || person.name === 'carol'));
    assert.equal(await revokeByName(sessions, { provider: 'kc', name: 'alice' }), 2);
    for (const { view } of [first, renamed]) assert.equal((await sessions.find(view.key)).kind, 'absent');
    await assert.rejects(revokeByName(sessions, { provider: 'kc', name: 'alice' }), /there are none/);
    await assert.rejects(revokeByName(sessions, { provider: 'kc', name: 'nobody' }), /there are none/);
    await assert.rejects(revokeById(sessions, third.view.key.slice(0, 3)), /no session has this id/);
    assert.equal(await revokeById(sessions, third.view.key.slice(0, 12)), 1);
    assert.equal((await sessions.find(third.view.key)).kind, 'absent');
    const whole = await sessions.openSignIn(personOf('dave'), 'auth.example');
    const child = await sessions.openChild(whole.view.key, 'app.example');
    await assert.rejects(revokeById(sessions, child?.view.key ?? ''), /no session has this id/, 'it is none of a list');
    assert.equal(await revokeById(sessions, whole.view.key), 2);
  }));
