/**
 * The body of one HTTP/2 request as a BodySource. What came waits here until somebody takes it, and only what
 * was taken is granted again (RFC 9113 section 5.2), so that memory stays flat. Enforces size, idle time and
 * least rate; a body that breaks off is aborted, never ended. The connection compares Content-Length with what came.
 */
import type { PosternError } from '../../core/errors.ts';
import { BodyBounds, type BodyFault } from '../body-bounds.ts';
import type { BodySink, BodySource, RequestBodyLimits } from '../exchange.ts';
import type { HeaderBlock } from '../header-block.ts';
import type { Ticker } from '../ticker.ts';
import { HeldBytes } from './held-bytes.ts';
import type { Http2RequestHead } from './request-head.ts';

/** What a body needs of its exchange. */
export interface BodyOwner {
  readonly ticker: Ticker;
  sendContinue: () => void;
  /** Somebody took so many bytes, or nobody ever will: `isWanted` tells which. */
  granted: (bytes: number, isWanted: boolean) => void;
  bodyFailed: (error: PosternError, status: number, rule: string) => void;
}

export class Http2RequestBody implements BodySource {
  readonly length: number;
  bytesIn = 0;
  isComplete = false;
  readonly #owner: BodyOwner;
  readonly #bounds: BodyBounds;
  #sink: BodySink | null = null;
  #hasStarted = false;
  #isFlowing = false;
  #isPassing = false;
  #needsInvitation: boolean;
  #failure: PosternError | null = null;
  /** What nobody has taken yet. */
  #waiting: HeldBytes | null = null;
  #hasEnded = false;
  #trailers: HeaderBlock | null = null;

  constructor(owner: BodyOwner, request: Http2RequestHead, limits: RequestBodyLimits) {
    this.#owner = owner;
    this.#bounds = new BodyBounds(limits);
    this.length = request.contentLength;
    this.#needsInvitation = request.expectsContinue;
  }

  /** Bytes that came and that nobody took. */
  get heldBytes(): number {
    return this.#waiting === null ? 0 : this.#waiting.length;
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
    if (this.takeInvitation() && this.heldBytes === 0 && !this.#hasEnded) this.#owner.sendContinue();
    this.#flow();
    this.#pass();
    this.#sink?.flush();
  }

  resume(): void {
    if (this.#sink === null || this.#isFlowing || this.isComplete) return;
    this.#flow();
    if (this.#isPassing) return;
    this.#pass();
    this.#sink?.flush();
  }

  /** The answer that follows resets the stream without blame; until then nothing more is granted to it. */
  cancel(): void {
    this.#sink = null;
    this.#hasStarted = true;
    this.#isFlowing = false;
    this.#drop();
  }

  takeInvitation(): boolean {
    const wasOpen = this.#needsInvitation;
    this.#needsInvitation = false;
    return wasOpen;
  }

  /** The sink sees that the body is not complete. */
  abort(error: PosternError): void {
    if (this.isComplete || this.#failure !== null) return;
    const sink = this.#sink;
    this.#failure = error;
    this.#sink = null;
    this.#isFlowing = false;
    this.#drop();
    sink?.abort(error);
  }

  checkDeadlines(now: number): void {
    if (this.#isFlowing) this.#isBroken(this.#bounds.checkPace(now, this.bytesIn));
  }

  /** Bytes of a DATA frame. */
  receive(chunk: Buffer): void {
    // Bytes that came unasked need no invitation any more.
    this.#needsInvitation = false;
    if (this.#failure !== null || (this.#hasStarted && this.#sink === null)) {
      this.#owner.granted(chunk.length, false);
      return;
    }
    if (this.#isFlowing && this.#waiting === null && !this.#isPassing) this.#handOn(chunk);
    else (this.#waiting ??= new HeldBytes()).add(chunk);
  }

  /** The end of what was read at once. */
  flush(): void {
    this.#sink?.flush();
  }

  /** END_STREAM. */
  ended(trailers: HeaderBlock | null): void {
    this.#hasEnded = true;
    this.#trailers = trailers;
    this.#settle();
  }

  /** Hands on what waits, as long as the sink takes it. */
  #pass(): void {
    this.#isPassing = true;
    // Handing on may let go of all that waits.
    while (this.#isFlowing && this.#waiting !== null) {
      const chunk = this.#waiting.take();
      if (chunk === null) this.#waiting = null;
      else this.#handOn(chunk);
    }
    if (this.heldBytes === 0) this.#waiting = null;
    this.#isPassing = false;
    this.#settle();
  }

  #handOn(chunk: Buffer): void {
    const sink = this.#sink as BodySink;
    this.bytesIn += chunk.length;
    if (this.#isBroken(this.#bounds.checkSize(this.bytesIn))) {
      this.#owner.granted(chunk.length, false);
      return;
    }
    this.#bounds.heard(this.#owner.ticker.now);
    // It may be told to go on from within.
    this.#isFlowing = false;
    const goesOn = sink.write(chunk);
    this.#owner.granted(chunk.length, this.#sink !== null);
    if (this.#sink === null) return;
    if (goesOn || this.#isFlowing) this.#isFlowing = true;
    else this.#bounds.pause(this.#owner.ticker.now);
  }

  #settle(): void {
    if (!this.#hasEnded || this.#waiting !== null || this.#isPassing || this.isComplete) return;
    const sink = this.#sink;
    if (sink === null || this.#failure !== null) return;
    this.isComplete = true;
    this.#isFlowing = false;
    this.#sink = null;
    sink.end(this.#trailers);
  }

  #drop(): void {
    const bytes = this.heldBytes;
    this.#waiting = null;
    if (bytes > 0) this.#owner.granted(bytes, false);
  }

  #flow(): void {
    this.#bounds.flow(this.#owner.ticker.now);
    this.#isFlowing = true;
  }

  #isBroken(fault: BodyFault | null): boolean {
    if (fault === null) return false;
    this.#owner.bodyFailed(fault.error, fault.status, fault.rule);
    return true;
  }
}
