/**
 * One connection of an HTTP/2 client (RFC 9113): joins what comes in, the open streams and what goes out, and
 * knows how it ends: by GOAWAY in two steps when it is told to drain, at once where the client breaks the rules
 * of the connection. Nothing is thrown out of an event of its socket.
 */
import type { Socket } from 'node:net';
import type { ConnectionFacts, HandleExchange, ResponseHead } from '../exchange.ts';
import type { HeaderBlock } from '../header-block.ts';
import type { HttpSyntaxError } from '../http-syntax-error.ts';
import { refusalHead, refusalText } from '../http1-refusal.ts';
import type { Http2Connection, Http2Settings } from './settings.ts';
import type { Ticker, Ticking } from '../ticker.ts';
import { AbuseGauge } from './abuse-gauge.ts';
import { ClosedStreams } from './closed-streams.ts';
import * as codes from './codes.ts';
import { Http2ConnectionError } from './codes.ts';
import { ConnectionDeadlines } from './connection-deadlines.ts';
import { type Http2Carrier, Http2Exchange } from './exchange.ts';
import { type Flushing, flushSoon } from './flush-round.ts';
import { FrameWriter } from './frame-writer.ts';
import { HeadEncoder } from './head-encoder.ts';
import { Incoming, type IncomingOwner } from './incoming.ts';
import { MalformedRequest } from './malformed-request.ts';
import { ReceiveWindows, STREAM_WINDOW } from './receive-windows.ts';
import type { Http2RequestHead } from './request-head.ts';
import { SendQueue } from './send-queue.ts';
import type { SendStream } from './send-stream.ts';
import { StreamTable } from './stream-table.ts';

const GONE = 'The client went away';
const AT_FAULT = 'The client broke a rule of HTTP/2';
/** Less than this in a frame, though there is more to send, only a window of crumbs brings about. */
const LEAST_CUT = 256;
/** Answers wait for room; what is said about frames does not, and is the client's to bring about. */
const MOST_UNREAD = 262_144;
/** Bytes that may still come once the connection is over. */
const MOST_AFTER_END = 1_048_576;
/** Comes back when the client has seen our GOAWAY (section 6.8). */
const DRAIN_PING = Buffer.from('draining', 'latin1');

export class ServerConnection implements Http2Connection, Http2Carrier, IncomingOwner, Flushing, Ticking {
  readonly facts: ConnectionFacts;
  readonly ticker: Ticker;
  readonly writeIdleMs: number;
  readonly limits: Http2Settings;
  readonly writer: FrameWriter;
  readonly encoder: HeadEncoder = new HeadEncoder();
  readonly streams: StreamTable<Http2Exchange> = new StreamTable();
  readonly closed: ClosedStreams;
  readonly gauge: AbuseGauge;
  readonly windows: ReceiveWindows;
  /** What we may send, in all and on a new stream. */
  window: number = codes.DEFAULT_WINDOW;
  #streamWindow: number = codes.DEFAULT_WINDOW;
  readonly #socket: Socket;
  readonly #handle: HandleExchange;
  readonly #incoming: Incoming;
  readonly #queue = new SendQueue();
  readonly #deadlines: ConnectionDeadlines;
  /** Exchanges whose bodies got something in this read. */
  #fed: Http2Exchange[] = [];
  #isScheduled = false;
  #isDraining = false;
  /** New streams are not taken any more. */
  #isLast = false;
  /** Our side is closed; what still comes is dropped. */
  #isOver = false;
  #isClosed = false;
  #afterEnd = 0;

