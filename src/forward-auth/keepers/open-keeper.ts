/** Opens the keeper that the settings name, with the store that it needs. What only one of them needs is loaded with it. */
import { openMemoryStore, openStore } from '../../store/sqlite.ts';
import { createEmbeddedKeeper } from './embedded-keeper.ts';
import { withOriginalSessions } from './original/original-sessions.ts';
import { Revocations } from './revocations.ts';
import { createStatelessKeeper } from './stateless-keeper.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { Store } from '../../store/sqlite.ts';
import type { StoreSettings } from '../settings.ts';
import type { DeskKeeper } from './session-desk.ts';
import type { KeySettings } from './session-key.ts';

export interface KeeperDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Null: what the embedded store keeps is in memory, and ends with the process. */
  readonly dataDir: string | null;
}

export type KeeperSettings = KeySettings & { readonly store: StoreSettings };

/** Its `close` closes the store too. Rejects where the data folder cannot be used; an unreachable Redis is waited for. */
export async function openKeeper(settings: KeeperSettings, deps: KeeperDeps): Promise<DeskKeeper> {
  const { store } = settings;
  if (store.kind === 'redis') {
    const { createRedisKeeper } = await import('./redis-keeper.ts');
    return createRedisKeeper(settings, { ...deps, redis: store.redis });
  }
  const { dataDir } = deps;
  const kept = dataDir === null ? openMemoryStore() : openStore(dataDir);
  try {
    return await openOn(kept, settings, deps.clock);
  } catch (error) {
    kept.close();
    throw error;
  }
}

async function openOn(store: Store, settings: KeeperSettings, clock: Clock): Promise<DeskKeeper> {
  const revocations = await Revocations.open(store.revocations, { clock, settings });
  const own =
    settings.store.kind === 'stateless'
      ? createStatelessKeeper(settings, { isMinimal: settings.store.isMinimal, clock, revocations })
      : createEmbeddedKeeper(settings, { store, clock });
  const keeper = withOriginalSessions(own, { settings, clock, revocations });
  return {
    ...keeper,
    async close() {
      await keeper.close();
      store.close();
    },
  };
}
