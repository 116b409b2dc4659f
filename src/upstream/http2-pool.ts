/**
 * HTTP/2 connections to one target: one shared by all requests, more where its streams are exhausted.
 * One that the app is closing (GOAWAY), or that does not answer, gets no new streams.
 */
import { connect as connectHttp2 } from 'node:http2';
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  ClientSessionRequestOptions,
  OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { choseHttp2, ConnectAttempt, nameTimeoutError, unreachableError } from './connect.ts';
import { Http2Client } from './http2-client.ts';
import type { Resolver } from './resolve.ts';
import { isUsable } from './target.ts';
import type { Target } from './target.ts';
import { type PoolWaiter, WaitQueue } from './wait-queue.ts';
import { PosternError } from '../core/errors.ts';
import { MAX_RESPONSE_FIELDS } from '../wire/response-head.ts';
import type { Ticker } from '../wire/ticker.ts';

const MAX_IDLE_MS = 60_000;
/** What a peer takes before its settings are known (RFC 9113 section 6.5.2 recommends no less). */
const FIRST_STREAMS = 100;
const WINDOW = 1_048_576;
/** As many as over HTTP/1.1, and the status; the runtime takes 128. */
const MOST_FIELDS = MAX_RESPONSE_FIELDS + 1;
/** A visitor's second If-None-Match goes on as it came, as over HTTP/1.1. Node takes this for clients too; its types do not say so. */
const TAKES_TWICE: object = { strictSingleValueFields: false };

export class Http2Session {
  readonly scheme: string;
  isRetired = false;
  /** The app broke the rules of HTTP/2 behind the beginning of an answer: not by what else was asked. */
  brokeInAnswer = false;
  hasCarried = false;
  idleSince = 0;
  /** The last stream that the app looks at, once it has said so. */
  lastSeenId: number = Infinity;
  readonly #pool: Http2Pool;
  readonly #session: ClientHttp2Session;
  readonly #clients = new Set<Http2Client>();

