/**
 * The body of one HTTP/1.1 request as a BodySource: counted or chunked. Bytes wait in the connection
 * until somebody starts the flow. Enforces size, idle time and least rate; a body that breaks off or
 * breaks a rule is aborted, never ended.
 */
import { PosternError } from '../core/errors.ts';
import { BodyBounds, type BodyFault } from './body-bounds.ts';
import { ChunkedDecoder, type ChunkedOutput } from './chunked-decoder.ts';
import type { BodySink, BodySource, RequestBodyLimits } from './exchange.ts';
import type { HeaderBlock } from './header-block.ts';
import type { Http1Carrier } from './http1-carrier.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';

/** A rest of this size is read over so that the connection can go on. */
const MAX_SKIPPED = 65_536;

export class Http1RequestBody implements BodySource, ChunkedOutput {
  readonly length: number;
  bytesIn = 0;
  isComplete = false;
  readonly #carrier: Http1Carrier;
  readonly #decoder: ChunkedDecoder | null;
  readonly #bounds: BodyBounds;
  #left: number;
  #sink: BodySink | null = null;
  #isFlowing = false;
  /** Bytes are read and dropped: nobody wants them. */
  #isSkipping = false;
  /** What to send before the first byte is expected, or "". */
  #invitation: string;
  #hasStarted = false;
  /** Why the body will not be complete: whoever starts it late is told at once. */
  #failure: PosternError | null = null;

  // oxlint-disable-next-line max-params -- made once a request with a body
  constructor(carrier: Http1Carrier, length: number, limits: RequestBodyLimits, invitation: string) {
    this.#carrier = carrier;
    this.length = length;
    this.#left = length;
    this.#bounds = new BodyBounds(limits);
    this.#invitation = invitation;
    this.#decoder = length === -1 ? new ChunkedDecoder(this) : null;
  }

  setLimits(limits: Partial<RequestBodyLimits>): void {
    this.#bounds.change(limits);
  }

  start(sink: BodySink): void {
    if (this.#hasStarted) throw new TypeError('Cannot start request body: it was started before');
    this.#hasStarted = true;
    if (this.#failure !== null) {
      sink.abort(this.#failure);
      return;
    }
    this.#sink = sink;
    if (this.#isBroken(this.#bounds.checkSize(this.length))) return;
    this.#invite();
    this.#flow(this.#carrier.ticker.now);
  }

  resume(): void {
    if (this.#sink === null || this.#isFlowing || this.isComplete) return;
    this.#flow(this.#carrier.ticker.now);
  }

  cancel(): void {
    this.#sink = null;
    this.#hasStarted = true;
    if (this.isComplete || this.#isSkipping) return;
    if (this.canSkip) this.skip();
    else this.#isFlowing = false;
  }

  /** 100 went out by the hand of whoever relays the app's. */
  takeInvitation(): boolean {
    const wasOpen = this.#invitation !== '';
    this.#invitation = '';
    return wasOpen;
  }

  /** True where the rest is short and sure to come, so that the connection can outlive it. */
  get canSkip(): boolean {
    return this.#invitation === '' && this.#left !== -1 && this.#left - this.#carrier.keptBytes <= MAX_SKIPPED;
  }

  get wantsBytes(): boolean {
    return this.#isFlowing;
  }

  /** Reads over the rest. */
  skip(): void {
    this.#isSkipping = true;
    this.#sink = null;
    this.#flow(this.#carrier.ticker.now);
  }

  /** Takes bytes from buffer[at..) and answers where it stopped. */
  feed(buffer: Buffer, at: number): number {
    // Bytes that came unasked need no invitation any more.
    this.#invitation = '';
    this.#bounds.heard(this.#carrier.ticker.now);
    try {
      const stopped = this.#decoder === null ? this.#feedCounted(buffer, at) : this.#decoder.write(buffer, at);
      if (!this.isComplete) this.#sink?.flush();
      return stopped;
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      const facts = { rule: error.rule, status: error.status };
      const wrapped = new PosternError('BAD_REQUEST', 'Cannot read request body', facts, error);
      this.#carrier.bodyFailed(wrapped, error.status, error.rule);
      return buffer.length;
    }
  }

  /** The sink sees that the body is not complete. */
  abort(error: PosternError): void {
    if (this.isComplete || this.#failure !== null) return;
    const sink = this.#sink;
    this.#failure = error;
    this.#sink = null;
    this.#isFlowing = false;
    sink?.abort(error);
  }

  /** Called at each tick while the body is not complete. */
  checkDeadlines(now: number): void {
    if (this.#isFlowing) this.#isBroken(this.#bounds.checkPace(now, this.bytesIn));
  }

  onData(slice: Buffer): boolean {
    this.bytesIn += slice.length;
    const sink = this.#sink;
    if (sink === null) return this.#isFlowing;
    if (this.#isBroken(this.#bounds.checkSize(this.bytesIn))) return false;
    if (sink.write(slice)) return this.#isFlowing;
    this.#isFlowing = false;
    this.#bounds.pause(this.#carrier.ticker.now);
    return false;
  }

  onEnd(trailers: HeaderBlock | null): void {
    const sink = this.#sink;
    this.isComplete = true;
    this.#isFlowing = false;
    this.#sink = null;
    this.#carrier.bodyDone();
    sink?.end(trailers);
  }

  #feedCounted(buffer: Buffer, at: number): number {
    const size = Math.min(this.#left, buffer.length - at);
    this.#left -= size;
    this.onData(at === 0 && size === buffer.length ? buffer : buffer.subarray(at, at + size));
    if (this.#left === 0 && !this.isComplete && (this.#sink !== null || this.#isSkipping)) this.onEnd(null);
    return at + size;
  }

  #flow(now: number): void {
    this.#bounds.flow(now);
    this.#isFlowing = true;
    this.#carrier.feedBody();
  }

  #invite(): void {
    if (this.#invitation === '' || this.#carrier.keptBytes > 0) return;
    this.#carrier.socket.write(this.#invitation, 'latin1');
    this.#invitation = '';
  }

  #isBroken(fault: BodyFault | null): boolean {
    if (fault === null) return false;
    this.#carrier.bodyFailed(fault.error, fault.status, fault.rule);
    return true;
  }
}
