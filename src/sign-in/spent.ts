/**
 * Remembers what works once until it is too old anyway. Bounded: where it is full, nothing more is
 * taken, which makes people try again rather than lets a replay pass.
 */
import type { Clock } from '../core/clock.ts';

const MAX_ENTRIES = 50_000;

export interface Spent {
  /** True for the first caller with this text; it must not be worth anything after `until`. */
  readonly take: (text: string, until: number) => boolean;
  readonly has: (text: string) => boolean;
}

export function createSpent(clock: Clock): Spent {
  const known = new Map<string, number>();
  return {
    has: (text) => known.has(text),
    take(text, until) {
      const now = clock.now();
      if (known.has(text)) return false;
      for (const [old, end] of known) {
        if (end > now) break;
        known.delete(old);
      }
      if (known.size >= MAX_ENTRIES) return false;
      known.set(text, until);
      return true;
    },
  };
}
