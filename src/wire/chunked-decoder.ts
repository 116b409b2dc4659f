/**
 * Incremental decoder of the chunked transfer coding (RFC 9112 section 7.1). Strict: hex digits only
 * in a size, CRLF only, extensions read over within a bound and never forwarded, forbidden trailers
 * dropped. Any doubt is an HttpSyntaxError and the message is over.
 */
import { bytesOf, isTokenCode, parseFields } from './fields.ts';
import { HeaderBlock } from './header-block.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';
import { readLatin1 } from './latin1.ts';
import { keepAllowedTrailers } from './trailers.ts';

export interface ChunkedOutput {
  /** Takes bytes of the body. False: `write` returns at once, and goes on when called with the rest. */
  onData(slice: Buffer): boolean;
  /** The message is complete; `write` returns at once and the rest of the buffer is not ours. */
  onEnd(trailers: HeaderBlock | null): void;
}

const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILERS = 6;
const DONE = 7;

/** Where in an extension: before its name, behind its first letter, in quotes, behind a backslash there. */
const BEFORE_NAME = 0;
const IN_REST = 1;
const IN_QUOTES = 2;
const ESCAPED = 3;

const HTAB = 9;
const LF = 10;
const CR = 13;
const SP = 32;
const QUOTE = 34;
const SEMICOLON = 59;
const BACKSLASH = 92;

/** Over the whole message: CVE-2024-22019 is what happens without a bound. */
const MAX_EXTENSION_BYTES = 16_384;
const MAX_TRAILER_BYTES = 8_192;
const MAX_TRAILERS = 64;
/** 2^53 has 14 digits; two more leave room for leading zeros. */
const MAX_SIZE_DIGITS = 16;

const HEX = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  HEX[text.charCodeAt(0)] = digit;
  HEX[text.toUpperCase().charCodeAt(0)] = digit;
}

export class ChunkedDecoder {
  readonly #output: ChunkedOutput;
  #state: number = SIZE;
  #left = 0;
  #digits = 0;
  #extensionBytes = 0;
  #inExtension: number = BEFORE_NAME;
  /** The trailer section as received so far, CRLF of the last line included. */
  #trailers = '';

  constructor(output: ChunkedOutput) {
    this.#output = output;
  }

  get isDone(): boolean {
    return this.#state === DONE;
  }

  /**
   * Decodes buffer[offset..) and answers where it stopped: at the end of the buffer, behind the
   * message's last byte, or behind the data that `onData` answered false to.
   */
  write(buffer: Buffer, offset: number): number {
    let at = offset;
    const end = buffer.length;
    while (at < end && this.#state !== DONE) {
      if (this.#state !== DATA) {
        at = this.#readFraming(buffer, at);
        continue;
      }
      const size = Math.min(this.#left, end - at);
      const slice = at === 0 && size === end ? buffer : buffer.subarray(at, at + size);
      at += size;
      this.#left -= size;
      if (this.#left === 0) this.#state = DATA_CR;
      if (!this.#output.onData(slice)) return at;
    }
    return at;
  }

  #readFraming(buffer: Buffer, at: number): number {
    const code = buffer[at] as number;
    switch (this.#state) {
      case SIZE:
        this.#readSize(code);
        return at + 1;
      case EXTENSION:
        return this.#readExtension(buffer, at);
      case SIZE_LF:
        if (code !== LF) throw new HttpSyntaxError('bare-cr');
        this.#state = this.#left === 0 ? TRAILERS : DATA;
        return at + 1;
      case DATA_CR:
        if (code !== CR) throw new HttpSyntaxError(code === LF ? 'bare-lf' : 'chunk-data');
        this.#state = DATA_LF;
        return at + 1;
      case DATA_LF:
        if (code !== LF) throw new HttpSyntaxError('chunk-data');
        this.#state = SIZE;
        this.#digits = 0;
        return at + 1;
      default:
        return this.#readTrailers(buffer, at);
    }
  }

  #readSize(code: number): void {
    const digit = HEX[code] as number;
    if (digit !== -1) {
      this.#left = (this.#digits === 0 ? 0 : this.#left * 16) + digit;
      if (++this.#digits > MAX_SIZE_DIGITS || this.#left > Number.MAX_SAFE_INTEGER) {
        throw new HttpSyntaxError('chunk-size');
      }
      return;
    }
    if (this.#digits === 0) throw new HttpSyntaxError('chunk-size');
    if (code === CR) this.#state = SIZE_LF;
    else if (code === SEMICOLON) this.#beginExtension();
    else throw new HttpSyntaxError(code === LF ? 'bare-lf' : 'chunk-size');
  }

  #beginExtension(): void {
    this.#state = EXTENSION;
    this.#inExtension = BEFORE_NAME;
  }

  /** Reads over extensions up to the CR; their text is dropped. Each needs a name, and quotes must close. */
  #readExtension(buffer: Buffer, from: number): number {
    let at = from;
    while (at < buffer.length) {
      const code = buffer[at++] as number;
      if (code === LF) throw new HttpSyntaxError('bare-lf');
      if (code === CR) {
        if (this.#inExtension !== IN_REST) throw new HttpSyntaxError('chunk-extension');
        this.#state = SIZE_LF;
        return at;
      }
      if ((code < 0x20 && code !== HTAB) || code === 0x7f) throw new HttpSyntaxError('chunk-extension');
      if (++this.#extensionBytes > MAX_EXTENSION_BYTES) throw new HttpSyntaxError('chunk-extension-size', 413);
      this.#inExtension = nextInExtension(this.#inExtension, code);
    }
    return at;
  }

  /** Collects lines until the empty one. Lines end in CRLF, so a lone LF or CR cannot end the section. */
  #readTrailers(buffer: Buffer, from: number): number {
    const lineEnd = buffer.indexOf(LF, from);
    const to = lineEnd === -1 ? buffer.length : lineEnd + 1;
    if (this.#trailers.length + to - from > MAX_TRAILER_BYTES) throw new HttpSyntaxError('trailer-size', 431);
    this.#trailers += readLatin1(buffer, from, to);
    if (lineEnd === -1) return to;
    const text = this.#trailers;
    if (!text.endsWith('\r\n')) throw new HttpSyntaxError('bare-lf');
    if (text.length === 2) this.#finish(null);
    else if (text.endsWith('\r\n\r\n')) this.#finish(this.#parseTrailers());
    return to;
  }

  #parseTrailers(): HeaderBlock | null {
    const trailers = new HeaderBlock();
    parseFields(this.#trailers, bytesOf(this.#trailers), 0, this.#trailers.length - 2, trailers, MAX_TRAILERS);
    return keepAllowedTrailers(trailers);
  }

  #finish(trailers: HeaderBlock | null): void {
    this.#state = DONE;
    this.#trailers = '';
    this.#output.onEnd(trailers);
  }
}

function nextInExtension(place: number, code: number): number {
  switch (place) {
    case BEFORE_NAME:
      if (code === SP || code === HTAB) return BEFORE_NAME;
      if (!isTokenCode(code)) throw new HttpSyntaxError('chunk-extension');
      return IN_REST;
    case IN_QUOTES:
      if (code === BACKSLASH) return ESCAPED;
      return code === QUOTE ? IN_REST : IN_QUOTES;
    case ESCAPED:
      return IN_QUOTES;
    default:
      if (code === SEMICOLON) return BEFORE_NAME;
      return code === QUOTE ? IN_QUOTES : IN_REST;
  }
}
