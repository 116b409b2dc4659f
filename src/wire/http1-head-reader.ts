/**
 * Reads the heads of one connection's requests: in one piece, as nearly all come, with what is remembered of the one
 * before; or byte by byte where one is split. Refuses broken syntax by an HttpSyntaxError.
 */
import { HeadBuffer, skipEmptyLines } from './http1-head-buffer.ts';
import type { HeadBufferLimits } from './http1-head-buffer.ts';
import { readLatin1 } from './latin1.ts';
import { FieldMemory, type HeadLimits, type Http1RequestHead, parseRequestHead } from './request-head.ts';

const CRLF_CRLF = '\r\n\r\n';
const CR = 13;

export class HeadReader {
  /** Where the last head that was read ends in the bytes that it was read from. */
  end = 0;
  readonly #limits: HeadLimits & HeadBufferLimits;
  /** A head that did not come in one piece. */
  #partial: HeadBuffer | null = null;
  /** Let go while the connection is idle: ten thousand of them should cost little. */
  #memory: FieldMemory | null = null;

  constructor(limits: HeadLimits & HeadBufferLimits) {
    this.#limits = limits;
  }

  /** Bytes of a head are here, be it but empty lines before it. */
  get isWithin(): boolean {
    return this.#partial !== null;
  }

  /** More than empty lines. */
  get hasBegun(): boolean {
    return this.#partial !== null && !this.#partial.isEmpty;
  }

  /** Null: more has to come. */
  read(chunk: Buffer): Http1RequestHead | null {
    return this.#partial === null ? this.#readWhole(chunk) : this.#readOn(this.#partial, chunk);
  }

  /** The connection is at rest. */
  forget(): void {
    this.#memory = null;
  }

  /** What came of a head is not wanted any more. */
  drop(): void {
    this.#partial = null;
  }

  #readWhole(chunk: Buffer): Http1RequestHead | null {
    const memory = (this.#memory ??= new FieldMemory());
    const again = memory.recallHead(chunk) ?? memory.recallFields(chunk, this.#limits);
    if (again !== null) {
      this.end = chunk.length;
      return again;
    }
    const from = chunk[0] === CR ? skipEmptyLines(chunk) : 0;
    const to = Math.min(chunk.length, from + this.#limits.headerBytes);
    const text = readLatin1(chunk, from, to);
    const end = text.indexOf(CRLF_CRLF);
    if (end === -1) return this.#readOn((this.#partial = new HeadBuffer(this.#limits)), chunk);
    const head = parseRequestHead(text, 0, end + 2, this.#limits, memory, { bytes: chunk, shift: from });
    this.end = from + end + CRLF_CRLF.length;
    if (this.end === chunk.length) memory.keepHead(chunk, head);
    return head;
  }

  #readOn(partial: HeadBuffer, chunk: Buffer): Http1RequestHead | null {
    const end = partial.add(chunk, 0);
    if (end === -1) return null;
    const text = partial.text();
    this.#partial = null;
    this.end = end;
    return parseRequestHead(text, 0, text.length, this.#limits);
  }
}
