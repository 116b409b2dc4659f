/**
 * The final answer of one HTTP/1.1 exchange as a BodySink: frames by Content-Length, chunks, or the
 * end of the connection toward HTTP/1.0. What comes in one read event leaves in one write: head and
 * first bytes are one buffer while small, and a vectored write above.
 */
import { Buffer } from 'node:buffer';
import type { PosternError } from '../core/errors.ts';
import { CRLF, chunkLine, lastChunk } from './chunked-encoder.ts';
import type { BodySink, ResponseHead } from './exchange.ts';
import type { HeaderBlock } from './header-block.ts';
import type { Http1Carrier } from './http1-carrier.ts';
import { writeLatin1 } from './latin1.ts';
import type { Http1RequestHead } from './request-head.ts';
import { hasOnlyLines, PrintedHead, PROVEN } from './response-text.ts';

const EMPTY = 0;
const COUNTED = 1;
const CHUNKS = 2;
const UNTIL_CLOSE = 3;

/** Up to here bytes are copied behind their head; above, copying costs more than a second vector. */
const COPIED_BYTES = 16_384;
/** More than this is not held back for a flush. */
const HELD_BYTES = 65_536;

export class Http1Response implements BodySink {
  bytesOut = 0;
  readonly status: number;
  readonly #carrier: Http1Carrier;
  readonly #resume: () => void;
  readonly #framing: number;
  #head: PrintedHead | null;
  #left: number;
  /** What waits: one chunk as a rule, so the list is made only for more. */
  #first: Buffer | null = null;
  #more: Buffer[] | null = null;
  #heldBytes = 0;
  #isRefusing = false;
  #isEnded = false;

