/** The default: sessions in Postern's own store, behind an opaque cookie. */
import { createSessions } from '../../session/sessions.ts';
import { createEmbeddedVault } from './embedded-vault.ts';
import { createOpaqueKeeper } from './opaque-keeper.ts';
import { authorityOf, createSessionKey } from './session-key.ts';
import type { Clock } from '../../core/clock.ts';
import type { SessionStore } from '../../core/session-store.ts';
import type { Sessions } from '../../session/sessions.ts';
import type { SessionKeeper } from '../ports.ts';
import type { KeySettings } from './session-key.ts';

export interface EmbeddedKeeperDeps {
  readonly store: {
    readonly sessions: SessionStore;
    /** Of the data folder; a copy of the database and the cookie secret open nothing without it. */
    readonly sealKey: Uint8Array;
  };
  readonly clock: Clock;
}

export interface EmbeddedKeeper extends SessionKeeper {
  /** For `postern sessions`, and back-channel logout. */
  readonly sessions: Sessions;
}

export function createEmbeddedKeeper(settings: KeySettings, { store, clock }: EmbeddedKeeperDeps): EmbeddedKeeper {
  const { cookie, provider } = settings;
  const sealKey = createSessionKey(settings, store.sealKey);
  // Each session says by itself when it ends, and the original knows no idle time.
  const limits = { lifetimeMs: Number.POSITIVE_INFINITY, idleMs: Number.POSITIVE_INFINITY };
  const sessions = createSessions({ store: store.sessions, clock, sealKey, limits: () => limits });
  const vault = createEmbeddedVault({ sessions, provider: provider.kind, authority: authorityOf(provider) });
  const keeper = createOpaqueKeeper({ vault, cookie, clock, followSecret: sealKey.follow });
  return { ...keeper, sessions };
}