  constructor(pool: Http2Pool, socket: Socket) {
    const { target } = pool;
    this.#pool = pool;
    this.scheme = target.scheme === 'https' ? 'https' : 'http';
    this.#session = connectHttp2(`${this.scheme}://${target.authority}`, {
      ...TAKES_TWICE,
      createConnection: () => socket,
      maxHeaderListPairs: MOST_FIELDS,
      settings: { enablePush: false, initialWindowSize: WINDOW },
    });
    this.idleSince = pool.now;
    this.#session.once('connect', () => this.#session.setLocalWindowSize(WINDOW * 4));
    this.#session.on('goaway', (_code, lastSeenId: number) => {
      this.lastSeenId = lastSeenId;
      this.retire();
    });
    this.#session.on('error', () => this.retire());
    this.#session.on('close', () => {
      this.isRetired = true;
      pool.onSessionGone(this);
    });
    this.#session.on('remoteSettings', () => pool.serveQueue());
  }

  get now(): number {
    return this.#pool.now;
  }

  get streamCount(): number {
    return this.#clients.size;
  }

  get hasRoom(): boolean {
    if (this.isRetired || this.#session.closed || this.#session.destroyed) return false;
    const most = this.#session.remoteSettings?.maxConcurrentStreams ?? FIRST_STREAMS;
    return this.#clients.size < most;
  }

  get isGone(): boolean {
    return this.#session.destroyed;
  }

  open(): Http2Client {
    const client = new Http2Client(this, this.hasCarried);
    this.#clients.add(client);
    return client;
  }

  request(headers: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream {
    return this.#session.request(headers, options);
  }

  /** Before the first of them is told that it is over. */
  noteBreach(): void {
    for (const client of this.#clients) if (client.hasHead) this.brokeInAnswer = true;
  }

  release(client: Http2Client): void {
    this.#clients.delete(client);
    this.hasCarried = true;
    this.idleSince = this.#pool.now;
    if (this.isRetired && this.#clients.size === 0) this.#session.close();
    this.#pool.serveQueue();
  }

  /** No new streams; those under way end. */
  retire(): void {
    this.isRetired = true;
    if (this.#clients.size === 0 && !this.#session.closed) this.#session.close();
  }

  destroy(): void {
    this.isRetired = true;
    this.#session.destroy();
  }

  tick(now: number): void {
    for (const client of this.#clients) client.tick(now);
    if (this.#clients.size === 0 && now - this.idleSince >= MAX_IDLE_MS) this.retire();
  }
}

/** A connection on its way. */
interface Dial {
  readonly connectMs: number;
  attempt: ConnectAttempt | null;
  /** Until when it waits for its name to be resolved; Infinity while it does not. */
  nameUntil: number;
  /** Why the addresses that were known led nowhere. */
  error: PosternError | null;
}

export class Http2Pool {
  readonly target: Target;
  readonly #resolver: Resolver;
  readonly #ticker: Ticker;
  readonly #sessions = new Set<Http2Session>();
  readonly #queue = new WaitQueue();
  #dial: Dial | null = null;
  #isDraining = false;

  constructor(target: Target, resolver: Resolver, ticker: Ticker) {
    this.target = target;
    this.#resolver = resolver;
    this.#ticker = ticker;
  }

  get now(): number {
    return this.#ticker.now;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get isUnused(): boolean {
    if (!this.#queue.isEmpty || this.#dial !== null) return false;
    for (const session of this.#sessions) if (session.streamCount > 0) return false;
    return true;
  }

  acquire(waiter: PoolWaiter): void {
    const session = this.#withRoom();
    if (session !== null) return waiter.onClient(session.open());
    const isFull = this.#sessions.size >= waiter.maxConnections && this.#dial === null;
    if (this.#queue.isFull) return waiter.onNoClient(this.#busy());
    this.#queue.add(waiter, this.now);
    if (!isFull) this.#begin(waiter.connectMs);
  }

  cancel(waiter: PoolWaiter): void {
    this.#queue.remove(waiter);
  }

  tick(now: number): void {
    for (const session of this.#sessions) session.tick(now);
    const dial = this.#dial;
    if (dial === null) this.#queue.refuseDue(now, () => this.#busy());
    else if (dial.nameUntil <= now) this.#onDialled(dial.error ?? nameTimeoutError(this, dial.connectMs), null);
  }

  drain(): void {
    this.#isDraining = true;
    for (const session of this.#sessions) session.retire();
  }

  destroy(): void {
    this.#isDraining = true;
    this.#dial?.attempt?.cancel();
    this.#dial = null;
    for (const session of this.#sessions) session.destroy();
  }

  serveQueue(): void {
    while (!this.#queue.isEmpty) {
      const session = this.#withRoom();
      if (session === null) return this.#dialForQueue();
      this.#queue.shift()?.onClient(session.open());
    }
  }

  onSessionGone(session: Http2Session): void {
    this.#sessions.delete(session);
    this.serveQueue();
  }

  #withRoom(): Http2Session | null {
    for (const session of this.#sessions) if (session.hasRoom) return session;
    return null;
  }

  #dialForQueue(): void {
    const next = this.#queue.first;
    if (next !== undefined && this.#sessions.size < next.maxConnections) this.#begin(next.connectMs);
  }

  /** One connection at a time is opened, for whoever waits by then. */
  #begin(connectMs: number): void {
    if (this.#dial !== null) return;
    const { target } = this;
    const dial: Dial = { connectMs, attempt: null, nameUntil: Infinity, error: null };
    this.#dial = dial;
    if (!isUsable(target))
      return this.#onDialled(unreachableError(this, new Error('it is not a usable address')), null);
    if (target.isAddress || target.scheme === 'unix') return this.#connect(dial, [target.host], null);
    let wasCached = true;
    // A name server that does not answer holds the system's resolver for far longer than anybody waits.
    dial.nameUntil = this.now + connectMs;
    this.#resolver.resolve(target.host, (error, addresses) => {
      if (this.#dial !== dial) return;
      dial.nameUntil = Infinity;
      if (error !== null) return this.#onDialled(unreachableError(this, error), null);
      this.#connect(dial, addresses, wasCached ? addresses : null);
    });
    wasCached = false;
  }

  /** `cached`: the addresses came from memory, so that a failure may mean that they are old. */
  #connect(dial: Dial, addresses: readonly string[], cached: readonly string[] | null): void {
    const { target } = this;
    const alpn = target.scheme === 'https' ? ['h2'] : null;
    const done = (error: PosternError | null, socket: Socket | null): void => {
      if (this.#dial !== dial) return void socket?.destroy();
      if (socket !== null && alpn !== null && !choseHttp2(socket)) {
        socket.destroy();
        return this.#onDialled(noHttp2Error(target), null);
      }
      if (error === null || target.isAddress || target.scheme === 'unix') return this.#onDialled(error, socket);
      this.#onRefused(dial, error, cached);
    };
    const timeoutMs = dial.connectMs;
    dial.attempt = new ConnectAttempt({ target, addresses, timeoutMs, read: null, isTunnel: false, alpn, done });
  }

  /** Containers are recreated: asks for the name again at once, and tries what is new. */
  #onRefused(dial: Dial, error: PosternError, cached: readonly string[] | null): void {
    if (cached === null) {
      // Asked a moment ago: the next one may hear of a new address, and nobody waits for that.
      this.#resolver.refresh(this.target.host, () => undefined);
      return this.#onDialled(error, null);
    }
    dial.error = error;
    dial.nameUntil = this.now + dial.connectMs;
    this.#resolver.refresh(this.target.host, (_error, addresses) => {
      if (this.#dial !== dial) return;
      dial.nameUntil = Infinity;
      const fresh = addresses.filter((one) => !cached.includes(one));
      if (fresh.length === 0) this.#onDialled(error, null);
      else this.#connect(dial, fresh, null);
    });
  }

  #onDialled(error: PosternError | null, socket: Socket | null): void {
    this.#dial = null;
    if (socket !== null) {
      const session = new Http2Session(this, socket);
      this.#sessions.add(session);
      this.serveQueue();
      if (this.#isDraining) session.retire();
      return;
    }
    this.#queue.refuseAll(error as PosternError);
  }

  #busy(): PosternError {
    const text = `Cannot connect to "${this.target.label}": every stream is in use and none became free in time`;
    return new PosternError('UPSTREAM_BUSY', text, { server: this.target.label, connections: this.size });
  }
}

function noHttp2Error(target: Target): PosternError {
  const text = `Cannot send gRPC to "${target.label}": it does not offer HTTP/2`;
  return new PosternError('UPSTREAM_TLS', text, { server: target.label });
}
