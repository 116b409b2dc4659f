/**
 * The connections to one target. Idle ones are reused last in, first out, and closed before the app
 * would close them; how many there are is bounded, and so is the queue of who waits for one.
 * A request that must not be sent twice gets a fresh or a just used connection: an idle one could be
 * closed by the app in the moment it is sent. A connection that an app has signed in (NTLM) serves one visitor only.
 */
import { performance } from 'node:perf_hooks';
import { ConnectAttempt, nameTimeoutError, unreachableError } from './connect.ts';
import type { Resolver } from './resolve.ts';
import { isUsable } from './target.ts';
import type { Target } from './target.ts';
import { type PoolWaiter, WaitQueue } from './wait-queue.ts';
import { PosternError } from '../core/errors.ts';
import { type ClientOwner, Http1Client } from '../wire/http1-client.ts';
import type { Ticker } from '../wire/ticker.ts';
import type { Socket } from 'node:net';

const MAX_IDLE_MS = 60_000;
/** A connection used this lately is not about to be closed by the app. */
const RECENT_MS = 1_000;

/** A connection on its way; `onread` needs somebody to give bytes to before there is a client. */
interface Dial {
  readonly waiter: PoolWaiter;
  attempt: ConnectAttempt | null;
  client: Http1Client | null;
  isCancelled: boolean;
  /** Until when it waits for its name to be resolved; Infinity while it does not. */
  nameUntil: number;
  /** Why the addresses that were known led nowhere. */
  error: PosternError | null;
}

