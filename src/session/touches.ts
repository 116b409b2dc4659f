/**
 * Last use of sign-ins. It is known here at once and to the millisecond; the store is told now and then, and
 * `lastSeen` stands before what it says. With a hundred thousand sessions in use, writing each of them once a
 * minute cost the control thread as much as a tenth of their requests cost a worker. What is not used any more
 * is written soon, long before it has idled for too long; a crash forgets at most a sixth of that time.
 */
import type { SessionStore } from '../core/session-store.ts';

/** Written in one turn: some ten milliseconds, for which nobody signs in. */
const SLICE = 100;
const MAX_KNOWN = 1_000_000;
/** What is in use is written so often, and never less often than this part of the idle time. */
const WRITE_EVERY_MS = 600_000;
const IDLE_SHARE = 12;
/** How often what has fallen out of use is looked for. */
const SETTLE_MS = 60_000;

export interface Touches {
  add(signIn: string, at: number): void;
  /** What the store says already: the next use need not be written at once. */
  seed(signIn: string, writtenAt: number): void;
  /** What the store may not know yet, 0 for nothing. */
  lastSeen(signIn: string): number;
  /** The store waits for their next use: it is written at once. */
  awaitUse(signIns: readonly string[]): void;
  /** They are over. */
  forget(signIns: readonly string[]): void;
  /** Writes what is due; never rejects. Call it every few seconds. */
  flush(now: number): Promise<void>;
  /** Writes all that the store does not know; never rejects. Call it at the end. */
  flushAll(): Promise<void>;
}

interface Known {
  at: number;
  /** What the store has been told. */
  writtenAt: number;
}

export function createTouches(store: Pick<SessionStore, 'touch'>, idleMs: () => number): Touches {
  return new Uses(store, idleMs);
}

class Uses implements Touches {
  readonly #store: Pick<SessionStore, 'touch'>;
  readonly #idleMs: () => number;
  readonly #known = new Map<string, Known>();
  readonly #due = new Set<string>();
  #running: Promise<void> | null = null;
  #isScheduled = false;
  /** Null: nobody has come yet. */
  #everyMs: number | null = null;
  #settledAt = 0;

  constructor(store: Pick<SessionStore, 'touch'>, idleMs: () => number) {
    this.#store = store;
    this.#idleMs = idleMs;
  }

  lastSeen(signIn: string): number {
    return this.#known.get(signIn)?.at ?? 0;
  }

  awaitUse(signIns: readonly string[]): void {
    for (const key of signIns) {
      const use = this.#known.get(key);
      if (use !== undefined) use.writtenAt = 0;
    }
  }

  forget(signIns: readonly string[]): void {
    for (const key of signIns) {
      this.#known.delete(key);
      this.#due.delete(key);
    }
  }

  add(signIn: string, at: number): void {
    const use = this.#known.get(signIn) ?? this.#begin(signIn);
    if (use === null || at <= use.at) return;
    use.at = at;
    this.#everyMs ??= this.#every();
    if (at - use.writtenAt < this.#everyMs) return;
    this.#due.add(signIn);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#write();
    });
  }

  seed(signIn: string, writtenAt: number): void {
    if (this.#known.size < MAX_KNOWN && !this.#known.has(signIn)) this.#known.set(signIn, { at: writtenAt, writtenAt });
  }

  async flush(now: number): Promise<void> {
    const before = this.#everyMs ?? 0;
    this.#everyMs = this.#every();
    // A document that lets sessions idle for less wants to hear of them sooner.
    const isStricter = this.#everyMs < before;
    if (isStricter || Math.abs(now - this.#settledAt) >= Math.min(SETTLE_MS, this.#everyMs)) {
      this.#settledAt = now;
      this.#settle(isStricter ? now : now - this.#everyMs, now - this.#idleMs());
    }
    // What is on its way was taken before that.
    await this.#running;
    await this.#write();
  }

  async flushAll(): Promise<void> {
    await this.#running;
    this.#settle(Number.POSITIVE_INFINITY, 0);
    await this.#write();
  }

  #every(): number {
    return Math.min(WRITE_EVERY_MS, this.#idleMs() / IDLE_SHARE);
  }

  /** Null: there is no room until something has been written. */
  #begin(signIn: string): Known | null {
    if (this.#known.size >= MAX_KNOWN) {
      this.#settle(Number.POSITIVE_INFINITY, 0);
      void this.#write();
      return null;
    }
    const use = { at: 0, writtenAt: 0 };
    this.#known.set(signIn, use);
    return use;
  }

  /** What nobody used since then is to be written; what has idled since then is let go. */
  #settle(unusedSince: number, idleSince: number): void {
    for (const [key, use] of this.#known) {
      if (use.at > use.writtenAt && use.at <= unusedSince) this.#due.add(key);
      else if (use.at <= idleSince && !this.#due.has(key)) this.#known.delete(key);
    }
  }

  #write(): Promise<void> {
    this.#running ??= this.#writeDue()
      .catch(() => {
        // They wait for the next report or sweep, and count here meanwhile: a failing disk lets nobody run idle.
      })
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  async #writeDue(): Promise<void> {
    // What is there now; what comes meanwhile has its own turn.
    const batch = [...this.#due];
    for (let from = 0; from < batch.length; from += SLICE) {
      const slice = batch.slice(from, from + SLICE).map((key) => [key, this.lastSeen(key)] as const);
      await this.#store.touch(slice);
      for (const [key, at] of slice) this.#noteWritten(key, at);
    }
  }

  #noteWritten(key: string, at: number): void {
    const use = this.#known.get(key);
    if (use === undefined) return;
    use.writtenAt = at;
    if (use.at !== at) return;
    this.#due.delete(key);
    if (this.#known.size >= MAX_KNOWN) this.#known.delete(key);
  }
}
