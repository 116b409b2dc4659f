/** Sessions in a Redis that restarts, is killed, halts, or is not there: unavailable is never absent. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { kindOf, makeSession, PLACE, signIn } from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import { freePorts } from '../../support/free-ports.ts';
import { until } from '../../support/programs.ts';
import { startRedis } from '../../support/redis.ts';
import { createReplicas } from './_replicas.ts';
import type { Browser } from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import type { SessionKeeper } from '../../../src/forward-auth/ports.ts';
import { skip, GONE, BOUNDED_MS, wait, withRedis, timed, never } from './_redis-rig.ts';

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
    // Whoever waits for Redis waits a second each time; a busy machine does not hold up all of them.
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const next = await timed(() => kindOf(keeper, browser.headers));
      assert.equal(next.value, 'unavailable');
      times.push(next.ms);
    }
    assert.ok(Math.min(...times) < 900, `${times.join(', ')} ms`);
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
