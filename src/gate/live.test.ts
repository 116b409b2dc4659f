import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADA, basic, cookie, createRig, policy, request, services, signedIn } from './_rig.ts';
import type { CloseReason } from './live.ts';
import type { Judged } from './gate.ts';

const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

interface Tunnel {
  reason: CloseReason | null;
  /** What the client has sent. */
  bytes: number;
}

function track(rig: ReturnType<typeof createRig>, judged: Judged, find = signedIn): Tunnel {
  const tunnel: Tunnel = { reason: null, bytes: 0 };
  rig.gate.track({
    judged,
    exchange: request({}),
    findPolicy: find,
    bytesHeard: () => tunnel.bytes,
    close: (reason) => {
      tunnel.reason = reason;
    },
  });
  return tunnel;
}

test('a live exchange closes when its session is revoked, its person or the rules change, or it expires', async () => {
  const rig = createRig();
  const judged = await Promise.all(
    [1, 2, 3, 4].map((n) => rig.ask(cookie(rig.signIn(n === 4 ? { expiresAt: rig.clock.at + 500 } : {})))),
  );
  let rules = signedIn();
  const ops = policy(({ identity }) => identity.kind === 'person' && identity.person.groups.includes('ops'));
  const [revoked, changed, kept, expired] = judged.map((it, n) => track(rig, it, () => (n === 1 ? ops : rules))) as [
    Tunnel,
    Tunnel,
    Tunnel,
    Tunnel,
  ];
  rig.gate.applyChange({ kind: 'revoked', keys: [judged[0]?.session?.key ?? ''] });
  rig.gate.applyChange({ kind: 'person', keys: [judged[1]?.session?.key ?? ''], person: { ...ADA, groups: [] } });
  assert.deepEqual([revoked.reason, changed.reason, kept.reason], ['session-ended', 'not-allowed', null]);
  rig.clock.at += 500;
  rig.gate.tick();
  assert.deepEqual([expired.reason, kept.reason], ['session-expired', null]);
  await rig.gate.redecide();
  assert.equal(kept.reason, null);
  rules = policy(() => false);
  await rig.gate.redecide();
  assert.deepEqual([kept.reason, rig.gate.liveCount], ['not-allowed', 0]);
});

test('a live exchange of somebody who is called otherwise by now closes where the rules name them, and else goes on', async () => {
  const rig = createRig();
  const judged = await Promise.all([1, 2].map(() => rig.ask(cookie(rig.signIn()))));
  const named = policy(({ identity }) => identity.kind === 'person' && identity.person.name === ADA.name);
  const [byName, byGroup] = judged.map((it, n) => track(rig, it, () => (n === 0 ? named : signedIn()))) as [
    Tunnel,
    Tunnel,
  ];
  const keys = judged.map(({ session }) => session?.key ?? '');
  rig.gate.applyChange({ kind: 'person', keys, person: { ...ADA, name: 'lovelace' } });
  assert.deepEqual([byName.reason, byGroup.reason], ['not-allowed', null]);
});

test('a decision about the age of a sign-in is made each time, and what was opened in time closes when it is over', async () => {
  const rig = createRig();
  const maxAgeMs = 60_000;
  const needs = { secondFactor: false, acr: [], maxAgeMs };
  const recent = policy(() => true, {
    maxAgeMs,
    decide: ({ identity, now = 0 }) =>
      identity.kind === 'person' && now - (identity.person.authenticatedAt ?? 0) < maxAgeMs
        ? { kind: 'allow', rule: 'test' }
        : { kind: 'sign-in', rule: 'require: max_age 1m', needs },
  });
  const headers = cookie(rig.signIn({ person: { ...ADA, authenticatedAt: rig.clock.at } }));
  const judged = await rig.ask(headers, recent);
  assert.deepEqual([judged.decision.kind, judged.at], ['allow', rig.clock.at]);
  const [socket, other] = [track(rig, judged, () => recent), track(rig, judged)];
  rig.clock.at += maxAgeMs - 1;
  rig.gate.tick();
  assert.equal((await rig.ask(headers, recent)).decision.kind, 'allow');
  assert.equal(socket.reason, null);
  rig.clock.at += 1;
  rig.gate.tick();
  assert.equal((await rig.ask(headers, recent)).decision.kind, 'sign-in', 'not the decision from before');
  assert.deepEqual([socket.reason, other.reason], ['sign-in-too-old', null], 'only where the route asks for it');
  const unknown = await rig.ask(cookie(rig.signIn()), recent);
  assert.equal(unknown.decision.kind, 'sign-in');
});

test('a live exchange closes when its route is gone or its service has another password', async () => {
  const rig = createRig();
  const judged = await rig.ask({ Authorization: basic('promtail', 'secret') }, services());
  const gone = track(rig, judged, () => null as never);
  const kept = track(rig, judged, services);
  await rig.gate.redecide();
  assert.deepEqual([gone.reason, kept.reason], ['route-gone', null]);
  rig.state.version = 'v2';
  await rig.gate.redecide();
  assert.equal(kept.reason, 'credential-changed');
});

test('what changed between the decision and track() is caught up with', async () => {
  const rig = createRig();
  const judged = await rig.ask(cookie(rig.signIn()));
  rig.sessions.clear();
  rig.gate.applyChange({ kind: 'revoked', keys: [judged.session?.key ?? ''] });
  const late = track(rig, judged);
  await settled();
  assert.equal(late.reason, 'session-ended');
  const other = await rig.ask(cookie(rig.signIn()));
  await rig.gate.redecide();
  const swapped = track(rig, other, () => policy(() => false));
  await settled();
  assert.equal(swapped.reason, 'not-allowed');
});

test('use is reported to the minute, requests and traffic alike', async () => {
  const rig = createRig();
  const headers = cookie(rig.signIn());
  await rig.ask(headers);
  rig.gate.tick();
  assert.deepEqual(rig.reports, [], 'the store has just seen it');
  rig.clock.at += 60_000;
  const judged = await rig.ask(headers);
  const key = judged.session?.parent ?? '';
  rig.gate.tick();
  assert.deepEqual(rig.reports, [[[key, rig.clock.at]]]);
  for (let n = 0; n < 59; n++) {
    rig.clock.at += 1_000;
    await rig.ask(headers);
    rig.gate.tick();
  }
  assert.equal(rig.reports.length, 1);
  rig.clock.at += 1_000;
  await rig.ask(headers);
  rig.gate.tick();
  assert.deepEqual(rig.reports.at(-1), [[key, rig.clock.at]], 'a busy session is reported too');
  const tunnel = track(rig, judged);
  rig.gate.tick();
  rig.clock.at += 61_000;
  rig.gate.tick();
  const before = rig.reports.length;
  rig.clock.at += 61_000;
  rig.gate.tick();
  assert.equal(rig.reports.length, before, 'a silent tunnel is not use');
  tunnel.bytes += 1;
  rig.gate.tick();
  assert.deepEqual(rig.reports.at(-1), [[key, rig.clock.at]]);
});
