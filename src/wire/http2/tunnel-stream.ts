/**
 * A stream of RFC 8441 as a Duplex: DATA both ways with back-pressure, END_STREAM as half-close, and a reset
 * where it is destroyed (section 5: CANCEL stands for the RST of TCP).
 */
import { Duplex } from 'node:stream';
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
  /** Bytes that came while nobody read. */
  #owed = 0;
  #onRoom: Done | null = null;
  #onFinal: Done | null = null;

  constructor(send: SendStream, owner: TunnelOwner) {
    super({ highWaterMark: HIGH_WATER, allowHalfOpen: true });
    this.#send = send;
    this.#owner = owner;
  }

  receive(chunk: Buffer): void {
    if (this.destroyed || this.push(chunk)) this.#owner.granted(chunk.length);
    else this.#owed += chunk.length;
  }

  /** END_STREAM of the client. */
  ended(): void {
    this.push(null);
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
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.#owner.granted(owed);
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
    this._read();
    this.#owner.reset();
    done(error);
  }
}
