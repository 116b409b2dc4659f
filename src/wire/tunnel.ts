/**
 * Joins two byte streams after an upgrade (RFC 9110 section 7.8, RFC 8441): back-pressure and half-close
 * in both directions. An end that breaks off breaks the other. Understands nothing of what passes.
 * A tunnel at rest holds no buffer and no timer of its own: ten thousand of them are an ordinary day.
 */
import type { Duplex } from 'node:stream';
import { createTicker, type Ticker, type Ticking } from './ticker.ts';

export interface TunnelOptions {
  /** Longest silence of both ends; Infinity: as long as both want. */
  readonly idleMs: number;
  /** The worker's; without it, tunnels share one of their own. */
  readonly ticker?: Ticker;
  /** Called once, when both ends are closed or one broke. */
  readonly onClose: (bytesToApp: number, bytesToClient: number) => void;
}

export interface Tunnel {
  /** Breaks both ends at once. */
  readonly close: () => void;
  /** What has passed so far. */
  readonly bytesToApp: number;
  readonly bytesToClient: number;
}

/** Where one end has said its last word and the other stays silent, nobody may be left to care. */
const HALF_CLOSED_IDLE_MS = 300_000;
const BROKEN = new Error('The other end of the tunnel broke off');

let sharedTicker: Ticker | null = null;

/** Which tunnel an end belongs to, so that all ends share five listeners instead of having closures of their own. */
const tunnelOf = new WeakMap<Duplex, JoinedTunnel>();

export function joinTunnel(client: Duplex, app: Duplex, options: TunnelOptions): Tunnel {
  const tunnel = new JoinedTunnel(client, app, options);
  tunnel.begin();
  return tunnel;
}

class JoinedTunnel implements Tunnel, Ticking {
  readonly #client: Duplex;
  readonly #app: Duplex;
  readonly #options: TunnelOptions;
  readonly #ticker: Ticker;
  #toApp = 0;
  #toClient = 0;
  #idleMs: number;
  #activeAt: number;
  #isOver = false;

  constructor(client: Duplex, app: Duplex, options: TunnelOptions) {
    this.#client = client;
    this.#app = app;
    this.#options = options;
    this.#ticker = options.ticker ?? (sharedTicker ??= createTicker());
    this.#idleMs = options.idleMs;
    this.#activeAt = this.#ticker.now;
  }

  get bytesToApp(): number {
    return this.#toApp;
  }

  get bytesToClient(): number {
    return this.#toClient;
  }

  begin(): void {
    if (this.#idleMs !== Infinity) this.#ticker.add(this);
    this.#watch(this.#client);
    this.#watch(this.#app);
    if (this.#client.destroyed || this.#app.destroyed) this.close();
  }

  close(): void {
    if (this.#isOver) return;
    this.#client.destroy(BROKEN);
    this.#app.destroy(BROKEN);
    this.#finish();
  }

  tick(now: number): void {
    if (now - this.#activeAt >= this.#idleMs) this.close();
  }

  pass(from: Duplex, chunk: Buffer): void {
    if (from === this.#client) this.#toApp += chunk.length;
    else this.#toClient += chunk.length;
    this.#activeAt = this.#ticker.now;
    if (!this.#peerOf(from).write(chunk)) from.pause();
  }

  drained(end: Duplex): void {
    this.#peerOf(end).resume();
  }

  ended(from: Duplex): void {
    const to = this.#peerOf(from);
    if (!to.writableEnded) to.end();
    if (this.#isOver || this.#idleMs <= HALF_CLOSED_IDLE_MS) return;
    this.#idleMs = HALF_CLOSED_IDLE_MS;
    this.#activeAt = this.#ticker.now;
    this.#ticker.add(this);
  }

  closed(from: Duplex): void {
    const to = this.#peerOf(from);
    // Both directions came to their end: what is left is for `to` to send its last bytes.
    const isClean = from.readableEnded && from.writableFinished && from.errored === null;
    if (!isClean && !to.destroyed) this.close();
    if (!isClean || to.closed) this.#finish();
  }

  #watch(end: Duplex): void {
    // What one end may still say after its peer has finished must not be cut off by node.
    end.allowHalfOpen = true;
    tunnelOf.set(end, this);
    end.on('data', onData);
    end.on('drain', onDrain);
    end.on('end', onEnd);
    end.on('error', onError);
    end.on('close', onClose);
    end.resume();
  }

  #peerOf(end: Duplex): Duplex {
    return end === this.#client ? this.#app : this.#client;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ticker.remove(this);
    this.#options.onClose(this.#toApp, this.#toClient);
  }
}

function onData(this: Duplex, chunk: Buffer): void {
  tunnelOf.get(this)?.pass(this, chunk);
}

function onDrain(this: Duplex): void {
  tunnelOf.get(this)?.drained(this);
}

function onEnd(this: Duplex): void {
  tunnelOf.get(this)?.ended(this);
}

function onClose(this: Duplex): void {
  tunnelOf.get(this)?.closed(this);
}

/** 'close' follows and is what counts. */
function onError(this: Duplex): void {
  this.destroy();
}
