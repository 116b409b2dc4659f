import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createTimeLimit } from '../../../test/support/time-limit.ts';
import { silentLogger } from '../../core/log.ts';
import { redisSettings } from './_keeper-rig.ts';
import { startMasterTwin, startSentinelTwin } from './_sentinel-twin.ts';
import { RedisLink } from './redis-link.ts';
import { planRedis } from './redis-options.ts';

const LIMIT_MS = 20_000;

test('RedisLink comes back when a failover is told while a sentinel is asked who the master is', async () => {
  const [old, fresh] = [await startMasterTwin(), await startMasterTwin()];
  const sentinel = await startSentinelTwin(old.port);
  const urls = [`redis://127.0.0.1:${sentinel.port}`];
  const link = new RedisLink({
    plan: planRedis(redisSettings({ sentinel: { masterName: 'main', urls, password: null } })),
    channel: 'changes',
    probe: 'probe',
    onMessage: () => {},
    log: silentLogger,
  });
  try {
    await until(async () => (await link.isReady()) && link.hears(), 'the first master');
    // Both connections listen for a failover.
    await until(() => sentinel.listeners() === 2, 'the listening');
    sentinel.failOver(fresh.port);
    await old.close();
    await until(async () => (await link.isReady()) && link.hears(), 'the new master');
  } finally {
    await link.close();
    for (const twin of [old, fresh, sentinel]) await twin.close();
  }
});

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const isOver = createTimeLimit(LIMIT_MS);
  while (!(await isSo())) {
    assert.ok(!isOver(), `${what} within ${LIMIT_MS} ms`);
    await wait(20);
  }
}
