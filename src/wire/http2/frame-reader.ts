/**
 * Cuts what a socket gives into frames (RFC 9113 section 4), behind the preface (section 3.4). DATA is
 * handed on as it comes, without waiting for the end of its frame and without a copy; every other frame is
 * handed on whole. Checks lengths and padding, and does not know what any frame means.
 */
import {
  DATA,
  FRAME_BYTES,
  FRAME_HEAD_BYTES,
  FRAME_SIZE_ERROR,
  Http2ConnectionError,
  PADDED,
  PROTOCOL_ERROR,
} from './codes.ts';

export interface FrameHandler {
  /** False: nothing more is read. */
  readonly isReading: boolean;
  /** A whole frame other than DATA; its payload is bytes[from..to) and holds only until this returns. */
  onFrame: (head: FrameHead, bytes: Buffer, from: number, to: number) => void;
  /** A DATA frame begins, of `head.length` bytes by the count of windows. */
  onDataHead: (head: FrameHead) => void;
  /** Some of its bytes, without padding; they may be kept. */
  onData: (head: FrameHead, bytes: Buffer) => void;
  onDataEnd: (head: FrameHead) => void;
}

/** Of the frame that is being read; used again for the next. */
export class FrameHead {
  length = 0;
  type = 0;
  flags = 0;
  id = 0;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #head = new FrameHead();
  #prefaceAt = 0;
  /** A head, or a frame with its head, that did not come in one piece. */
  #partial: Buffer | null = null;
  #partialAt = 0;
  #isInData = false;
  /** Whether the length of the padding is still to come. */
  #needsPadding = false;
  #dataLeft = 0;
  #paddingLeft = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** True in the middle of the preface or of a frame that is read as a whole. */
  get isPartial(): boolean {
    return this.#partial !== null || this.#prefaceAt < PREFACE.length;
  }

  read(chunk: Buffer): void {
    const handler = this.#handler;
    let at = this.#prefaceAt < PREFACE.length ? this.#readPreface(chunk) : 0;
    while (at < chunk.length && handler.isReading) {
      if (this.#isInData) at = this.#readData(chunk, at);
      else if (this.#partial !== null) at = this.#readPartial(this.#partial, chunk, at);
      else at = this.#readFrame(chunk, at);
    }
  }

  #readPreface(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#prefaceAt < PREFACE.length) {
      if (chunk[at++] !== PREFACE[this.#prefaceAt++]) throw new Http2ConnectionError(PROTOCOL_ERROR, 'preface');
    }
    return at;
  }

  #readFrame(chunk: Buffer, at: number): number {
    const here = chunk.length - at;
    if (here < FRAME_HEAD_BYTES) return this.#keep(chunk, at, FRAME_HEAD_BYTES);
    this.#readHead(chunk, at);
    const { length, type } = this.#head;
    if (type === DATA) {
      this.#beginData();
      return at + FRAME_HEAD_BYTES;
    }
    const end = at + FRAME_HEAD_BYTES + length;
    if (end > chunk.length) return this.#keep(chunk, at, FRAME_HEAD_BYTES + length);
    this.#handler.onFrame(this.#head, chunk, at + FRAME_HEAD_BYTES, end);
    return end;
  }

  #readHead(bytes: Buffer, at: number): void {
    const head = this.#head;
    head.length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    head.type = bytes[at + 3] as number;
    head.flags = bytes[at + 4] as number;
    // The first bit is reserved and not looked at.
    head.id = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    if (head.length > FRAME_BYTES) throw new Http2ConnectionError(FRAME_SIZE_ERROR, 'frame-size');
  }

  /** Begins a piece of memory for something of `size` bytes. */
  #keep(chunk: Buffer, at: number, size: number): number {
    this.#partial = Buffer.allocUnsafe(size);
    this.#partialAt = chunk.copy(this.#partial, 0, at);
    return chunk.length;
  }

  #readPartial(partial: Buffer, chunk: Buffer, at: number): number {
    const size = chunk.copy(partial, this.#partialAt, at);
    this.#partialAt += size;
    if (this.#partialAt < partial.length) return at + size;
    this.#partial = null;
    if (partial.length === FRAME_HEAD_BYTES) this.#readFrameOf(partial);
    else this.#handler.onFrame(this.#head, partial, FRAME_HEAD_BYTES, partial.length);
    return at + size;
  }

  /** A head is whole now; its payload is still to come. */
  #readFrameOf(partial: Buffer): void {
    this.#readHead(partial, 0);
    const { length, type } = this.#head;
    if (type === DATA) this.#beginData();
    else if (length === 0) this.#handler.onFrame(this.#head, partial, FRAME_HEAD_BYTES, FRAME_HEAD_BYTES);
    else this.#keep(partial, 0, FRAME_HEAD_BYTES + length);
  }

  #beginData(): void {
    const { length, flags } = this.#head;
    this.#needsPadding = (flags & PADDED) !== 0;
    if (this.#needsPadding && length === 0) throw new Http2ConnectionError(FRAME_SIZE_ERROR, 'padding');
    this.#dataLeft = length;
    this.#paddingLeft = 0;
    this.#isInData = true;
    this.#handler.onDataHead(this.#head);
    if (length === 0) this.#endData();
  }

  #readData(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#needsPadding) {
      this.#needsPadding = false;
      this.#paddingLeft = chunk[at++] as number;
      this.#dataLeft -= 1 + this.#paddingLeft;
      if (this.#dataLeft < 0) throw new Http2ConnectionError(PROTOCOL_ERROR, 'padding');
    }
    const data = Math.min(this.#dataLeft, chunk.length - at);
    if (data > 0) {
      this.#dataLeft -= data;
      const isAll = at === 0 && data === chunk.length;
      this.#handler.onData(this.#head, isAll ? chunk : chunk.subarray(at, at + data));
      at += data;
    }
    const padding = this.#dataLeft === 0 ? Math.min(this.#paddingLeft, chunk.length - at) : 0;
    this.#paddingLeft -= padding;
    if (this.#dataLeft === 0 && this.#paddingLeft === 0) this.#endData();
    return at + padding;
  }

  #endData(): void {
    this.#isInData = false;
    this.#handler.onDataEnd(this.#head);
  }
}
