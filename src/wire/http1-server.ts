/**
 * The server side of HTTP/1.1 (RFC 9112) on one socket: reads requests one after the other and hands
 * each out as an Exchange. The next request is read only when the answer before it is complete, so
 * pipelined requests are answered in order. Broken syntax gets a 4xx that names the rule, and close;
 * nothing of it is handed on. Never forwards framing: heads and bodies are always printed anew.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { PosternError } from '../core/errors.ts';
import type { ConnectionFacts, HandleExchange } from './exchange.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';
import { FinProbes } from './fin-probes.ts';
import type { Http1Carrier } from './http1-carrier.ts';
import { Http1Exchange } from './http1-exchange.ts';
import { HeadReader } from './http1-head-reader.ts';
import { refusalBytes, refusalHead, refusalText } from './http1-refusal.ts';
import type { Http1Connection, Http1Settings } from './http1-settings.ts';
import type { Http1RequestHead } from './request-head.ts';
import type { Ticker, Ticking } from './ticker.ts';
import { LateWrite } from './turn-end.ts';
import { Unheard } from './unheard.ts';
import { WriteStall } from './write-stall.ts';

const HEAD = 0;
const EXCHANGE = 1;
/** The answer is out, the rest of a short body is read over. */
const SKIPPING = 2;
/** Our side is closed; what still comes is dropped so that the client reads the answer, not a reset. */
const LINGERING = 3;
const OVER = 4;

/** Bytes that may wait while an exchange runs. Then TCP holds the client back. */
const KEPT_BYTES = 65_536;
/** How long a connection at rest may still bring a request once the server ends. */
const DRAIN_IDLE_MS = 500;
const LINGER_MS = 30_000;
const LINGER_IDLE_MS = 5_000;
/** How long an idle connection remembers the fields of its last request. */
const MEMORY_MS = 5_000;
const ANSWERED = new PosternError('CLIENT_CLOSED', 'The answer was complete before the request body');
const NEVER = Number.POSITIVE_INFINITY;

/** Serves HTTP/1.1 on a connected socket (plain or TLS) until it closes. */
// oxlint-disable-next-line max-params -- the four things that every codec is given
export function serveHttp1(
  socket: Socket,
  facts: ConnectionFacts,
  settings: Http1Settings,
  handle: HandleExchange,
): Http1Connection {
  const connection = new ServerConnection(socket, facts, settings, handle);
  connection.begin();
  return connection;
}

class ServerConnection implements Http1Connection, Http1Carrier, Ticking {
  readonly socket: Socket;
  readonly facts: ConnectionFacts;
  readonly ticker: Ticker;
  keepAlive = true;
  writeIdleMs: number;
  hasReadEnded = false;
  readonly late: LateWrite;
  readonly #settings: Http1Settings;
  readonly #handle: HandleExchange;
  readonly #heads: HeadReader;
  readonly #writes = new WriteStall();
  readonly #unheard = new Unheard();
  #state: number = HEAD;
  #exchange: Http1Exchange | null = null;
  /** Bytes that came and are not read yet. */
  #kept: Buffer | null = null;
  #isBusy = false;
  #isPaused = false;
  /** For reading a head, waiting for one, or lingering. */
  #readDeadline = NEVER;
  #lingerUntil = NEVER;
  #probes: FinProbes | null = null;

