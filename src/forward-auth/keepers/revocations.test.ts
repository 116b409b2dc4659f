import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryStore } from '../../store/sqlite.ts';
import { FakeClock, HOUR, makeSession, makeSettings, START } from './_keeper-rig.ts';
import { Revocations } from './revocations.ts';
import type { Brought, RevocationsDeps } from './revocations.ts';

const END = START + HOUR;

function depsWith(over: Partial<RevocationsDeps> = {}): RevocationsDeps & { readonly clock: FakeClock } {
  return { settings: makeSettings(), ...over, clock: new FakeClock() };
}

const brought = (over: Partial<Brought> = {}): Brought => ({
  id: 'id-1',
  session: makeSession(),
  signedInAt: START,
  ...over,
});

test('isRevoked() tells by id, subject, sid and listed name, each of one provider', async () => {
  const ways = [
    ['subject', 'oidc', 'subject-1', true],
    ['provider-session', 'oidc', 'sid-1', true],
    ['name', 'oidc', 'ada@example.com', true],
    ['subject', 'oidc', 'sid-1', false],
    ['subject', 'github', 'subject-1', false],
    ['name', 'oidc', 'ada', false],
  ] as const;
  for (const [kind, provider, value, expected] of ways) {
    const revocations = await Revocations.open(null, depsWith());
    assert.equal(revocations.isRevoked(brought(), END), false);
    await revocations.revokeAll(kind, provider, value);
    assert.equal(revocations.isRevoked(brought(), END), expected, `${kind} ${provider} ${value}`);
    assert.equal(revocations.isRevoked(brought({ signedInAt: START + 1 }), END), false);
  }
  const revocations = await Revocations.open(null, depsWith());
  await revocations.end('id-1', END);
  assert.deepEqual([revocations.isEnded('id-1'), revocations.isEnded('id-2')], [true, false]);
  assert.equal(revocations.isRevoked(brought({ signedInAt: START + HOUR }), END), true);
});

test('what has no subject or sid is not revoked with all others that have none', async () => {
  const revocations = await Revocations.open(null, depsWith());
  for (const kind of ['subject', 'provider-session', 'name'] as const) await revocations.revokeAll(kind, 'oidc', '');
  const nobody = makeSession({ user: '', email: '', preferredUsername: '', providerSession: '' });
  assert.equal(revocations.isRevoked(brought({ session: nobody }), END), false);
});

test('revocations outlive a restart until nobody would take the session anyway', async () => {
  const store = openMemoryStore();
  const deps = depsWith();
  const before = await Revocations.open(store.revocations, deps);
  await before.end('id-1', END);
  await before.revokeAll('subject', 'oidc', 'subject-2');
  const after = await Revocations.open(store.revocations, deps);
  assert.equal(after.isEnded('id-1'), true);
  deps.clock.advance(HOUR);
  await after.end('id-9', START + 9 * HOUR);
  assert.equal((await Revocations.open(store.revocations, deps)).isEnded('id-1'), false);
  const kept = await store.revocations.listRevocations(0);
  assert.deepEqual(
    kept.map(({ kind, name }) => `${kind} ${name}`),
    ['session id-9', 'subject oidc subject-2'],
  );
  store.close();
});

test('single sessions are bounded: those that are over go first, then the oldest; people stay', async () => {
  const store = openMemoryStore();
  const deps = depsWith({ maxSingle: 2 });
  const revocations = await Revocations.open(store.revocations, deps);
  await revocations.revokeAll('subject', 'oidc', 'subject-1');
  await revocations.end('a', END);
  await revocations.end('b', START + 1);
  deps.clock.advance(10);
  await revocations.end('c', END);
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => revocations.isEnded(id)),
    [true, false, true],
  );
  await revocations.end('d', END);
  const kept = ['a', 'c', 'd'].map((id) => revocations.isEnded(id));
  assert.deepEqual(kept, [false, true, true]);
  assert.equal(revocations.isRevoked(brought(), END), true);
  const restarted = await Revocations.open(store.revocations, deps);
  assert.deepEqual(
    ['a', 'c', 'd'].map((id) => restarted.isEnded(id)),
    kept,
  );
  store.close();
});
