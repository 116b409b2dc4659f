/**
 * One HTTP/1.1 request and its answer as an Exchange. Whoever answers late, after the client has
 * gone, finds calls that do nothing.
 */
import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import type { PosternError } from '../core/errors.ts';
import { NO_ANSWER } from './exchange.ts';
import type {
  BodySink,
  BodySource,
  ConnectionFacts,
  Exchange,
  ExchangeOutcome,
  RequestBodyLimits,
  ResponseHead,
} from './exchange.ts';
import type { Http1Carrier } from './http1-carrier.ts';
import { NO_BODY } from './body-bounds.ts';
import { Http1RequestBody } from './http1-request-body.ts';
import { DISCARD, Http1Response } from './http1-response.ts';
import { writeLatin1 } from './latin1.ts';
import type { Http1RequestHead } from './request-head.ts';
import { hasOnlyLines, PrintedHead } from './response-text.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

export class Http1Exchange implements Exchange {
  readonly request: Http1RequestHead;
  readonly connection: ConnectionFacts;
  readonly body: BodySource;
  readonly startedAt: number;
  onClose: ((outcome: ExchangeOutcome) => void) | null = null;
  hsts: string | null = null;
  /** The request body where there is one; null stands for an empty one that is complete. */
  readonly requestBody: Http1RequestBody | null;
  response: Http1Response | null = null;
  readonly #carrier: Http1Carrier;
  #tunnel: { readonly readBefore: number; readonly writtenBefore: number } | null = null;
  #isOver = false;

  constructor(carrier: Http1Carrier, request: Http1RequestHead, limits: RequestBodyLimits) {
    this.#carrier = carrier;
    this.request = request;
    this.connection = carrier.facts;
    this.startedAt = performance.now();
    const invitation = request.expectsContinue ? CONTINUE : '';
    this.requestBody =
      request.bodyLength === 0 ? null : new Http1RequestBody(carrier, request.bodyLength, limits, invitation);
    this.body = this.requestBody ?? NO_BODY;
  }

  get isBodyComplete(): boolean {
    return this.requestBody === null || this.requestBody.isComplete;
  }

  get isUpgraded(): boolean {
    return this.#tunnel !== null;
  }

  /** Sets limits of this one request's body where its route has others. Call it before `body.start`. */
  setBodyLimits(limits: Partial<RequestBodyLimits>): void {
    this.requestBody?.setLimits(limits);
  }

  setWriteIdle(ms: number): void {
    this.#carrier.writeIdleMs = ms;
  }

  inform(head: ResponseHead): void {
    if (this.#isOver || this.response !== null || this.request.version === '1.0') return;
    if (head.status < 100 || head.status > 199 || head.status === 101) return;
    if (head.status === 100 && this.requestBody?.takeInvitation() !== true) return;
    this.#writeHead(new PrintedHead(head, '', 0, null));
  }

  respond(head: ResponseHead, length: number, resume: () => void): BodySink {
    if (this.#isOver) return DISCARD;
    if (this.response !== null) throw new TypeError('Cannot respond: the answer has begun');
    if (head.status < 200 || head.status > 999)
      throw new RangeError(`Cannot respond: status ${head.status} is not final`);
    const body = this.requestBody;
    // Ours alone: what an app says of its own connection was stripped.
    if ((head.lines ?? null) === null && head.headers.get('connection') === 'close') this.#carrier.keepAlive = false;
    // The client may never read an answer that waits behind a body which nobody reads.
    if (body !== null && !body.isComplete && !body.canSkip) this.#carrier.keepAlive = false;
    this.response = new Http1Response(this.#carrier, this, head, length, resume);
    return this.response;
  }

  respondWhole(head: ResponseHead, body: Buffer | string): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const sink = this.respond(head, bytes.length, () => undefined);
    const isShown = head.status !== 205;
    if (isShown) sink.write(bytes);
    sink.end(null);
  }

  retract(): boolean {
    if (this.#isOver || this.response === null || !this.response.isUnsent) return false;
    this.response.stop();
    this.response = null;
    return true;
  }

  acceptUpgrade(head: ResponseHead): Duplex {
    if (this.#isOver || this.response !== null) throw new TypeError('Cannot upgrade: the exchange is over or answered');
    if (this.request.upgrade === null) throw new TypeError('Cannot upgrade: the client asked for no other protocol');
    // Nobody tunnels through a connection that the client has half closed already.
    if (this.#carrier.hasReadEnded) {
      this.#carrier.destroy();
      return this.#carrier.socket;
    }
    const protocol = head.headers.get('upgrade') ?? this.request.upgrade;
    const framing = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
    const { socket } = this.#carrier;
    const isSent = this.#writeHead(new PrintedHead({ status: 101, headers: head.headers }, framing, 2, null));
    if (!isSent) throw new TypeError('Cannot upgrade: a field value holds a line break');
    this.#tunnel = { readBefore: socket.bytesRead - this.#carrier.keptBytes, writtenBefore: socket.bytesWritten };
    return this.#carrier.detach();
  }

  abort(_error: PosternError): void {
    if (!this.#isOver) this.#carrier.destroy();
  }

  /** The exchange is over. `error` goes to whoever still takes the request body. */
  close(complete: boolean, error: PosternError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.requestBody?.abort(error);
    this.response?.stop();
    const tell = this.onClose;
    this.onClose = null;
    tell?.(this.#outcome(complete));
  }

  /** Tries by harmless bytes whether a client that sent FIN still listens. True where some were sent. */
  probe(): boolean {
    if (this.response !== null) return this.response.probe();
    if (this.request.version === '1.0') return false;
    // RFC 9110 section 15.2: clients must be able to read a 1xx that they did not ask for.
    this.#carrier.socket.write(CONTINUE, 'latin1');
    return true;
  }

  #outcome(complete: boolean): ExchangeOutcome {
    const { socket } = this.#carrier;
    if (this.#tunnel !== null) {
      const bytesIn = socket.bytesRead - this.#tunnel.readBefore;
      return { complete: true, bytesIn, bytesOut: socket.bytesWritten - this.#tunnel.writtenBefore, status: 101 };
    }
    const bytesIn = this.requestBody === null ? 0 : this.requestBody.bytesIn;
    const { response } = this;
    return { complete, bytesIn, bytesOut: response?.bytesOut ?? 0, status: response?.status ?? NO_ANSWER };
  }

  #writeHead(head: PrintedHead): boolean {
    const buffer = Buffer.allocUnsafe(head.text.length);
    writeLatin1(buffer, head.text, 0);
    if (hasOnlyLines(buffer, buffer.length, head.lines)) {
      this.#carrier.socket.write(buffer);
      return true;
    }
    this.#carrier.destroy();
    return false;
  }
}
