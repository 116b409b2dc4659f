/**
 * Connections whose first bytes or TLS handshake are under way. All have the same time to finish, so
 * they stand in order of their deadlines and one coarse timer serves them all. The queue is bounded:
 * when it is full the oldest goes, since an honest handshake is over long before it gets old, and
 * refusing the newest would let a flood of silent sockets lock everybody out.
 */
import type { Socket } from 'node:net';

const TICK_MS = 250;

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

  constructor(options: PeekQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#deadlines.size;
  }

  add(socket: Socket): void {
    if (this.#deadlines.size >= this.#options.max()) this.#expireOldest();
    this.#deadlines.set(socket, this.#options.now() + this.#options.handshakeMs());
    this.#timer ??= setInterval(() => this.sweep(), TICK_MS).unref();
  }

  /** The connection is past its handshake, or gone. */
  remove(socket: Socket): void {
    this.#deadlines.delete(socket);
  }

  has(socket: Socket): boolean {
    return this.#deadlines.has(socket);
  }

  sweep(): void {
    const now = this.#options.now();
    for (const [socket, deadline] of this.#deadlines) {
      if (deadline > now) break;
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
