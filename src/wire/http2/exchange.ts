/**
 * One HTTP/2 stream as an Exchange: body, answer, informational heads, trailers both ways, and the byte
 * stream of RFC 8441. A stream that broke is reset: nobody takes a half answer for a whole one. Calls after
 * the end do nothing.
 */
import type { Duplex } from 'node:stream';
import { PosternError } from '../../core/errors.ts';
import { NO_ANSWER } from '../exchange.ts';
import type {
  BodySink,
  BodySource,
  ConnectionFacts,
  Exchange,
  ExchangeOutcome,
  RequestBodyLimits,
  ResponseHead,
} from '../exchange.ts';
import { HeaderBlock } from '../header-block.ts';
import { refusalHead, refusalText } from '../http1-refusal.ts';
import { NO_BODY } from '../body-bounds.ts';
import { DISCARD } from '../http1-response.ts';
import type { Ticker } from '../ticker.ts';
import { CANCEL, INTERNAL_ERROR, NO_ERROR } from './codes.ts';
import { HeldBytes } from './held-bytes.ts';
import { type BodyOwner, Http2RequestBody } from './request-body.ts';
import type { Http2RequestHead } from './request-head.ts';
import type { ReceivingStream } from './receive-windows.ts';
import { type Outlet, type SendOwner, SendStream } from './send-stream.ts';
import type { Numbered } from './stream-table.ts';
import { TunnelStream } from './tunnel-stream.ts';

/** What an exchange needs of its connection. */
export interface Http2Carrier extends Outlet {
  readonly facts: ConnectionFacts;
  readonly ticker: Ticker;
  readonly writeIdleMs: number;
  /** Told once, when the exchange is over: its stream is forgotten, and reset with `code` unless that is -1. */
  exchangeClosed: (exchange: Http2Exchange, code: number) => void;
  /** Bytes of the body were taken: the windows open again, that of the stream only where more is wanted. */
  granted: (exchange: Http2Exchange, bytes: number, isWanted: boolean) => void;
  inform: (exchange: Http2Exchange, head: ResponseHead) => void;
  /** For the log; answers the id of its line. */
  refused: (status: number, rule: string) => string | null;
}

/** HTTP/1.1 has three digits for a status, HTTP/2 clients know these. */
const MAX_STATUS = 599;
/** Below this, whoever was told to wait may go on. */
const LOW_WATER = 16_384;
const NEVER = Number.POSITIVE_INFINITY;
const CONTINUE: ResponseHead = { status: 100, headers: new HeaderBlock() };
const NOT_WHOLE = 'The answer was complete before the request body';

