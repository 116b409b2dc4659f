/**
 * Joins HEADERS and CONTINUATION to a header block (RFC 9113 sections 6.2 and 6.10). Bounds how many frames
 * and bytes one block may have (CVE-2024-27316, CVE-2024-28182): a longer one ends the connection, since the
 * state of the compression cannot be known behind a block that was not read.
 */
import {
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FRAME_SIZE_ERROR,
  HAS_PRIORITY,
  Http2ConnectionError,
  MAX_STREAM_ID,
  PADDED,
  PROTOCOL_ERROR,
} from './codes.ts';
import type { FrameHead } from './frame-reader.ts';

const MOST_FRAMES = 16;

export class HeaderFrames {
  /** Of the block that `begin` or `goOn` answered last, in the bytes of that answer. */
  from = 0;
  to = 0;
  id = 0;
  hasReadEnded = false;
  /** RFC 7540 section 5.3.1. */
  dependsOnItself = false;
  readonly #maxBytes: number;
  /** Of a block that goes on; null while there is none. */
  #parts: Buffer[] | null = null;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isOpen(): boolean {
    return this.#parts !== null;
  }

  /** Nothing may come between the frames of a block. */
  check(type: number, id: number): void {
    if (this.#parts !== null && (type !== CONTINUATION || id !== this.id)) throw broken('continuation');
  }

  /** Answers the bytes of the block, null where more is to come. */
  // oxlint-disable-next-line max-params -- as FrameHandler
  begin({ id, flags }: FrameHead, bytes: Buffer, from: number, to: number): Buffer | null {
    if (id === 0) throw broken('headers-stream');
    this.id = id;
    this.hasReadEnded = (flags & END_STREAM) !== 0;
    this.dependsOnItself = false;
    this.from = from;
    this.to = to;
    if ((flags & (PADDED | HAS_PRIORITY)) !== 0) this.#trim(flags, bytes);
    if ((flags & END_HEADERS) !== 0) return bytes;
    this.#parts = [];
    this.#add(bytes, this.from, this.to);
    return null;
  }

  // oxlint-disable-next-line max-params -- as FrameHandler
  goOn({ flags }: FrameHead, bytes: Buffer, from: number, to: number): Buffer | null {
    if (this.#parts === null) throw broken('continuation');
    this.#add(bytes, from, to);
    if ((flags & END_HEADERS) === 0) return null;
    const block = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = null;
    this.#bytes = 0;
    this.from = 0;
    this.to = block.length;
    return block;
  }

  #trim(flags: number, bytes: Buffer): void {
    let padding = 0;
    if ((flags & PADDED) !== 0) {
      if (this.from >= this.to) throw new Http2ConnectionError(FRAME_SIZE_ERROR, 'headers-size');
      padding = bytes[this.from++] as number;
    }
    if ((flags & HAS_PRIORITY) !== 0) {
      if (this.to - this.from < 5) throw new Http2ConnectionError(FRAME_SIZE_ERROR, 'headers-size');
      this.dependsOnItself = (bytes.readUInt32BE(this.from) & MAX_STREAM_ID) === this.id;
      this.from += 5;
    }
    this.to -= padding;
    if (this.to < this.from) throw broken('padding');
  }

  /** A copy: the bytes hold only while their frame is handed over. */
  #add(bytes: Buffer, from: number, to: number): void {
    const parts = this.#parts as Buffer[];
    this.#bytes += to - from;
    if (parts.length >= MOST_FRAMES || this.#bytes > this.#maxBytes)
      throw new Http2ConnectionError(ENHANCE_YOUR_CALM, 'continuation-flood');
    parts.push(Buffer.from(bytes.subarray(from, to)));
  }
}

function broken(rule: string): Http2ConnectionError {
  return new Http2ConnectionError(PROTOCOL_ERROR, rule);
}
