/**
 * Gathers the frames of one connection, and hands them to its socket in as few writes as can be: most turns
 * of the event loop need one. Frames are copied into one piece of memory, since TLS would copy them anyway.
 * Knows nothing of windows and streams.
 */
import type { Socket } from 'node:net';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_BYTES,
  FRAME_HEAD_BYTES,
  GOAWAY,
  HEADERS,
  PING,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './codes.ts';

const SLAB_BYTES = 16_384;
const EMPTY = Buffer.alloc(0);

export class FrameWriter {
  readonly #socket: Socket;
  readonly #highWater: number;
  #slab: Buffer = EMPTY;
  #from = 0;
  #at = 0;
  /** Slabs that are full, in order: rarely any. */
  #full: Buffer[] = [];
  #fullBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#highWater = socket.writableHighWaterMark;
  }

  /** Bytes that no write has taken yet. */
  get pending(): number {
    return this.#fullBytes + this.#at - this.#from;
  }

  /** Bytes that the client has not taken. */
  get unread(): number {
    return this.pending + this.#socket.writableLength;
  }

  /** True while the socket has as much as it should hold: its 'drain' follows. */
  get isBlocked(): boolean {
    return this.unread >= this.#highWater;
  }

  flush(): void {
    const socket = this.#socket;
    if (this.pending === 0 || socket.destroyed) return;
    const last = this.#slab.subarray(this.#from, this.#at);
    this.#from = this.#at;
    if (this.#full.length === 0) {
      socket.write(last);
      return;
    }
    const full = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    socket.cork();
    for (const slab of full) socket.write(slab);
    if (last.length > 0) socket.write(last);
    socket.uncork();
  }

  /** A connection at rest holds no memory. */
  release(): void {
    if (this.pending === 0) this.#slab = EMPTY;
    if (this.#slab === EMPTY) this.#from = this.#at = 0;
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    this.#head(values.length * 6, SETTINGS, 0, 0);
    for (const [id, value] of values) {
      this.#slab[this.#at++] = id >>> 8;
      this.#slab[this.#at++] = id;
      this.#word(value);
    }
  }

  settingsAck(): void {
    this.#head(0, SETTINGS, ACK, 0);
  }

  /** Answers a ping with bytes[from..from + 8), or sends our own. */
  ping(flags: number, bytes: Buffer, from: number): void {
    this.#head(8, PING, flags, 0);
    for (let i = 0; i < 8; i++) this.#slab[this.#at++] = bytes[from + i] as number;
  }

  goAway(lastStreamId: number, code: number): void {
    this.#head(8, GOAWAY, 0, 0);
    this.#word(lastStreamId);
    this.#word(code);
  }

  reset(id: number, code: number): void {
    this.#head(4, RST_STREAM, 0, id);
    this.#word(code);
  }

  windowUpdate(id: number, increment: number): void {
    this.#head(4, WINDOW_UPDATE, 0, id);
    this.#word(increment);
  }

  /** A block in HEADERS and as many CONTINUATION frames as it takes. */
  // oxlint-disable-next-line max-params -- the hot path takes no options object
  headers(id: number, block: Buffer, length: number, endStream: boolean): void {
    let from = 0;
    let type = HEADERS;
    let flags = endStream ? END_STREAM : 0;
    do {
      const size = Math.min(FRAME_BYTES, length - from);
      if (from + size === length) flags |= END_HEADERS;
      this.#head(size, type, flags, id);
      this.#copy(block, from, from + size);
      from += size;
      type = CONTINUATION;
      flags = 0;
    } while (from < length);
  }

  /** The head of a DATA frame, whose bytes `bytes` adds. */
  dataHead(id: number, length: number, endStream: boolean): void {
    this.#head(length, DATA, endStream ? END_STREAM : 0, id);
  }

  bytes(chunk: Buffer, from: number, to: number): void {
    this.#copy(chunk, from, to);
  }

  // oxlint-disable-next-line max-params -- the four parts of a frame's head
  #head(length: number, type: number, flags: number, id: number): void {
    this.#reserve(FRAME_HEAD_BYTES + length);
    const slab = this.#slab;
    slab[this.#at++] = length >>> 16;
    slab[this.#at++] = length >>> 8;
    slab[this.#at++] = length;
    slab[this.#at++] = type;
    slab[this.#at++] = flags;
    this.#word(id);
  }

  #word(value: number): void {
    const slab = this.#slab;
    slab[this.#at++] = value >>> 24;
    slab[this.#at++] = value >>> 16;
    slab[this.#at++] = value >>> 8;
    slab[this.#at++] = value;
  }

  #copy(bytes: Buffer, from: number, to: number): void {
    if (from === 0 && to === bytes.length) this.#slab.set(bytes, this.#at);
    else bytes.copy(this.#slab, this.#at, from, to);
    this.#at += to - from;
  }

  /** Room for a whole frame. */
  #reserve(size: number): void {
    if (this.#slab.length - this.#at >= size) return;
    if (this.#at > this.#from) {
      this.#full.push(this.#slab.subarray(this.#from, this.#at));
      this.#fullBytes += this.#at - this.#from;
    }
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, size));
    this.#from = this.#at = 0;
  }
}
