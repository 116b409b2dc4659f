/**
 * Collects a request head that did not come in one piece. Looks at each byte once, so that a head
 * sent byte by byte costs no more than its length, and refuses bare LF, bare CR and controls as soon
 * as they come: a client that sends them would never send the end that is waited for.
 */
import { HttpSyntaxError } from './http-syntax-error.ts';
import { readLatin1 } from './latin1.ts';

export interface HeadBufferLimits {
  readonly headerBytes: number;
  readonly targetBytes: number;
}

const HTAB = 9;
const LF = 10;
const CR = 13;
const FIRST_SIZE = 2_048;
/** Method, version and blanks beside the target. */
const REQUEST_LINE_REST = 48;
/** RFC 9112 section 2.2: empty lines before a request are read over; a flood of them is not a request. */
const MAX_EMPTY_LINES = 4;

export class HeadBuffer {
  readonly #limits: HeadBufferLimits;
  #bytes: Buffer;
  #length = 0;
  #lineStart = 0;
  #emptyLines = 0;
  #isFirstLine = true;

  constructor(limits: HeadBufferLimits) {
    this.#limits = limits;
    // Out of no pool: a head that never ends would keep all of it.
    this.#bytes = Buffer.allocUnsafeSlow(FIRST_SIZE);
  }

  /** True while nothing but empty lines came. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Takes bytes until the empty line that ends the head. Answers where it ends in `chunk`, or -1. */
  add(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      if (this.#addByte(chunk[at] as number)) return at + 1;
    }
    return -1;
  }

  /** The head without the empty line that ends it. */
  text(): string {
    return readLatin1(this.#bytes, 0, this.#length - 2);
  }

  #addByte(code: number): boolean {
    const before = this.#length > 0 ? (this.#bytes[this.#length - 1] as number) : 0;
    if (before === CR && code !== LF) throw new HttpSyntaxError('bare-cr');
    if (code < 0x20) {
      if (code === LF && before !== CR) throw new HttpSyntaxError('bare-lf');
      if (code !== LF && code !== CR && code !== HTAB) throw new HttpSyntaxError('control-character');
    }
    if (this.#length >= this.#limits.headerBytes) throw this.#tooLong();
    if (this.#isFirstLine && this.#length > this.#limits.targetBytes + REQUEST_LINE_REST) throw this.#tooLong();
    if (this.#length === this.#bytes.length) this.#grow();
    this.#bytes[this.#length++] = code;
    return code === LF && this.#endLine();
  }

  #endLine(): boolean {
    const isEmptyLine = this.#length - this.#lineStart === 2;
    if (isEmptyLine && this.#isFirstLine) {
      if (++this.#emptyLines > MAX_EMPTY_LINES) throw new HttpSyntaxError('empty-lines');
      this.#length = 0;
      return false;
    }
    this.#isFirstLine = false;
    this.#lineStart = this.#length;
    return isEmptyLine;
  }

  #tooLong(): HttpSyntaxError {
    return this.#isFirstLine ? new HttpSyntaxError('target-length', 414) : new HttpSyntaxError('header-bytes', 431);
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#bytes.length * 2, this.#limits.headerBytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** RFC 9112 section 2.2: a few empty lines before a request are read over. */
export function skipEmptyLines(chunk: Buffer): number {
  let at = 0;
  while (at + 1 < chunk.length && chunk[at] === CR && chunk[at + 1] === LF) at += 2;
  if (at > MAX_EMPTY_LINES * 2) throw new HttpSyntaxError('empty-lines');
  return at;
}
