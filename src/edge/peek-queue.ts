/**
 * Connections whose first bytes or TLS handshake are under way. All have the same time to finish, so
 * they stand in order of their deadlines and one coarse timer serves them all. The queue is bounded:
 * when it is full the oldest goes, since an honest handshake is over long before it gets old, and
 * refusing the newest would let a flood of silent sockets lock everybody out.
 */
import type { Socket } from 'node:net';

const TICK_MS = 250;
/** A sweep that comes so much later: the machine or this thread stood still, and what came meanwhile is not read yet. */
const STOOD_STILL_MS = 4 * TICK_MS;

export interface PeekQueueOptions {
  readonly handshakeMs: () => number;
  readonly max: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** The socket is destroyed right after. */
  readonly onExpired: (socket: Socket, reason: 'timeout' | 'overflow') => void;
}

export class PeekQueue {
  readonly #options: PeekQueueOptions;
  readonly #deadlines: Map<Socket, number> = new Map();
  #timer: NodeJS.Timeout | null = null;
  #sweptAt = 0;
  /** In which nothing was read: that time is nobody's to be blamed for. */
  #lostMs = 0;

  constructor(options: PeekQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#deadlines.size;
  }

  add(socket: Socket): void {
    if (this.#deadlines.size >= this.#options.max()) this.#expireOldest();
    if (this.#timer === null) {
      this.#sweptAt = this.#options.now();
      this.#timer = setInterval(() => this.#sweepInTime(), TICK_MS).unref();
    }
    this.#deadlines.set(socket, this.#ranUntil(this.#options.now()) + this.#options.handshakeMs());
  }

  /** The connection is past its handshake, or gone. */
  remove(socket: Socket): void {
    this.#deadlines.delete(socket);
  }

  has(socket: Socket): boolean {
    return this.#deadlines.has(socket);
  }

  /** What a deadline is compared with: the clock, without the time in which this thread stood still. */
  #ranUntil(now: number): number {
    const lateMs = now - this.#sweptAt - TICK_MS;
    if (lateMs >= STOOD_STILL_MS) {
      this.#lostMs += lateMs;
      this.#sweptAt = now;
    }
    return now - this.#lostMs;
  }

  #sweepInTime(): void {
    const now = this.#options.now();
    this.#ranUntil(now);
    this.#sweptAt = now;
    this.sweep();
  }

  /** What the interval runs; tests run it by hand. */
  sweep(): void {
    const ran = this.#options.now() - this.#lostMs;
    for (const [socket, deadline] of this.#deadlines) {
      if (deadline > ran) break;
      this.#expire(socket, 'timeout');
    }
    if (this.#deadlines.size === 0) this.close();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #expireOldest(): void {
    const oldest = this.#deadlines.keys().next();
    if (oldest.done !== true) this.#expire(oldest.value, 'overflow');
  }

  #expire(socket: Socket, reason: 'timeout' | 'overflow'): void {
    this.#deadlines.delete(socket);
    this.#options.onExpired(socket, reason);
    socket.destroy();
  }
}
