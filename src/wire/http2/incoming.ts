/**
 * What each frame of a client means (RFC 9113 sections 5 and 6): which state allows it, and what it ends where
 * none does, the stream or the connection. Header blocks are decoded whatever becomes of their stream, since
 * the next one depends on them.
 */
import type { HeaderBlock } from '../header-block.ts';
import { HttpSyntaxError } from '../http-syntax-error.ts';
import type { AbuseGauge } from './abuse-gauge.ts';
import type { ClosedStreams } from './closed-streams.ts';
import * as codes from './codes.ts';
import { Http2ConnectionError } from './codes.ts';
import type { Http2Exchange } from './exchange.ts';
import { FieldMemory } from './field-memory.ts';
import { type FrameHandler, type FrameHead, FrameReader } from './frame-reader.ts';
import { HeaderFrames } from './header-frames.ts';
import { DecodedFields, HpackDecoder } from './hpack-decoder.ts';
import { readSettings, type SettingsTaker } from './peer-settings.ts';
import type { ReceiveWindows } from './receive-windows.ts';
import { MalformedRequest } from './malformed-request.ts';
import { parseTrailers } from './regular-fields.ts';
import { type Http2HeadLimits, type Http2RequestHead, parseHttp2RequestHead } from './request-head.ts';
import type { StreamTable } from './stream-table.ts';

/** What the frames of a client do to its connection. */
export interface IncomingOwner extends SettingsTaker {
  readonly streams: StreamTable<Http2Exchange>;
  readonly closed: ClosedStreams;
  readonly gauge: AbuseGauge;
  readonly windows: ReceiveWindows;
  readonly limits: Http2HeadLimits;
  /** What is asked of a new stream: true, or false once it has been dealt with. */
  mayOpen: (id: number) => boolean;
  begin: (id: number, request: Http2RequestHead, hasReadEnded: boolean) => void;
  refuse: (id: number, error: HttpSyntaxError, hasReadEnded: boolean) => void;
  /** Resets a stream for a fault of the client's. */
  streamError: (id: number, code: number) => void;
  take: (exchange: Http2Exchange, bytes: Buffer) => void;
  readEnded: (exchange: Http2Exchange, trailers: HeaderBlock | null) => void;
  grant: (bytes: number) => void;
  onReset: (exchange: Http2Exchange, code: number) => void;
  onSettings: () => void;
  onSettingsAck: () => void;
  onPing: (isAnswer: boolean, bytes: Buffer, from: number) => void;
  onGoAway: () => void;
  onWindow: (exchange: Http2Exchange | null, increment: number) => void;
}

/** Fields of the request that is being read; nothing waits in between. */
const DECODED = new DecodedFields();

export class Incoming implements FrameHandler {
  isReading = true;
  lastId = 0;
  readonly #owner: IncomingOwner;
  readonly #reader = new FrameReader(this);
  readonly #decoder = new HpackDecoder();
  readonly #headerFrames: HeaderFrames;
  #memory: FieldMemory | null = null;
  #hasSettings = false;
  /** Where the running DATA frame goes; null: nowhere. */
  #target: Http2Exchange | null = null;
  #dataBytes = 0;
  #units = 0;

  constructor(owner: IncomingOwner) {
    this.#owner = owner;
    this.#headerFrames = new HeaderFrames(owner.limits.headerBytes * 2 + codes.FRAME_BYTES);
  }

  /** Goes up with whatever was read whole: the preface, a frame, a header block. */
  get units(): number {
    return this.#units;
  }

  /** True in the middle of one of these. DATA has deadlines of its own. */
  get isUnfinished(): boolean {
    return !this.#hasSettings || this.#headerFrames.isOpen || this.#reader.isPartial;
  }

  read(chunk: Buffer): void {
    this.#reader.read(chunk);
  }

  forget(): void {
    this.#memory = null;
  }

