/** Sessions in a real Redis: shared by replicas, through restarts, outages, hangs, failover, TLS, a cluster, tight rights. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { makeCertificate } from '../../../bench/support/certificate.ts';
import {
  foundOf,
  HOUR,
  kindOf,
  makeSession,
  NAME,
  PLACE,
  signIn,
} from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import { keyOfToken } from '../../../src/session/token.ts';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { until } from '../../support/programs.ts';
import { startCluster, startRedis, startReplicated } from '../../support/redis.ts';
import { createReplicas, troubleWith } from './_replicas.ts';
import type { Browser } from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import type { SessionKeeper } from '../../../src/forward-auth/ports.ts';
import type { RedisServer } from '../../support/redis.ts';
import type { Replicas } from './_replicas.ts';

const skip = skipWithout('redis-server', 'redis-cli', 'openssl');
const GONE = 'absent, had a cookie';
/** A command is answered or given up within a second; the machine may be busy. */
const BOUNDED_MS = 5_000;

const wait = (ms: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, ms);
  });
const keyOf = (browser: Browser): string => `${NAME}-${keyOfToken([...browser.cookies.values()][0] ?? '')}`;

interface Rig extends Replicas {
  readonly server: RedisServer;
}

function withRedis(title: string, body: (rig: Rig) => Promise<void>, args: readonly string[] = []): void {
  test(title, { skip }, async () => {
    const server = await startRedis({ args });
    const replicas = createReplicas({ url: `redis://127.0.0.1:${server.port}` });
    try {
      await body({ ...replicas, server });
    } finally {
      await replicas.close();
      await server.stop();
    }
  });
}

async function timed<T>(work: () => Promise<T> | T): Promise<{ readonly value: T; readonly ms: number }> {
  const before = performance.now();
  const value = await work();
  return { value, ms: performance.now() - before };
}

suite('two Posterns on one Redis', () => {
  withRedis('a session of one is found at the other, and ended at both at once', async ({ start }) => {
    const [one, other] = [await start(), await start()];
    const browser = await signIn(one);
    for (const keeper of [one, other, one, other]) assert.equal(await kindOf(keeper, browser.headers), 'found');
    await one.end(browser.headers, PLACE);
    // Told over Redis: the clock stands still, so neither would ask again by itself.
    assert.equal(await kindOf(one, browser.headers), GONE);
    await until(async () => (await kindOf(other, browser.headers)) === GONE, 'the end at the other');
  });

  withRedis('what one renewed the other finds', async ({ start, clock }) => {
    const [one, other] = [await start(), await start()];
    const browser = await signIn(one);
    await kindOf(other, browser.headers);
    clock.advance(HOUR);
    const { handle } = await foundOf(one, browser.headers);
    const fresh = makeSession({ createdAt: clock.at, accessToken: 'access.2' });
    browser.take(await one.replace(handle, fresh, PLACE, browser.headers));
    await until(
      async () => (await foundOf(other, browser.headers)).session.accessToken === 'access.2',
      'the renewal at the other',
    );
  });

  withRedis('of 50 requests that are due at both, one asks the provider', async ({ start, clock }) => {
    const [one, other] = [await start(), await start()];
    const browser = await signIn(one);
    clock.advance(HOUR);
    let calls = 0;
    const renew = async (keeper: SessionKeeper): Promise<string> => {
      const { handle } = await foundOf(keeper, browser.headers);
      return keeper.once(handle, async () => {
        const { session } = await foundOf(keeper, browser.headers);
        if (clock.at - session.createdAt < HOUR) return session.accessToken;
        calls++;
        await wait(50);
        const fresh = makeSession({ createdAt: clock.at, accessToken: `access.after-${calls}` });
        await keeper.replace(handle, fresh, PLACE, browser.headers);
        return fresh.accessToken;
      });
    };
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, i) => renew(i % 2 === 0 ? one : other)));
    assert.equal(calls, 1);
    assert.deepEqual(new Set(tokens), new Set(['access.after-1']));
  });

  withRedis('a lock of somebody who died is free when its time is over, and nobody frees another’s', async (rig) => {
    const { start, server } = rig;
    const keeper = await start();
    const browser = await signIn(keeper);
    const { handle } = await foundOf(keeper, browser.headers);
    const lock = `${keyOf(browser)}.lock`;
    await server.cli('set', lock, 'of-somebody-who-died', 'PX', '3000');
    const { value, ms } = await timed(() => keeper.once(handle, () => Promise.resolve('done')));
    assert.equal(value, 'done');
    assert.ok(ms >= 300, String(ms));
    assert.equal(await server.cli('exists', lock), '0');
    await keeper.once(handle, async () => {
      await server.cli('set', lock, 'of-another');
    });
    assert.equal(await server.cli('get', lock), 'of-another');
  });

  withRedis('a session that is deleted by hand is gone within ten seconds', async ({ start, server, clock }) => {
    const keeper = await start();
    const browser = await signIn(keeper);
    await until(async () => !((await kindOf(keeper, browser.headers)) === GONE), 'the session');
    await server.cli('del', keyOf(browser));
    clock.advance(10_000);
    assert.equal(await kindOf(keeper, browser.headers), GONE);
  });
});

