/**
 * One HTTP/1.1 connection to an app (RFC 9112), client side. One exchange at a time, never pipelined;
 * what goes out is framed here (one Content-Length or chunked), whatever came in. A body that is
 * shorter than announced, a response that is not strictly valid, bytes behind a complete response or
 * a broken peer end the connection: only one that is certainly clean is handed back for reuse.
 */
import { type AppCall, type AppConnection, MAX_INFORMS, type Repeat } from './app-call.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import type { ChunkedOutput } from './chunked-decoder.ts';
import type { BodySink } from './exchange.ts';
import { bearFailedWrites } from './failed-writes.ts';
import type { HeaderBlock } from './header-block.ts';
import { copyOf, endOfHead, keptPart, requestHead } from './_http1-client-bytes.ts';
import { badResponse, timedOut, truncated, unanswered, unreadable } from './_http1-client-errors.ts';
import { RequestBodyWriter } from './http1-client-body.ts';
import { LateWrite } from './turn-end.ts';
import { ResponseMemory } from './response-head.ts';
import type { AppResponseHead } from './response-head.ts';
import type { PosternError } from '../core/errors.ts';
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';

/** Who keeps the connection. */
export interface ClientOwner {
  /** Coarse monotonic milliseconds. */
  readonly now: number;
  /** The connection is clean and free. */
  onIdle(client: Http1Client, keepAliveMs: number): void;
  /** The connection is gone; called once. */
  onGone(client: Http1Client): void;
}

const IDLE = 0;
const HEAD = 1;
const LENGTH = 2;
const CHUNKED = 3;
const UNTIL_CLOSE = 4;
const TUNNEL = 5;
const GONE = 6;

/** How long an app that takes nothing more may be silent: its answer came before, or never will. */
const DEAF_MS = 2_000;

