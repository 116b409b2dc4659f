/** Ends and deletes what is over: sessions by their times, codes, and what need not be remembered as used any more. */
import type { Clock } from '../core/clock.ts';
import type { SessionStore, SignInSelector } from '../core/session-store.ts';
import type { Touches } from './touches.ts';

export interface SweepDeps {
  readonly store: Pick<SessionStore, 'deleteExpiredCodes' | 'deleteSpent'>;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly limits: () => { readonly lifetimeMs: number; readonly idleMs: number };
  readonly touches: Pick<Touches, 'flush'>;
  /** Deletes sessions, and tells. */
  readonly end: (selector: SignInSelector) => Promise<number>;
}

/** Rejects where the store cannot be written; the next sweep does the rest. */
export async function sweep({ store, clock, limits, touches, end }: SweepDeps): Promise<void> {
  const now = clock.now();
  await touches.flush(now);
  const { lifetimeMs, idleMs } = limits();
  await end({ by: 'expiry', expiredAt: now, idleSince: now - idleMs });
  // What a shorter lifetime has ended must not come back with a longer one.
  await end({ by: 'age', openedUntil: now - lifetimeMs });
  await store.deleteExpiredCodes(now);
  await store.deleteSpent(now);
}