  readonly #onData = (chunk: Buffer): void => {
    try {
      this.#read(chunk);
    } catch (error) {
      this.#caught(error);
    }
  };
  readonly #onEnd = (): void => this.destroy();
  readonly #onDrain = (): void => this.flush();
  readonly #onClosed = (): void => this.#closed();
  readonly #onError = (): void => {
    // 'close' follows and says all there is to say.
  };

  // oxlint-disable-next-line max-params -- the four things that every codec is given
  constructor(socket: Socket, facts: ConnectionFacts, settings: Http2Settings, handle: HandleExchange) {
    this.facts = facts;
    this.ticker = settings.ticker;
    this.writeIdleMs = settings.writeIdleMs;
    this.limits = settings;
    this.writer = new FrameWriter(socket);
    this.closed = new ClosedStreams(Math.max(64, settings.http2Streams * 2));
    this.gauge = new AbuseGauge(settings.ticker);
    this.windows = new ReceiveWindows(this.writer);
    this.#socket = socket;
    this.#handle = handle;
    this.#incoming = new Incoming(this);
    this.#deadlines = new ConnectionDeadlines(settings, socket);
  }

  get isIdle(): boolean {
    return this.streams.size === 0;
  }

  open(): void {
    const { limits } = this;
    const socket = this.#socket;
    // A half-closed connection means nothing in HTTP/2: no stream of it could go on.
    socket.allowHalfOpen = false;
    socket.setNoDelay(true);
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.on('close', this.#onClosed);
    socket.on('error', this.#onError);
    this.writer.settings([
      [codes.MAX_CONCURRENT_STREAMS, limits.http2Streams],
      [codes.INITIAL_WINDOW_SIZE, STREAM_WINDOW],
      [codes.MAX_HEADER_LIST_SIZE, Math.min(limits.headerBytes * 2, codes.MAX_SETTING)],
      [codes.ENABLE_CONNECT_PROTOCOL, 1],
      [codes.NO_RFC7540_PRIORITIES, 1],
    ]);
    this.windows.open();
    this.#schedule();
    this.ticker.add(this);
    if (socket.destroyed) this.#closed();
  }

  drain(): void {
    if (this.#isDraining || this.#isOver) return;
    this.#isDraining = true;
    // Section 6.8: requests may be on their way. They are taken until the client answers the ping.
    this.writer.goAway(codes.MAX_STREAM_ID, codes.NO_ERROR);
    this.writer.ping(0, DRAIN_PING, 0);
    this.#deadlines.draining();
    this.#schedule();
  }

  destroy(): void {
    this.#isOver = true;
    this.#incoming.isReading = false;
    this.#socket.destroy();
    // Not only at 'close': whoever is told must not be told in a later turn of the loop.
    this.#breakAll();
  }

  tick(now: number): void {
    try {
      for (const exchange of this.streams.all()) exchange.tick(now);
      this.#tick(now);
    } catch (error) {
      this.#caught(error);
    }
  }

  /** What waits goes out, as far as windows and socket allow. */
  flush(): void {
    // What is queued meanwhile has its turn in this very run.
    this.#isScheduled = true;
    try {
      if (!this.#isOver) this.#queue.run(this.writer);
      if (!this.#isOver) this.writer.flush();
      if (this.#isLast && this.streams.size === 0) this.#end(codes.NO_ERROR);
    } catch (error) {
      this.#caught(error);
    } finally {
      this.#isScheduled = false;
    }
  }

  queue(stream: SendStream): void {
    this.#queue.add(stream);
    this.#schedule();
  }

  sent(bytes: number, isCut: boolean): void {
    // A client that draws an answer in crumbs pays for each frame of it (CVE-2019-9511); two windows are opened for others.
    if (!isCut || bytes >= LEAST_CUT) this.gauge.forgiveFrames(2);
    this.#schedule();
  }

  inform(exchange: Http2Exchange, head: ResponseHead): void {
    if (this.#isOver) return;
    const length = this.encoder.encodeHead({ status: head.status, headers: head.headers }, -1, null);
    if (length === -1) return;
    this.writer.headers(exchange.id, this.encoder.block, length, false);
    this.#schedule();
  }

  granted(exchange: Http2Exchange, bytes: number, isWanted: boolean): void {
    this.grant(bytes);
    if (isWanted && !this.#isOver && this.windows.grantStream(exchange, bytes)) this.#schedule();
  }

  grant(bytes: number): void {
    if (!this.#isOver && this.windows.grant(bytes)) this.#schedule();
  }

  refused(status: number, rule: string): string | null {
    return this.limits.onRefused?.({ status, rule }, this.facts) ?? null;
  }

  exchangeClosed(exchange: Http2Exchange, code: number): void {
    this.streams.remove(exchange);
    this.closed.add(exchange.id, code !== -1);
    if (code !== -1 && !this.#isOver) {
      this.writer.reset(exchange.id, code);
      this.#schedule();
    }
    if (this.streams.size > 0) return;
    this.#deadlines.idle();
    if (this.#isLast) this.#schedule();
  }

  mayOpen(id: number): boolean {
    // Section 6.8: whoever opened it was told that it would not be taken.
    if (this.#isLast) {
      this.closed.add(id, true);
      this.gauge.countIdleFrame();
      return false;
    }
    if (this.streams.size < this.limits.http2Streams) return true;
    this.streamError(id, codes.REFUSED_STREAM);
    return false;
  }

  // oxlint-disable-next-line max-params -- as IncomingOwner
  begin(id: number, request: Http2RequestHead, hasReadEnded: boolean): void {
    const windows = { send: this.#streamWindow, receive: STREAM_WINDOW, hasReadEnded };
    const exchange = new Http2Exchange(this, id, windows, request, this.limits);
    this.streams.add(exchange);
    try {
      this.#handle(exchange);
    } catch (error) {
      this.#defect(exchange, error);
    }
  }

  /** Answers what broke a rule, and takes no body; resets what is malformed (section 8.1.1). */
  refuse(id: number, error: HttpSyntaxError, hasReadEnded: boolean): void {
    const { rule, status } = error;
    const logged = this.refused(status, rule);
    if (error instanceof MalformedRequest) {
      this.streamError(id, codes.PROTOCOL_ERROR);
      return;
    }
    const text = Buffer.from(refusalText(status, rule, logged, this.limits.wordsFor?.(status, rule)), 'latin1');
    const isAnswered = text.length <= Math.min(this.window, this.#streamWindow);
    if (isAnswered) this.#answer(id, status, text);
    if (!isAnswered || !hasReadEnded) this.writer.reset(id, isAnswered ? codes.NO_ERROR : codes.PROTOCOL_ERROR);
    this.closed.add(id, !hasReadEnded);
    this.#schedule();
    this.gauge.countReset();
  }

  streamError(id: number, code: number): void {
    const exchange = this.streams.find(id);
    if (exchange === null) {
      this.writer.reset(id, code);
      this.closed.add(id, true);
      this.#schedule();
    } else {
      exchange.broken(code, AT_FAULT);
    }
    this.gauge.countReset();
  }

  take(exchange: Http2Exchange, bytes: Buffer): void {
    try {
      exchange.take(bytes);
    } catch (error) {
      this.#defect(exchange, error);
    }
    if (this.#fed.at(-1) !== exchange) this.#fed.push(exchange);
  }

  readEnded(exchange: Http2Exchange, trailers: HeaderBlock | null): void {
    try {
      exchange.readEnded(trailers);
    } catch (error) {
      this.#defect(exchange, error);
    }
  }

  onReset(exchange: Http2Exchange, _code: number): void {
    exchange.broken(-1, GONE);
    this.gauge.countReset();
  }

  onTableSize(bytes: number): void {
    this.encoder.resize(bytes);
  }

  /** Section 6.9.2: it changes the windows of open streams too. */
  onInitialWindow(bytes: number): void {
    const change = bytes - this.#streamWindow;
    this.#streamWindow = bytes;
    for (const { send } of this.streams.all()) {
      send.window += change;
      if (send.window > codes.MAX_WINDOW) throw new Http2ConnectionError(codes.FLOW_CONTROL_ERROR, 'initial-window');
      if (send.held > 0 && send.window > 0) this.queue(send);
    }
  }

  onSettings(): void {
    this.writer.settingsAck();
    this.#acknowledged();
  }

  onSettingsAck(): void {
    this.#deadlines.acknowledged();
  }

  onPing(isAnswer: boolean, bytes: Buffer, from: number): void {
    if (isAnswer) {
      if (this.#isDraining && bytes.compare(DRAIN_PING, 0, 8, from, from + 8) === 0) this.#lastCall();
      return;
    }
    this.writer.ping(codes.ACK, bytes, from);
    this.#acknowledged();
  }

  /** The client opens no more streams. */
  onGoAway(): void {
    this.#isDraining = true;
    this.#lastCall();
  }

  onWindow(exchange: Http2Exchange | null, increment: number): void {
    if (exchange === null) {
      this.window += increment;
      if (this.window > codes.MAX_WINDOW) throw new Http2ConnectionError(codes.FLOW_CONTROL_ERROR, 'window');
      this.#queue.wake();
      this.#schedule();
      return;
    }
    const { send } = exchange;
    send.window += increment;
    if (send.window > codes.MAX_WINDOW) this.streamError(exchange.id, codes.FLOW_CONTROL_ERROR);
    else if (send.held > 0) this.queue(send);
  }

  #read(chunk: Buffer): void {
    if (this.#isOver) {
      this.#afterEnd += chunk.length;
      if (this.#afterEnd > MOST_AFTER_END) this.#socket.destroy();
      return;
    }
    this.#incoming.read(chunk);
    const fed = this.#fed;
    if (fed.length === 0) return;
    this.#fed = [];
    for (const exchange of fed) exchange.flushBody();
  }

  #tick(now: number): void {
    switch (this.#deadlines.check(now, this.#incoming, this.streams.size > 0)) {
      case 'rest':
        this.#rest();
        break;
      case 'drain':
        this.drain();
        break;
      case 'last-call':
        this.#lastCall();
        break;
      case 'head':
        this.refused(408, 'head-timeout');
        this.#end(codes.NO_ERROR);
        break;
      case 'silent':
        this.#end(codes.NO_ERROR);
        break;
      case 'settings':
        this.#end(codes.SETTINGS_TIMEOUT);
        break;
      case 'destroy':
        this.destroy();
        break;
      default:
    }
  }

  /** A connection at rest holds little. */
  #rest(): void {
    this.#incoming.forget();
    this.encoder.forget();
    this.writer.release();
  }

  /** CVE-2019-9512 and 9515: a client that reads nothing may not have us keep answers for as long as it likes. */
  #acknowledged(): void {
    if (this.writer.unread > MOST_UNREAD) throw new Http2ConnectionError(codes.ENHANCE_YOUR_CALM, 'unread-answers');
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    flushSoon(this);
  }

  /** The second GOAWAY names the last stream that is answered. */
  #lastCall(): void {
    if (this.#isLast || this.#isOver) return;
    this.#isLast = true;
    this.#deadlines.lastCalled();
    this.writer.goAway(this.#incoming.lastId, codes.NO_ERROR);
    this.#schedule();
  }

  #answer(id: number, status: number, text: Buffer): void {
    const length = this.encoder.encodeHead(refusalHead(status), text.length, null);
    this.writer.headers(id, this.encoder.block, length, false);
    this.writer.dataHead(id, text.length, true);
    this.writer.bytes(text, 0, text.length);
    this.window -= text.length;
  }

  #caught(error: unknown): void {
    if (error instanceof Http2ConnectionError) {
      if (error.code === codes.ENHANCE_YOUR_CALM) this.refused(429, error.rule);
      this.#end(error.code);
      return;
    }
    this.destroy();
    this.#tellDefect(error);
  }

  #tellDefect(error: unknown): void {
    const { onDefect } = this.limits;
    if (onDefect === undefined) throw error;
    onDefect(error);
  }

  /** A defect in whoever takes a body or gives an answer ends its stream and no other. */
  #defect(exchange: Http2Exchange, error: unknown): void {
    if (this.limits.onDefect === undefined) throw error;
    exchange.broken(codes.INTERNAL_ERROR, 'The request could not be handled');
    this.#tellDefect(error);
  }

  /** GOAWAY and no more. What the client still sends is dropped for a while: closing at once would reset that GOAWAY away. */
  #end(code: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#incoming.isReading = false;
    if (code !== codes.NO_ERROR || !this.#isLast) this.writer.goAway(this.#incoming.lastId, code);
    this.#breakAll();
    this.writer.flush();
    this.#socket.end();
    this.#deadlines.ended();
  }

  #breakAll(): void {
    for (const exchange of this.streams.all()) {
      try {
        exchange.broken(-1, GONE);
      } catch (error) {
        // The others are to be told all the same.
        this.#tellDefect(error);
      }
    }
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.destroy();
    this.ticker.remove(this);
    this.limits.onClose?.(this);
  }
}
