/**
 * Slows down password guessing without locking anybody out for good. Delays grow per (account,
 * address) and, more loosely, per account and per address; each has a cap and fades with time.
 * A person at an address that has not failed is only ever held back by the loose limits.
 * Memory is bounded: the least recently used counters go first.
 */
import type { Clock } from '../core/clock.ts';

export interface AttemptsDeps {
  readonly clock: Clock;
  /** Counters of each kind that are kept at most. */
  readonly maxEntries?: number;
}

export type AttemptAnswer = { readonly kind: 'go' } | { readonly kind: 'wait'; readonly retryAfterMs: number };

export interface Attempts {
  /** Ask before a password is checked. `go` counts the try as failed until `succeed` takes it back. */
  begin(account: string, ip: string | null): AttemptAnswer;
  /** The password was right: forgets the failures of this account at this address. */
  succeed(account: string, ip: string | null): void;
  /** Nothing was checked after all (busy): takes the try back. */
  cancel(account: string, ip: string | null): void;
}
