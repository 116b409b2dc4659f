/**
 * Everything that a connection waits for, looked at once a tick: the preface and each head, the answer to our
 * settings, the next request, the kernel to take what is written, and the end.
 */
import type { Socket } from 'node:net';
import { WriteStall } from '../write-stall.ts';
import type { Http2Settings } from './settings.ts';

/** From the first GOAWAY to the second, where the client does not answer our ping. */
const DRAIN_MS = 500;
/** Behind the last GOAWAY: how long the socket may take to close. */
const CLOSE_GRACE_MS = 5_000;
/** How long a connection that hears nothing remembers its last request and answer. */
const MEMORY_MS = 5_000;
const NEVER = Number.POSITIVE_INFINITY;

/** What of a connection's input is looked at. */
export interface Progress {
  readonly units: number;
  readonly isUnfinished: boolean;
}

export type Due = 'nothing' | 'rest' | 'drain' | 'last-call' | 'head' | 'silent' | 'settings' | 'destroy';

export class ConnectionDeadlines {
  readonly #settings: Http2Settings;
  readonly #socket: Socket;
  #acknowledgeUntil: number;
  #unfinishedUntil: number;
  #units = 0;
  #idleSince: number;
  #heardUnits = 0;
  #restAt = NEVER;
  #drainUntil = NEVER;
  #closeUntil = NEVER;
  readonly #writes = new WriteStall();

  constructor(settings: Http2Settings, socket: Socket) {
    const { ticker, headTimeoutMs } = settings;
    this.#settings = settings;
    this.#socket = socket;
    this.#acknowledgeUntil = ticker.now + headTimeoutMs;
    this.#unfinishedUntil = ticker.now + headTimeoutMs;
    this.#idleSince = ticker.now;
  }

  acknowledged(): void {
    this.#acknowledgeUntil = NEVER;
  }

  /** The last stream is done. */
  idle(): void {
    this.#idleSince = this.#settings.ticker.now;
  }

  draining(): void {
    this.#drainUntil = this.#settings.ticker.now + DRAIN_MS;
  }

  lastCalled(): void {
    this.#drainUntil = NEVER;
  }

  ended(): void {
    this.#closeUntil = this.#settings.ticker.now + CLOSE_GRACE_MS;
  }

  check(now: number, progress: Progress, hasStreams: boolean): Due {
    if (now >= this.#closeUntil || this.#writes.hasCome(now, this.#socket, this.#settings.writeIdleMs))
      return 'destroy';
    if (this.#closeUntil !== NEVER) return 'nothing';
    if (this.#isUnfinished(now, progress)) return progress.units === 0 ? 'silent' : 'head';
    if (now >= this.#acknowledgeUntil) return 'settings';
    if (now >= this.#drainUntil) return 'last-call';
    if (!hasStreams && now >= this.#idleSince + this.#settings.keepAliveMs) return 'drain';
    return this.#mayRest(now, progress.units) ? 'rest' : 'nothing';
  }

  /** Once after each time of silence, with streams or without: ten thousand open tunnels should cost little. */
  #mayRest(now: number, units: number): boolean {
    if (units !== this.#heardUnits) {
      this.#heardUnits = units;
      this.#restAt = now + MEMORY_MS;
    }
    if (now < this.#restAt) return false;
    this.#restAt = NEVER;
    return true;
  }

  /** Something that began and does not come to its end. */
  #isUnfinished(now: number, { units, isUnfinished }: Progress): boolean {
    if (!isUnfinished || units !== this.#units) {
      this.#units = units;
      this.#unfinishedUntil = isUnfinished ? now + this.#settings.headTimeoutMs : NEVER;
    } else if (this.#unfinishedUntil === NEVER) {
      this.#unfinishedUntil = now + this.#settings.headTimeoutMs;
    }
    return now >= this.#unfinishedUntil;
  }
}
