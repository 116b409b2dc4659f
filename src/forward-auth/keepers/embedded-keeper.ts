/** The default: sessions in Postern's own store, behind an opaque cookie. */
import { setImmediate } from 'node:timers/promises';
import { createSealKey } from '../../session/seal.ts';
import { createSessions } from '../../session/sessions.ts';
import { createEmbeddedVault } from './embedded-vault.ts';
import { createHeardHere } from './heard-here.ts';
import { createOpaqueKeeper } from './opaque-keeper.ts';
import { authorityOf, createSessionKey } from './session-key.ts';
import type { Clock } from '../../core/clock.ts';
import type { SessionStore } from '../../core/session-store.ts';
import type { Sessions } from '../../session/sessions.ts';
import type { DeskKeeper, ListedSession, SessionDesk } from './session-desk.ts';
import type { KeySettings } from './session-key.ts';

export interface EmbeddedKeeperDeps {
  readonly store: {
    readonly sessions: SessionStore;
    /** Of the data folder; a copy of the database and the cookie secret open nothing without it. */
    readonly sealKey: Uint8Array;
  };
  readonly clock: Clock;
}

/** Some 5 ms of unsealing. */
const PAGE = 100;

export interface EmbeddedKeeper extends DeskKeeper {
  readonly sessions: Sessions;
}

export function createEmbeddedKeeper(settings: KeySettings, { store, clock }: EmbeddedKeeperDeps): EmbeddedKeeper {
  const { cookie, provider } = settings;
  // Who it is of can be read with the data folder alone, so that `postern sessions` works while nothing runs. What
  // a request needs is sealed under the cookie secret too.
  const sealKey = createSealKey(store.sealKey);
  const grantKey = createSessionKey(settings, store.sealKey);
  // Each session says by itself when it ends, and the original knows no idle time.
  const limits = { lifetimeMs: Number.POSITIVE_INFINITY, idleMs: Number.POSITIVE_INFINITY };
  const sessions = createSessions({ store: store.sessions, clock, sealKey, grantKey, limits: () => limits });
  const vault = createEmbeddedVault({ sessions, provider: provider.kind, authority: authorityOf(provider) });
  const keeper = createOpaqueKeeper({ vault, cookie, clock, followSecret: grantKey.follow });
  return { ...keeper, sessions, desk: createDesk(sessions), logouts: createHeardHere(settings, clock) };
}

function createDesk(sessions: Sessions): SessionDesk {
  return {
    list: () => listOpenable(sessions),
    revoke: (key) => sessions.revoke(key),
    revokeByPerson: (of, subject) => sessions.revokeByPerson(of, subject),
    revokeByProviderSession: (of, id) => sessions.revokeByProviderSession(of, id),
    revokeUnnamed: (of, subject) => sessions.revokeUnnamed(of, subject),
    revokeUnseen: null,
  };
}

/** Without those of another cookie secret, which let nobody in. */
async function listOpenable(sessions: Sessions): Promise<readonly ListedSession[]> {
  const open: ListedSession[] = [];
  for (const [i, one] of (await sessions.list()).entries()) {
    if ((await sessions.findGrant(one.key)) !== undefined) open.push(one);
    if (i % PAGE === PAGE - 1) await setImmediate();
  }
  return open;
}
