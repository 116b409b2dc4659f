/**
 * Sessions that this process knows, bounded by number and by memory (tokens make some of them large). What was
 * put first goes first; whoever comes back is asked for again.
 */
import { sizeOfSession } from './session-data.ts';
import type { Found } from '../ports.ts';

const MAX_ENTRIES = 100_000;
const MAX_BYTES = 96 << 20;

export interface KnownSession {
  /** Handed out as it is, each time. */
  readonly found: Extract<Found, { kind: 'found' }>;
  readonly expiresAt: number;
  readonly confirmedAt: number;
  /** When its use was noted. */
  notedAt: number;
}

export interface KnownLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

export class KnownSessions {
  readonly #entries = new Map<string, KnownSession>();
  readonly #limits: KnownLimits;
  #bytes = 0;

  constructor(limits: KnownLimits = { maxEntries: MAX_ENTRIES, maxBytes: MAX_BYTES }) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): KnownSession | undefined {
    return this.#entries.get(key);
  }

  entries(): Iterable<readonly [key: string, entry: KnownSession]> {
    return this.#entries;
  }

  put(key: string, entry: KnownSession): void {
    this.forget(key);
    this.#entries.set(key, entry);
    this.#bytes += sizeOfSession(entry.found.session);
    while (this.#entries.size > this.#limits.maxEntries || this.#bytes > this.#limits.maxBytes) {
      this.forget(this.#entries.keys().next().value as string);
    }
  }

  forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= sizeOfSession(entry.found.session);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