  // oxlint-disable-next-line max-params -- as FrameHandler
  onFrame(head: FrameHead, bytes: Buffer, from: number, to: number): void {
    this.#check(head);
    switch (head.type) {
      case codes.HEADERS:
        this.#takeBlock(this.#headerFrames.begin(head, bytes, from, to));
        break;
      case codes.CONTINUATION:
        this.#takeBlock(this.#headerFrames.goOn(head, bytes, from, to));
        break;
      case codes.WINDOW_UPDATE:
        this.#takeWindow(head, bytes, from);
        break;
      case codes.RST_STREAM:
        this.#takeReset(head, bytes, from);
        break;
      default:
        this.#owner.gauge.countIdleFrame();
        this.#takeIdleFrame(head, bytes, from, to);
    }
    if (!this.#headerFrames.isOpen) this.#units++;
  }

  onDataHead(head: FrameHead): void {
    const { id, length } = head;
    const owner = this.#owner;
    this.#check(head);
    this.#dataBytes = 0;
    this.#target = null;
    if (id === 0) throw broken('data-stream');
    owner.windows.use(length);
    const exchange = owner.streams.find(id);
    if (exchange === null) this.#checkClosed(id);
    else if (exchange.hasReadEnded) owner.streamError(id, codes.STREAM_CLOSED);
    else if (length > exchange.receiveWindow) owner.streamError(id, codes.FLOW_CONTROL_ERROR);
    else {
      exchange.receiveWindow -= length;
      this.#target = exchange;
    }
  }

  onData(_head: FrameHead, bytes: Buffer): void {
    const exchange = this.#target;
    this.#dataBytes += bytes.length;
    if (exchange === null) {
      this.#owner.grant(bytes.length);
      return;
    }
    exchange.received += bytes.length;
    const { contentLength } = exchange.request;
    if (contentLength === -1 || exchange.received <= contentLength) {
      this.#owner.take(exchange, bytes);
      return;
    }
    this.#target = null;
    this.#owner.grant(bytes.length);
    this.#owner.streamError(exchange.id, codes.PROTOCOL_ERROR);
  }

  onDataEnd({ length, flags }: FrameHead): void {
    const exchange = this.#target;
    const isLast = (flags & codes.END_STREAM) !== 0;
    this.#target = null;
    this.#units++;
    // CVE-2019-9518: frames that carry nothing.
    if (this.#dataBytes === 0 && !isLast) this.#owner.gauge.countIdleFrame();
    const padding = length - this.#dataBytes;
    if (exchange === null) this.#owner.grant(padding);
    else {
      if (padding > 0) exchange.granted(padding, true);
      if (isLast) this.#endRead(exchange, null);
    }
  }

  /** Section 3.4: settings come first. Section 6.10: nothing comes between the frames of a header block. */
  #check({ type, id, flags }: FrameHead): void {
    if (!this.#hasSettings) {
      if (type !== codes.SETTINGS || (flags & codes.ACK) !== 0) throw broken('settings-first');
      this.#hasSettings = true;
    }
    this.#headerFrames.check(type, id);
  }

  #takeBlock(block: Buffer | null): void {
    if (block === null) return;
    const { from, to, id, hasReadEnded, dependsOnItself } = this.#headerFrames;
    const owner = this.#owner;
    const exchange = owner.streams.find(id);
    if (exchange !== null) {
      this.#takeTrailers(exchange, block, hasReadEnded);
    } else if ((id & 1) === 0) {
      throw broken('stream-id');
    } else if (id <= this.lastId) {
      this.#decode(block, from, to);
      if (owner.closed.wereReset(id)) return;
      throw owner.closed.has(id) ? closedError() : broken('stream-id');
    } else {
      this.lastId = id;
      this.#takeRequest(block, id, hasReadEnded);
    }
    // Section 5.3.1 of RFC 7540; RFC 9113 knows no dependencies any more.
    if (dependsOnItself) owner.streamError(id, codes.PROTOCOL_ERROR);
  }

