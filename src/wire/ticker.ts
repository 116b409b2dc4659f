/**
 * One coarse clock a worker: connections compare their deadlines at each tick, so that a request sets
 * no timer. A deadline counts from the last tick, so it is off by up to one interval.
 */
export interface Ticking {
  tick(now: number): void;
}

export interface Ticker {
  /** Time of the last tick, on the scale of `performance.now()`. Cheap to read. */
  readonly now: number;
  add(member: Ticking): void;
  remove(member: Ticking): void;
  close(): void;
}

export interface TickerOptions {
  readonly intervalMs?: number;
  readonly now?: () => number;
}

export class IntervalTicker implements Ticker {
  now: number;
  readonly #clock: () => number;
  readonly #members = new Set<Ticking>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: TickerOptions = {}) {
    this.#clock = options.now ?? (() => performance.now());
    this.now = this.#clock();
    this.#timer = setInterval(() => this.tick(), options.intervalMs ?? 500);
    // Whoever serves holds the process open; watching it does not.
    this.#timer.unref();
  }

  add(member: Ticking): void {
    this.#members.add(member);
  }

  remove(member: Ticking): void {
    this.#members.delete(member);
  }

  /** What the interval runs; tests run it by hand. */
  tick(): void {
    this.now = this.#clock();
    for (const member of this.#members) member.tick(this.now);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#members.clear();
  }
}

export function createTicker(options: TickerOptions = {}): IntervalTicker {
  return new IntervalTicker(options);
}
