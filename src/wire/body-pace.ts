/**
 * Whether a body comes fast enough. What came is credit for as long as it would take at the least rate, up to the
 * longest silence and no further: who sends a lot at first cannot trickle for hours afterwards. Time in which
 * nobody takes the body does not count.
 */
import type { BodyLimits } from './http1-request-body.ts';

export class BodyPace {
  #until = -1;
  /** Bytes that are credited. */
  #bytes = 0;
  #pausedAt = 0;

  /** The sender may send, from now on or again. */
  flow(now: number, idleMs: number): void {
    if (this.#until === -1) this.#until = now + idleMs;
    else if (this.#pausedAt !== 0) this.#until += now - this.#pausedAt;
    this.#pausedAt = 0;
  }

  pause(now: number): void {
    this.#pausedAt = now;
  }

  /** Ask it now and then while bytes are waited for. `bytes`: all that came so far. */
  isTooSlow(now: number, bytes: number, { minBodyRate, bodyIdleMs }: BodyLimits): boolean {
    if (minBodyRate <= 0) return false;
    const credit = ((bytes - this.#bytes) * 1_000) / minBodyRate;
    this.#bytes = bytes;
    this.#until = Math.min(this.#until + credit, now + bodyIdleMs);
    return now >= this.#until;
  }
}
