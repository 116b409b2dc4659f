/** Opens the keeper that the settings name, with the store that it needs. What only one of them needs is loaded with it. */
import { openMemoryStore, openStore } from '../../store/sqlite.ts';
import { createEmbeddedKeeper } from './embedded-keeper.ts';
import { withOriginalSessions } from './original/original-sessions.ts';
import { createStatelessKeeper } from './stateless-keeper.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { Sessions } from '../../session/sessions.ts';
import type { SessionKeeper } from '../ports.ts';
import type { StoreSettings } from '../settings.ts';
import type { KeySettings } from './session-key.ts';

export interface OpenedKeeper {
  /** Its `close` closes the store too. */
  readonly keeper: SessionKeeper;
  /** For `postern sessions` and back-channel logout; null where sessions are not Postern's to list. */
  readonly sessions: Sessions | null;
}

export interface KeeperDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Null: sessions of the embedded store live in memory, and end with the process. */
  readonly dataDir: string | null;
}

export type KeeperSettings = KeySettings & { readonly store: StoreSettings };

/** Rejects where the data folder cannot be used; an unreachable Redis is waited for. */
export async function openKeeper(settings: KeeperSettings, deps: KeeperDeps): Promise<OpenedKeeper> {
  const { store } = settings;
  if (store.kind === 'stateless') {
    const { isMinimal } = store;
    const sealed = createStatelessKeeper(settings, { isMinimal, clock: deps.clock });
    return { keeper: withOriginalSessions(sealed, settings, deps.clock), sessions: null };
  }
  if (store.kind === 'redis') {
    const { createRedisKeeper } = await import('./redis-keeper.ts');
    return { keeper: createRedisKeeper(settings, { ...deps, redis: store.redis }), sessions: null };
  }
  return openEmbedded(settings, deps);
}

function openEmbedded(settings: KeeperSettings, { dataDir, clock }: KeeperDeps): OpenedKeeper {
  const store = dataDir === null ? openMemoryStore() : openStore(dataDir);
  const { sessions, ...keeper } = createEmbeddedKeeper(settings, { store, clock });
  return {
    sessions,
    keeper: {
      ...withOriginalSessions(keeper, settings, clock),
      async close() {
        await keeper.close();
        store.close();
      },
    },
  };
}
