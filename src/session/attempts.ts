/**
 * Slows down password guessing without locking anybody out for good. Delays grow per (account,
 * address) and, more loosely, per account and per address; each has a cap and fades with time.
 * A person at an address that has not failed is only ever held back by the loose limits.
 * Memory is bounded: the least recently used counters go first.
 */
import { canonicaliseName } from './account-name.ts';
import { addressBucket, addressNetwork } from './address-bucket.ts';
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
  /** Counters that are kept. */
  readonly size: number;
}

interface Pace {
  /** Tries that cost no wait. */
  readonly free: number;
  readonly maxDelayMs: number;
}

const FIRST_DELAY_MS = 1_000;
/** A counter without a new failure for so long is forgotten. */
const FADE_MS = 15 * 60_000;
/** Who has signed in from an address is known there for so long: a neighbour behind the same address holds them back no more. */
const KNOWN_MS = 30 * 24 * 3_600_000;
const MAX_ENTRIES = 20_000;
const PAIR: Pace = { free: 5, maxDelayMs: 60_000 };
const ACCOUNT: Pace = { free: 20, maxDelayMs: 30_000 };
const ADDRESS: Pace = { free: 30, maxDelayMs: 60_000 };
/** A subscriber may have 65 536 addresses as IPv6 counts them here: each would be a fresh one. */
const NETWORK_PAIR: Pace = { free: 20, maxDelayMs: 60_000 };
const NETWORK: Pace = { free: 120, maxDelayMs: 60_000 };
/** No account has this name, so all impossible names share one counter. */
const IMPOSSIBLE = '(impossible name)';

interface Counter {
  failures: number;
  lastAt: number;
}

export function createAttempts(deps: AttemptsDeps): Attempts {
  const { clock } = deps;
  const max = deps.maxEntries ?? MAX_ENTRIES;
  const pairs = createCounters(max, PAIR, clock);
  const accounts = createCounters(max, ACCOUNT, clock);
  const addresses = createCounters(max, ADDRESS, clock);
  /** (account, address) pairs that have signed in: crowds elsewhere do not hold them back. */
  const known = createCounters(max, PAIR, clock, KNOWN_MS);

  const networks = createCounters(max, NETWORK, clock);
  const networkPairs = createCounters(max, NETWORK_PAIR, clock);

  const keysOf = (typed: string, ip: string | null): Keys => {
    const account = canonicaliseName(typed) ?? IMPOSSIBLE;
    const address = addressBucket(ip);
    const network = addressNetwork(ip);
    const networkPair = network === null ? null : `${account} ${network}`;
    return { account, address, pair: `${account} ${address}`, network, networkPair };
  };
  /** What counts for more than one pair. */
  const addToAll = ({ account, address, network, networkPair }: Keys, change: number): void => {
    accounts.add(account, change);
    addresses.add(address, change);
    if (network !== null) networks.add(network, change);
    if (networkPair !== null) networkPairs.add(networkPair, change);
  };

  return {
    begin(typed, ip) {
      const keys = keysOf(typed, ip);
      const { account, address, pair, network, networkPair } = keys;
      const isKnown = known.has(pair);
      // The first try from a fresh address is never held back for what others did to the account:
      // else whoever keeps failing from many addresses would lock its owner out.
      const waits = [
        pairs.waitMs(pair),
        isKnown ? 0 : addresses.waitMs(address),
        isKnown || network === null ? 0 : networks.waitMs(network),
        isKnown || networkPair === null ? 0 : networkPairs.waitMs(networkPair),
        isKnown || !pairs.has(pair) ? 0 : accounts.waitMs(account),
      ];
      const retryAfterMs = Math.max(...waits);
      if (retryAfterMs > 0) return { kind: 'wait', retryAfterMs };
      pairs.add(pair, 1);
      addToAll(keys, 1);
      return { kind: 'go' };
    },
    succeed(typed, ip) {
      const keys = keysOf(typed, ip);
      const { pair } = keys;
      const own = pairs.failures(pair);
      pairs.forget(pair);
      // Only what this pair has failed is forgiven: a guesser's own account buys no new tries.
      addToAll(keys, -own);
      known.add(pair, 1);
    },
    cancel(typed, ip) {
      const keys = keysOf(typed, ip);
      pairs.add(keys.pair, -1);
      addToAll(keys, -1);
    },
    get size() {
      return [pairs, accounts, addresses, networks, networkPairs, known].reduce((sum, { size }) => sum + size, 0);
    },
  };
}

interface Keys {
  readonly account: string;
  readonly address: string;
  readonly pair: string;
  /** What an address of IPv6 is a part of; null for others. */
  readonly network: string | null;
  readonly networkPair: string | null;
}

interface Counters {
  has(key: string): boolean;
  failures(key: string): number;
  /** How long this key must wait now; 0: go. */
  waitMs(key: string): number;
  add(key: string, change: number): void;
  forget(key: string): void;
  readonly size: number;
}

function createCounters(max: number, pace: Pace, clock: Clock, fadeMs: number = FADE_MS): Counters {
  /** In the order of last use, oldest first. */
  const counters = new Map<string, Counter>();
  const live = (key: string): Counter | null => {
    const counter = counters.get(key);
    if (counter === undefined) return null;
    // A clock that was set back makes no wait longer.
    counter.lastAt = Math.min(counter.lastAt, clock.now());
    if (clock.now() - counter.lastAt < fadeMs) return counter;
    counters.delete(key);
    return null;
  };
  return {
    has: (key) => live(key) !== null,
    failures: (key) => live(key)?.failures ?? 0,
    waitMs(key) {
      const counter = live(key);
      if (counter === null || counter.failures < pace.free) return 0;
      const delayMs = Math.min(FIRST_DELAY_MS * 2 ** Math.min(counter.failures - pace.free, 20), pace.maxDelayMs);
      return Math.max(0, counter.lastAt + delayMs - clock.now());
    },
    add(key, change) {
      const counter = live(key);
      const failures = (counter?.failures ?? 0) + change;
      const lastAt = change > 0 ? clock.now() : (counter?.lastAt ?? 0);
      counters.delete(key);
      if (failures <= 0) return;
      counters.set(key, { failures, lastAt });
      if (counters.size > max) counters.delete(counters.keys().next().value as string);
    },
    forget(key) {
      counters.delete(key);
    },
    get size() {
      return counters.size;
    },
  };
}
