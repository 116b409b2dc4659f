/** Whoever is signed out from outside is out everywhere at once: by the operator, and by the provider. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { askControl } from '../../../src/control/control-socket.ts';
import { endsWithinASecond } from '../../support/one-second.ts';
import { skipWithout } from '../../support/peers.ts';
import { runPostern } from '../../support/postern.ts';
import { AT_ONCE_MS, until } from '../../support/programs.ts';
import { Stopwatch } from '../../support/stopwatch.ts';
import { startCluster, startRedis } from '../../support/redis.ts';
import { startProvider } from '../oauth2-proxy/provider.ts';
import { holdWebSocket, startDoor } from './_programs.ts';
import type { Finished } from '../../support/postern.ts';
import type { Provider } from '../oauth2-proxy/provider.ts';
import type { Answer } from '../oauth2-proxy/raw-client.ts';
import type { Jar } from '../oauth2-proxy/side.ts';
import type { Door, DoorOptions, Held } from './_programs.ts';

const skip = skipWithout('redis-server', 'redis-cli');
const AUTH = 'GET /oauth2/auth';

interface Rig {
  readonly provider: Provider;
  readonly start: (name: string, more?: Partial<DoorOptions>) => Promise<Door>;
  readonly hold: (door: Door, jar: Jar) => Promise<Held>;
  /** For what has to be stopped after the doors. */
  readonly after: (stop: () => Promise<unknown>) => void;
}

async function withRig(body: (rig: Rig) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-revocation-'));
  const provider = await startProvider();
  const doors: Door[] = [];
  const held: Held[] = [];
  const afters: (() => Promise<unknown>)[] = [];
  try {
    await body({
      provider,
      async start(name, more = {}) {
        const door = await startDoor({ dir: join(dir, name), issuer: provider.issuer, ...more });
        doors.push(door);
        return door;
      },
      async hold(door, jar) {
        const one = await holdWebSocket(door, jar);
        held.push(one);
        return one;
      },
      after: (stop) => void afters.push(stop),
    });
  } finally {
    for (const one of held) one.end();
    await Promise.all(doors.map((door) => door.stop()));
    await provider.close();
    for (const stop of afters) await stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

const statusAt = async ({ side }: Door, jar: Jar): Promise<number> =>
  (await side.ask(AUTH, { jar: new Map(jar) })).status;
const sessions = (door: Door, ...args: readonly string[]): Promise<Finished> =>
  runPostern(['sessions', ...args, '--data', door.dataDir]);
const wait = (ms: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, ms);
  });

function logOut({ side }: Door, token: string): Promise<Answer> {
  const body = `logout_token=${token}`;
  const headers = [['Content-Type', 'application/x-www-form-urlencoded']] as const;
  return side.ask('POST /oauth2/backchannel-logout', { body, headers });
}

/** It was open until now, and is closed at once. */
async function closesAtOnce(held: Held, what: string, work: () => Promise<unknown>): Promise<void> {
  assert.equal(held.closedAt(), null, `${what} was open`);
  const watch = new Stopwatch();
  await work();
  await until(() => held.closedAt() !== null, what);
  const ms = watch.stop();
  assert.ok(ms <= AT_ONCE_MS, `${what} was closed after ${ms} ms`);
}

/** Alice signs in at `door` and has a WebSocket at `at`; the operator revokes her sessions at `door`. */
function revokedAliceCloses(
  t: TestContext,
  { door, at, hold }: { readonly door: Door; readonly at: Door; readonly hold: Rig['hold'] },
): Promise<void> {
  return endsWithinASecond(t, async () => {
    const { jar } = await door.side.signIn('alice');
    const held = await hold(at, jar);
    await wait(1_500);
    assert.equal(held.closedAt(), null, 'it was open');
    await askControl(door.dataDir, 'sessions.revoke', { user: 'oidc:alice@example.com' });
    const acknowledgedAt = Date.now();
    await until(() => held.closedAt() !== null, 'the WebSocket of Alice ends');
    for (const one of [door, at]) assert.equal(await statusAt(one, jar), 401);
    return { acknowledgedAt, endedAt: held.closedAt() ?? Number.POSITIVE_INFINITY };
  });
}

interface Shared {
  readonly name: string;
  readonly open: () => Promise<{ readonly settings: Record<string, string>; readonly stop: () => Promise<unknown> }>;
}

const STORES: readonly Shared[] = [
  {
    name: 'Redis',
    async open() {
      const redis = await startRedis();
      const settings = { REDIS_CONNECTION_URL: `redis://127.0.0.1:${redis.port}` };
      return { settings, stop: () => redis.stop() };
    },
  },
  {
    name: 'a Redis cluster',
    async open() {
      const cluster = await startCluster();
      const urls = cluster.servers.map(({ port }) => `redis://127.0.0.1:${port}`).join(',');
      const settings = { REDIS_USE_CLUSTER: 'true', REDIS_CLUSTER_CONNECTION_URLS: urls };
      return { settings, stop: () => cluster.stop() };
    },
  },
];