  // oxlint-disable-next-line max-params -- made once a request
  constructor(
    carrier: Http1Carrier,
    exchange: { readonly request: Http1RequestHead; readonly hsts: string | null },
    head: ResponseHead,
    length: number,
    resume: () => void,
  ) {
    const { status } = head;
    const { request } = exchange;
    this.status = status;
    this.#carrier = carrier;
    this.#resume = resume;
    const isHead = request.method === 'HEAD';
    const hasNoBody = isHead || status === 204 || status === 205 || status === 304;
    this.#framing = hasNoBody ? EMPTY : framingOf(request, length);
    if (this.#framing === UNTIL_CLOSE) carrier.keepAlive = false;
    let lines = '';
    let count = 0;
    const shown = shownLength(this.#framing, isHead, status, length);
    if (shown >= 0) {
      lines = lengthLine(shown);
      count++;
    } else if (this.#framing === CHUNKS) {
      lines = 'Transfer-Encoding: chunked\r\n';
      count++;
    }
    if (!carrier.keepAlive) {
      lines += 'Connection: close\r\n';
      count++;
    } else if (request.version === '1.0') {
      lines += 'Connection: keep-alive\r\n';
      count++;
    }
    this.#left = length;
    this.#head = new PrintedHead(head, lines, count, exchange.hsts);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** True while all of it waits here. */
  get isUnsent(): boolean {
    return this.#head !== null && !this.#isEnded;
  }

  write(chunk: Buffer): boolean {
    if (this.#isEnded || chunk.length === 0 || this.#framing === EMPTY) return true;
    if (this.#framing === COUNTED) {
      // More than was promised would be read as the next answer.
      if (chunk.length > this.#left) return this.#break();
      this.#left -= chunk.length;
    }
    this.bytesOut += chunk.length;
    if (this.#first === null) this.#first = chunk;
    else (this.#more ??= []).push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes >= HELD_BYTES && !this.#isBlocked) this.#emit('');
    if (!this.#isBlocked) return true;
    this.#isRefusing = true;
    return false;
  }

  flush(): void {
    if (this.#isEnded || this.#isBlocked) return;
    if (this.#head !== null || this.#heldBytes > 0) this.#emit('');
  }

  end(trailers: HeaderBlock | null): void {
    if (this.#isEnded) return;
    if (this.#framing === COUNTED && this.#left > 0) {
      this.#break();
      return;
    }
    this.#isEnded = true;
    const tail = this.#framing === CHUNKS ? lastChunk(trailers) : '';
    if (this.#head !== null || this.#heldBytes > 0 || tail !== '') this.#emit(tail);
    this.#carrier.responseDone();
  }

  endWith(bytes: Buffer, from: number, to: number): void {
    const head = this.#head;
    const size = to - from;
    const isAll = head !== null && this.#heldBytes === 0 && this.#framing === COUNTED && size === this.#left;
    if (!isAll || this.#isEnded || size > COPIED_BYTES) {
      this.write(Buffer.from(bytes.subarray(from, to)));
      this.end(null);
      return;
    }
    // The ordinary small answer: one buffer, one write.
    const buffer = Buffer.allocUnsafe(head.length + size);
    const at = head.writeInto(buffer);
    if (!this.#isSound(buffer, head)) return;
    bytes.copy(buffer, at, from, to);
    this.bytesOut += size;
    this.#left = 0;
    this.#head = null;
    this.#isEnded = true;
    this.#carrier.late.put(buffer);
    this.#carrier.responseDone();
  }

  abort(_error: PosternError): void {
    if (this.#isEnded) return;
    this.#break();
  }

  /** The socket has room again. */
  onDrain(): void {
    if (this.#isEnded) return;
    if (this.#heldBytes > 0) this.#emit('');
    if (!this.#isRefusing || this.#isBlocked) return;
    this.#isRefusing = false;
    this.#resume();
  }

  /** Nothing more is written: the connection is gone. */
  stop(): void {
    this.#isEnded = true;
    this.#release();
  }

  /**
   * A zero before the next chunk's size changes nothing for who reads, and is answered by RST where
   * nobody does. True where one was sent.
   */
  probe(): boolean {
    if (this.#framing !== CHUNKS || this.#head !== null || this.#heldBytes > 0 || this.#isEnded) return false;
    return this.#carrier.socket.write('0', 'latin1');
  }

  /** True while the socket holds as much as it should. Asked after the write: most are done by then. */
  get #isBlocked(): boolean {
    const { socket } = this.#carrier;
    return socket.writableLength >= socket.writableHighWaterMark;
  }

  #break(): true {
    this.stop();
    // Where closing ends the body, only a reset tells that it is not complete.
    this.#carrier.destroy(this.#framing === UNTIL_CLOSE);
    return true;
  }

  /** Writes what is held: head, one chunk's framing, bytes, and `tail` behind them. */
  #emit(tail: string): void {
    const bytes = this.#heldBytes;
    const head = this.#head;
    let before = head === null ? '' : head.text;
    let after = tail;
    if (this.#framing === CHUNKS && bytes > 0) {
      before += chunkLine(bytes);
      after = CRLF + tail;
    }
    const isCopied = bytes <= COPIED_BYTES;
    const size = before.length + (isCopied ? bytes + after.length : 0);
    const buffer = Buffer.allocUnsafe(size);
    let at = before === '' ? 0 : writeLatin1(buffer, before, 0);
    if (head !== null && !this.#isSound(buffer, head)) return;
    this.#head = null;
    if (isCopied) {
      if (this.#first !== null) at += this.#first.copy(buffer, at);
      if (this.#more !== null) for (const chunk of this.#more) at += chunk.copy(buffer, at);
      if (after !== '') writeLatin1(buffer, after, at);
      this.#carrier.socket.write(buffer);
    } else {
      this.#writeVector(buffer, after);
    }
    this.#release();
    this.#heldBytes = 0;
  }

  #release(): void {
    this.#first = null;
    this.#more = null;
  }

  #isSound(buffer: Buffer, head: PrintedHead): boolean {
    if (head.lines === PROVEN || hasOnlyLines(buffer, head.text.length, head.lines)) return true;
    // A value of the head holds a line break: nothing of this answer may reach the client.
    this.stop();
    this.#carrier.destroy();
    return false;
  }

  #writeVector(before: Buffer, after: string): void {
    const { socket } = this.#carrier;
    socket.cork();
    if (before.length > 0) socket.write(before);
    if (this.#first !== null) socket.write(this.#first);
    if (this.#more !== null) for (const chunk of this.#more) socket.write(chunk);
    if (after !== '') socket.write(after, 'latin1');
    socket.uncork();
  }
}

let lastLength = -1;
let lastLine = '';

/** The very same text for the same length again: whoever compares it need not look into it. */
function lengthLine(length: number): string {
  if (length === lastLength) return lastLine;
  lastLength = length;
  lastLine = `Content-Length: ${length}\r\n`;
  return lastLine;
}

function framingOf(request: Http1RequestHead, length: number): number {
  if (length >= 0) return COUNTED;
  return request.version === '1.1' ? CHUNKS : UNTIL_CLOSE;
}

/** What Content-Length says, -1 where it is not sent (RFC 9110 section 8.6). */
// oxlint-disable-next-line max-params -- four plain facts
function shownLength(framing: number, isHead: boolean, status: number, length: number): number {
  if (status === 204 || status === 304) return -1;
  if (status === 205) return 0;
  return framing === COUNTED || isHead ? length : -1;
}

/** Takes the body of an answer that nobody waits for any more. */
export const DISCARD: BodySink = {
  write: () => true,
  flush: () => undefined,
  end: () => undefined,
  abort: () => undefined,
};
