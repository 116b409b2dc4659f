import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownIdentities } from './known-identity.ts';
import type { SessionView } from './ports.ts';

const PERSON = {
  provider: 'local',
  subject: '1',
  name: 'alice',
  displayName: '',
  email: null,
  emailVerified: false,
  groups: ['/developers'],
  roles: [],
  amr: ['pwd'],
};

function viewOf(key: string, person: Partial<typeof PERSON> = {}): SessionView {
  const copy = structuredClone({ ...PERSON, ...person });
  return { key, parent: key, host: 'app.test', person: copy, expiresAt: 1, lastSeenAt: 0 };
}

test('hold() answers one object for equal persons, and forgets it with the last of its sessions', () => {
  const known = new KnownIdentities();
  const first = known.hold(viewOf('a'));
  assert.equal(known.hold(viewOf('b')), first);
  assert.equal(known.size, 1);
  known.release(first);
  assert.equal(known.hold(viewOf('c')), first);
  known.release(first);
  known.release(first);
  assert.equal(known.size, 0);
});

test('hold() never takes persons for the same who differ in anything', () => {
  const known = new KnownIdentities();
  const alice = known.hold(viewOf('a'));
  for (const other of [{ groups: [] }, { amr: ['pwd', 'otp'] }, { subject: '2' }, { emailVerified: true }])
    assert.notEqual(known.hold(viewOf('b', other)), alice);
});

test('recall() knows decisions of the present rules only', () => {
  const known = new KnownIdentities().hold(viewOf('a'));
  const allow = { kind: 'allow', rule: 'signed-in' } as const;
  known.remember('policy', 1, allow);
  assert.equal(known.recall('policy', 1), allow);
  assert.equal(known.recall('policy', 2), undefined);
  known.remember('other', 2, allow);
  assert.equal(known.recall('policy', 2), undefined);
});
