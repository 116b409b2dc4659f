/**
 * The server side of HTTP/2 (RFC 9113, RFC 8441) on one socket, through node:http2 by its core stream
 * API. Every stream becomes an Exchange. Bounds what one client may cost: streams, heads, resets,
 * settings and pings, memory, idle time. A connection that abuses them ends with GOAWAY
 * ENHANCE_YOUR_CALM. Broken requests get a 4xx that names the rule, or a reset by nghttp2.
 */
import http2, { constants, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { Roster } from '../core/roster.ts';
import type { ConnectionFacts, HandleExchange } from './exchange.ts';
import { HttpSyntaxError, METHODS_TAKEN } from './http-syntax-error.ts';
import { refusalText } from './http1-refusal.ts';
import type { BodyLimits } from './http1-request-body.ts';
import { type Http2Carrier, Http2Exchange } from './http2-exchange.ts';
import { type Http2HeadLimits, type Http2RequestHead, parseHttp2RequestHead } from './http2-request-head.ts';
import type { Ticker, Ticking } from './ticker.ts';

export interface Http2Settings extends Http2HeadLimits, BodyLimits {
  /** How long a connection may be without a stream. */
  readonly keepAliveMs: number;
  /** Longest time that a client may take nothing of an answer that waits for it. */
  readonly writeIdleMs: number;
  /** Streams that one connection may have open at once. */
  readonly http2Streams: number;
  readonly ticker: Ticker;
  /** Told once, when the connection is closed. */
  readonly onClose?: (connection: Http2Connection) => void;
  /** Told of an exception that the handler let out; the stream is reset, the connection goes on. */
  readonly onDefect?: (error: unknown) => void;
  /** Told of a request that was refused before it was handed on: for the log. Answers the id that the client is told. */
  readonly onRefused?: (
    refusal: { readonly status: number; readonly rule: string },
    facts: ConnectionFacts,
  ) => string | null;
}

export interface Http2Connection {
  readonly facts: ConnectionFacts;
  /** True while no stream is open. */
  readonly isIdle: boolean;
  /** GOAWAY; open streams finish. */
  drain(): void;
  destroy(): void;
}

const WINDOW_BYTES = 262_144;
/** Resets that a client may send at once, and how many a second it earns back (CVE-2023-44487). */
const RESET_BURST = 200;
const RESETS_PER_SECOND = 20;
const SESSION_MEMORY_MB = 16;
const MAX_INVALID_FRAMES = 100;
/** The least that a header list takes which is too long. */
const LOST_BYTES = 256;
/** After GOAWAY for idleness: how long the socket may take to close. */
const CLOSE_GRACE_MS = 5_000;
const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

const DEFECT = new Error('The request could not be handled');
const TOO_MANY_RESETS = new Error('The client resets too many streams');

/** One server object, that never listens, for each set of options: in practice one a worker. */
const servers = new Map<string, Http2Server>();
let created: ServerHttp2Session | null = null;

/** Serves HTTP/2 on a connected socket (plain or TLS) until it closes. */
// oxlint-disable-next-line max-params -- the four things that every codec is given
export function serveHttp2(
  socket: Socket,
  facts: ConnectionFacts,
  settings: Http2Settings,
  handle: HandleExchange,
): Http2Connection {
  // node:http2 knows no half-closed connection: without this a client's FIN would go unseen.
  socket.allowHalfOpen = false;
  created = null;
  serverFor(settings).emit('connection', socket);
  const session = created as ServerHttp2Session | null;
  created = null;
  if (session === null) socket.destroy();
  return new ServerConnection(session, socket, { facts, settings, handle });
}

function serverFor(settings: Http2Settings): Http2Server {
  const key = `${settings.http2Streams} ${settings.headerBytes} ${settings.headerCount}`;
  const known = servers.get(key);
  if (known !== undefined) return known;
  const server = http2.createServer({
    maxSessionMemory: SESSION_MEMORY_MB,
    maxSessionInvalidFrames: MAX_INVALID_FRAMES,
    maxSessionRejectedStreams: MAX_INVALID_FRAMES,
    maxSettings: 32,
    // Twice our own limits: what is a little over gets a 431 from us, the rest a reset from node.
    maxHeaderListPairs: settings.headerCount * 2 + 16,
    streamResetBurst: RESET_BURST * 4,
    streamResetRate: RESETS_PER_SECOND * 4,
    // An app's second Date or X-Content-Type-Options is no reason to throw its answer away.
    strictSingleValueFields: false,
    unknownProtocolTimeout: CLOSE_GRACE_MS,
    settings: {
      enableConnectProtocol: true,
      enablePush: false,
      maxConcurrentStreams: settings.http2Streams,
      initialWindowSize: WINDOW_BYTES,
      maxHeaderListSize: settings.headerBytes * 2,
    },
  });
  server.on('session', (session) => (created = session));
  server.on('sessionError', () => undefined);
  servers.clear();
  servers.set(key, server);
  return server;
}

interface Served {
  readonly facts: ConnectionFacts;
  readonly settings: Http2Settings;
  readonly handle: HandleExchange;
}

class ServerConnection implements Http2Connection, Http2Carrier, Ticking {
  readonly facts: ConnectionFacts;
  readonly ticker: Ticker;
  readonly writeIdleMs: number;
  isBroken = false;
  readonly #session: ServerHttp2Session | null;
  readonly #socket: Socket;
  readonly #settings: Http2Settings;
  readonly #handle: HandleExchange;
  readonly #exchanges = new Roster<Http2Exchange>();
  #idleDeadline: number;
  #isDraining = false;
  #isOver = false;
  /** Resets still forgiven, and when that was reckoned. */
  #resetsLeft = RESET_BURST;
  #resetsAt: number;
  #stalledAt = -1;
  /** Streams that came to us, those that did not, and how far that was reckoned. */
  #begun = 0;
  #lost = 0;
  #bytesRead = 0;

  constructor(session: ServerHttp2Session | null, socket: Socket, served: Served) {
    const { facts, settings } = served;
    this.facts = facts;
    this.ticker = settings.ticker;
    this.writeIdleMs = settings.writeIdleMs;
    this.#session = session;
    this.#socket = socket;
    this.#settings = settings;
    this.#handle = served.handle;
    this.#resetsAt = this.ticker.now;
    this.#idleDeadline = this.ticker.now + settings.keepAliveMs;
    if (session === null) return;
    session.on('stream', (stream, _fields, _flags, raw) => this.#begin(stream, raw));
    session.on('error', () => undefined);
    session.on('close', () => this.#closed());
    // Closed before anybody listened, or later without the session noticing.
    socket.once('close', () => session.destroy());
    this.ticker.add(this);
  }

  get isIdle(): boolean {
    return this.#exchanges.size === 0;
  }

  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const session = this.#session;
    if (session === null || session.closed || session.destroyed) return;
    // Sends GOAWAY, and closes the socket when the last stream is done.
    session.close();
    this.#idleDeadline = this.ticker.now + CLOSE_GRACE_MS;
  }

  destroy(): void {
    this.isBroken = true;
    this.#session?.destroy();
    this.#socket.destroy();
  }

  tick(now: number): void {
    for (const exchange of this.#exchanges.all()) exchange.tick(now);
    this.#countLost();
    if (this.#exchanges.size > 0 || now < this.#idleDeadline) return;
    if (this.#isDraining) this.destroy();
    else this.drain();
  }

  exchangeClosed(exchange: Http2Exchange): void {
    this.#exchanges.remove(exchange);
    const wait = this.#isDraining ? CLOSE_GRACE_MS : this.#settings.keepAliveMs;
    this.#idleDeadline = this.ticker.now + wait;
    if (!exchange.isAborted && exchange.stream.rstCode !== NGHTTP2_NO_ERROR) this.#countReset();
  }

  writeStalled(): void {
    // Twice without the kernel taking a byte: not this stream's window but the whole connection stands.
    const { bytesWritten } = this.#socket;
    if (this.#stalledAt === bytesWritten) this.destroy();
    this.#stalledAt = bytesWritten;
  }

  refused(status: number, rule: string): string | null {
    return this.#settings.onRefused?.({ status, rule }, this.facts) ?? null;
  }

  /**
   * A stream whose header list is too long is reset below us, after all of it was decoded: a few kB of indices can
   * name megabytes (the HPACK bomb). Who does that again and again spends his resets. Ids that were only left out
   * cost nobody anything.
   */
  #countLost(): void {
    const { bytesRead } = this.#socket;
    const session = this.#session;
    const bytes = bytesRead - this.#bytesRead;
    if (bytes < LOST_BYTES || session === null || session.destroyed) return;
    this.#bytesRead = bytesRead;
    const opened = ((session.state.lastProcStreamID ?? 0) + 1) >> 1;
    const lost = Math.max(0, opened - this.#begun - this.#lost);
    this.#lost += lost;
    for (let left = Math.min(lost, Math.floor(bytes / LOST_BYTES)); left > 0 && !this.#isOver; left--)
      this.#countReset();
  }

  #begin(stream: ServerHttp2Stream, raw: readonly string[]): void {
    this.#begun++;
    if (this.#isOver || stream.destroyed) {
      stream.on('error', () => undefined);
      stream.close(NGHTTP2_REFUSED_STREAM);
      return;
    }
    let request: Http2RequestHead;
    try {
      request = parseHttp2RequestHead(raw, this.#settings);
    } catch (error) {
      if (error instanceof HttpSyntaxError) this.#refuse(stream, error);
      else this.#defect(stream, error);
      return;
    }
    const exchange = new Http2Exchange(this, stream, request, this.#settings);
    this.#exchanges.add(exchange);
    try {
      this.#handle(exchange);
    } catch (error) {
      this.#defect(stream, error);
    }
  }

  #defect(stream: ServerHttp2Stream, error: unknown): void {
    const { onDefect } = this.#settings;
    if (onDefect === undefined) throw error;
    stream.on('error', () => undefined);
    stream.destroy(DEFECT);
    onDefect(error);
  }

  /** Answers what broke a rule, and takes no body. */
  #refuse(stream: ServerHttp2Stream, { rule, status }: HttpSyntaxError): void {
    const text = refusalText(status, rule, this.refused(status, rule));
    this.#countReset();
    stream.on('error', () => undefined);
    if (stream.destroyed || stream.closed) return;
    const head = [':status', String(status), 'content-type', 'text/plain; charset=utf-8', 'cache-control', 'no-store'];
    if (status === 405) head.push('allow', METHODS_TAKEN);
    stream.respond(head);
    stream.end(text);
    if (stream.endAfterHeaders) stream.resume();
    else stream.once('finish', () => stream.close(NGHTTP2_NO_ERROR));
  }

  /** A token bucket: browsers cancel in bursts, an attacker without end. */
  #countReset(): void {
    const { now } = this.ticker;
    const earned = ((now - this.#resetsAt) / 1000) * RESETS_PER_SECOND;
    this.#resetsLeft = Math.min(RESET_BURST, this.#resetsLeft + earned) - 1;
    this.#resetsAt = now;
    if (this.#resetsLeft > 0 || this.#isOver) return;
    this.refused(429, 'rapid-reset');
    this.isBroken = true;
    this.#session?.destroy(TOO_MANY_RESETS, NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.ticker.remove(this);
    this.#settings.onClose?.(this);
  }
}