  // A defect in whoever takes a body or gives an answer ends this connection and no other.
  readonly #onData = (chunk: Buffer): void => {
    try {
      this.#read(chunk);
    } catch (error) {
      this.#defect(error);
    }
  };
  readonly #onEnd = (): void => {
    try {
      this.#readEnd();
    } catch (error) {
      this.#defect(error);
    }
  };
  readonly #onDrain = (): void => {
    try {
      this.#exchange?.response?.onDrain();
      if (this.#state === HEAD) this.#goOn();
    } catch (error) {
      this.#defect(error);
    }
  };
  readonly #onClosed = (): void => {
    this.#finish('Client closed the connection');
    this.ticker.remove(this);
    this.#settings.onClose?.(this);
  };
  /** 'close' follows and says all there is to say. */
  readonly #onError = (): void => undefined;

  // oxlint-disable-next-line max-params -- as serveHttp1
  constructor(socket: Socket, facts: ConnectionFacts, settings: Http1Settings, handle: HandleExchange) {
    this.socket = socket;
    this.late = new LateWrite(socket);
    this.facts = facts;
    this.ticker = settings.ticker;
    this.writeIdleMs = settings.writeIdleMs;
    this.#settings = settings;
    this.#handle = handle;
    this.#heads = new HeadReader(settings);
  }

  begin(): void {
    const { socket } = this;
    // A client that sends FIN behind its request still waits for the answer.
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.on('close', this.#onClosed);
    socket.on('error', this.#onError);
    this.#readDeadline = this.ticker.now + this.#settings.headTimeoutMs;
    this.ticker.add(this);
    if (socket.destroyed) this.#onClosed();
  }

  get isIdle(): boolean {
    return this.#state === HEAD && !this.#heads.isWithin && this.#kept === null;
  }

  get keptBytes(): number {
    return this.#kept === null ? 0 : this.#kept.length;
  }

  drain(): void {
    this.keepAlive = false;
    // A request may be on its way, on a new connection above all: one more is answered, with "Connection: close".
    if (this.isIdle && !this.#isBusy)
      this.#readDeadline = Math.min(this.#readDeadline, this.ticker.now + DRAIN_IDLE_MS);
  }

  destroy(byReset = false): void {
    this.late.send();
    // TLS tells a truncation by the missing close_notify.
    if (byReset && this.facts.scheme === 'http') this.socket.resetAndDestroy();
    else this.socket.destroy();
    // Not only at 'close': whoever is told must not be told in a later turn of the loop.
    this.#finish('The connection was broken off');
  }

  /** Deadlines of whatever is going on. */
  tick(now: number): void {
    if (now >= this.#readDeadline) this.#readTimeout();
    if (this.#state === HEAD && this.#readDeadline - now < this.#settings.keepAliveMs - MEMORY_MS) this.#heads.forget();
    if (this.#state === EXCHANGE || this.#state === SKIPPING) {
      const exchange = this.#exchange;
      if (exchange !== null && !exchange.isBodyComplete) exchange.requestBody?.checkDeadlines(now);
      const isDue = this.#probes?.isDue(now) === true && this.#state === EXCHANGE;
      if (isDue && exchange?.isBodyComplete === true && this.socket.writableLength === 0) exchange.probe();
    }
    // The body has deadlines of its own.
    const isUnheard = this.#isPaused && this.#exchange?.isBodyComplete === true;
    if (isUnheard && this.#unheard.hasCome(now, this.socket)) this.destroy();
    if (this.#writes.hasCome(now, this.socket, this.writeIdleMs)) this.destroy();
  }

  feedBody(): void {
    this.#resumeSocket();
    if (!this.#isBusy) this.#pump();
  }

  bodyDone(): void {
    if (this.#state !== SKIPPING) return;
    this.#exchange = null;
    this.#next();
  }

  bodyFailed(error: PosternError, status: number, rule: string): void {
    const exchange = this.#exchange;
    const hadBegun = exchange?.response != null;
    this.keepAlive = false;
    exchange?.requestBody?.abort(error);
    if (this.#state === OVER) return;
    const id = this.#settings.onRefused?.({ status, rule }, this.facts) ?? null;
    if (exchange === null || this.#state === SKIPPING) {
      this.#linger();
      return;
    }
    // Whoever holds the sink may have answered by now; else the client is told here.
    if (exchange.response === null) exchange.respondWhole(refusalHead(status), refusalText(status, rule, id));
    else if (hadBegun && !exchange.response.isEnded) this.destroy();
  }

  responseDone(): void {
    const exchange = this.#exchange;
    if (exchange === null || this.#state !== EXCHANGE) return;
    const { requestBody } = exchange;
    const isBodyComplete = exchange.isBodyComplete;
    exchange.close(true, ANSWERED);
    // It may have ended the connection.
    if ((this.#state as number) === OVER) return;
    if (!this.keepAlive || !exchange.request.keepAlive) {
      this.#linger();
    } else if (isBodyComplete || requestBody === null) {
      this.#exchange = null;
      this.#next();
    } else if (requestBody.canSkip) {
      this.#state = SKIPPING;
      requestBody.skip();
    } else {
      this.#linger();
    }
  }

  detach(): Socket {
    const { socket } = this;
    this.late.send();
    socket.pause();
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('drain', this.#onDrain);
    this.ticker.remove(this);
    this.#heads.forget();
    const kept = this.#kept;
    this.#kept = null;
    if (kept !== null) socket.unshift(kept);
    return socket;
  }

  #read(chunk: Buffer): void {
    if (this.#state === LINGERING) {
      this.#readDeadline = Math.min(this.#lingerUntil, this.ticker.now + LINGER_IDLE_MS);
      return;
    }
    if (this.#state === OVER) return;
    this.#kept = this.#kept === null ? chunk : Buffer.concat([this.#kept, chunk]);
    if (!this.#isBusy) this.#pump();
    if (this.keptBytes > KEPT_BYTES && !this.#isPaused && this.#state !== LINGERING) {
      this.#isPaused = true;
      this.#unheard.begin(this.ticker.now, this.socket);
      this.socket.pause();
    }
  }

  #resumeSocket(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#unheard.end();
    this.socket.resume();
  }

  /** Reads what is kept as far as the state of things allows. Not re-entrant: calls from within only set state. */
  #pump(): void {
    this.#isBusy = true;
    try {
      while (this.#kept !== null && this.#step(this.#kept));
    } finally {
      this.#isBusy = false;
    }
    if (this.hasReadEnded) this.#settleEnd();
  }

  /** Reads from the kept bytes. False where they must wait. */
  #step(chunk: Buffer): boolean {
    if (this.#state === HEAD) {
      // Whoever sends requests and reads no answer would have all of them wait in our memory.
      if (this.#isBlocked) return false;
      this.#readHead(chunk);
      return true;
    }
    if (this.#state === LINGERING || this.#state === OVER) {
      this.#kept = null;
      return false;
    }
    const body = this.#exchange?.requestBody;
    if (body === null || body === undefined || !body.wantsBytes) return false;
    this.#kept = null;
    const stopped = body.feed(chunk, 0);
    if (stopped < chunk.length && this.#state !== OVER && this.#state !== LINGERING)
      this.#kept = stopped === 0 ? chunk : chunk.subarray(stopped);
    return true;
  }

  /** True while the client should read the answers that it has before it gets another. */
  get #isBlocked(): boolean {
    this.late.send();
    return this.socket.writableLength >= this.socket.writableHighWaterMark;
  }

  /** It has read them: on to the requests that wait here. */
  #goOn(): void {
    this.#resumeSocket();
    if (this.#kept === null) return;
    this.#readDeadline = this.ticker.now + this.#settings.keepAliveMs;
    if (!this.#isBusy) this.#pump();
  }

  #readHead(chunk: Buffer): void {
    this.#kept = null;
    try {
      const isFirst = !this.#heads.isWithin;
      const head = this.#heads.read(chunk);
      if (head === null) {
        if (isFirst) this.#readDeadline = this.ticker.now + this.#settings.headTimeoutMs;
        return;
      }
      this.#begin(head);
      if (this.#heads.end < chunk.length) this.#kept = chunk.subarray(this.#heads.end);
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      this.#refuse(error.status, error.rule);
      return;
    }
    this.#handle(this.#exchange as Http1Exchange);
  }

  #defect(error: unknown): void {
    this.destroy();
    if (this.#settings.onDefect === undefined) throw error;
    this.#settings.onDefect(error);
  }

  #begin(request: Http1RequestHead): void {
    this.#readDeadline = NEVER;
    this.#state = EXCHANGE;
    this.writeIdleMs = this.#settings.writeIdleMs;
    // Said aloud, so that nobody sends a request into the end.
    if (!request.keepAlive || this.#settings.keepAliveMs === 0) this.keepAlive = false;
    this.#exchange = new Http1Exchange(this, request, this.#settings);
  }

  /** After an answer: the next request, where it is here or may come. */
  #next(): void {
    if (!this.keepAlive) {
      this.#linger();
      return;
    }
    this.#state = HEAD;
    this.#readDeadline = this.ticker.now + this.#settings.keepAliveMs;
    this.#resumeSocket();
    if (this.#isBusy) return;
    if (this.#kept !== null) this.#pump();
    else if (this.hasReadEnded) this.#linger();
  }

  #readEnd(): void {
    this.hasReadEnded = true;
    this.#probes ??= new FinProbes(this.ticker.now);
    if (!this.#isBusy) this.#settleEnd();
  }

  /** What the client's FIN means, once everything before it is read. */
  #settleEnd(): void {
    if (this.#state === HEAD && this.#kept === null) {
      if (this.#heads.hasBegun) this.#refuse(400, 'head-truncated');
      else this.#linger();
    } else if (this.#exchange?.isBodyComplete === false && this.#kept === null) {
      const facts = { rule: 'body-truncated' };
      this.bodyFailed(new PosternError('CLIENT_CLOSED', 'Client closed within its body', facts), 400, facts.rule);
    }
  }

  #refuse(status: number, rule: string): void {
    const id = this.#settings.onRefused?.({ status, rule }, this.facts) ?? null;
    this.socket.write(refusalBytes(status, rule, id, this.#settings.wordsFor?.(status, rule)), 'latin1');
    this.#linger();
  }

  /** Closes our side and reads on for a while: closing with unread bytes would reset the answer away. */
  #linger(): void {
    if (this.#state === LINGERING || this.#state === OVER) return;
    this.#state = LINGERING;
    this.#exchange = null;
    this.#kept = null;
    this.#heads.drop();
    this.#lingerUntil = this.ticker.now + LINGER_MS;
    this.#readDeadline = this.ticker.now + LINGER_IDLE_MS;
    this.late.send();
    this.socket.end();
    this.#resumeSocket();
  }

  #readTimeout(): void {
    if (this.#state === HEAD && this.#heads.hasBegun) this.#refuse(408, 'head-timeout');
    else if (this.#state === HEAD && this.#kept === null) this.#linger();
    else if (this.#state === LINGERING && this.socket.writableLength === 0) this.socket.destroy();
    // Still writing: the deadline of writes decides.
    else this.#readDeadline = this.ticker.now + LINGER_IDLE_MS;
  }

  #finish(reason: string): void {
    if (this.#state === OVER) return;
    this.#state = OVER;
    this.#readDeadline = NEVER;
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#kept = null;
    this.late.drop();
    this.#heads.drop();
    exchange?.close(false, new PosternError('CLIENT_CLOSED', reason));
  }
}
