import { after, before } from 'node:test';
import { silentLogger } from '../../core/log.ts';
import { skipWithout } from '../../../test/support/peers.ts';
import { until } from '../../../test/support/programs.ts';
import { startCluster, startRedis } from '../../../test/support/redis.ts';
import { keeperContract } from './_keeper-contract.ts';
import { FakeClock, FakeSecret, makeSettings, redisSettings } from './_keeper-rig.ts';
import { createRedisKeeper } from './redis-keeper.ts';
import type { RedisCluster, RedisServer } from '../../../test/support/redis.ts';
import type { SessionKeeper } from '../ports.ts';
import type { RedisSettings } from '../settings.ts';
import type { KeeperRig } from './_keeper-contract.ts';
import type { SettingsOver } from './_keeper-rig.ts';

const skip = skipWithout('redis-server', 'redis-cli');

async function open(redis: Partial<RedisSettings>, over: SettingsOver = {}): Promise<KeeperRig> {
  const clock = new FakeClock();
  const secret = over.secret ?? new FakeSecret();
  const keepers: SessionKeeper[] = [];
  const start = async (more: SettingsOver = {}): Promise<SessionKeeper> => {
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
  skip,
  open: (over) => open({ url: `redis://127.0.0.1:${server.port}` }, over),
});
keeperContract({
  name: 'Redis cluster',
  revokesEverywhere: true,
  skip,
  open: (over) => open({ clusterUrls: cluster.servers.map(({ port }) => `redis://127.0.0.1:${port}`) }, over),
});
