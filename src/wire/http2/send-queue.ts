/** Whose turn it is to send: streams one after the other, a frame each (RFC 9113 section 5.2 asks for no more). */
import { GOES_ON, type SendStream, WAITS } from './send-stream.ts';

export class SendQueue {
  #ready: SendStream[] = [];
  #first = 0;
  /** Those that wait for the window of the connection. */
  #waiting: SendStream[] = [];

  get isEmpty(): boolean {
    return this.#first === this.#ready.length;
  }

  add(stream: SendStream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    this.#ready.push(stream);
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
  }
}
