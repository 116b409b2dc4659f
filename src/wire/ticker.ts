/**
 * One coarse clock a worker: connections compare their deadlines at each tick, so that a request sets
 * no timer. A deadline counts from the next tick: what runs out may do so up to two intervals late, never early.
 */
export interface Ticking {
  tick(now: number): void;
}

export interface Ticker {
  /** No earlier than now until the next tick, on the scale of `performance.now()`. Cheap to read. */
  readonly now: number;
  add(member: Ticking): void;
  remove(member: Ticking): void;
  close(): void;
}

export interface TickerOptions {
  readonly intervalMs?: number;
  /** What `now` is ahead of the last tick: the interval by default, 0 where tests tick by hand. */
  readonly leadMs?: number;
  readonly now?: () => number;
  /** Told of an exception out of a member's tick; the others tick on. Without it, it ends the thread. */
  readonly onDefect?: (error: unknown) => void;
}

/** Intervals. Whoever comes so much later stood still: a machine that slept, a thread that something held up. */
const STOOD_STILL = 4;

export class IntervalTicker implements Ticker {
  now: number;
  readonly #clock: () => number;
  readonly #members = new Set<Ticking>();
  readonly #leadMs: number;
  readonly #intervalMs: number;
  readonly #timer: NodeJS.Timeout;
  #tickedAt: number;
  readonly #onDefect: (error: unknown) => void;

  constructor(options: TickerOptions = {}) {
    this.#clock = options.now ?? (() => performance.now());
    const { intervalMs = 250 } = options;
    this.#leadMs = options.leadMs ?? intervalMs;
    this.#intervalMs = intervalMs;
    this.#tickedAt = this.#clock();
    this.now = this.#tickedAt + this.#leadMs;
    this.#timer = setInterval(() => this.#tickInTime(), intervalMs);
    this.#onDefect = options.onDefect ?? rethrow;
    // Whoever serves holds the process open; watching it does not.
    this.#timer.unref();
  }

  add(member: Ticking): void {
    this.#members.add(member);
  }

  remove(member: Ticking): void {
    this.#members.delete(member);
  }

  /** Timers run before sockets are read: what came while we stood still is read first, and its deadline is none. */
  #tickInTime(): void {
    const now = this.#clock();
    if (now - this.#tickedAt < STOOD_STILL * this.#intervalMs) return this.tick();
    // What begins by then has its time from now on.
    this.now = now + this.#leadMs;
    setImmediate(() => this.tick());
  }

  /** What the interval runs; tests run it by hand. */
  tick(): void {
    const now = this.#clock();
    this.#tickedAt = now;
    this.now = now + this.#leadMs;
    for (const member of this.#members) {
      try {
        member.tick(now);
      } catch (error) {
        this.#onDefect(error);
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#members.clear();
  }
}

function rethrow(error: unknown): never {
  throw error;
}

export function createTicker(options: TickerOptions = {}): IntervalTicker {
  return new IntervalTicker(options);
}
