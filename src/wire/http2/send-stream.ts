/**
 * What one stream has to send: a head, chunks as its window takes them, trailers, the end. It is asked for a
 * frame at a time, so that streams take turns. Ends exactly once, by END_STREAM or by silence after a reset.
 */
import type { ResponseHead } from '../exchange.ts';
import type { HeaderBlock } from '../header-block.ts';
import { FRAME_BYTES } from './codes.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { HeadEncoder } from './head-encoder.ts';

/** Whoever sends more than this is told to wait. */
const HIGH_WATER = 65_536;

/** Nothing to send, or no window of its own for it. */
export const RESTS = 0;
/** There is more for another turn. */
export const GOES_ON = 1;
/** Waits for the window of the connection. */
export const WAITS = 2;

/** What a stream needs of its connection to send. */
export interface Outlet {
  readonly writer: FrameWriter;
  readonly encoder: HeadEncoder;
  /** What may be sent on all streams together. */
  window: number;
  /** A DATA frame went out; `isCut`: only the window kept it from being longer. */
  sent: (bytes: number, isCut: boolean) => void;
  /** The stream wants its turn. */
  queue: (stream: SendStream) => void;
}

/** What a stream tells whoever fills it. */
export interface SendOwner {
  /** END_STREAM went out. */
  onSendEnd: () => void;
  /** Bytes went out; `held`: those that still wait. */
  onSent: (held: number) => void;
  /** The head cannot be sent. */
  onUnsendable: () => void;
}

export class SendStream {
  readonly id: number;
  window: number;
  isQueued = false;
  held = 0;
  readonly #outlet: Outlet;
  readonly #owner: SendOwner;
  #head: ResponseHead | null = null;
  #contentLength = -1;
  #hsts: string | null = null;
  /** What waits: one chunk as a rule, so the list is made only for more. */
  #first: Buffer | null = null;
  #firstAt = 0;
  #more: Buffer[] | null = null;
  #isEnding = false;
  #trailers: HeaderBlock | null = null;
  #isOver = false;

  // oxlint-disable-next-line max-params -- made once a request
  constructor(id: number, window: number, outlet: Outlet, owner: SendOwner) {
    this.id = id;
    this.window = window;
    this.#outlet = outlet;
    this.#owner = owner;
  }

  /** True while more waits than should. */
  get isFull(): boolean {
    return this.held >= HIGH_WATER;
  }

  /** True once nothing more of it can be sent. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** True while not even the head has left. */
  get isUnsent(): boolean {
    return this.#head !== null && !this.#isOver;
  }

  begin(head: ResponseHead, contentLength: number, hsts: string | null): void {
    this.#head = head;
    this.#contentLength = contentLength;
    this.#hsts = hsts;
    this.#outlet.queue(this);
  }

  push(chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#first === null) this.#first = chunk;
    else (this.#more ??= []).push(chunk);
    this.held += chunk.length;
    this.#outlet.queue(this);
  }

  finish(trailers: HeaderBlock | null): void {
    this.#isEnding = true;
    this.#trailers = trailers;
    this.#outlet.queue(this);
  }

  /** A whole small body behind its head, at once where everything allows it; the bytes are used up. False: they are not taken. */
  finishWith(chunk: Buffer): boolean {
    const outlet = this.#outlet;
    const size = chunk.length;
    if (this.#head === null || this.held > 0 || size > FRAME_BYTES || this.#isOver || outlet.writer.isBlocked)
      return false;
    if (size > this.window || size > outlet.window) return false;
    this.#isEnding = true;
    if (!this.#emitHead(this.#head, false)) return true;
    this.#emitDataHead(size, true, false);
    outlet.writer.bytes(chunk, 0, size);
    this.#end();
    return true;
  }

  /** Takes back what has not left. */
  takeBack(): void {
    this.#release();
    this.#head = null;
    this.#isEnding = false;
    this.#trailers = null;
  }

  /** Nothing more is sent. */
  stop(): void {
    this.#isOver = true;
    this.#release();
    this.#head = null;
  }

  /** Sends a frame, or a head and a frame. */
  emit(): number {
    if (this.#isOver) return RESTS;
    if (this.#head !== null) {
      const isAll = this.#isEnding && this.held === 0 && this.#trailers === null;
      if (!this.#emitHead(this.#head, isAll)) return RESTS;
      if (isAll) return this.#end();
    }
    if (this.held > 0) {
      const quota = Math.min(FRAME_BYTES, this.held, this.window, this.#outlet.window);
      if (quota <= 0) return this.window <= 0 ? RESTS : WAITS;
      const isLast = this.#isEnding && quota === this.held && this.#trailers === null;
      this.#emitDataHead(quota, isLast, quota < this.held && quota < FRAME_BYTES);
      this.#emitBytes(quota);
      if (isLast) return this.#end();
      this.#owner.onSent(this.held);
      if (this.held > 0) return GOES_ON;
    }
    return this.#isEnding && !this.#isOver ? this.#emitEnd() : RESTS;
  }

  #emitHead(head: ResponseHead, endStream: boolean): boolean {
    const { writer, encoder } = this.#outlet;
    this.#head = null;
    const length = encoder.encodeHead(head, this.#contentLength, this.#hsts);
    if (length === -1) {
      this.#owner.onUnsendable();
      return false;
    }
    writer.headers(this.id, encoder.block, length, endStream);
    return true;
  }

  // oxlint-disable-next-line max-params -- called once a frame
  #emitDataHead(size: number, endStream: boolean, isCut: boolean): void {
    const outlet = this.#outlet;
    this.window -= size;
    outlet.window -= size;
    outlet.writer.dataHead(this.id, size, endStream);
    outlet.sent(size, isCut);
  }

  #emitBytes(quota: number): void {
    const { writer } = this.#outlet;
    let left = quota;
    this.held -= quota;
    while (left > 0) {
      const chunk = this.#first as Buffer;
      const size = Math.min(left, chunk.length - this.#firstAt);
      writer.bytes(chunk, this.#firstAt, this.#firstAt + size);
      this.#firstAt += size;
      left -= size;
      if (this.#firstAt < chunk.length) return;
      this.#first = this.#more === null ? null : (this.#more.shift() ?? null);
      this.#firstAt = 0;
    }
  }

  /** Everything before it is out: trailers, or an empty frame. */
  #emitEnd(): number {
    const { writer, encoder } = this.#outlet;
    const length = this.#trailers === null ? 0 : encoder.encodeTrailers(this.#trailers);
    if (length > 0) writer.headers(this.id, encoder.block, length, true);
    else writer.dataHead(this.id, 0, true);
    return this.#end();
  }

  #end(): number {
    this.#isOver = true;
    this.#release();
    this.#owner.onSendEnd();
    return RESTS;
  }

  #release(): void {
    this.held = 0;
    this.#first = null;
    this.#firstAt = 0;
    this.#more = null;
  }
}
