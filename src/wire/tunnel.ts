/**
 * Joins two byte streams after an upgrade (RFC 9110 section 7.8, RFC 8441): back-pressure and half-close
 * in both directions. An end that breaks off breaks the other. Understands nothing of what passes but where the
 * frames of a WebSocket end, so that one that the gateway ends is told so by a close frame.
 * A tunnel at rest holds no buffer and no timer of its own: ten thousand of them are an ordinary day.
 */
import type { Duplex } from 'node:stream';
import { createTicker, type Ticker, type Ticking } from './ticker.ts';
import { closeFrame, FrameFollower, GOING_AWAY } from './websocket-frames.ts';

export interface TunnelOptions {
  /** Longest silence of both ends; Infinity: as long as both want. */
  readonly idleMs: number;
  /** The worker's; without it, tunnels share one of their own. */
  readonly ticker?: Ticker;
  /** What passes are frames of RFC 6455. */
  readonly isWebSocket?: boolean;
  /** Called once, when both ends are closed or one broke. */
  readonly onClose: (bytesToApp: number, bytesToClient: number) => void;
}

export interface Tunnel {
  /** Breaks both ends at once. */
  readonly close: () => void;
  /**
   * From now on nothing passes. The client of a WebSocket is told why by this code, its app that the client is going
   * away, where the direction stands between two frames; whoever does not close then is broken off after a moment.
   */
  readonly end: (code: number) => void;
  /** What has passed so far. */
  readonly bytesToApp: number;
  readonly bytesToClient: number;
}

/** Where one end has said its last word and the other stays silent, nobody may be left to care. */
const HALF_CLOSED_IDLE_MS = 300_000;
/**
 * How long both ends may take to close behind a close frame; a tick of 250 ms later at most. With what it takes to
 * look at a connection that is new (edge/long-lived.ts), who never answers is out within a second, too.
 */
const ENDING_MS = 250;
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
  readonly #framesToApp: FrameFollower | null;
  readonly #framesToClient: FrameFollower | null;
  #isEnding = false;
  #isOver = false;

  constructor(client: Duplex, app: Duplex, options: TunnelOptions) {
    this.#client = client;
    this.#app = app;
    this.#options = options;
    this.#ticker = options.ticker ?? (sharedTicker ??= createTicker());
    this.#idleMs = options.idleMs;
    this.#activeAt = this.#ticker.now;
    this.#framesToApp = options.isWebSocket === true ? new FrameFollower() : null;
    this.#framesToClient = options.isWebSocket === true ? new FrameFollower() : null;
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

  end(code: number): void {
    if (this.#isOver || this.#isEnding) return;
    if (this.#framesToClient === null || this.#framesToApp === null) {
      this.close();
      return;
    }
    this.#isEnding = true;
    this.#idleMs = ENDING_MS;
    this.#activeAt = this.#ticker.now;
    this.#ticker.add(this);
    say(this.#client, this.#framesToClient, closeFrame(code, false));
    say(this.#app, this.#framesToApp, closeFrame(GOING_AWAY, true));
    // What either still says reaches nobody, and is read so that its end is seen.
    this.#client.resume();
    this.#app.resume();
  }

  tick(now: number): void {
    if (now - this.#activeAt >= this.#idleMs) this.close();
  }

  pass(from: Duplex, chunk: Buffer): void {
    if (this.#isEnding) return;
    if (from === this.#client) {
      this.#toApp += chunk.length;
      this.#framesToApp?.follow(chunk);
    } else {
      this.#toClient += chunk.length;
      this.#framesToClient?.follow(chunk);
    }
    this.#activeAt = this.#ticker.now;
    if (!this.#peerOf(from).write(chunk)) from.pause();
  }

  drained(end: Duplex): void {
    this.#peerOf(end).resume();
  }

  ended(from: Duplex): void {
    const to = this.#peerOf(from);
    if (!to.writableEnded) to.end();
    if (this.#isOver || this.#isEnding || this.#idleMs <= HALF_CLOSED_IDLE_MS) return;
    this.#idleMs = HALF_CLOSED_IDLE_MS;
    this.#activeAt = this.#ticker.now;
    this.#ticker.add(this);
  }

  closed(from: Duplex): void {
    const to = this.#peerOf(from);
    // Both directions came to their end: what is left is for `to` to send its last bytes.
    const isClean = from.readableEnded && from.writableFinished && from.errored === null;
    if (!isClean && !to.destroyed && !this.#isEnding) this.close();
    if (this.#isEnding ? to.closed : !isClean || to.closed) this.#finish();
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

/** In the middle of a frame nothing can be said: the end is seen to be broken off. */
function say(end: Duplex, frames: FrameFollower, frame: Buffer): void {
  if (!end.writable || !frames.isBetweenFrames) end.destroy(BROKEN);
  else if (frames.hasClosed) end.end();
  else end.end(frame);
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
