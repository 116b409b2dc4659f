/**
 * What the body of a request obeys in either version of HTTP: its size, the longest silence and the least rate. What
 * came is credit for as long as it would take at the least rate, up to the longest silence and no further: who sends
 * a lot at first cannot trickle for hours afterwards. Time in which nobody takes the body does not count.
 */
import { PosternError } from '../core/errors.ts';
import type { BodySource, RequestBodyLimits } from './exchange.ts';

/** A request without a body: one for all. */
export const NO_BODY: BodySource = {
  length: 0,
  start: (sink) => sink.end(null),
  resume: () => undefined,
  cancel: () => undefined,
};

/** How a body broke its bounds. */
export interface BodyFault {
  readonly error: PosternError;
  readonly status: number;
  readonly rule: string;
}

export class BodyBounds {
  #limits: RequestBodyLimits;
  #silentUntil = Number.POSITIVE_INFINITY;
  #until = -1;
  /** Bytes that are credited. */
  #bytes = 0;
  #pausedAt = 0;

  constructor(limits: RequestBodyLimits) {
    this.#limits = limits;
  }

  change(limits: Partial<RequestBodyLimits>): void {
    this.#limits = { ...this.#limits, ...limits };
  }

  /** The sender may send, from now on or again. */
  flow(now: number): void {
    const { bodyIdleMs } = this.#limits;
    if (this.#until === -1) this.#until = now + bodyIdleMs;
    else if (this.#pausedAt !== 0) this.#until += now - this.#pausedAt;
    this.#pausedAt = 0;
    this.#silentUntil = now + bodyIdleMs;
  }

  pause(now: number): void {
    this.#pausedAt = now;
  }

  /** Bytes came. */
  heard(now: number): void {
    this.#silentUntil = now + this.#limits.bodyIdleMs;
  }

  /** Ask it now and then while bytes are waited for. `bytes`: all that came so far. */
  checkPace(now: number, bytes: number): BodyFault | null {
    const isSilent = now >= this.#silentUntil;
    if (!this.#isTooSlow(now, bytes) && !isSilent) return null;
    const error = new PosternError('REQUEST_TIMEOUT', 'Request body came too slowly', { bytesIn: bytes });
    return { error, status: 408, rule: isSilent ? 'body-timeout' : 'body-rate' };
  }

  checkSize(bytes: number): BodyFault | null {
    const { maxBodyBytes } = this.#limits;
    if (maxBodyBytes === -1 || bytes <= maxBodyBytes) return null;
    const text = 'Request body is larger than the route takes';
    return { error: new PosternError('PAYLOAD_TOO_LARGE', text, { maxBodyBytes }), status: 413, rule: 'body-size' };
  }

  #isTooSlow(now: number, bytes: number): boolean {
    const { minBodyRate, bodyIdleMs } = this.#limits;
    if (minBodyRate <= 0) return false;
    const credit = ((bytes - this.#bytes) * 1_000) / minBodyRate;
    this.#bytes = bytes;
    this.#until = Math.min(this.#until + credit, now + bodyIdleMs);
    return now >= this.#until;
  }
}
