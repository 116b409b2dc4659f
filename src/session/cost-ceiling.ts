/**
 * How much hashing one address may ask for: a purse of thread time that refills slowly, and few jobs
 * at once. bcrypt with cost 14 takes a second; without this, one address could keep everybody else out.
 */
import { addressBucket } from './address-bucket.ts';

/** Thread time that an address may spend at once. */
const PURSE_MS = 20_000;
/** Thread time an address earns per millisecond. */
const REFILL = 0.25;
const JOBS_AT_ONCE = 4;
const MAX_PEERS = 10_000;

interface Purse {
  leftMs: number;
  at: number;
  jobs: number;
}

export interface CostCeiling {
  /** False: this address has had its share. Else `leave` must follow. */
  enter(peer: string): boolean;
  leave(peer: string, spentMs: number): void;
}

/** `now` in milliseconds, of a clock that never goes back. */
export function createCostCeiling(now: () => number): CostCeiling {
  const purses = new Map<string, Purse>();

  function purseOf(peer: string): Purse {
    const key = addressBucket(peer);
    const old = purses.get(key);
    const at = now();
    const purse = old ?? { leftMs: PURSE_MS, at, jobs: 0 };
    purse.leftMs = Math.min(PURSE_MS, purse.leftMs + (at - purse.at) * REFILL);
    purse.at = at;
    purses.delete(key);
    purses.set(key, purse);
    if (purses.size > MAX_PEERS) forgetOldest();
    return purse;
  }

  function forgetOldest(): void {
    for (const [key, purse] of purses) {
      // One that still has a job would be let in again with a full purse.
      if (purse.jobs > 0) continue;
      purses.delete(key);
      return;
    }
  }

  return {
    enter(peer) {
      const purse = purseOf(peer);
      if (purse.jobs >= JOBS_AT_ONCE || purse.leftMs <= 0) return false;
      purse.jobs++;
      return true;
    },
    leave(peer, spentMs) {
      const purse = purseOf(peer);
      purse.jobs = Math.max(0, purse.jobs - 1);
      purse.leftMs -= spentMs;
    },
  };
}
