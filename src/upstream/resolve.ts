/**
 * Names of apps to addresses. An answer is fresh for a few seconds, then still used while a new one
 * is fetched behind it: containers are recreated under the same name. A connection that failed makes
 * the next caller ask again at once. Never asks twice for a name at the same time.
 */
import { lookup } from 'node:dns';
import type { Clock } from '../core/clock.ts';

/** All addresses of a name in the order to try. */
export type Lookup = (host: string, done: (error: Error | null, addresses: readonly string[]) => void) => void;
export type Resolved = (error: Error | null, addresses: readonly string[]) => void;

const FRESH_MS = 5_000;
/** As long as a failing name server is bridged with an old answer. */
const USABLE_MS = 60_000;
const FAILURE_MS = 1_000;
const MAX_NAMES = 1_000;

interface Entry {
  addresses: readonly string[];
  /** When `addresses` was learnt; -Infinity: to be asked again. */
  learntAt: number;
  error: Error | null;
  failedAt: number;
  waiting: Resolved[] | null;
}

export class Resolver {
  readonly #clock: Clock;
  readonly #lookup: Lookup;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, lookup: Lookup = systemLookup) {
    this.#clock = clock;
    this.#lookup = lookup;
  }

  /** Calls back at once where the answer is known. */
  resolve(host: string, done: Resolved): void {
    const entry = this.#entries.get(host) ?? this.#add(host);
    const now = this.#clock.now();
    const age = now - entry.learntAt;
    if (entry.addresses.length > 0 && age < USABLE_MS) {
      if (age >= FRESH_MS) this.#ask(host, entry);
      done(null, entry.addresses);
      return;
    }
    if (entry.error !== null && now - entry.failedAt < FAILURE_MS) return done(entry.error, []);
    this.#ask(host, entry, done);
  }

  /** What was answered led nowhere: asks again now. */
  refresh(host: string, done: Resolved): void {
    this.#ask(host, this.#entries.get(host) ?? this.#add(host), done);
  }

  #add(host: string): Entry {
    if (this.#entries.size >= MAX_NAMES) this.#evict();
    const entry: Entry = { addresses: [], learntAt: -Infinity, error: null, failedAt: -Infinity, waiting: null };
    this.#entries.set(host, entry);
    return entry;
  }

  #evict(): void {
    for (const [host, entry] of this.#entries) {
      if (entry.waiting !== null) continue;
      this.#entries.delete(host);
      return;
    }
  }

  #ask(host: string, entry: Entry, done?: Resolved): void {
    if (entry.waiting !== null) {
      if (done !== undefined) entry.waiting.push(done);
      return;
    }
    entry.waiting = done === undefined ? [] : [done];
    this.#lookup(host, (error, addresses) => this.#learn(entry, error, addresses));
  }

  #learn(entry: Entry, error: Error | null, addresses: readonly string[]): void {
    const now = this.#clock.now();
    const waiting = entry.waiting ?? [];
    entry.waiting = null;
    if (error === null && addresses.length > 0) {
      entry.addresses = addresses;
      entry.learntAt = now;
      entry.error = null;
    } else {
      entry.error = error ?? new Error('the name has no address');
      entry.failedAt = now;
    }
    for (const done of waiting) done(entry.error, entry.error === null ? addresses : []);
  }
}

function systemLookup(host: string, done: Resolved): void {
  lookup(host, { all: true, order: 'verbatim' }, (error, found) => {
    done(error, error === null ? found.map((one) => one.address) : []);
  });
}
