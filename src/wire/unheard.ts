/**
 * A client is not heard leaving while it is not read from, as where it has sent more ahead than is kept; only a write
 * would tell, and an event stream may have nothing to say for days. Says when nothing has moved for too long.
 */
import type { Socket } from 'node:net';

/** Whoever sends that much ahead gets on with it, or reads what it asked for. */
const UNHEARD_MS = 300_000;
const NEVER = Number.POSITIVE_INFINITY;

export class Unheard {
  #until = NEVER;
  #written = 0;

  /** It is not read from any more. */
  begin(now: number, socket: Socket): void {
    this.#until = now + UNHEARD_MS;
    this.#written = socket.bytesWritten;
  }

  end(): void {
    this.#until = NEVER;
  }

  /** True where nothing was written all the time; what was may still meet somebody. */
  hasCome(now: number, socket: Socket): boolean {
    if (now < this.#until) return false;
    if (socket.bytesWritten === this.#written) return true;
    this.begin(now, socket);
    return false;
  }
}
