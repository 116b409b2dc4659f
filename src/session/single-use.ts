/**
 * What works once: the state of a sign-in at a provider, a logout token, a passkey's challenge. Kept in the
 * store until it is too old to work anyway, so that neither a second try nor one after a restart counts.
 * Only what worked is kept: of what does not work nobody can bring so much that others find no room.
 */
import { hash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { SessionStore } from '../core/session-store.ts';

export type SingleUseKind = 'flow' | 'logout' | 'passkey';

interface Room {
  readonly most: number;
  /** Of one owner, in the time that it is kept for. */
  readonly share: number;
}

/** A state is the person's whom it signed in, a logout token its provider's, a challenge the passkey's owner's. */
const ROOM: Readonly<Record<SingleUseKind, Room>> = {
  flow: { most: 200_000, share: 2_000 },
  logout: { most: 50_000, share: 25_000 },
  passkey: { most: 50_000, share: 500 },
};

export interface SpendOptions {
  /** It must not be worth anything after that. */
  readonly until: number;
  /** Who has used it: nobody may use so many that others have to wait. */
  readonly owner: string;
}

export interface SingleUse {
  /** True, durably, for the first caller with this text. False, too, where there is no room for it. */
  spend(use: SingleUseKind, text: string, options: SpendOptions): Promise<boolean>;
  wasSpent(use: SingleUseKind, text: string): Promise<boolean>;
}

export function createSingleUse(store: Pick<SessionStore, 'spend' | 'wasSpent'>, clock: Clock): SingleUse {
  const keyOf = (text: string): string => hash('sha256', text, 'base64url');
  const shares = createShares(clock);
  return {
    async spend(use, text, { until, owner }) {
      const { most, share } = ROOM[use];
      return shares.take(`${use} ${owner}`, share, until) && store.spend(use, keyOf(text), { until, most });
    },
    wasSpent: (use, text) => store.wasSpent(use, keyOf(text)),
  };
}

/** Counted in memory: a restart forgets who has used how much, and what the store holds stays bounded all the same. */
function createShares(clock: Clock): { take(owner: string, share: number, until: number): boolean } {
  /** In the order in which they began. */
  const counts = new Map<string, { used: number; readonly until: number }>();
  const live = (owner: string): { used: number } | undefined => {
    const found = counts.get(owner);
    if (found !== undefined && found.until > clock.now()) return found;
    counts.delete(owner);
    return undefined;
  };
  return {
    take(owner, share, until) {
      const found = live(owner);
      if (found !== undefined) return found.used < share && ++found.used > 0;
      const now = clock.now();
      for (const [old, { until: end }] of counts) {
        if (end > now) break;
        counts.delete(old);
      }
      counts.set(owner, { used: 1, until });
      return true;
    },
  };
}
