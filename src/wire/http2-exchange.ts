/**
 * One HTTP/2 stream as an Exchange: body, answer, informational heads, trailers both ways, and the
 * byte stream of RFC 8441. Flow control is node's; what is not read is not granted, so memory stays
 * flat. A stream that broke is reset: nobody takes a half answer for a whole one. Calls after the
 * end do nothing.
 */
import type { Duplex } from 'node:stream';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { PosternError } from '../core/errors.ts';
import type { BodySink, BodySource, ConnectionFacts, Exchange, ExchangeOutcome, ResponseHead } from './exchange.ts';
import { HeaderBlock } from './header-block.ts';
import { refusalText } from './http1-refusal.ts';
import type { BodyLimits } from './http1-request-body.ts';
import { Http2RequestBody, NO_HTTP2_BODY } from './http2-request-body.ts';
import type { Http2RequestHead } from './http2-request-head.ts';
import { printHttp2Head, printInterim, printTrailers } from './http2-fields.ts';
import type { Ticker } from './ticker.ts';

/** What an exchange needs of its connection. */
export interface Http2Carrier {
  readonly facts: ConnectionFacts;
  readonly ticker: Ticker;
  readonly writeIdleMs: number;
  /** True once the connection was broken off by this side. */
  readonly isBroken: boolean;
  /** Told once, when the stream is closed. */
  exchangeClosed(exchange: Http2Exchange): void;
  /** The client takes nothing any more. */
  writeStalled(exchange: Http2Exchange): void;
  /** For the log; answers the id of its line. */
  refused(status: number, rule: string): string | null;
}

const { NGHTTP2_NO_ERROR } = constants;
/** node:http2 carries no others. */
const MAX_STATUS = 599;
const HSTS = 'strict-transport-security';
const BROKEN = new Error('The exchange was broken off');
const NEVER = Number.POSITIVE_INFINITY;
const GONE = 'The client went away';