export class Http1Client implements AppConnection, ChunkedOutput {
  readonly socket: Socket;
  /** True once it has carried a complete exchange. */
  isReused = false;
  readonly tellsUnseen = false;
  /** The visitor that the app has signed this connection in for: nobody else's request may go by it. */
  boundTo: object | null = null;
  /** When it became idle, in the owner's time. */
  idleSince = 0;
  /** When the pool must have closed it. */
  idleUntil = 0;
  /** When it is too late, in the owner's time. */
  deadline: number = Infinity;
  readonly #owner: ClientOwner;
  readonly #body: RequestBodyWriter;
  readonly #resume: () => void;
  readonly #late: LateWrite;
  readonly #memory = new ResponseMemory();
  readonly #listeners = {
    data: (chunk: Buffer): void => this.read(chunk, chunk.length, false),
    drain: (): void => this.#onDrain(),
    end: (): void => this.#onEnd(null),
    error: (error: Error): void => this.#onEnd(error),
  };
  #state: number = IDLE;
  #call: AppCall | null = null;
  #sink: BodySink | null = null;
  #decoder: ChunkedDecoder | null = null;
  #keepAlive = false;
  #keepAliveMs = -1;
  /** Bytes to come in state LENGTH. */
  #left = 0;
  /** The part of a head that came so far. */
  #partial: Buffer | null = null;
  #informs = 0;
  #hasSeenBytes = false;
  #isPaused = false;
  /** A write that fails is asked about: from the first body on. */
  #bearsFailedWrites = false;
  /** The app takes nothing more; what it said before may still be an answer in full. */
  #isDeaf = false;
  #trailers: HeaderBlock | null = null;

  constructor(socket: Socket, owner: ClientOwner) {
    this.socket = socket;
    this.#owner = owner;
    this.#body = new RequestBodyWriter(socket, (error) => this.#onBodyChange(error));
    this.#resume = () => this.#goOn();
    this.#late = new LateWrite(socket);
    socket.on('drain', this.#listeners.drain);
    socket.on('end', this.#listeners.end);
    socket.on('error', this.#listeners.error);
    socket.on('close', () => this.#onClosed());
  }

  /** For a socket that was opened without `onread`: one that may become a tunnel. */
  listen(): void {
    this.socket.on('data', this.#listeners.data);
  }

  get isIdle(): boolean {
    return this.#state === IDLE;
  }

  get isGone(): boolean {
    return this.#state === GONE;
  }

  send(call: AppCall): void {
    this.#call = call;
    this.#state = HEAD;
    this.#hasSeenBytes = false;
    this.#informs = 0;
    this.#trailers = null;
    const length = call.bodyLength;
    if (length === 0) {
      this.deadline = this.#owner.now + call.firstByteMs;
      this.#late.put(requestHead(call));
      return;
    }
    this.deadline = Infinity;
    this.#bearFailedWrites();
    this.socket.cork();
    this.#late.put(requestHead(call));
    this.#late.send();
    this.#body.open(length);
    call.startBody(this.#body);
    this.socket.uncork();
  }

  destroy(): void {
    if (this.#state === GONE) return;
    this.#state = GONE;
    this.deadline = Infinity;
    this.#call = null;
    this.#sink = null;
    this.#partial = null;
    this.#late.drop();
    this.#body.close();
    this.socket.destroy();
    this.#owner.onGone(this);
  }

  /** Called by the owner about twice a second. */
  tick(now: number): void {
    if (now < this.deadline) return;
    // An app that reads on behind the beginning of its answer may have nothing to add before the end of the body.
    if (this.#sink !== null && this.#body.isOpen && !this.#body.isBlocked && this.#body.hasMoved) {
      this.#body.hasMoved = false;
      this.deadline = now + (this.#call as AppCall).idleMs;
      return;
    }
    this.#fail(timedOut(this.#sink !== null), 'no');
  }

  /** Takes buffer[0..length). `isShared`: the buffer is used again once this returns, so what is kept is copied. */
  read(buffer: Buffer, length: number, isShared: boolean): void {
    if (this.#state === IDLE) return this.destroy();
    if (this.#state === GONE || this.#state === TUNNEL) return;
    this.#hasSeenBytes = true;
    try {
      this.#consume(buffer, length, isShared);
    } catch (error) {
      this.#fail(unreadable(error), 'no');
    }
  }

  #consume(buffer: Buffer, length: number, isShared: boolean): void {
    let at = 0;
    if (this.#state === HEAD) {
      if (this.#partial !== null) {
        const whole = Buffer.concat([this.#partial, buffer.subarray(0, length)]);
        this.#partial = null;
        return this.#consume(whole, whole.length, false);
      }
      do {
        at = this.#readHead(buffer, at, length);
        if (at === -1) return;
      } while (this.#state === HEAD && at < length);
      if (this.#state === HEAD || this.#state === GONE) return;
      if (this.#state === IDLE) return this.#finish(at < length);
    }
    if (at < length) this.#readBody(buffer, at, length, isShared);
    else this.#afterRead();
  }

  /** Answers where the head ends, or -1: no more to do with this buffer. State IDLE afterwards: no body comes. */
  #readHead(buffer: Buffer, at: number, length: number): number {
    const call = this.#call as AppCall;
    const isHead = call.method === 'HEAD';
    const known = this.#memory.recall(buffer, at, length, isHead);
    if (known !== null) {
      this.#beginAnswer(known, call);
      return at + this.#memory.length;
    }
    const next = endOfHead(buffer, at, length);
    if (next === -1) {
      this.#partial = keptPart(buffer, at, length);
      return -1;
    }
    const head = this.#memory.read(buffer, at, next, isHead);
    if (head.status >= 200) {
      this.#beginAnswer(head, call);
      return next;
    }
    if (head.status === 101) {
      this.#beginTunnel(head, call, buffer, next, length);
      return -1;
    }
    if (++this.#informs > MAX_INFORMS) throw badResponse('it sent too many informational answers');
    // It is at work (RFC 4918 section 10.1); how often it may say so is bounded.
    if (!this.#body.isOpen && !this.#isDeaf) this.deadline = this.#owner.now + call.firstByteMs;
    if (head.status !== 100) call.onInform(head);
    return next;
  }

  #beginAnswer(head: AppResponseHead, call: AppCall): void {
    this.#keepAlive = head.keepAlive && !call.wantsUpgrade;
    if (head.bindsConnection || call.bindsConnection) this.boundTo = call.visitor;
    this.#keepAliveMs = head.keepAliveMs;
    switch (head.framing) {
      case 'none':
        this.#state = IDLE;
        break;
      case 'length':
        this.#state = LENGTH;
        this.#left = head.length;
        break;
      case 'chunked':
        this.#state = CHUNKED;
        this.#decoder = new ChunkedDecoder(this);
        break;
      default:
        this.#state = UNTIL_CLOSE;
    }
    const mayGoOn = head.status < 400 && head.keepAlive;
    if (this.#isDeaf || (this.#body.isOpen && !mayGoOn)) this.#stopBody();
    const sink = call.onHead(head, this.#resume);
    if (this.#call === call) this.#sink = sink;
  }

  #bearFailedWrites(): void {
    if (this.#bearsFailedWrites) return;
    this.#bearsFailedWrites = true;
    bearFailedWrites(this.socket, () => this.#onDeaf());
  }

  /**
   * It closed with bytes of ours unread, so they were answered by a reset: what it answered before is in the kernel, and
   * its end behind that. Before the first byte of the body there is nothing that it could have refused. Answers whether
   * the connection is still to be read.
   */
  #onDeaf(): boolean {
    if (this.#call === null || !this.#body.hasBegun) return false;
    if (this.#isDeaf) return true;
    this.#isDeaf = true;
    this.deadline = this.#owner.now + DEAF_MS;
    if (this.#sink === null) {
      this.#keepAlive = false;
      this.#body.close();
    } else this.#stopBody();
    return true;
  }

  /** An app that refuses early does not read on: sending more could have it reset what it answered. */
  #stopBody(): void {
    this.#keepAlive = false;
    this.#body.close();
    this.#call?.cancelBody();
  }

  // oxlint-disable-next-line max-params -- one step of the state machine above
  #beginTunnel(head: AppResponseHead, call: AppCall, buffer: Buffer, at: number, length: number): void {
    if (!call.wantsUpgrade) throw badResponse('it switched protocols without being asked');
    this.#state = TUNNEL;
    this.#call = null;
    this.deadline = Infinity;
    const { socket } = this;
    socket.pause();
    for (const [event, listener] of Object.entries(this.#listeners)) socket.removeListener(event, listener);
    if (at < length) socket.unshift(Buffer.from(buffer.subarray(at, length)));
    call.onUpgrade(head, socket);
  }

  // oxlint-disable-next-line max-params -- the hot path takes no options object
  #readBody(buffer: Buffer, at: number, length: number, isShared: boolean): void {
    if (this.#state === CHUNKED) {
      const bytes = isShared ? copyOf(buffer, at, length) : buffer.subarray(at, length);
      const used = (this.#decoder as ChunkedDecoder).write(bytes, 0);
      if (this.isIdle) return this.#finish(used < bytes.length);
      return this.#afterRead();
    }
    const isWhole = this.#state === LENGTH && this.#left <= length - at;
    const end = isWhole ? at + this.#left : length;
    if (isWhole && isShared && this.#sink?.endWith !== undefined) return this.#finish(end < length, buffer, at, end);
    if (this.#state === LENGTH) this.#left -= end - at;
    this.#deliver(isShared ? copyOf(buffer, at, end) : buffer.subarray(at, end));
    if (this.#state === GONE) return;
    if (isWhole) return this.#finish(end < length);
    this.#afterRead();
  }

  #deliver(bytes: Buffer): void {
    if ((this.#sink as BodySink).write(bytes) || this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  onData(slice: Buffer): boolean {
    this.#deliver(slice);
    return this.#state === CHUNKED;
  }

  onEnd(trailers: HeaderBlock | null): void {
    this.#trailers = trailers;
    if (this.#state === CHUNKED) this.#state = IDLE;
  }

  #afterRead(): void {
    if (this.#state === GONE) return;
    this.deadline = this.#isPaused ? Infinity : this.#owner.now + (this.#call as AppCall).idleMs;
    this.#sink?.flush();
  }

  #goOn(): void {
    if (!this.#isPaused || this.#state === GONE) return;
    this.#isPaused = false;
    if (this.#call !== null) this.deadline = this.#owner.now + this.#call.idleMs;
    this.socket.resume();
  }

  /** The response is complete. The connection is let go first: the end of one answer may begin the next request. */
  // oxlint-disable-next-line max-params -- the hot path takes no options object
  #finish(hasExtraBytes: boolean, bytes: Buffer | null = null, from = 0, to = 0): void {
    const sink = this.#sink as BodySink;
    const trailers = this.#trailers;
    const call = this.#call;
    this.#sink = null;
    this.#decoder = null;
    this.#trailers = null;
    const isClean = this.#keepAlive && !hasExtraBytes && !this.#body.isOpen && this.socket.writable;
    if (this.#body.isOpen) call?.cancelBody();
    if (isClean) {
      this.#body.hasBegun = false;
      this.#call = null;
      this.#state = IDLE;
      this.deadline = Infinity;
      if (this.#isPaused) this.#goOn();
      this.isReused = true;
      this.#owner.onIdle(this, this.#keepAliveMs);
    } else {
      this.destroy();
    }
    call?.onDone();
    if (bytes !== null && sink.endWith !== undefined) sink.endWith(bytes, from, to);
    else sink.end(trailers === null || call === null ? null : call.passTrailers(trailers));
  }

  #onBodyChange(error: PosternError | null): void {
    if (this.#state === GONE) return;
    if (error !== null) return this.#fail(error, 'no');
    const call = this.#call;
    if (call === null) return;
    if (this.#body.isBlocked) this.deadline = this.#owner.now + call.idleMs;
    else if (this.#body.isOpen) return;
    else if (this.#state === HEAD) this.deadline = this.#owner.now + call.firstByteMs;
    else if (!this.#isPaused) this.deadline = this.#owner.now + call.idleMs;
  }

  #onDrain(): void {
    if (!this.#body.unblock()) return;
    if (this.#state === HEAD) this.deadline = Infinity;
    try {
      this.#call?.resumeBody();
    } catch (error) {
      this.#fail(unreadable(error), 'no');
    }
  }

  #onEnd(cause: Error | null): void {
    if (this.#state === GONE || this.#state === TUNNEL) return;
    if (this.#state === IDLE) return this.destroy();
    // The failed write has used up the reset that the end would have been told by.
    if (this.#state === UNTIL_CLOSE && cause === null && !this.#isDeaf) return this.#finish(false);
    if (this.#sink !== null) return this.#fail(truncated(cause), 'no');
    const isMidHead = this.#hasSeenBytes;
    const stale = this.isReused && !isMidHead ? 'stale' : 'no';
    this.#fail(unanswered(isMidHead, cause), this.#late.isWaiting ? 'never-seen' : stale);
  }

  #onClosed(): void {
    if (this.#state !== TUNNEL) return this.#onEnd(null);
    this.#state = GONE;
    this.#owner.onGone(this);
  }

  #fail(error: PosternError, repeat: Repeat): void {
    const call = this.#call;
    const sink = this.#sink;
    const isBodyOpen = this.#body.isOpen;
    this.destroy();
    if (sink === null) {
      call?.onFail(error, repeat);
      return;
    }
    if (isBodyOpen) call?.cancelBody();
    call?.onBroken(error);
    sink.abort(error);
  }
}