for (const { name, open } of STORES) {
  suite(`two Posterns on ${name}`, () => {
    test('list and revoke at one for both, and WebSockets of the other close within a second', { skip }, (t) =>
      withRig(async ({ start, hold, after }) => {
        const store = await open();
        after(store.stop);
        const settings = { SESSION_STORE_TYPE: 'redis', ...store.settings };
        const [one, other] = [await start('one', { settings }), await start('other', { settings })];
        const alice = await one.side.signIn('alice');
        const bob = await other.side.signIn('bob');
        const listed = await sessions(one, 'list', '--json');
        const lines = JSON.parse(listed.stdout) as { readonly id: string; readonly user: string }[];
        assert.deepEqual(lines.map(({ user }) => user).toSorted(), [
          'oidc:alice@example.com',
          'oidc:bob@corp.example.com',
        ]);
        const kept = await hold(other, bob.jar);
        await revokedAliceCloses(t, { door: one, at: other, hold });
        for (const door of [one, other]) {
          assert.equal(await statusAt(door, alice.jar), 401);
          assert.equal(await statusAt(door, bob.jar), 202);
        }
        assert.equal(kept.closedAt(), null);
        const bobs = lines.find(({ user }) => user.includes('bob'))?.id ?? '';
        assert.match((await sessions(one, 'revoke', bobs)).stdout, /Revoked 1 session$/m);
        await until(async () => (await statusAt(other, bob.jar)) === 401, 'the end of Bob', AT_ONCE_MS);
        assert.match((await sessions(other, 'list')).stdout.trim(), /^ID\s.*HOSTS$/);
        const missing = await sessions(other, 'revoke', '--user', 'oidc:alice@example.com');
        assert.match(missing.stderr, /there are none/);
      }),
    );

    test('the provider signs somebody out at both, by sid and by sub', { skip }, () =>
      withRig(async ({ provider, start, hold, after }) => {
        const store = await open();
        after(store.stop);
        const settings = { SESSION_STORE_TYPE: 'redis', ...store.settings };
        const [one, other] = [await start('one', { settings }), await start('other', { settings })];
        const [alice, bob] = [await one.side.signIn('alice'), await one.side.signIn('bob')];
        const held = await hold(other, alice.jar);
        await wait(1_000);
        await closesAtOnce(held, 'the WebSocket of Alice', async () =>
          assert.equal((await logOut(one, provider.logoutToken({ sid: 'sid-alice' }))).status, 200),
        );
        for (const door of [one, other]) {
          assert.equal(await statusAt(door, alice.jar), 401);
          assert.equal(await statusAt(door, bob.jar), 202);
        }
        assert.equal((await logOut(other, provider.logoutToken({ sub: 'sub-bob' }))).status, 200);
        await until(async () => (await statusAt(one, bob.jar)) === 401, 'the end of Bob', AT_ONCE_MS);
      }),
    );
  });
}

suite('sessions in cookies', () => {
  const env = { POSTERN_SESSION_MODE: 'stateless' };

  test('revoke and back-channel logout refuse them, over restarts too; WebSockets close within a second', (t) =>
    withRig(async ({ provider, start, hold }) => {
      const door = await start('one', { env });
      const [alice, bob] = [await door.side.signIn('alice'), await door.side.signIn('bob')];
      assert.equal(await statusAt(door, alice.jar), 202);
      const ofBob = await hold(door, bob.jar);
      await wait(1_000);
      assert.match(
        (await sessions(door, 'list')).stdout,
        /oidc:alice@example\.com.*\n?[^]*oidc:bob|oidc:bob[^]*oidc:alice/,
      );
      await revokedAliceCloses(t, { door, at: door, hold });
      await closesAtOnce(ofBob, 'the WebSocket of Bob', async () =>
        assert.equal((await logOut(door, provider.logoutToken({ sid: 'sid-bob' }))).status, 200),
      );
      for (const { jar } of [alice, bob]) assert.equal(await statusAt(door, jar), 401);
      await door.stop();
      const offline = await sessions(door, 'list');
      assert.match(offline.stderr, /in the cookies of browsers/);
      assert.equal(offline.code, 1);
      const again = await start('one', { env });
      for (const { jar } of [alice, bob]) assert.equal(await statusAt(again, jar), 401);
      assert.equal(await statusAt(again, (await again.side.signIn('alice')).jar), 202);
    }));

  test('who has not been seen since the start is refused by name as well', () =>
    withRig(async ({ start }) => {
      const first = await start('one', { env });
      const { jar } = await first.side.signIn('alice');
      await first.stop();
      const door = await start('one', { env });
      const revoked = await sessions(door, 'revoke', '--user', 'oidc:alice@example.com');
      assert.match(revoked.stdout, /Revoked 0 sessions, and all others of this person/);
      assert.equal(await statusAt(door, jar), 401);
    }));
});

suite('sessions of a stopped Postern', () => {
  test('are listed and revoked in its data folder', () =>
    withRig(async ({ start }) => {
      const door = await start('one');
      const [alice, bob] = [await door.side.signIn('alice'), await door.side.signIn('bob')];
      await door.stop();
      const listed = await sessions(door, 'list');
      assert.match(listed.stdout, /oidc:alice@example\.com/);
      assert.match(listed.stdout, /oidc:bob@corp\.example\.com/);
      const revoked = await sessions(door, 'revoke', '--user', 'oidc:alice@example.com');
      assert.match(revoked.stdout, /Revoked 1 session$/m);
      const again = await start('one');
      assert.equal(await statusAt(again, alice.jar), 401);
      assert.equal(await statusAt(again, bob.jar), 202);
    }));

  test('that keeps them in Redis: the command says where they are', { skip }, () =>
    withRig(async ({ start, after }) => {
      const redis = await startRedis();
      after(() => redis.stop());
      const settings = { SESSION_STORE_TYPE: 'redis', REDIS_CONNECTION_URL: `redis://127.0.0.1:${redis.port}` };
      const door = await start('one', { settings });
      await door.stop();
      assert.match((await sessions(door, 'list')).stderr, /they are in Redis/);
    }),
  );
});
