/** Ways to Redis: passwords, users with few rights, TLS, sockets, sentinels, a cluster. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { makeCertificate } from '../../../bench/support/certificate.ts';
import { foundOf, kindOf, makeSession, NAME, PLACE, signIn } from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import { freePorts } from '../../support/free-ports.ts';
import { until } from '../../support/programs.ts';
import { startCluster, startRedis, startReplicated } from '../../support/redis.ts';
import { createReplicas, troubleWith } from './_replicas.ts';
import type { Browser } from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import type { RedisServer } from '../../support/redis.ts';
import { skip, GONE, BOUNDED_MS, wait, keyOf, timed } from './_redis-rig.ts';

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

  test('what needs a command that the user has not is told with the remedy, and is no outage', { skip }, async () => {
    const server = await startRedis();
    const rights = [`~${NAME}-*`, `&${NAME}.changes`, '+@all', '-eval'];
    await server.cli('acl', 'setuser', 'app', 'on', '>pw', ...rights);
    const replicas = createReplicas({ url: `redis://127.0.0.1:${server.port}`, username: 'app', password: 'pw' });
    try {
      const keeper = await replicas.start();
      const browser = await signIn(keeper);
      assert.equal(await kindOf(keeper, browser.headers), 'found');
      const heard = keeper.logouts.hear({ subject: 'subject-1', providerSession: null, issuedAt: replicas.clock.at });
      await assert.rejects(heard, { code: 'STORE_UNAVAILABLE', message: /'eval'.*; allow its user .*sessions\.md/ });
      await assert.rejects(keeper.desk.revokeByPerson('oidc', 'subject-1'), { message: /forbids to index/ });
      const { handle } = await foundOf(keeper, browser.headers);
      await keeper.once(handle, async () => undefined);
      assert.equal(await kindOf(keeper, browser.headers), 'found');
      const said = new Set(replicas.log.map((line) => line.split(':', 1)[0]));
      assert.deepEqual(said, new Set(['Redis forbids to index sessions', 'Redis forbids what sessions need']));
      assert.equal(replicas.log.length, 2, 'each is said once');
    } finally {
      await replicas.close();
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
    const { servers, sentinelPorts, masterName, log, stop } = await startReplicated(password);
    const urls = sentinelPorts.map((port) => `redis://127.0.0.1:${port}`);
    const replicas = createReplicas({ password, sentinel: { masterName, urls, password: null } });
    try {
      const [one, other] = [await replicas.start(), await replicas.start()];
      const browser = await signIn(one);
      const [master, replica] = servers as [RedisServer, RedisServer];
      await until(async () => (await replica.cli('exists', keyOf(browser))) === '1', 'the replica');
      const kinds = new Set<string>();
      master.program.child.kill('SIGKILL');
      const look = async (): Promise<void> => {
        for (const keeper of [one, other]) kinds.add(await kindOf(keeper, browser.headers));
      };
      const isPromoted = async (): Promise<boolean> => {
        await look();
        return /role:master/.test(await replica.cli('info', 'replication'));
      };
      await until(isPromoted, () => `the promotion of the replica ${replica.port}\n${log()}`, 90_000);
      const areBack = async (): Promise<boolean> => {
        await look();
        return (await one.isReady()) && (await other.isReady());
      };
      await until(areBack, () => `the keepers at the new master\n${replicas.log.join('\n')}\n${log()}`);
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
