/**
 * A stream of RFC 8441 as a Duplex: DATA both ways with back-pressure, END_STREAM as half-close, and a reset
 * where it is destroyed (section 5: CANCEL stands for the RST of TCP).
 */
import { Duplex } from 'node:stream';
import { HeldBytes } from './held-bytes.ts';
import type { SendStream } from './send-stream.ts';

const HIGH_WATER = 16_384;

export interface TunnelOwner {
  /** So many bytes were taken. */
  readonly granted: (bytes: number) => void;
  readonly reset: () => void;
}

type Done = (error?: Error | null) => void;

export class TunnelStream extends Duplex {
  hasSendEnded = false;
  readonly #send: SendStream;
  readonly #owner: TunnelOwner;
  /** What came while nobody read. */
  #held: HeldBytes | null = null;
  #isWanted = false;
  #hasEnded = false;
  #onRoom: Done | null = null;
  #onFinal: Done | null = null;

  constructor(send: SendStream, owner: TunnelOwner) {
    // What is not read waits here, where crumbs take no more memory than they are long.
    super({ readableHighWaterMark: 1, writableHighWaterMark: HIGH_WATER, allowHalfOpen: true });
    this.#send = send;
    this.#owner = owner;
  }

  receive(chunk: Buffer): void {
    if (this.destroyed) this.#owner.granted(chunk.length);
    else if (this.#isWanted && this.#held === null) this.#handOn(chunk);
    else (this.#held ??= new HeldBytes()).add(chunk);
  }

  /** END_STREAM of the client. */
  ended(): void {
    this.#hasEnded = true;
    if (this.#held === null) this.push(null);
  }

  /** The stream is gone: reset by the client, or with its connection. */
  broken(): void {
    this.destroy();
  }

  onSent(held: number): void {
    if (held > 0) return;
    const done = this.#onRoom;
    this.#onRoom = null;
    done?.();
  }

  onSendEnd(): void {
    this.hasSendEnded = true;
    this.onSent(0);
    const done = this.#onFinal;
    this.#onFinal = null;
    done?.();
  }

  override _read(): void {
    this.#isWanted = true;
    while (this.#isWanted) {
      const chunk = this.#held?.take() ?? null;
      if (chunk === null) break;
      this.#handOn(chunk);
    }
    // Whoever read may have destroyed it meanwhile, and then nothing is held.
    if (this.#held === null || this.#held.length > 0) return;
    this.#held = null;
    if (this.#hasEnded) this.push(null);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send.push(chunk);
    if (this.#send.isFull) this.#onRoom = done;
    else done();
  }

  override _final(done: Done): void {
    this.#onFinal = done;
    this.#send.finish(null);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#onRoom = null;
    this.#onFinal = null;
    const bytes = this.#held?.length ?? 0;
    this.#held = null;
    if (bytes > 0) this.#owner.granted(bytes);
    this.#owner.reset();
    done(error);
  }

  #handOn(chunk: Buffer): void {
    this.#isWanted = this.push(chunk);
    this.#owner.granted(chunk.length);
  }
}