export class Http2Exchange
  implements Exchange, BodySink, BodyOwner, SendOwner, ReceivingStream, Numbered<Http2Exchange>
{
  readonly request: Http2RequestHead;
  readonly connection: ConnectionFacts;
  readonly body: BodySource;
  readonly startedAt: number;
  readonly send: SendStream;
  onClose: ((outcome: ExchangeOutcome) => void) | null = null;
  hsts: string | null = null;
  readonly id: number;
  next: Http2Exchange | null = null;
  /** What the client may still send, and what of it is not granted yet. */
  receiveWindow: number;
  ungranted = 0;
  hasGrown = false;
  /** Bytes of DATA, held against Content-Length. */
  received = 0;
  /** True once the client has sent END_STREAM. */
  hasReadEnded: boolean;
  readonly #carrier: Http2Carrier;
  readonly #body: Http2RequestBody | null;
  #status = 0;
  #bytesOut = 0;
  /** Bytes still due by Content-Length, -1 where framing ends the body. */
  #left = -1;
  #hasNoBody = false;
  #isEnded = false;
  #isOver = false;
  #tunnel: TunnelStream | null = null;
  /** What a client sends into a tunnel before it is open. */
  #early: HeldBytes | null = null;
  #isRefusing = false;
  #takesTrailers = false;
  #resume: (() => void) | null = null;
  #writeDeadline = NEVER;
  #writeIdleMs: number;

  // oxlint-disable-next-line max-params -- made once a request
  constructor(
    carrier: Http2Carrier,
    id: number,
    windows: StreamWindows,
    request: Http2RequestHead,
    limits: RequestBodyLimits,
  ) {
    this.#carrier = carrier;
    this.id = id;
    this.request = request;
    this.connection = carrier.facts;
    this.startedAt = performance.now();
    this.send = new SendStream(id, windows.send, carrier, this);
    this.receiveWindow = windows.receive;
    this.hasReadEnded = windows.hasReadEnded;
    this.#writeIdleMs = carrier.writeIdleMs;
    const hasBody = !windows.hasReadEnded && request.upgrade === null;
    this.#body = hasBody ? new Http2RequestBody(this, request, limits) : null;
    this.body = this.#body ?? NO_BODY;
  }

  get ticker(): Ticker {
    return this.#carrier.ticker;
  }

  get hasAnswered(): boolean {
    return this.#status !== 0;
  }

  setBodyLimits(limits: Partial<RequestBodyLimits>): void {
    this.#body?.setLimits(limits);
  }

  setWriteIdle(ms: number): void {
    this.#writeIdleMs = ms;
  }

  inform(head: ResponseHead): void {
    if (this.#isOver || this.hasAnswered) return;
    if (head.status < 100 || head.status > 199 || head.status === 101) return;
    if (head.status === 100 && this.#body?.takeInvitation() !== true) return;
    this.#carrier.inform(this, head);
  }

  sendContinue(): void {
    if (!this.#isOver && !this.hasAnswered) this.#carrier.inform(this, CONTINUE);
  }

  respond(head: ResponseHead, length: number, resume: () => void): BodySink {
    if (this.#isOver) return DISCARD;
    if (this.hasAnswered) throw new TypeError('Cannot respond: the answer has begun');
    const { status } = head;
    if (status < 200 || status > 999) throw new RangeError(`Cannot respond: status ${status} is not final`);
    // RFC 8441 section 5: to who asked for a tunnel any 2xx says that it is open.
    if (this.request.upgrade !== null && status < 300) return this.#refuseTunnel();
    this.#status = status;
    const isHead = this.request.method === 'HEAD';
    this.#hasNoBody = isHead || status === 204 || status === 205 || status === 304;
    this.#left = this.#hasNoBody ? -1 : length;
    this.#resume = resume;
    this.#takesTrailers = !this.#hasNoBody && length === -1 && (this.request.takesTrailers || announcesTrailers(head));
    const shown = shownLength(isHead, status, length);
    if (status > MAX_STATUS) {
      this.#status = 502;
      this.send.begin({ status: 502, headers: head.headers }, shown, this.hsts);
    } else {
      this.send.begin(head, shown, this.hsts);
    }
    return this;
  }

  /** What answers is no WebSocket: 501, and its body goes nowhere. */
  #refuseTunnel(): BodySink {
    this.#status = 501;
    this.#hasNoBody = true;
    this.send.begin({ status: 501, headers: new HeaderBlock() }, 0, this.hsts);
    return this;
  }

  respondWhole(head: ResponseHead, body: Buffer | string): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const sink = this.respond(head, bytes.length, ignore);
    if (sink !== this || this.#isOver) return;
    if (!this.#hasNoBody) {
      if (bytes.length > 0 && this.#finishWith(bytes)) return;
      this.write(bytes);
    }
    this.end(null);
  }

  retract(): boolean {
    if (this.#isOver || this.#isEnded || !this.hasAnswered || !this.send.isUnsent || this.#tunnel !== null)
      return false;
    this.send.takeBack();
    this.#status = 0;
    this.#bytesOut = 0;
    this.#isRefusing = false;
    this.#writeDeadline = NEVER;
    this.#resume = null;
    return true;
  }

  acceptUpgrade(head: ResponseHead): Duplex {
    if (this.request.upgrade === null) throw new TypeError('Cannot upgrade: the client asked for no other protocol');
    if (this.#isOver || this.hasAnswered) throw new TypeError('Cannot upgrade: the exchange is over or answered');
    this.#status = 200;
    const headers = head.headers.clone();
    // A proof of HTTP/1.1's handshake; RFC 8441 section 5 has none.
    headers.remove('sec-websocket-accept');
    const tunnel = new TunnelStream(this.send, {
      granted: (bytes) => this.granted(bytes, true),
      reset: () => this.#finish(CANCEL, 'The tunnel was broken off'),
    });
    this.#tunnel = tunnel;
    this.send.begin({ status: 200, headers }, -1, this.hsts);
    const early = this.#early;
    this.#early = null;
    for (let chunk = early?.take() ?? null; chunk !== null; chunk = early?.take() ?? null) tunnel.receive(chunk);
    if (this.hasReadEnded) tunnel.ended();
    return tunnel;
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
    this.respondWhole(refusalHead(status), refusalText(status, rule, id));
  }

  granted(bytes: number, isWanted: boolean): void {
    this.#carrier.granted(this, bytes, isWanted && !this.hasReadEnded && !this.#isOver);
  }

  write(chunk: Buffer): boolean {
    if (this.#isEnded || this.#hasNoBody || this.#isOver || chunk.length === 0) return true;
    if (this.#left !== -1) {
      if (chunk.length > this.#left) {
        this.#break();
        return true;
      }
      this.#left -= chunk.length;
    }
    this.#bytesOut += chunk.length;
    if (this.#writeDeadline === NEVER) this.#writeDeadline = this.ticker.now + this.#writeIdleMs;
    this.send.push(chunk);
    if (!this.send.isFull) return true;
    this.#isRefusing = true;
    return false;
  }

  /** Everything of one turn leaves together, without being told. */
  flush(): void {}

  end(trailers: HeaderBlock | null): void {
    if (this.#isEnded || this.#isOver) return;
    if (this.#left > 0) {
      this.#break();
      return;
    }
    this.#isEnded = true;
    this.send.finish(this.#takesTrailers ? trailers : null);
    this.#endBody();
  }

  endWith(bytes: Buffer, from: number, to: number): void {
    const chunk = bytes.subarray(from, to);
    if (chunk.length === this.#left && !this.#isEnded && !this.#isOver && this.#finishWith(chunk)) return;
    // The chunk's memory is used again, and it is written later.
    this.write(Buffer.from(chunk));
    this.end(null);
  }

  /** Deadlines; called at each tick. */
  tick(now: number): void {
    this.#body?.checkDeadlines(now);
    if (now < this.#writeDeadline) return;
    this.#writeDeadline = NEVER;
    this.#break();
  }

  onSent(held: number): void {
    this.#writeDeadline = held === 0 ? NEVER : this.ticker.now + this.#writeIdleMs;
    if (this.#tunnel !== null) this.#tunnel.onSent(held);
    if (!this.#isRefusing || held > LOW_WATER) return;
    this.#isRefusing = false;
    this.#resume?.();
  }

  /** RFC 9113 section 8.1: after an early answer the client is told to stop sending, without blame. */
  onSendEnd(): void {
    if (this.#tunnel !== null) {
      this.#tunnel.onSendEnd();
      if (this.hasReadEnded) this.#finish(-1, '');
      return;
    }
    this.#isEnded = true;
    this.#finish(this.hasReadEnded ? -1 : NO_ERROR, NOT_WHOLE, true);
  }

  onUnsendable(): void {
    this.#break();
  }

  /** Bytes of a DATA frame. */
  take(chunk: Buffer): void {
    const receiver = this.#tunnel ?? this.#body;
    if (receiver !== null) receiver.receive(chunk);
    else if (this.request.upgrade !== null && !this.hasAnswered) (this.#early ??= new HeldBytes()).add(chunk);
    else this.granted(chunk.length, false);
  }

  /** Everything that was read at once has been taken. */
  flushBody(): void {
    this.#body?.flush();
  }

  /** END_STREAM of the client. */
  readEnded(trailers: HeaderBlock | null): void {
    this.hasReadEnded = true;
    (this.#tunnel ?? this.#body)?.ended(trailers);
    if (this.#tunnel?.hasSendEnded === true) this.#finish(-1, '');
  }

  /** The client reset it, its connection ended, or it broke a rule, for which the stream is reset with `code`. */
  broken(code: number, reason: string): void {
    this.#finish(code, reason);
  }

  /** The whole of a small answer. True where it is out. */
  #finishWith(chunk: Buffer): boolean {
    if (this.#hasNoBody || chunk.length === 0) return false;
    this.#bytesOut += chunk.length;
    const left = this.#left;
    this.#left = 0;
    if (this.send.finishWith(chunk)) return true;
    this.#bytesOut -= chunk.length;
    this.#left = left;
    return false;
  }

  #dropEarly(): void {
    const bytes = this.#early?.length ?? 0;
    this.#early = null;
    if (bytes > 0) this.granted(bytes, false);
  }

  #endBody(): void {
    if (this.#body === null || this.#body.isComplete) return;
    this.#body.abort(new PosternError('CLIENT_CLOSED', NOT_WHOLE));
  }

  /** RST_STREAM: half an answer must not look whole. */
  #break(): void {
    this.#finish(INTERNAL_ERROR, 'The exchange was broken off');
  }

  #finish(code: number, reason: string, isWhole = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isEnded = true;
    this.#writeDeadline = NEVER;
    this.send.stop();
    this.#dropEarly();
    this.#carrier.exchangeClosed(this, code);
    // An error takes its stack down: most bodies are complete by now and need none.
    if (this.#body !== null && !this.#body.isComplete)
      this.#body.abort(new PosternError('CLIENT_CLOSED', reason, { code }));
    const tunnel = this.#tunnel;
    if (tunnel !== null && reason !== '') tunnel.broken();
    const tell = this.onClose;
    this.onClose = null;
    const complete = tunnel !== null || (this.hasAnswered && isWhole);
    const status = this.#status === 0 ? NO_ANSWER : this.#status;
    tell?.({ complete, bytesIn: this.#body?.bytesIn ?? 0, bytesOut: this.#bytesOut, status });
  }
}

export interface StreamWindows {
  readonly send: number;
  readonly receive: number;
  readonly hasReadEnded: boolean;
}

const ignore = (): void => undefined;

/** An app's fields that came as text hold none of its connection, and so no Trailer. */
function announcesTrailers(head: ResponseHead): boolean {
  return (head.lines ?? null) === null && head.headers.has('trailer');
}

/** What Content-Length says, -1 where it is not sent (RFC 9110 section 8.6). */
function shownLength(isHead: boolean, status: number, length: number): number {
  if (status === 204 || status === 304) return -1;
  if (status === 205) return 0;
  return isHead && length === 0 ? -1 : length;
}
