/**
 * Stands between a request body, which can be started once only, and the connection that it goes to,
 * which may turn out to be closed. Bytes that arrive while there is none wait here; once one byte was
 * handed to a connection the request cannot be repeated.
 */
import type { BodySink, BodySource } from '../wire/exchange.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import type { PosternError } from '../core/errors.ts';

export class BodyRelay implements BodySink {
  /** Something of the body was handed to a connection. */
  isConsumed = false;
  readonly #source: BodySource;
  /** The body broke while no connection had it. */
  readonly #onBroken: (error: PosternError) => void;
  readonly #keepTrailers: (trailers: HeaderBlock) => HeaderBlock | null;
  #sink: BodySink | null = null;
  #isStarted = false;
  #isOver = false;
  #held: Buffer[] = [];
  #hasEnded = false;
  #trailers: HeaderBlock | null = null;

  constructor(
    source: BodySource,
    onBroken: (error: PosternError) => void,
    keepTrailers: (trailers: HeaderBlock) => HeaderBlock | null = keepAll,
  ) {
    this.#source = source;
    this.#onBroken = onBroken;
    this.#keepTrailers = keepTrailers;
  }

  attach(sink: BodySink): void {
    this.#sink = sink;
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#source.start(this);
      return;
    }
    const held = this.#held;
    if (held.length === 0 && !this.#hasEnded) return;
    this.#held = [];
    let canGoOn = true;
    for (const chunk of held) canGoOn = this.write(chunk);
    this.flush();
    if (this.#hasEnded) this.end(this.#trailers);
    else if (canGoOn) this.#source.resume();
  }

  /** The connection is gone. */
  detach(): void {
    this.#sink = null;
  }

  resume(): void {
    if (!this.#isOver) this.#source.resume();
  }

  /** Nobody wants the rest. */
  cancel(): void {
    this.#sink = null;
    this.#held = [];
    if (this.#isOver) return;
    this.#isOver = true;
    this.#source.cancel();
  }

  write(chunk: Buffer): boolean {
    if (this.#sink === null) {
      if (!this.#isOver) this.#held.push(chunk);
      return this.#isOver;
    }
    this.isConsumed = true;
    return this.#sink.write(chunk);
  }

  flush(): void {
    this.#sink?.flush();
  }

  end(trailers: HeaderBlock | null): void {
    if (this.#sink === null) {
      this.#hasEnded = true;
      this.#trailers = trailers;
      return;
    }
    this.isConsumed = true;
    this.#isOver = true;
    this.#sink.end(trailers === null ? null : this.#keepTrailers(trailers));
  }

  abort(error: PosternError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#sink === null) this.#onBroken(error);
    else this.#sink.abort(error);
  }
}

function keepAll(trailers: HeaderBlock): HeaderBlock {
  return trailers;
}
