/** An exchange whose answer carries Set-Cookie lines beside those of the app: a session was renewed on the way. */
import type {
  BodySink,
  BodySource,
  ConnectionFacts,
  Exchange,
  ExchangeOutcome,
  RequestHead,
  RequestBodyLimits,
  ResponseHead,
} from '../../wire/exchange.ts';
import type { PosternError } from '../../core/errors.ts';
import type { Duplex } from 'node:stream';

export function withSetCookies(exchange: Exchange, cookies: readonly string[]): Exchange {
  return cookies.length === 0 ? exchange : new CookieExchange(exchange, cookies);
}

class CookieExchange implements Exchange {
  readonly #inner: Exchange;
  readonly #cookies: readonly string[];

  constructor(inner: Exchange, cookies: readonly string[]) {
    this.#inner = inner;
    this.#cookies = cookies;
  }

  get request(): RequestHead {
    return this.#inner.request;
  }

  get connection(): ConnectionFacts {
    return this.#inner.connection;
  }

  get body(): BodySource {
    return this.#inner.body;
  }

  get startedAt(): number {
    return this.#inner.startedAt;
  }

  get onClose(): ((outcome: ExchangeOutcome) => void) | null {
    return this.#inner.onClose;
  }

  set onClose(tell: ((outcome: ExchangeOutcome) => void) | null) {
    this.#inner.onClose = tell;
  }

  get hsts(): string | null {
    return this.#inner.hsts;
  }

  set hsts(value: string | null) {
    this.#inner.hsts = value;
  }

  setBodyLimits(limits: Partial<RequestBodyLimits>): void {
    this.#inner.setBodyLimits?.(limits);
  }

  setWriteIdle(ms: number): void {
    this.#inner.setWriteIdle?.(ms);
  }

  inform(head: ResponseHead): void {
    this.#inner.inform(head);
  }

  respond(head: ResponseHead, length: number, resume: () => void): BodySink {
    return this.#inner.respond(this.#add(head), length, resume);
  }

  respondWhole(head: ResponseHead, body: Buffer | string): void {
    this.#inner.respondWhole(this.#add(head), body);
  }

  retract(): boolean {
    return this.#inner.retract?.() ?? false;
  }

  acceptUpgrade(head: ResponseHead): Duplex {
    return this.#inner.acceptUpgrade(this.#add(head));
  }

  abort(error: PosternError): void {
    this.#inner.abort(error);
  }

  /** Reading `headers` makes them count in place of the printed lines. */
  #add({ status, headers }: ResponseHead): ResponseHead {
    const all = headers.clone();
    for (const cookie of this.#cookies) all.append('Set-Cookie', cookie, 'set-cookie');
    return { status, headers: all };
  }
}
