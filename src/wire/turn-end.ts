/**
 * Writes of one turn of the event loop, one behind the other when it ends. Whoever reads on the other side of a
 * loopback is woken by the first and finds the others while he is awake; waking somebody costs as much as sending
 * to him. A turn with one request in it ends at once, and one that takes long is not waited for.
 */
import { performance } from 'node:perf_hooks';
import type { Socket } from 'node:net';

/** Of this thread. The two lists take turns, so that none is made anew. */
let waiting: LateWrite[] = [];
let spare: LateWrite[] = [];
let waitingSince = 0;
/** A turn that has gone on for so long is a busy one: what waits is sent in the middle of it. */
const LONGEST_MS = 1;
/** So often the clock is asked: once for so many, a power of two. */
const LOOK_EACH = 8;

function sendAtTurnEnd(one: LateWrite): void {
  const count = waiting.push(one);
  if (count === 1) {
    waitingSince = performance.now();
    setImmediate(sendWaiting);
  } else if ((count & (LOOK_EACH - 1)) === 0 && performance.now() - waitingSince > LONGEST_MS) sendWaiting();
}

/** Sends what waits. Whoever begins something dear calls it first. */
export function sendWaiting(): void {
  if (waiting.length === 0) return;
  const all = waiting;
  waiting = spare;
  for (const one of all) one.send();
  while (all.length > 0) all.pop();
  spare = all;
}

/** What a socket is given at the end of the turn. Whoever writes to it otherwise calls `send` before. */
export class LateWrite {
  readonly #socket: Socket;
  #bytes: Buffer | string | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Nothing of it has been sent. */
  get isWaiting(): boolean {
    return this.#bytes !== null;
  }

  /** Text is latin1. */
  put(bytes: Buffer | string): void {
    const isWaiting = this.#bytes !== null;
    if (isWaiting) this.send();
    this.#bytes = bytes;
    if (!isWaiting) sendAtTurnEnd(this);
  }

  send(): void {
    const bytes = this.#bytes;
    if (bytes === null) return;
    this.#bytes = null;
    if (typeof bytes === 'string') this.#socket.write(bytes, 'latin1');
    else this.#socket.write(bytes);
  }

  drop(): void {
    this.#bytes = null;
  }
}
