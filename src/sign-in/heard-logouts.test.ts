import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLOW_LIFETIME_MS } from './flow.ts';
import { createHeardLogouts, type HeardLogout, type Opening } from './heard-logouts.ts';

const START = 1_800_000_000_000;
const KEYCLOAK = { id: 'keycloak', authority: 'https://id.example.com' };
const ALICE: Opening = {
  subject: 'sub-alice',
  providerSession: 'sid-1',
  startedAt: START - 5_000,
  heardBefore: 0,
  authTime: null,
};
const LOGOUT: HeardLogout = { subject: null, providerSession: null, issuedAt: START };

test('cover() knows a session by what a logout token names, as those that are there are known', () => {
  const unnamed = { ...ALICE, providerSession: null };
  const cases: readonly (readonly [HeardLogout, Opening, boolean])[] = [
    [{ ...LOGOUT, providerSession: 'sid-1' }, ALICE, true],
    [{ ...LOGOUT, providerSession: 'sid-2' }, ALICE, false],
    [{ ...LOGOUT, subject: 'sub-alice' }, ALICE, true],
    [{ ...LOGOUT, subject: 'sub-alice' }, unnamed, true],
    [{ ...LOGOUT, subject: 'sub-bob' }, ALICE, false],
    [{ ...LOGOUT, subject: 'sub-alice', providerSession: 'sid-2' }, ALICE, false],
    [{ ...LOGOUT, subject: 'sub-alice', providerSession: 'sid-2' }, unnamed, true],
    [{ ...LOGOUT, subject: 'sub-bob', providerSession: 'sid-2' }, unnamed, false],
    [{ ...LOGOUT, providerSession: 'sub-alice' }, unnamed, false],
  ];
  for (const [logout, opening, expected] of cases) {
    const logouts = createHeardLogouts({ now: () => START });
    logouts.hear(KEYCLOAK, logout);
    assert.equal(logouts.cover(KEYCLOAK, opening), expected, JSON.stringify([logout, opening]));
    assert.equal(logouts.cover({ ...KEYCLOAK, id: 'other' }, opening), false);
    assert.equal(logouts.cover({ ...KEYCLOAK, authority: 'https://new.example.com' }, opening), false);
  }
});

test('cover() looks at when it was heard: before the person left, at the provider, or while tokens were on their way', () => {
  const clock = { at: START, now: () => clock.at };
  const logouts = createHeardLogouts(clock);
  logouts.hear(KEYCLOAK, { ...LOGOUT, subject: 'sub-alice' });
  const { count } = logouts;
  const cover = (over: Partial<Opening>): boolean => logouts.cover(KEYCLOAK, { ...ALICE, ...over });
  assert.equal(cover({ startedAt: START + 1, heardBefore: count }), false, 'the provider knew of it');
  assert.equal(cover({ heardBefore: count }), true, 'a code of the session that has ended, perhaps');
  assert.equal(cover({ heardBefore: count, authTime: START }), true);
  assert.equal(cover({ heardBefore: count, authTime: START + 1_000 }), false, 'they signed in there after it');
  assert.equal(cover({ authTime: START + 1_000 }), true, 'while tokens were on their way no clock counts');
});

test('cover() keeps nobody out for as long as a clock was set back', () => {
  const clock = { at: START, now: () => clock.at };
  const logouts = createHeardLogouts(clock);
  logouts.hear(KEYCLOAK, { ...LOGOUT, subject: 'sub-alice' });
  clock.at -= 2 * 3_600_000;
  const opening = { ...ALICE, startedAt: clock.at - 5_000 };
  assert.equal(logouts.cover(KEYCLOAK, { ...opening, heardBefore: logouts.count }), false);
  assert.equal(logouts.cover(KEYCLOAK, opening), true, 'heard while tokens were on their way');
});

test('hear() forgets what no sign-in that is on its way can be older than, and keeps so many', () => {
  const clock = { at: START, now: () => clock.at };
  const logouts = createHeardLogouts(clock);
  const hear = (sid: string): void => logouts.hear(KEYCLOAK, { ...LOGOUT, providerSession: sid });
  const covers = (sid: string): boolean => logouts.cover(KEYCLOAK, { ...ALICE, providerSession: sid });
  hear('sid-1');
  clock.at += FLOW_LIFETIME_MS - 1;
  hear('sid-2');
  assert.deepEqual([covers('sid-1'), covers('sid-2')], [true, true]);
  clock.at += 1;
  hear('sid-3');
  assert.deepEqual([covers('sid-1'), covers('sid-2'), covers('sid-3')], [false, true, true]);
  for (let i = 0; i < 50_000; i++) hear(`many-${i}`);
  assert.deepEqual([covers('sid-3'), covers('many-0'), covers('many-49999')], [false, true, true]);
});
