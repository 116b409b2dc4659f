/** Keepers of several Posterns on one Redis, with a clock of their own and a log that is kept. */
import { createRedisKeeper } from '../../../src/forward-auth/keepers/redis-keeper.ts';
import { FakeClock, FakeSecret, makeSettings, redisSettings } from '../../../src/forward-auth/keepers/_keeper-rig.ts';
import { until } from '../../support/programs.ts';
import type { Logger } from '../../../src/core/log.ts';
import type { DeskKeeper } from '../../../src/forward-auth/keepers/session-desk.ts';
import type { RedisSettings } from '../../../src/forward-auth/settings.ts';

export interface Replicas {
  readonly clock: FakeClock;
  readonly log: string[];
  readonly open: (redis?: Partial<RedisSettings>) => DeskKeeper;
  /** Another Postern; waits until it is ready. */
  readonly start: (redis?: Partial<RedisSettings>) => Promise<DeskKeeper>;
  readonly close: () => Promise<void>;
}

/** What the log says of a Redis that cannot be used. */
export async function troubleWith(redis: Partial<RedisSettings>): Promise<string> {
  const replicas = createReplicas(redis);
  try {
    replicas.open();
    await until(() => replicas.log.length > 0, 'the log');
    await new Promise((done) => {
      setTimeout(done, 1_000);
    });
    return replicas.log.join('\n');
  } finally {
    await replicas.close();
  }
}

export function createReplicas(redis: Partial<RedisSettings>): Replicas {
  const clock = new FakeClock();
  const secret = new FakeSecret();
  const log: string[] = [];
  const keepers: DeskKeeper[] = [];
  const note = (facts: object, message: string): void => void log.push(`${message} ${JSON.stringify(facts)}`);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const open = (over = redis): DeskKeeper => {
    const deps = { redis: redisSettings(over), clock, log: logger };
    const keeper = createRedisKeeper(makeSettings({ secret }), deps);
    keepers.push(keeper);
    return keeper;
  };
  return {
    clock,
    log,
    open,
    async start(over = redis) {
      const keeper = open(over);
      await until(() => keeper.isReady(), 'Redis');
      return keeper;
    },
    async close() {
      for (const keeper of keepers) await keeper.close();
    },
  };
}