suite('what Redis holds', () => {
  withRedis('neither the cookie nor anything of the session, for as long as cookie-expire says', async (rig) => {
    const { start, server } = rig;
    const browser = await signIn(await start());
    const [cookie = ''] = browser.cookies.values();
    const keys = (await server.cli('keys', '*')).split('\n').toSorted();
    assert.ok(keys.every((key) => key === keyOf(browser) || new RegExp(`^${NAME}-index-[\\w-]{43}$`).test(key)));
    // The session, and its places among all, those of the person, and those of the provider's session.
    assert.equal(keys.length, 4);
    for (const key of keys) {
      const isSession = key === keyOf(browser);
      const value = isSession ? await server.cli('get', key) : await server.cli('zrange', key, '0', '-1', 'withscores');
      for (const secret of [cookie, 'access.token.1', 'refresh-1', 'ada', 'subject-1', 'sid-1']) {
        assert.ok(!key.includes(secret) && !value.includes(secret));
        for (const part of value.split('.'))
          assert.ok(!Buffer.from(part, 'base64url').toString('latin1').includes(secret));
      }
      const ttlMs = Number(await server.cli('pttl', key)) - (isSession ? 0 : 60_000);
      assert.ok(ttlMs > 168 * HOUR - 10_000 && ttlMs <= 168 * HOUR, String(ttlMs));
    }
  });

  withRedis('an index lasts as long as the last session in it, also where a shorter one comes later', async (rig) => {
    const { start, server, clock } = rig;
    const keeper = await start();
    await signIn(keeper);
    await signIn(keeper, makeSession({ createdAt: clock.at - 160 * HOUR }));
    const indexes = (await server.cli('keys', `${NAME}-index-*`)).split('\n');
    for (const key of indexes) {
      const ttlMs = Number(await server.cli('pttl', key));
      assert.ok(ttlMs > 168 * HOUR, `${key}: ${ttlMs}`);
    }
    clock.advance(10 * HOUR);
    assert.equal((await keeper.desk.list()).length, 1);
    // The next one takes away what is over.
    await signIn(keeper, makeSession({ createdAt: clock.at }));
    assert.equal(await server.cli('zcard', indexes[0] ?? ''), '2');
  });

  withRedis(
    'a Postern that dies between the places and the session leaves nothing that is or could be one',
    async (rig) => {
      const { start, server } = rig;
      const keeper = await start();
      const browser = await signIn(keeper);
      // As after such an end.
      await server.cli('del', keyOf(browser));
      assert.deepEqual(await keeper.desk.list(), []);
      assert.equal(await keeper.desk.revokeByPerson('oidc', 'subject-1'), 0);
      // The other way round there is no session without its places: where they cannot be written, it is not.
      await server.cli('config', 'set', 'maxmemory', '1');
      await assert.rejects(keeper.open(makeSession(), PLACE, browser.headers), { code: 'STORE_UNAVAILABLE' });
      await server.cli('config', 'set', 'maxmemory', '0');
      assert.doesNotMatch(await server.cli('keys', `${NAME}-*`), new RegExp(`${NAME}-[0-9a-f]{64}`));
    },
  );

  withRedis(
    'a value that was moved to another key, cut or exchanged is no session',
    async ({ start, server, clock }) => {
      const keeper = await start();
      const [ada, eve] = [await signIn(keeper), await signIn(keeper, makeSession({ email: 'eve@example.com' }))];
      const value = await server.cli('get', keyOf(ada));
      for (const other of [await server.cli('get', keyOf(eve)), value.slice(0, -2), value.slice(2), 'x', '{}']) {
        await server.cli('set', keyOf(ada), other);
        clock.advance(10_000);
        assert.equal(await kindOf(keeper, ada.headers), GONE);
      }
    },
  );
});

