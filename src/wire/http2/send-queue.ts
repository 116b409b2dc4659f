/** Whose turn it is to send: streams one after the other, a frame each (RFC 9113 section 5.2 asks for no more). */
import { GOES_ON, type SendStream, WAITS } from './send-stream.ts';

/** From so many on those that are over are looked for. */
const LEAST_TIDY = 64;

/**
 * A stream that is over keeps its place until its turn. Where the client opens no window, or reads nothing, no turn
 * comes, and it may open and reset streams for as long as it likes: so the lists are tidied as they grow.
 */
export class SendQueue {
  #ready: SendStream[] = [];
  #first = 0;
  /** Those that wait for the window of the connection. */
  #waiting: SendStream[] = [];
  #tidyAt = LEAST_TIDY;

  get isEmpty(): boolean {
    return this.#first === this.#ready.length;
  }

  /** Streams that wait in one list or the other. */
  get size(): number {
    return this.#ready.length - this.#first + this.#waiting.length;
  }

  add(stream: SendStream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    this.#ready.push(stream);
    if (this.#ready.length < this.#tidyAt) return;
    this.#ready = this.#ready.slice(this.#first).filter(isOpen);
    this.#first = 0;
    this.#tidied();
  }

  /** The connection's window is open again. */
  wake(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const stream of waiting) {
      stream.isQueued = false;
      this.add(stream);
    }
  }

  /** Gives turns until nobody wants one, or `isBlocked`. */
  run(writer: { readonly isBlocked: boolean }): void {
    while (this.#first < this.#ready.length && !writer.isBlocked) {
      const stream = this.#ready[this.#first++] as SendStream;
      stream.isQueued = false;
      const result = stream.emit();
      if (result === GOES_ON) this.add(stream);
      else if (result === WAITS && !stream.isQueued) this.#hold(stream);
    }
    if (this.#first < this.#ready.length && this.#first < 256) return;
    this.#ready = this.isEmpty ? [] : this.#ready.slice(this.#first);
    this.#first = 0;
  }

  #hold(stream: SendStream): void {
    stream.isQueued = true;
    this.#waiting.push(stream);
    if (this.#waiting.length < this.#tidyAt) return;
    this.#waiting = this.#waiting.filter(isOpen);
    this.#tidied();
  }

  #tidied(): void {
    this.#tidyAt = LEAST_TIDY + 2 * this.size;
  }
}

function isOpen(stream: SendStream): boolean {
  return !stream.isOver;
}
