/**
 * Slows down guessing of what comes after a password, per account and whatever the address. A few tries
 * are free, then each costs a growing wait with a cap. Memory is bounded: the oldest counters go first.
 */
import type { Clock } from '../core/clock.ts';

const FREE = 5;
const FIRST_DELAY_MS = 2_000;
const MAX_DELAY_MS = 15 * 60_000;
/** A counter without a new failure for so long is forgotten. */
const FADE_MS = 24 * 3_600_000;
const MAX_COUNTERS = 20_000;

export interface GuessLimit {
  /** 0: go, and the try counts as failed until `succeed`; else how long to wait. */
  begin(key: string): number;
  succeed(key: string): void;
}

export function createGuessLimit(clock: Clock): GuessLimit {
  const counters = new Map<string, { readonly failures: number; lastAt: number }>();
  return {
    begin(key) {
      const now = clock.now();
      const before = counters.get(key);
      // A clock that was set back makes no wait longer.
      if (before !== undefined) before.lastAt = Math.min(before.lastAt, now);
      const failures = before === undefined || now - before.lastAt > FADE_MS ? 0 : before.failures;
      const delayMs = failures < FREE ? 0 : Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures - FREE, 20), MAX_DELAY_MS);
      const waitMs = before === undefined ? 0 : before.lastAt + delayMs - now;
      if (delayMs > 0 && waitMs > 0) return waitMs;
      counters.delete(key);
      counters.set(key, { failures: failures + 1, lastAt: now });
      if (counters.size > MAX_COUNTERS) counters.delete(counters.keys().next().value as string);
      return 0;
    },
    succeed(key) {
      counters.delete(key);
    },
  };
}
