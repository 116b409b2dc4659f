/**
 * What one client may ask of us that carries no request: two token buckets a connection. Browsers cancel in
 * bursts and ping now and then; an attacker goes on without end. An empty bucket ends the connection with
 * ENHANCE_YOUR_CALM.
 */
import type { Ticker } from '../ticker.ts';
import { ENHANCE_YOUR_CALM, Http2ConnectionError } from './codes.ts';

/** Streams reset by the client or for a fault of its: at once, and earned back a second (CVE-2023-44487, CVE-2025-8671). */
const RESET_BURST = 200;
const RESETS_PER_SECOND = 20;
/** Frames that move nothing (CVE-2019-9511 to 9518). */
const IDLE_FRAME_BURST = 2_000;
const IDLE_FRAMES_PER_SECOND = 500;

export class AbuseGauge {
  readonly #ticker: Ticker;
  #resets = RESET_BURST;
  #idleFrames = IDLE_FRAME_BURST;
  #since: number;

  constructor(ticker: Ticker) {
    this.#ticker = ticker;
    this.#since = ticker.now;
  }

  /** A stream was reset, or its request refused. */
  countReset(): void {
    this.#earn();
    if (--this.#resets < 0) throw new Http2ConnectionError(ENHANCE_YOUR_CALM, 'rapid-reset');
  }

  /** A frame came that moves nothing: a ping, settings, priorities, no data, a window that hardly opens. */
  countIdleFrame(): void {
    this.#earn();
    if (--this.#idleFrames < 0) throw new Http2ConnectionError(ENHANCE_YOUR_CALM, 'frame-flood');
  }

  /** Data went out: the windows it used will be opened again by frames that are no abuse. */
  forgiveFrames(count: number): void {
    this.#idleFrames = Math.min(IDLE_FRAME_BURST, this.#idleFrames + count);
  }

  #earn(): void {
    const seconds = (this.#ticker.now - this.#since) / 1_000;
    if (seconds <= 0) return;
    this.#since = this.#ticker.now;
    this.#resets = Math.min(RESET_BURST, this.#resets + seconds * RESETS_PER_SECOND);
    this.#idleFrames = Math.min(IDLE_FRAME_BURST, this.#idleFrames + seconds * IDLE_FRAMES_PER_SECOND);
  }
}