export class Pool implements ClientOwner {
  readonly target: Target;
  readonly #resolver: Resolver;
  readonly #ticker: Ticker;
  readonly #idle: Http1Client[] = [];
  /** Idle ones that an app has signed in for one visitor's connection (NTLM, Negotiate): no other may have them. */
  readonly #bound = new Map<object, Http1Client>();
  readonly #clients = new Set<Http1Client>();
  readonly #dials = new Set<Dial>();
  readonly #queue = new WaitQueue();
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
    return this.#clients.size + this.#dials.size;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  get isUnused(): boolean {
    const atRest = this.#idle.length + this.#bound.size;
    return this.#queue.isEmpty && this.#dials.size === 0 && this.#clients.size === atRest;
  }

  /** Calls `onClient` at once where a connection is free. */
  acquire(waiter: PoolWaiter): void {
    const client = waiter.wantsFresh || waiter.wantsUpgrade ? null : this.#take(waiter);
    if (client !== null) return waiter.onClient(client);
    if (this.size >= waiter.maxConnections) this.#closeOldestIdle();
    if (this.size < waiter.maxConnections) return this.#dial(waiter);
    if (this.#queue.isFull) return waiter.onNoClient(this.#busy('the queue for one is full'));
    this.#queue.add(waiter, this.now);
  }

  /** The waiter lost interest before it was called back. */
  cancel(waiter: PoolWaiter): void {
    this.#queue.remove(waiter);
    for (const dial of this.#dials) {
      if (dial.waiter !== waiter) continue;
      dial.isCancelled = true;
      dial.attempt?.cancel();
      this.#dials.delete(dial);
    }
    this.#serveQueue();
  }

  tick(now: number): void {
    for (const client of this.#clients) client.tick(now);
    for (const dial of this.#dials) if (dial.nameUntil <= now) this.#giveUpName(dial);
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const client = this.#idle[i] as Http1Client;
      if (client.idleUntil <= now) client.destroy();
    }
    if (this.#bound.size > 0) for (const client of this.#bound.values()) if (client.idleUntil <= now) client.destroy();
    this.#queue.refuseDue(now, () => this.#busy('none became free in time'));
  }

  /** No route uses the target any more: what is under way ends, nothing is kept. */
  drain(): void {
    this.#isDraining = true;
    while (this.#idle.length + this.#bound.size > 0) this.#closeOldestIdle();
  }

  revive(): void {
    this.#isDraining = false;
  }

  /** Breaks everything, at exit. */
  destroy(): void {
    this.drain();
    for (const dial of this.#dials) dial.attempt?.cancel();
    this.#dials.clear();
    for (const client of this.#clients) client.socket.destroy();
  }

  onIdle(client: Http1Client, keepAliveMs: number): void {
    if (this.target.servesOnce) return client.destroy();
    const next = this.#queue.first;
    if (next !== undefined) {
      // Makes room: the slot goes to a connection that was never used.
      if (next.wantsUpgrade || next.wantsFresh || client.boundTo !== null) return client.destroy();
      this.#queue.shift();
      return next.onClient(client);
    }
    const idleMs = keepAliveMs === -1 ? MAX_IDLE_MS : Math.min(MAX_IDLE_MS, keepAliveMs - 1_000);
    // Of the last tick: it may look older than it is, which only makes us dial.
    client.idleSince = this.now;
    client.idleUntil = this.now + idleMs;
    if (client.boundTo === null) this.#idle.push(client);
    else this.#keepBound(client, client.boundTo);
    if (this.#isDraining || idleMs <= 0) client.destroy();
  }

  onGone(client: Http1Client): void {
    this.#clients.delete(client);
    if (client.boundTo !== null && this.#bound.get(client.boundTo) === client) this.#bound.delete(client.boundTo);
    const at = this.#idle.lastIndexOf(client);
    if (at !== -1) this.#idle.splice(at, 1);
    this.#serveQueue();
  }

  #keepBound(client: Http1Client, visitor: object): void {
    this.#bound.get(visitor)?.destroy();
    this.#bound.set(visitor, client);
  }

  #take(waiter: PoolWaiter): Http1Client | null {
    const bound = this.#bound.size === 0 ? undefined : this.#bound.get(waiter.visitor);
    if (bound === undefined) return this.#takeIdle(waiter.wantsRecent);
    this.#bound.delete(waiter.visitor);
    if (bound.idleUntil > this.now && bound.socket.writable) return bound;
    bound.destroy();
    return this.#takeIdle(waiter.wantsRecent);
  }

  #takeIdle(wantsRecent: boolean): Http1Client | null {
    for (;;) {
      const client = this.#idle.pop();
      if (client === undefined) return null;
      const isOld = wantsRecent && performance.now() - client.idleSince >= RECENT_MS;
      if (isOld) {
        this.#idle.push(client);
        return null;
      }
      if (client.isIdle && client.idleUntil > this.now && client.socket.writable) return client;
      client.destroy();
    }
  }

  #closeOldestIdle(): void {
    const [bound] = this.#bound.values();
    (this.#idle[0] ?? bound)?.destroy();
  }

  #serveQueue(): void {
    for (let next = this.#queue.first; next !== undefined; next = this.#queue.first) {
      if (this.size >= next.maxConnections) return;
      this.#queue.shift();
      this.#dial(next);
    }
  }

  #dial(waiter: PoolWaiter): void {
    const { target } = this;
    if (!isUsable(target)) return waiter.onNoClient(unreachableError(this, new Error('it is not a usable address')));
    const dial: Dial = { waiter, attempt: null, client: null, isCancelled: false, nameUntil: Infinity, error: null };
    this.#dials.add(dial);
    if (target.isAddress || target.scheme === 'unix') return this.#connect(dial, [target.host], null);
    let wasCached = true;
    // A name server that does not answer holds the system's resolver for far longer than anybody waits.
    dial.nameUntil = this.now + waiter.connectMs;
    this.#resolver.resolve(target.host, (error, addresses) => {
      dial.nameUntil = Infinity;
      if (dial.isCancelled) return;
      if (error !== null) return this.#giveUp(dial, unreachableError(this, error));
      this.#connect(dial, addresses, wasCached ? addresses : null);
    });
    wasCached = false;
  }

  /** `cached`: the addresses came from memory, so that a failure may mean that they are old. */
  #connect(dial: Dial, addresses: readonly string[], cached: readonly string[] | null): void {
    const { waiter } = dial;
    dial.attempt = new ConnectAttempt({
      target: this.target,
      addresses,
      timeoutMs: waiter.connectMs,
      read: waiter.wantsUpgrade ? null : readerOf(dial),
      isTunnel: waiter.wantsUpgrade,
      alpn: this.target.scheme === 'https' ? ['http/1.1'] : null,
      done: (error, socket) => {
        if (dial.isCancelled) return void socket?.destroy();
        if (socket !== null) return this.#welcome(dial, socket);
        this.#onRefused(dial, error as PosternError, cached);
      },
    });
  }

  /** Containers are recreated: asks for the name again at once, and tries what is new. */
  #onRefused(dial: Dial, error: PosternError, cached: readonly string[] | null): void {
    if (this.target.isAddress || this.target.scheme === 'unix') return this.#giveUp(dial, error);
    if (cached === null) {
      // Asked a moment ago: the next one may hear of a new address, and nobody waits for that.
      this.#resolver.refresh(this.target.host, () => undefined);
      return this.#giveUp(dial, error);
    }
    dial.error = error;
    dial.nameUntil = this.now + dial.waiter.connectMs;
    this.#resolver.refresh(this.target.host, (_error, addresses) => {
      dial.nameUntil = Infinity;
      if (dial.isCancelled) return;
      const fresh = addresses.filter((one) => !cached.includes(one));
      if (fresh.length === 0) return this.#giveUp(dial, error);
      this.#connect(dial, fresh, null);
    });
  }

  #giveUpName(dial: Dial): void {
    dial.isCancelled = true;
    this.#giveUp(dial, dial.error ?? nameTimeoutError(this, dial.waiter.connectMs));
  }

  #giveUp(dial: Dial, error: PosternError): void {
    this.#dials.delete(dial);
    dial.waiter.onNoClient(error);
    this.#serveQueue();
  }

  #welcome(dial: Dial, socket: Socket): void {
    this.#dials.delete(dial);
    const client = new Http1Client(socket, this);
    dial.client = client;
    if (dial.waiter.wantsUpgrade) client.listen();
    this.#clients.add(client);
    dial.waiter.onClient(client);
  }

  #busy(why: string): PosternError {
    const text = `Cannot connect to "${this.target.label}": every connection is in use and ${why}`;
    return new PosternError('UPSTREAM_BUSY', text, { server: this.target.label, connections: this.size });
  }
}

function readerOf(dial: Dial): (length: number, buffer: Buffer) => boolean {
  return (length, buffer) => {
    dial.client?.read(buffer, length, true);
    return true;
  };
}
