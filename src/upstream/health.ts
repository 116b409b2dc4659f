/**
 * Whether a server is worth trying. Passive: connection failures that real requests met. Active: a
 * request of our own at an interval. Both only ever advise: `balance` decides what to do where all are down.
 */

/** Failures kept a target; a route's `maxFails` counts up to this many. */
const MAX_REMEMBERED = 64;

export class PassiveHealth {
  /** When connections failed, oldest first, in milliseconds. */
  readonly #failures: number[] = [];

  recordFailure(now: number): void {
    if (this.#failures.length === MAX_REMEMBERED) this.#failures.shift();
    this.#failures.push(now);
  }

  recordSuccess(): void {
    if (this.#failures.length > 0) this.#failures.length = 0;
  }

  /** True for `failMs` after the last of `maxFails` failures within `failMs`. Routes differ in both. */
  isDown(now: number, maxFails: number, failMs: number): boolean {
    const count = this.#failures.length;
    if (count === 0 || maxFails <= 0) return false;
    const last = this.#failures[count - 1] as number;
    if (now - last >= failMs) return false;
    const first = this.#failures[count - Math.min(maxFails, MAX_REMEMBERED)];
    return first !== undefined && last - first <= failMs;
  }
}
