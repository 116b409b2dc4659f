/** Sessions in Redis or Valkey, behind an opaque cookie. */
import { createOpaqueKeeper } from './opaque-keeper.ts';
import { RedisLink } from './redis-link.ts';
import { planRedis } from './redis-options.ts';
import { createRedisVault } from './redis-vault.ts';
import { createSessionKey } from './session-key.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { RedisSettings } from '../settings.ts';
import type { DeskKeeper } from './session-desk.ts';
import type { KeySettings } from './session-key.ts';

/** No salt: replicas share nothing but the settings and Redis. */
const NO_SALT = Buffer.alloc(0);

const UNLISTED =
  'Redis forbids to index sessions: "postern sessions" and back-channel logout do not work until its user may (docs/forward-auth/sessions.md)';

export interface RedisKeeperDeps {
  readonly redis: RedisSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Throws for settings that cannot be used. A Redis that is away is waited for, `unavailable` meanwhile. */
export function createRedisKeeper(settings: KeySettings, { redis, clock, log }: RedisKeeperDeps): DeskKeeper {
  const { cookie, provider } = settings;
  const sealKey = createSessionKey(settings, NO_SALT);
  const plan = planRedis(redis);
  const channel = `${cookie.name}.changes`;
  const vault = createRedisVault({
    link: (onMessage) => new RedisLink({ plan, channel, probe: `${cookie.name}-ready`, onMessage, log }),
    sealKey,
    clock,
    prefix: cookie.name,
    provider: provider.kind,
    onForbidden: (reason) => log.warn({ code: 'STORE_UNAVAILABLE', reason }, UNLISTED),
  });
  const keeper = createOpaqueKeeper({ vault, cookie, clock, followSecret: sealKey.follow });
  return { ...keeper, desk: vault.desk, logouts: vault.logouts };
}
