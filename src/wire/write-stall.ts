/** Tells a client that takes nothing of what waits for it: it is gone or hostile. Asked once a tick. */
import type { Socket } from 'node:net';

const NEVER = Number.POSITIVE_INFINITY;

export class WriteStall {
  /** Bytes that the kernel took, -1 while none wait. */
  #taken = -1;
  #until = NEVER;

  /** True where it took nothing for `idleMs`. */
  hasCome(now: number, socket: Pick<Socket, 'writableLength' | 'bytesWritten'>, idleMs: number): boolean {
    const waiting = socket.writableLength;
    const taken = waiting === 0 ? -1 : socket.bytesWritten - waiting;
    if (taken === this.#taken) return now >= this.#until;
    this.#taken = taken;
    this.#until = taken === -1 ? NEVER : now + idleMs;
    return false;
  }
}
