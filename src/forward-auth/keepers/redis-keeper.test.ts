import { after, before } from 'node:test';
import { silentLogger } from '../../core/log.ts';
import { skipWithout } from '../../../test/support/peers.ts';
import { until } from '../../../test/support/programs.ts';
import { startCluster, startRedis } from '../../../test/support/redis.ts';
import { keeperContract } from './_keeper-contract.ts';
import { FakeClock, FakeSecret, makeSettings, redisSettings } from './_keeper-rig.ts';
import { createRedisKeeper } from './redis-keeper.ts';
import type { RedisCluster, RedisServer } from '../../../test/support/redis.ts';
import type { RedisSettings } from '../settings.ts';
import type { KeeperRig } from './_keeper-promises.ts';
import type { SettingsOver } from './_keeper-rig.ts';
import type { DeskKeeper } from './session-desk.ts';

const skip = skipWithout('redis-server', 'redis-cli');

async function open(
  servers: readonly RedisServer[],
  redis: Partial<RedisSettings>,
  over: SettingsOver = {},
): Promise<KeeperRig> {
  // Of the test before.
  for (const one of servers) await one.cli('flushall');
  const clock = new FakeClock();
  const secret = over.secret ?? new FakeSecret();
  const keepers: DeskKeeper[] = [];
  const start = async (more: SettingsOver = {}): Promise<DeskKeeper> => {
    const deps = { redis: redisSettings(redis), clock, log: silentLogger };
    const keeper = createRedisKeeper(makeSettings({ ...over, secret, ...more }), deps);
    keepers.push(keeper);
    await until(() => keeper.isReady(), 'Redis');
    return keeper;
  };
  return {
    keeper: await start(),
    clock,
    secret,
    restart: start,
    async close() {
      for (const keeper of keepers) await keeper.close();
    },
  };
}

let server: RedisServer;
let cluster: RedisCluster;
if (skip === false) {
  before(async () => {
    [server, cluster] = await Promise.all([startRedis(), startCluster()]);
  });
  after(async () => {
    await Promise.all([server.stop(), cluster.stop()]);
  });
}

keeperContract({
  name: 'Redis',
  revokesEverywhere: true,
  hearsEverywhere: true,
  skip,
  open: (over) => open([server], { url: `redis://127.0.0.1:${server.port}` }, over),
});
keeperContract({
  name: 'Redis cluster',
  revokesEverywhere: true,
  hearsEverywhere: true,
  skip,
  open: (over) =>
    open(cluster.servers, { clusterUrls: cluster.servers.map(({ port }) => `redis://127.0.0.1:${port}`) }, over),
});