export class Http2Exchange implements Exchange, BodySink {
  readonly request: Http2RequestHead;
  readonly connection: ConnectionFacts;
  readonly body: BodySource;
  readonly startedAt: number;
  readonly stream: ServerHttp2Stream;
  onClose: ((outcome: ExchangeOutcome) => void) | null = null;
  hsts: string | null = null;
  /** True once this side broke it off: such resets are not the client's. */
  isAborted = false;
  /** Among the open streams of its connection. */
  seat = -1;
  readonly #carrier: Http2Carrier;
  readonly #body: Http2RequestBody | null;
  #status = 0;
  #bytesOut = 0;
  /** Bytes still due by Content-Length, -1 where framing ends the body. */
  #left = -1;
  #hasNoBody = false;
  #isEnded = false;
  #isOver = false;
  #isTunnel = false;
  #isRefusing = false;
  #isCorked = false;
  #takesTrailers = false;
  #trailers: HeaderBlock | null = null;
  #resume: (() => void) | null = null;
  #writeDeadline = NEVER;
  /** Null: as the connection has it. */
  #writeIdleMs: number | null = null;
  /**
   * Node keeps a stream until its end was read, and destroys one whose end was read as soon as it is closed:
   * before the last write is done, for which it then makes an error with a stack that nobody hears. So the
   * end of a request without a body is read once the answer is out.
   */
  readonly #onFinished = (): void => {
    const { stream } = this;
    if (!stream.endAfterHeaders) return;
    if (stream.closed) stream.destroy();
    else stream.resume();
  };
  /** Closed before the answer was out: by a reset without blame, unless the last write is just being done. */
  readonly #onEnd = (): void => {
    if (!this.stream.writableFinished) setImmediate(() => this.stream.destroy());
  };

  constructor(carrier: Http2Carrier, stream: ServerHttp2Stream, request: Http2RequestHead, limits: BodyLimits) {
    this.#carrier = carrier;
    this.stream = stream;
    this.request = request;
    this.connection = carrier.facts;
    this.startedAt = performance.now();
    const hasBody = !stream.endAfterHeaders && request.upgrade === null;
    this.#body = hasBody ? new Http2RequestBody(this, request, limits) : null;
    this.body = this.#body ?? NO_HTTP2_BODY;
    // Errors come with 'close', which has the code.
    stream.on('error', ignore);
    stream.on('close', () => this.#closed());
    if (!stream.endAfterHeaders) return;
    if (request.upgrade !== null) stream.resume();
    else stream.on('end', this.#onEnd);
  }

  get ticker(): Ticker {
    return this.#carrier.ticker;
  }

  get hasAnswered(): boolean {
    return this.#status !== 0;
  }

  setBodyLimits(limits: Partial<BodyLimits>): void {
    this.#body?.setLimits(limits);
  }

  setWriteIdle(ms: number): void {
    this.#writeIdleMs = ms;
  }

  inform(head: ResponseHead): void {
    if (this.#isOver || this.hasAnswered || this.#isGone) return;
    if (head.status < 100 || head.status > 199 || head.status === 101) return;
    if (head.status === 100 && this.#body?.takeInvitation() !== true) return;
    const fields = printInterim(head.status, head.headers);
    if (fields !== null) this.stream.additionalHeaders(fields);
  }

  sendContinue(): void {
    if (!this.#isOver && !this.hasAnswered && !this.#isGone) this.stream.additionalHeaders({ ':status': 100 });
  }

  respond(head: ResponseHead, length: number, resume: () => void): BodySink {
    if (this.#isOver) return DISCARD;
    if (this.hasAnswered) throw new TypeError('Cannot respond: the answer has begun');
    const { status } = head;
    if (status < 200 || status > 999) throw new RangeError(`Cannot respond: status ${status} is not final`);
    // RFC 8441 section 5: to who asked for a tunnel any 2xx says that it is open.
    if (this.request.upgrade !== null && status < 300) return this.#refuseTunnel();
    this.#status = status;
    if (this.#isGone) return this;
    const isHead = this.request.method === 'HEAD';
    this.#hasNoBody = isHead || status === 204 || status === 205 || status === 304;
    this.#left = this.#hasNoBody ? -1 : length;
    this.#resume = resume;
    this.#takesTrailers =
      !this.#hasNoBody && length === -1 && (this.request.takesTrailers || head.headers.has('trailer'));
    const isShort = this.#hasNoBody || length === 0;
    if (status > MAX_STATUS) this.#status = 502;
    this.#sendHead({ status: this.#status, headers: head.headers }, shownLength(isHead, status, length), isShort);
    return this;
  }

  /** What answers is no WebSocket: 501, and its body goes nowhere. */
  #refuseTunnel(): BodySink {
    this.#status = 501;
    this.#hasNoBody = true;
    if (!this.#isGone) this.#sendHead({ status: 501, headers: new HeaderBlock() }, 0, true);
    return this;
  }

  respondWhole(head: ResponseHead, body: Buffer | string): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const sink = this.respond(head, bytes.length, ignore);
    if (sink !== this || this.#isGone || this.isAborted) return;
    if (this.#hasNoBody || bytes.length === 0) {
      this.end(null);
      return;
    }
    this.#bytesOut = bytes.length;
    this.#isEnded = true;
    this.stream.end(bytes, this.#onFinished);
    this.#afterEnd();
  }

  acceptUpgrade(head: ResponseHead): Duplex {
    if (this.request.upgrade === null) throw new TypeError('Cannot upgrade: the client asked for no other protocol');
    if (this.#isOver || this.hasAnswered) throw new TypeError('Cannot upgrade: the exchange is over or answered');
    this.#isTunnel = true;
    this.#status = 200;
    const headers = head.headers.clone();
    // A proof of HTTP/1.1's handshake; RFC 8441 section 5 has none.
    headers.remove('sec-websocket-accept');
    if (!this.#isGone) this.#sendHead({ status: 200, headers }, -1, false);
    return this.stream;
  }

  abort(_error: PosternError): void {
    this.#break();
  }

  /** The request body breaks a rule: what of it was passed on is aborted, and the client told so. */
  bodyFailed(error: PosternError, status: number, rule: string): void {
    const id = this.#carrier.refused(status, rule);
    this.#body?.abort(error);
    if (this.#isOver) return;
    // Whoever holds the sink may have answered by now; else the client is told here.
    if (this.hasAnswered && !this.#isEnded) this.#break();
    if (this.hasAnswered) return;
    const text = refusalText(status, rule, id);
    this.respondWhole({ status, headers: HeaderBlock.from({ 'content-type': 'text/plain; charset=utf-8' }) }, text);
  }

  write(chunk: Buffer): boolean {
    if (this.#isEnded || this.#hasNoBody || this.#isGone || chunk.length === 0) return true;
    if (this.#left !== -1) {
      if (chunk.length > this.#left) {
        this.#break();
        return true;
      }
      this.#left -= chunk.length;
    }
    this.#bytesOut += chunk.length;
    // Everything of one read event goes down in one call.
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.stream.cork();
    }
    if (this.stream.write(chunk)) return true;
    this.#isRefusing = true;
    if (this.#writeDeadline === NEVER) this.stream.once('drain', () => this.#drained());
    this.#writeDeadline = this.ticker.now + (this.#writeIdleMs ?? this.#carrier.writeIdleMs);
    return false;
  }

  flush(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.stream.uncork();
  }

  end(trailers: HeaderBlock | null): void {
    if (this.#isEnded) return;
    if (this.#left > 0) {
      this.#break();
      return;
    }
    this.#isEnded = true;
    this.#trailers = trailers;
    if (!this.#isGone) this.stream.end(this.#onFinished);
    this.flush();
    this.#afterEnd();
  }

  endWith(chunk: Buffer): void {
    const isAll = chunk.length === this.#left && !this.#isCorked && !this.#isGone && !this.#isEnded;
    // The chunk's memory is used again, and node writes later.
    const bytes = Buffer.from(chunk);
    if (!isAll) {
      this.write(bytes);
      this.end(null);
      return;
    }
    this.#left = 0;
    this.#bytesOut += bytes.length;
    this.#isEnded = true;
    this.stream.end(bytes, this.#onFinished);
    this.#afterEnd();
  }

  /** Deadlines; called at each tick. */
  tick(now: number): void {
    this.#body?.checkDeadlines(now);
    if (now < this.#writeDeadline) return;
    this.#writeDeadline = NEVER;
    this.#carrier.writeStalled(this);
    this.#break();
  }

  #drained(): void {
    this.#writeDeadline = NEVER;
    if (!this.#isRefusing || this.#isOver) return;
    this.#isRefusing = false;
    this.#resume?.();
  }

  get #isGone(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  // oxlint-disable-next-line max-params -- two heads share it
  #sendHead(head: ResponseHead, contentLength: number, endStream: boolean): void {
    const raw = printHttp2Head(head.status, head.headers, contentLength);
    if (raw === null) {
      this.#break();
      return;
    }
    if (this.hsts !== null && !head.headers.has(HSTS)) raw.push(HSTS, this.hsts);
    if (this.#takesTrailers) this.stream.once('wantTrailers', () => this.#sendTrailers());
    this.stream.respond(raw, { endStream, waitForTrailers: this.#takesTrailers });
  }

  #sendTrailers(): void {
    if (this.#isGone) return;
    const fields = this.#trailers === null ? null : printTrailers(this.#trailers);
    this.stream.sendTrailers(fields ?? {});
  }

  /**
   * What waits for the client's window has a deadline though nobody writes any more, or an answer of one byte could
   * be held for ever. RFC 9113 section 8.1: after an early answer the client is told to stop sending, without blame.
   */
  #afterEnd(): void {
    this.#writeDeadline = this.ticker.now + (this.#writeIdleMs ?? this.#carrier.writeIdleMs);
    if (this.#body === null || this.#body.isComplete) return;
    this.#body.abort(new PosternError('CLIENT_CLOSED', 'The answer was complete before the request body'));
    if (this.stream.writableFinished) this.stream.close(NGHTTP2_NO_ERROR);
    else this.stream.once('finish', () => this.stream.close(NGHTTP2_NO_ERROR));
  }

  #break(): void {
    if (this.#isOver || this.isAborted) return;
    this.isAborted = true;
    this.#isEnded = true;
    // RST_STREAM INTERNAL_ERROR. Not `close(code)`: that ends the stream first, and half would look whole.
    this.stream.destroy(BROKEN);
  }

  #closed(): void {
    if (this.#isOver) return;
    const wasEnded = this.#isEnded;
    this.#isOver = true;
    this.#isEnded = true;
    this.#writeDeadline = NEVER;
    const { rstCode } = this.stream;
    // Nothing is sent after END_STREAM or a reset, so an end without blame means that all went out.
    const isWhole = wasEnded && rstCode === NGHTTP2_NO_ERROR && !this.isAborted && !this.#carrier.isBroken;
    const complete = this.#isTunnel || (this.hasAnswered && isWhole);
    // An error takes its stack down: most bodies are complete by now and need none.
    if (this.#body !== null && !this.#body.isComplete)
      this.#body.abort(new PosternError('CLIENT_CLOSED', GONE, { code: rstCode }));
    this.#carrier.exchangeClosed(this);
    const bytesIn = this.#body?.bytesIn ?? 0;
    const tell = this.onClose;
    this.onClose = null;
    tell?.({ complete, bytesIn, bytesOut: this.#bytesOut, status: this.#status });
  }
}

const ignore = (): void => undefined;

/** Takes the body of an answer that nobody waits for any more. */
const DISCARD: BodySink = { write: () => true, flush: ignore, end: ignore, abort: ignore };

/** What Content-Length says, -1 where it is not sent (RFC 9110 section 8.6). */
function shownLength(isHead: boolean, status: number, length: number): number {
  if (status === 204 || status === 304) return -1;
  if (status === 205) return 0;
  return isHead && length === 0 ? -1 : length;
}