  #takeRequest(block: Buffer, id: number, hasReadEnded: boolean): void {
    const owner = this.#owner;
    let request: Http2RequestHead;
    try {
      const read = this.#readRequest(block, owner.mayOpen(id));
      if (read === null) return;
      request = read;
      if (hasReadEnded && request.contentLength > 0) throw new MalformedRequest('content-length');
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      owner.refuse(id, error, hasReadEnded);
      return;
    }
    owner.begin(id, request, hasReadEnded);
  }

  /** Null where the stream may not be opened. */
  #readRequest(block: Buffer, mayOpen: boolean): Http2RequestHead | null {
    const { from, to } = this.#headerFrames;
    const memory = (this.#memory ??= new FieldMemory());
    const { generation } = this.#decoder;
    const known = memory.recallHead(block, from, to, generation);
    if (known !== null) return mayOpen ? known : null;
    this.#decode(block, from, to);
    if (!mayOpen) return null;
    const request = parseHttp2RequestHead(DECODED, this.#owner.limits, memory);
    if (this.#decoder.generation === generation) memory.keepHead(block, from, to, generation, request);
    return request;
  }

  #takeTrailers(exchange: Http2Exchange, block: Buffer, isLast: boolean): void {
    const { from, to } = this.#headerFrames;
    const owner = this.#owner;
    this.#decode(block, from, to);
    if (exchange.hasReadEnded) {
      owner.streamError(exchange.id, codes.STREAM_CLOSED);
      return;
    }
    // Section 8.1: a second head that does not end the stream is malformed. A tunnel has no trailers.
    if (!isLast || exchange.request.upgrade !== null) {
      owner.streamError(exchange.id, codes.PROTOCOL_ERROR);
      return;
    }
    if (DECODED.isTooLarge || DECODED.isTooMany) {
      owner.streamError(exchange.id, codes.ENHANCE_YOUR_CALM);
      return;
    }
    let trailers: HeaderBlock | null;
    try {
      trailers = parseTrailers(DECODED.entries);
    } catch (error) {
      if (!(error instanceof MalformedRequest)) throw error;
      owner.streamError(exchange.id, codes.PROTOCOL_ERROR);
      return;
    }
    this.#endRead(exchange, trailers);
  }

  #endRead(exchange: Http2Exchange, trailers: HeaderBlock | null): void {
    const { contentLength } = exchange.request;
    if (contentLength !== -1 && exchange.received !== contentLength)
      this.#owner.streamError(exchange.id, codes.PROTOCOL_ERROR);
    else this.#owner.readEnded(exchange, trailers);
  }

  #decode(block: Buffer, from: number, to: number): void {
    this.#decoder.decode(block, from, to, DECODED, this.#owner.limits);
  }

  /** Whether a frame for a stream that is not open is passed over: it may have crossed a reset of ours. */
  #checkClosed(id: number): void {
    this.#checkNotIdle(id);
    if (!this.#owner.closed.wereReset(id)) throw closedError();
  }

  #checkNotIdle(id: number): void {
    if (id > this.lastId || (id & 1) === 0) throw broken('stream-idle');
  }

  #takeReset({ id, length }: FrameHead, bytes: Buffer, from: number): void {
    if (length !== 4) throw sizeError('reset-size');
    if (id === 0) throw broken('reset-stream');
    const exchange = this.#owner.streams.find(id);
    if (exchange !== null) this.#owner.onReset(exchange, bytes.readUInt32BE(from));
    else {
      this.#checkNotIdle(id);
      this.#owner.gauge.countIdleFrame();
    }
  }

  #takeWindow({ id, length }: FrameHead, bytes: Buffer, from: number): void {
    const owner = this.#owner;
    if (length !== 4) throw sizeError('window-size');
    owner.gauge.countIdleFrame();
    const increment = bytes.readUInt32BE(from) & codes.MAX_WINDOW;
    if (id === 0) {
      if (increment === 0) throw broken('window-increment');
      owner.onWindow(null, increment);
      return;
    }
    const exchange = owner.streams.find(id);
    if (exchange === null) this.#checkNotIdle(id);
    else if (increment === 0) owner.streamError(id, codes.PROTOCOL_ERROR);
    else owner.onWindow(exchange, increment);
  }

  /** Frames that move nothing by themselves; unknown ones are passed over (section 5.5). */
  // oxlint-disable-next-line max-params -- as FrameHandler
  #takeIdleFrame(head: FrameHead, bytes: Buffer, from: number, to: number): void {
    const { type, id, length, flags } = head;
    const isAck = (flags & codes.ACK) !== 0;
    switch (type) {
      case codes.SETTINGS:
        if (id !== 0) throw broken('settings-stream');
        if (isAck && length !== 0) throw sizeError('settings-size');
        if (isAck) this.#owner.onSettingsAck();
        else {
          readSettings(bytes, from, to, this.#owner);
          this.#owner.onSettings();
        }
        break;
      case codes.PING:
        if (id !== 0) throw broken('ping-stream');
        if (length !== 8) throw sizeError('ping-size');
        this.#owner.onPing(isAck, bytes, from);
        break;
      case codes.GOAWAY:
        if (id !== 0) throw broken('goaway-stream');
        if (length < 8) throw sizeError('goaway-size');
        this.#owner.onGoAway();
        break;
      case codes.PRIORITY:
        this.#takePriority(head, bytes, from);
        break;
      case codes.PUSH_PROMISE:
        throw broken('push-promise');
      default:
    }
  }

  /** Read for nothing but its errors. */
  #takePriority({ id, length }: FrameHead, bytes: Buffer, from: number): void {
    if (id === 0) throw broken('priority-stream');
    const isWrongSize = length !== 5;
    if (!isWrongSize && (bytes.readUInt32BE(from) & codes.MAX_STREAM_ID) !== id) return;
    const code = isWrongSize ? codes.FRAME_SIZE_ERROR : codes.PROTOCOL_ERROR;
    if (this.#owner.streams.find(id) === null) throw new Http2ConnectionError(code, 'priority');
    this.#owner.streamError(id, code);
  }
}

function broken(rule: string): Http2ConnectionError {
  return new Http2ConnectionError(codes.PROTOCOL_ERROR, rule);
}

function sizeError(rule: string): Http2ConnectionError {
  return new Http2ConnectionError(codes.FRAME_SIZE_ERROR, rule);
}

function closedError(): Http2ConnectionError {
  return new Http2ConnectionError(codes.STREAM_CLOSED, 'stream-closed');
}
