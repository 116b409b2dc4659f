/**
 * The body of one HTTP/2 request as a BodySource. DATA waits behind the stream's window until
 * somebody starts the flow. Enforces size, idle time and least rate; a body that breaks off is
 * aborted, never ended. nghttp2 has compared Content-Length with what came.
 */
import { PosternError } from '../core/errors.ts';
import type { BodySink, BodySource } from './exchange.ts';
import { HeaderBlock } from './header-block.ts';
import type { BodyLimits } from './http1-request-body.ts';
import type { Http2Exchange } from './http2-exchange.ts';
import type { Http2RequestHead } from './http2-request-head.ts';
import { keepAllowedTrailers } from './trailers.ts';

/** A request without a body: one for all. */
export const NO_HTTP2_BODY: BodySource = {
  length: 0,
  start: (sink) => sink.end(null),
  resume: () => undefined,
  cancel: () => undefined,
};

export class Http2RequestBody implements BodySource {
  readonly length: number;
  bytesIn = 0;
  isComplete = false;
  readonly #exchange: Http2Exchange;
  #limits: BodyLimits;
  #sink: BodySink | null = null;
  #hasStarted = false;
  #isFlowing = false;
  #needsInvitation: boolean;
  #failure: PosternError | null = null;
  #trailers: HeaderBlock | null = null;
  #idleDeadline = 0;
  #rateSince = 0;
  #pausedAt = 0;

  constructor(exchange: Http2Exchange, request: Http2RequestHead, limits: BodyLimits) {
    this.#exchange = exchange;
    this.#limits = limits;
    this.length = request.contentLength;
    this.#needsInvitation = request.expectsContinue;
  }

  setLimits(limits: Partial<BodyLimits>): void {
    this.#limits = { ...this.#limits, ...limits };
  }

  start(sink: BodySink): void {
    if (this.#hasStarted) throw new TypeError('Cannot start request body: it was started before');
    this.#hasStarted = true;
    if (this.#failure !== null) {
      sink.abort(this.#failure);
      return;
    }
    this.#sink = sink;
    if (this.#isTooLong(this.length)) return;
    if (this.takeInvitation()) this.#exchange.sendContinue();
    const { stream } = this.#exchange;
    stream.on('trailers', (_fields: unknown, _flags: unknown, raw: string[]) => (this.#trailers = blockOf(raw)));
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('end', () => this.#ended());
    this.#flow();
  }

  resume(): void {
    if (this.#sink === null || this.#isFlowing || this.isComplete) return;
    this.#exchange.stream.resume();
    this.#flow();
  }

  /** The answer that follows resets the stream without blame; until then nothing more is granted. */
  cancel(): void {
    this.#sink = null;
    this.#hasStarted = true;
    if (this.isComplete) return;
    this.#isFlowing = false;
    this.#exchange.stream.pause();
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
    sink?.abort(error);
  }

  checkDeadlines(now: number): void {
    if (!this.#isFlowing) return;
    const { minBodyRate, bodyIdleMs } = this.#limits;
    const paced = minBodyRate > 0 ? this.#rateSince + bodyIdleMs + (this.bytesIn * 1000) / minBodyRate : now + 1;
    if (now < this.#idleDeadline && now < paced) return;
    const error = new PosternError('REQUEST_TIMEOUT', 'Request body came too slowly', { bytesIn: this.bytesIn });
    this.#exchange.bodyFailed(error, 408, now < this.#idleDeadline ? 'body-rate' : 'body-timeout');
  }

  #take(chunk: Buffer): void {
    const sink = this.#sink;
    this.bytesIn += chunk.length;
    if (sink === null || this.#isTooLong(this.bytesIn)) return;
    this.#idleDeadline = this.#exchange.ticker.now + this.#limits.bodyIdleMs;
    const goesOn = sink.write(chunk);
    sink.flush();
    if (goesOn || this.#sink === null) return;
    this.#isFlowing = false;
    this.#pausedAt = this.#exchange.ticker.now;
    this.#exchange.stream.pause();
  }

  #ended(): void {
    // A reset also ends the readable side; only END_STREAM completes the body.
    if (this.isComplete || this.#exchange.stream.aborted || this.#failure !== null) return;
    const sink = this.#sink;
    this.isComplete = true;
    this.#isFlowing = false;
    this.#sink = null;
    sink?.end(this.#trailers);
  }

  #flow(): void {
    const { now } = this.#exchange.ticker;
    if (this.#pausedAt !== 0) this.#rateSince += now - this.#pausedAt;
    else this.#rateSince = now;
    this.#pausedAt = 0;
    this.#idleDeadline = now + this.#limits.bodyIdleMs;
    this.#isFlowing = true;
  }

  #isTooLong(bytes: number): boolean {
    const most = this.#limits.maxBodyBytes;
    if (most === -1 || bytes <= most) return false;
    const error = new PosternError('PAYLOAD_TOO_LARGE', 'Request body is larger than the route takes', {
      maxBodyBytes: most,
    });
    this.#exchange.bodyFailed(error, 413, 'body-size');
    return true;
  }
}

function blockOf(raw: readonly string[]): HeaderBlock | null {
  const block = new HeaderBlock();
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (!name.startsWith(':')) block.append(name, raw[i + 1] as string, name);
  }
  return keepAllowedTrailers(block);
}
