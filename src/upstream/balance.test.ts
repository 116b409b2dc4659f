import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { areAllDown, chooseMember } from './balance.ts';
import type { Member } from './balance.ts';
import { createUpstreams } from './forward.ts';
import type { Upstreams } from './forward.ts';
import { PassiveHealth } from './health.ts';
import { createTarget } from './target.ts';
import { actionTo, FakeExchange, NO_TLS, planFor, rawApp, serverAt, until } from './test-rig.ts';
import type { RawApp } from './test-rig.ts';
import type { HealthCheck, ProxyAction } from '../config/document/actions.ts';

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.toReversed()) await close();
});

function members(...weights: number[]): Member[] {
  return weights.map((weight, i) => ({
    target: createTarget(serverAt(9_000 + i), NO_TLS),
    weight,
    check: null,
    credit: 0,
  }));
}

function turns(
  balance: ProxyAction['balance'],
  all: Member[],
  count: number,
  clientIp: string | null = null,
): number[] {
  const action = actionTo([], { balance });
  return Array.from({ length: count }, () => {
    const chosen = chooseMember(action, all, { now: 0, tried: [], clientIp });
    return chosen === null ? -1 : all.indexOf(chosen);
  });
}

test('round-robin spreads turns by weight', () => {
  assert.deepEqual(turns('round-robin', members(1, 1, 1), 6), [0, 1, 2, 0, 1, 2]);
  assert.deepEqual(turns('round-robin', members(3, 1), 8), [0, 0, 1, 0, 0, 0, 1, 0]);
});

test('first takes the first that is good; least-connections the least busy', () => {
  assert.deepEqual(turns('first', members(1, 1), 3), [0, 0, 0]);
  const all = members(1, 1, 2);
  const busy = [3, 1, 4];
  all.forEach((one, i) => (one.target.inFlight = busy[i] as number));
  assert.deepEqual(turns('least-connections', all, 1), [1]);
});

test('ip-hash keeps a visitor on one server, and moves only those whose server is gone', () => {
  const all = members(1, 1, 1);
  const homes = new Map<string, number>();
  for (let i = 0; i < 300; i++) {
    const ip = `192.0.2.${i}`;
    const [home, again] = turns('ip-hash', all, 2, ip);
    assert.equal(home, again);
    homes.set(ip, home as number);
  }
  for (const at of [0, 1, 2]) assert.ok([...homes.values()].filter((one) => one === at).length > 60);
  const fewer = all.slice(0, 2);
  for (const [ip, home] of homes) if (home < 2) assert.deepEqual(turns('ip-hash', fewer, 1, ip), [home]);
});

test('a server that failed is set aside for a while; where all failed, all are tried', () => {
  const all = members(1, 1);
  const action = actionTo([], { maxFails: 2, failMs: 1_000 });
  const pick = (now: number): Member | null => chooseMember(action, all, { now, tried: [], clientIp: null });
  all[0]?.target.passive.recordFailure(100);
  assert.equal(new Set([pick(101), pick(101)]).size, 2, 'one failure is not two');
  all[0]?.target.passive.recordFailure(200);
  assert.deepEqual([pick(300), pick(301), pick(302)], [all[1], all[1], all[1]]);
  all[1]?.target.passive.recordFailure(300);
  all[1]?.target.passive.recordFailure(301);
  assert.equal(new Set([pick(400), pick(401)]).size, 2, 'panic');
  assert.equal(new Set([pick(1_400), pick(1_401)]).size, 2, 'time heals');
});

test('PassiveHealth forgets failures at a success, and counts only those near each other', () => {
  const health = new PassiveHealth();
  health.recordFailure(0);
  health.recordFailure(5_000);
  assert.equal(health.isDown(5_001, 2, 1_000), false);
  assert.equal(health.isDown(5_001, 1, 1_000), true);
  assert.equal(health.isDown(5_001, 0, 1_000), false, 'max_fails 0 switches it off');
  health.recordSuccess();
  assert.equal(health.isDown(5_001, 1, 1_000), false);
});

test('an active check that says all are down ends it; tried ones are not taken again', () => {
  const down = { isDown: true } as unknown as Member['check'];
  const all = members(1, 1).map((one) => ({ ...one, check: down }));
  assert.ok(areAllDown(all));
  assert.deepEqual(turns('round-robin', all, 1), [-1]);
  const [one, two] = members(1, 1) as [Member, Member];
  assert.equal(chooseMember(actionTo([]), [one, two], { now: 0, tried: [one], clientIp: null }), two);
  assert.equal(chooseMember(actionTo([]), [one], { now: 0, tried: [one], clientIp: null }), null);
});

type Check = Pick<HealthCheck, 'timeoutMs' | 'passes' | 'fails'>;

/** Those apps, each asked every 20 ms; the changes are what the log says. */
function checked(
  apps: readonly RawApp[],
  check: Check,
): { upstreams: Upstreams; action: ProxyAction; changes: string[] } {
  const changes: string[] = [];
  const log = { warn: (text: string) => changes.push(text), info: (text: string) => changes.push(text) };
  const upstreams = createUpstreams({ clock: { now: () => Date.now() }, log });
  closers.push(() => upstreams.close());
  const health: HealthCheck = { path: '/healthz', intervalMs: 20, expect: [200, 399], ...check };
  const action = actionTo(
    apps.map((app) => serverAt(app.port)),
    { health },
  );
  closers.push(upstreams.retain([action]));
  return { upstreams, action, changes };
}

test('active checks take a sick server out and in again, and all sick is UPSTREAM_UNHEALTHY', async () => {
  const sick = new Set<RawApp>();
  const start = async (): Promise<RawApp> => {
    const app: RawApp = await rawApp((socket, head) => {
      const status = head.startsWith('GET /healthz') && sick.has(app) ? '503 No' : '200 OK';
      socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    });
    closers.push(app.close);
    return app;
  };
  const apps = [await start(), await start()];
  const { upstreams, action, changes } = checked(apps, { timeoutMs: 20_000, passes: 2, fails: 2 });
  const ask = (): Promise<FakeExchange> => {
    const exchange = new FakeExchange();
    upstreams.forward(exchange, planFor(action), exchange.report);
    return exchange.done;
  };
  sick.add(apps[0] as RawApp);
  await until(() => changes.length === 1, 'the first is taken out');
  for (let i = 0; i < 4; i++) assert.equal((await ask()).report.server, `http://127.0.0.1:${apps[1]?.port}`);
  sick.add(apps[1] as RawApp);
  await until(() => changes.length === 2, 'the second too');
  assert.equal((await ask()).failure?.code, 'UPSTREAM_UNHEALTHY');
  sick.clear();
  await until(() => changes.length === 4, 'both come back');
  assert.deepEqual(changes, ['Server is down', 'Server is down', 'Server is up', 'Server is up']);
  assert.equal((await ask()).response?.status, 200);
});

test('an active check does not judge a server by a time in which this thread stood still', async () => {
  const stillness = new Int32Array(new SharedArrayBuffer(4));
  const asked: string[] = [];
  const app = await rawApp((socket, head) => {
    asked.push(head);
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    // As the next question is under way, and its time would be over before anything is read.
    setTimeout(() => Atomics.wait(stillness, 0, 0, 300), 30);
  });
  closers.push(app.close);
  const { changes } = checked([app], { timeoutMs: 200, passes: 1, fails: 1 });
  await until(() => asked.length >= 5, 'it is asked again and again');
  assert.deepEqual(changes, []);
});