suite('a Redis in trouble', () => {
  test('restarts: unavailable meanwhile, and then everybody is still signed in', { skip }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-redis-'));
    const args = ['--appendonly', 'yes', '--appendfsync', 'always'];
    let server = await startRedis({ dir, args });
    const { port } = server;
    const replicas = createReplicas({ url: `redis://127.0.0.1:${port}` });
    try {
      const keeper = await replicas.start();
      const browser = await signIn(keeper);
      assert.equal(await kindOf(keeper, browser.headers), 'found');
      await server.stop();
      await until(async () => (await kindOf(keeper, browser.headers)) === 'unavailable', 'the outage');
      assert.equal(await keeper.isReady(), false);
      await assert.rejects(keeper.end(browser.headers, PLACE), { code: 'STORE_UNAVAILABLE' });
      await assert.rejects(keeper.open(makeSession(), PLACE, browser.headers), { code: 'STORE_UNAVAILABLE' });
      await assert.rejects(
        keeper.once('x', () => Promise.resolve(1)),
        { code: 'STORE_UNAVAILABLE' },
      );
      server = await startRedis({ port, dir, args });
      await until(() => keeper.isReady(), 'Redis again');
      assert.equal(await kindOf(keeper, browser.headers), 'found');
      await until(() => replicas.log.some((line) => line.startsWith('Redis answers again')), 'the log');
      assert.equal(replicas.log.filter((line) => line.startsWith('Redis does not answer')).length, 1);
    } finally {
      await replicas.close();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('killed in mid-load: found or unavailable, never absent, and never late', { skip }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-redis-'));
    const args = ['--appendonly', 'yes', '--appendfsync', 'always'];
    let server = await startRedis({ dir, args });
    const replicas = createReplicas({ url: `redis://127.0.0.1:${server.port}` });
    try {
      const keepers = [await replicas.start(), await replicas.start()];
      const browsers = await Promise.all(Array.from({ length: 20 }, () => signIn(keepers[0] as SessionKeeper)));
      const kinds = new Map<string, number>();
      let slowest = 0;
      const end = { isOver: false };
      const visit = async (browser: Browser, keeper: SessionKeeper): Promise<void> => {
        while (!end.isOver) {
          const { value, ms } = await timed(() => kindOf(keeper, browser.headers));
          kinds.set(value, (kinds.get(value) ?? 0) + 1);
          slowest = Math.max(slowest, ms);
          // Nothing is trusted for long, so that Redis is asked in all phases.
          replicas.clock.advance(100);
          await wait(2);
        }
      };
      const visits = browsers.map((browser, i) => visit(browser, keepers[i % 2] as SessionKeeper));
      await wait(500);
      server.program.child.kill('SIGKILL');
      await wait(1_000);
      server = await startRedis({ port: server.port, dir, args });
      await until(
        async () => (await kindOf(keepers[0] as SessionKeeper, browsers[0]?.headers ?? never())) === 'found',
        'Redis',
      );
      await wait(300);
      end.isOver = true;
      await Promise.all(visits);
      assert.deepEqual([...kinds.keys()].sort(), ['found', 'unavailable']);
      assert.ok(slowest < BOUNDED_MS, `${slowest} ms`);
      for (const [i, browser] of browsers.entries())
        assert.equal(await kindOf(keepers[i % 2] as SessionKeeper, browser.headers), 'found');
    } finally {
      await replicas.close();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  withRedis('halted: the first waits for a second, the next not at all, and it recovers by itself', async (rig) => {
    const { server, start, clock } = rig;
    const keeper = await start();
    const browser = await signIn(keeper);
    server.program.child.kill('SIGSTOP');
    clock.advance(10_000);
    const first = await timed(() => kindOf(keeper, browser.headers));
    assert.equal(first.value, 'unavailable');
    assert.ok(first.ms < BOUNDED_MS, `${first.ms} ms`);
    const next = await timed(() => kindOf(keeper, browser.headers));
    assert.equal(next.value, 'unavailable');
    assert.ok(next.ms < 900, `${next.ms} ms`);
    assert.equal(await keeper.isReady(), false);
    server.program.child.kill('SIGCONT');
    await until(async () => (await kindOf(keeper, browser.headers)) === 'found', 'Redis again');
  });

  withRedis('halted: what is known is not trusted for long', async ({ server, start }) => {
    const keeper = await start();
    const browser = await signIn(keeper);
    assert.equal(await kindOf(keeper, browser.headers), 'found');
    server.program.child.kill('SIGSTOP');
    await until(async () => (await kindOf(keeper, browser.headers)) === 'unavailable', 'distrust');
    server.program.child.kill('SIGCONT');
  });

  withRedis('without the connection for changes every session is asked for, until it is back', async (rig) => {
    const { server, start } = rig;
    const [one, other] = [await start(), await start()];
    const browser = await signIn(one);
    await kindOf(other, browser.headers);
    await server.cli('client', 'kill', 'type', 'pubsub');
    await one.end(browser.headers, PLACE);
    assert.equal(await kindOf(other, browser.headers), GONE);
    const next = await signIn(one);
    await kindOf(other, next.headers);
    await until(() => !(other.find(next.headers) instanceof Promise), 'the connection for changes');
  });

  test('that is not there at the start is waited for', { skip }, async () => {
    const [port = 0] = await freePorts(1);
    const replicas = createReplicas({ url: `redis://127.0.0.1:${port}` });
    const started = replicas.start();
    await wait(300);
    const server = await startRedis({ port });
    try {
      const keeper = await started;
      assert.equal(await kindOf(keeper, (await signIn(keeper)).headers), 'found');
    } finally {
      await replicas.close();
      await server.stop();
    }
  });
});

suite('ways to Redis', () => {
  const password = 'pass-word/@:%';

  test('by password, and a wrong one is unavailable and not in the log', { skip }, async () => {
    const server = await startRedis({ args: ['--requirepass', password], cliArgs: ['-a', password] });
    const url = `redis://127.0.0.1:${server.port}`;
    const replicas = createReplicas({ url: `redis://:${encodeURIComponent(password)}@127.0.0.1:${server.port}/3` });
    try {
      const keeper = await replicas.start();
      const browser = await signIn(keeper);
      assert.equal(await kindOf(await replicas.start({ url: `${url}/3`, password }), browser.headers), 'found');
      // Another database is another store.
      assert.equal(await kindOf(await replicas.start({ url, password }), browser.headers), GONE);
      const trouble = await troubleWith({ url, password: 'wrong-password' });
      assert.match(trouble, /^Redis does not answer: .*WRONGPASS.*$/);
      assert.ok(!trouble.includes('wrong-password'));
    } finally {
      await replicas.close();
      await server.stop();
    }
  });

  test('by a user with no more rights than are needed, and with none to publish', { skip }, async () => {
    const server = await startRedis();
    const few = [`~${NAME}-*`, '+get', '+set', '+del', '+eval', '+pexpire', '+info'];
    const rights = [...few, '+zadd', '+zrange', '+zrem', '+zremrangebyscore', '+zrevrangebyscore'];
    await server.cli('acl', 'setuser', 'app', 'on', '>pw', `&${NAME}.changes`, '+publish', '+subscribe', ...rights);
    await server.cli('acl', 'setuser', 'mute', 'on', '>pw', 'resetchannels', ...rights);
    await server.cli('acl', 'setuser', 'few', 'on', '>pw', 'resetchannels', ...few);
    try {
      for (const username of ['app', 'mute', 'few']) {
        const url = `redis://127.0.0.1:${server.port}`;
        const replicas = createReplicas({ url, username, password: 'pw' });
        const [one, other] = [await replicas.start(), await replicas.start()];
        const browser = await signIn(one);
        assert.equal(await kindOf(other, browser.headers), 'found');
        if (username === 'few') {
          const remedy = { code: 'STORE_UNAVAILABLE', message: /forbids to index/ };
          await assert.rejects(one.desk.list(), remedy);
          await assert.rejects(other.desk.revokeByProviderSession('oidc', 'sid-1'), remedy);
        } else assert.equal((await other.desk.list()).length, 1);
        const { handle } = await foundOf(one, browser.headers);
        await one.once(handle, async () => {
          await one.replace(handle, makeSession({ createdAt: replicas.clock.at }), PLACE, browser.headers);
        });
        await one.end(browser.headers, PLACE);
        await until(async () => (await kindOf(other, browser.headers)) === GONE, username);
        const said = replicas.log.filter((line) => !line.startsWith('Redis forbids to index sessions'));
        assert.deepEqual(said, []);
        assert.equal(replicas.log.length > 0, username === 'few');
        await replicas.close();
      }
    } finally {
      await server.stop();
    }
  });

  test('by TLS with a CA of one’s own; not without it, but for who asks for that', { skip }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-redis-tls-'));
    const { certificate, key } = makeCertificate(dir, ['localhost']);
    const [tlsPort = 0] = await freePorts(1);
    const tls = ['--tls-port', String(tlsPort), '--tls-cert-file', certificate, '--tls-key-file', key];
    const server = await startRedis({ args: [...tls, '--tls-ca-cert-file', certificate, '--tls-auth-clients', 'no'] });
    const url = `rediss://localhost:${tlsPort}`;
    const replicas = createReplicas({ url, caFile: certificate });
    try {
      const browser = await signIn(await replicas.start());
      assert.equal(await kindOf(await replicas.start({ url, skipTlsVerify: true }), browser.headers), 'found');
      assert.match(await troubleWith({ url }), /^Redis does not answer: .*self-signed certificate.*$/);
      // A certificate for another name does not count either.
      const other = await troubleWith({ url: `rediss://127.0.0.1:${tlsPort}`, caFile: certificate });
      assert.match(other, /^Redis does not answer: .*does not match.*$/);
      // Let go of in the middle of a handshake, the process goes on: an error without a listener would fail this test.
      for (let ms = 0; ms < 30; ms++) {
        const brief = createReplicas({ url, caFile: certificate });
        brief.open();
        await wait(ms);
        await brief.close();
      }
    } finally {
      await replicas.close();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('by a unix socket', { skip }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-redis-'));
    const socket = join(dir, 'redis.sock');
    const server = await startRedis({ args: ['--unixsocket', socket] });
    const replicas = createReplicas({ url: `unix://${socket}` });
    try {
      const keeper = await replicas.start();
      assert.equal(await kindOf(keeper, (await signIn(keeper)).headers), 'found');
    } finally {
      await replicas.close();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('by sentinels: a failover signs nobody out, and sessions go on at the new master', { skip }, async () => {
    const { servers, sentinelPorts, masterName, stop } = await startReplicated(password);
    const urls = sentinelPorts.map((port) => `redis://127.0.0.1:${port}`);
    const replicas = createReplicas({ password, sentinel: { masterName, urls, password: null } });
    try {
      const [one, other] = [await replicas.start(), await replicas.start()];
      const browser = await signIn(one);
      const [master, replica] = servers as [RedisServer, RedisServer];
      await until(async () => (await replica.cli('exists', keyOf(browser))) === '1', 'the replica');
      const kinds = new Set<string>();
      master.program.child.kill('SIGKILL');
      await until(
        async () => {
          for (const keeper of [one, other]) kinds.add(await kindOf(keeper, browser.headers));
          return /role:master/.test(await replica.cli('info', 'replication')) && (await one.isReady());
        },
        'the failover',
        30_000,
      );
      await until(async () => (await kindOf(other, browser.headers)) === 'found', 'the other');
      assert.equal(await kindOf(one, browser.headers), 'found');
      assert.ok(!kinds.has(GONE));
      assert.ok(kinds.has('unavailable'));
      const next = await signIn(other);
      assert.equal(await kindOf(one, next.headers), 'found');
      await one.end(next.headers, PLACE);
      await until(async () => (await kindOf(other, next.headers)) === GONE, 'the end at the other');
    } finally {
      await replicas.close();
      await stop();
    }
  });

  test(
    'by a cluster: a node that dies takes its own sessions along until it is back, and no others',
    { skip },
    async () => {
      const cluster = await startCluster();
      const [first] = cluster.servers as [RedisServer];
      // The rest of the cluster goes on.
      for (const { cli } of cluster.servers) await cli('config', 'set', 'cluster-require-full-coverage', 'no');
      const replicas = createReplicas({ clusterUrls: cluster.servers.map(({ port }) => `redis://127.0.0.1:${port}`) });
      try {
        const [one, other] = [await replicas.start(), await replicas.start()];
        // So many that not all are at one node by chance.
        const browsers = await Promise.all(Array.from({ length: 40 }, () => signIn(one)));
        const isAt = async (browser: Browser): Promise<boolean> =>
          (await first.cli('exists', keyOf(browser)).catch(() => '0')) === '1';
        const places = await Promise.all(browsers.map(isAt));
        assert.ok(places.includes(true) && places.includes(false));
        for (const browser of browsers) assert.equal(await kindOf(other, browser.headers), 'found');
        first.program.child.kill('SIGSTOP');
        replicas.clock.advance(10_000);
        await wait(3_000);
        for (const [i, browser] of browsers.entries()) {
          const { value, ms } = await timed(() => kindOf(other, browser.headers));
          assert.equal(value, places[i] === true ? 'unavailable' : 'found', `session ${i}`);
          assert.ok(ms < BOUNDED_MS, `${ms} ms`);
        }
        first.program.child.kill('SIGCONT');
        for (const browser of browsers)
          await until(async () => (await kindOf(other, browser.headers)) === 'found', 'the node');
      } finally {
        await replicas.close();
        await cluster.stop();
      }
    },
  );
});

function never(): never {
  throw new Error('Cannot go on: there is no browser');
}
