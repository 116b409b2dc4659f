/**
 * Stands between a request body, which can be started once only, and the connection that it goes to,
 * which may turn out to be closed. Bytes that arrive while there is none wait here. What was handed to a
 * connection is gone, and the request with it, but for a small body that is kept until the answer begins.
 */
import type { BodySink, BodySource } from '../wire/exchange.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import { HeldBytes } from '../wire/http2/held-bytes.ts';
import type { PosternError } from '../core/errors.ts';

/** Of a body that goes on behind this, nothing is kept. */
const MOST_KEPT = 65_536;

export class BodyRelay implements BodySink {
  /** Something of the body was handed to a connection, and is not at hand any more. */
  isConsumed = false;
  readonly #source: BodySource;
  /** The body broke while no connection had it. */
  readonly #onBroken: (error: PosternError) => void;
  readonly #keepTrailers: (trailers: HeaderBlock) => HeaderBlock | null;
  #sink: BodySink | null = null;
  #isStarted = false;
  #isOver = false;
  #held: Buffer[] = [];
  /** What was handed to a connection that may have been closed before; null: nothing is kept. */
  #kept: HeldBytes | null = null;
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

  /** From now on: a request that is sent to a connection in use may have to be sent again, as long as its body is small. */
  keep(): void {
    if (!this.isConsumed) this.#kept = new HeldBytes();
  }

  /** The answer has begun. */
  letGo(): void {
    if (this.#kept === null) return;
    this.#kept = null;
    this.isConsumed = true;
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
    const kept = this.#kept;
    if (kept === null) return;
    this.#kept = null;
    for (let piece = kept.take(); piece !== null; piece = kept.take()) this.#held.push(piece);
  }

  resume(): void {
    if (!this.#isOver) this.#source.resume();
  }

  /** Nobody wants the rest. */
  cancel(): void {
    this.#sink = null;
    this.#held = [];
    this.#kept = null;
    if (this.#isOver) return;
    this.#isOver = true;
    this.#source.cancel();
  }

  write(chunk: Buffer): boolean {
    if (this.#sink === null) {
      if (!this.#isOver) this.#held.push(chunk);
      return this.#isOver;
    }
    this.#handOut(chunk);
    return this.#sink.write(chunk);
  }

  flush(): void {
    this.#sink?.flush();
  }

  end(trailers: HeaderBlock | null): void {
    const isKept = this.#sink === null || this.#kept !== null;
    if (isKept) {
      this.#hasEnded = true;
      this.#trailers = trailers;
    } else this.isConsumed = true;
    if (this.#sink === null) return;
    this.#isOver = true;
    this.#sink.end(trailers === null ? null : this.#keepTrailers(trailers));
  }

  abort(error: PosternError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#sink === null) this.#onBroken(error);
    else this.#sink.abort(error);
  }

  #handOut(chunk: Buffer): void {
    if (this.#kept === null) {
      this.isConsumed = true;
      return;
    }
    if (this.#kept.length + chunk.length > MOST_KEPT) this.letGo();
    else this.#kept.add(chunk);
  }
}

function keepAll(trailers: HeaderBlock): HeaderBlock {
  return trailers;
}
