/**
 * The way of a connection from the kernel to a codec: accept, count, peek, TLS, hand over. One object
 * a worker; addresses share its limits and settings. It never closes a listening socket before the
 * end: with `reusePort` the kernel would reset what waits in that socket's queue.
 * Decides nothing about requests, and logs nothing itself: refusals go to `onRefused`.
 */
import { CHALLENGE_PROTOCOL } from './challenge-board.ts';
import { type Connection, destroyConnection, destroyThis, factsOf, Listener, peerOf } from './connection.ts';
import type { ServeConnection } from './connection.ts';
import { type ConnectionCounts, ConnectionLimits } from './connection-limits.ts';
import { peekFirstBytes, type PeekRefusal, type PeekResult } from './peek.ts';
import { PeekQueue } from './peek-queue.ts';
import type { Refusal, RefusalReason } from './refusal.ts';
import { type ListenOn, startListening } from './start-listening.ts';
import type { SharedCounts } from './shared-counts.ts';
import { closeWith, DECODE_ERROR, UNRECOGNIZED_NAME, USE_HTTPS } from './tls-alert.ts';
import { answerTlsChallenge, type CertificateSource, TlsServers } from './tls-servers.ts';
import { timerMs } from '../core/durations.ts';
import { type IpSet, normaliseIp } from '../core/ip-address.ts';
import { TurnPace } from '../core/turn-pace.ts';
import type { ClientHello } from '../wire/client-hello.ts';
import type { ConnectionFacts } from '../wire/exchange.ts';
import type { ProxyHeader } from '../wire/proxy-protocol.ts';
import net, { type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';

/** Read for each connection, so a reload changes them for the next one. */
export interface TransportSettings extends ConnectionCounts {
  /** Peers that must send a PROXY header. */
  readonly proxyPeers: IpSet;
  /** From accept to the end of the handshake. */
  readonly handshakeMs: number;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly http2: boolean;
  /** Connections that may be before the end of their handshake at once. */
  readonly handshakes: number;
}

export interface TransportOptions {
  readonly settings: () => TransportSettings;
  readonly certificates: CertificateSource;
  /** Certificates that answer TLS-ALPN-01, by name. */
  readonly challengeFor?: (serverName: string | null) => SecureContext | null;
  /** A certificate that may be ordered for a name in a handshake; true when it is there. Null: nothing will come. */
  readonly demand?: (serverName: string) => Promise<boolean> | null;
  /** 48 bytes, shared by all workers. */
  readonly ticketKeys: Buffer;
  /** OpenSSL's list, in place of the usual suites. */
  readonly ciphers?: string;
  readonly serve: ServeConnection;
  readonly onRefused: (refusal: Refusal) => void;
  /** For metrics: accepted by scheme, refused by reason, TLS handshakes by result. */
  readonly onCount?: (counter: 'connections' | 'connectionsRefused' | 'handshakes', label: string) => void;
  /** Shared with the other workers; without it, this one counts for itself. */
  readonly counts?: SharedCounts;
  /** For the dear part of new connections, shared with whatever else strangers ask for. */
  readonly pace?: Pick<TurnPace, 'begin'>;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly random?: () => number;
}

export interface OpenListener {
  readonly port: number;
  /** The document changed what it is for; connections that are open keep their protocol. */
  readonly change: (to: { readonly tls: boolean; readonly redirectsToHttps: boolean }) => void;
  /** Takes no more connections, answers what runs on those it has, and closes them. */
  readonly retire: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Less than a handshake takes, so that it is mostly one: those who are in must not wait for a crowd at the door. */
export const STRANGERS_MS_A_TURN = 0.3;
/** One line in this time says that connections cannot be accepted: it happens at each attempt. */
const ACCEPT_LINE_MS = 1_000;
const TCP_KEEP_ALIVE_MS = 60_000;
const DRAIN_TICK_MS = 50;
const MAX_TURNS = 10_000;
/** Last part of a drain over which what is still open is closed, so that clients do not all come back at once. */
const SPREAD_SHARE = 0.25;
const MAX_SPREAD_MS = 5_000;

export class Transport {
  readonly #options: TransportOptions;
  readonly #limits: ConnectionLimits;
  readonly #queue: PeekQueue;
  readonly #tls: TlsServers;
  readonly #pace: Pick<TurnPace, 'begin'>;
  readonly #connections: Set<Connection> = new Set();
  readonly #servers: Set<net.Server> = new Set();
  readonly #refused: Map<RefusalReason, number> = new Map();
  #accepted = 0;
  #acceptFailedAt = Number.NEGATIVE_INFINITY;
  #isDraining = false;

  constructor(options: TransportOptions) {
    const { settings } = options;
    this.#options = options;
    this.#pace = options.pace ?? new TurnPace({ budgetMs: STRANGERS_MS_A_TURN });
    this.#limits = new ConnectionLimits(settings, options.counts);
    this.#queue = new PeekQueue({
      handshakeMs: () => settings().handshakeMs,
      max: () => settings().handshakes,
      now: options.now ?? (() => performance.now()),
      onExpired: (_socket, reason) => this.#count(reason === 'timeout' ? 'handshake-timeout' : 'handshake-overflow'),
    });
    this.#tls = new TlsServers({
      source: options.certificates,
      minVersion: () => settings().minVersion,
      http2: () => settings().http2,
      ticketKeys: options.ticketKeys,
      ...(options.ciphers !== undefined && { ciphers: options.ciphers }),
      onFailed: () => options.onCount?.('handshakes', 'failed'),
    });
  }

  /** Plain numbers for metrics. */
  get stats(): { open: number; handshaking: number; accepted: number; refused: Readonly<Record<string, number>> } {
    return {
      open: this.#connections.size,
      handshaking: this.#queue.size,
      accepted: this.#accepted,
      refused: Object.fromEntries(this.#refused),
    };
  }

  /** Begins to listen, or rejects with LISTEN_FAILED. */
  async listen(on: ListenOn): Promise<OpenListener> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: 65_536 });
    const listener = new Listener(on);
    server.on('connection', (socket) => this.#accept(socket, listener));
    await startListening(server, on);
    server.on('error', (error) => this.#acceptFailed(error));
    this.#servers.add(server);
    const address = server.address();
    // Node knows no address of an inherited unix socket.
    const port = address === null || typeof address === 'string' ? null : address.port;
    listener.isLocalSocket = port === null;
    return {
      port: port ?? 0,
      change: (to) => void Object.assign(listener, to),
      retire: () => this.#retire(server, listener),
      close: () => this.#closeServer(server),
    };
  }

  /** Resolves when the address is free. A tunnel stays as long as both ends want. */
  async #retire(server: net.Server, listener: Listener): Promise<void> {
    listener.isRetired = true;
    for (const connection of this.#connections) if (connection.listener === listener) connection.served?.drain();
    if (!this.#servers.delete(server)) return;
    await this.#emptyQueue();
    // What it calls back for is the end of its last connection; the socket itself is closed at once.
    server.close();
  }

  setTicketKeys(keys: Buffer): void {
    this.#tls.setTicketKeys(keys);
  }

  /** Connections of which this is true answer what runs on them and close. Answers whether there are any. */
  drainWhere(isOutdated: (facts: ConnectionFacts) => boolean): boolean {
    let hasAny = false;
    for (const { facts, served } of this.#connections) {
      if (facts === null || served === null || !isOutdated(facts)) continue;
      hasAny = true;
      served.drain();
    }
    return hasAny;
  }

  /**
   * Ends in order: codecs finish what runs and close, still answering whoever connects meanwhile;
   * then the listening sockets close. What is left near the deadline is closed with jitter.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true;
    const before = [...this.#connections];
    const start = performance.now();
    for (const connection of before) connection.served?.drain();
    const spread = Math.min(deadlineMs * SPREAD_SHARE, MAX_SPREAD_MS);
    await waitUntil(() => before.every((one) => !this.#connections.has(one)), deadlineMs - spread);
    const closed = Promise.all([...this.#servers].map((server) => this.#closeServer(server)));
    const left = Math.max(0, deadlineMs - (performance.now() - start));
    const random = this.#options.random ?? Math.random;
    // What only now came is short-lived; tunnels and slow bodies get a random moment of the rest.
    const timers = [...this.#connections].map((one) =>
      setTimeout(() => destroyConnection(one), timerMs(left - Math.min(left, spread) * random())),
    );
    await waitUntil(() => this.#connections.size === 0, left);
    for (const timer of timers) clearTimeout(timer);
    this.#destroyAll();
    await closed;
  }

  /** At once. */
  async close(): Promise<void> {
    const closed = [...this.#servers].map((server) => this.#closeServer(server));
    this.#destroyAll();
    await Promise.all(closed);
  }

  #destroyAll(): void {
    for (const connection of this.#connections) destroyConnection(connection);
    this.#queue.close();
  }

  async #closeServer(server: net.Server): Promise<void> {
    if (!this.#servers.delete(server)) return;
    await this.#emptyQueue();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  }

  /**
   * Waits for a turn of the event loop in which nobody came in: the kernel resets whoever waits in the queue of
   * a socket that is closed, and a turn takes one of them.
   */
  async #emptyQueue(): Promise<void> {
    for (let turns = 0; turns < MAX_TURNS; turns++) {
      const before = this.#accepted;
      await new Promise((done) => setImmediate(done));
      if (this.#accepted === before) return;
    }
  }

  /** No file descriptors, no memory: those that wait get in when it is over. */
  #acceptFailed(error: Error): void {
    const now = performance.now();
    if (now - this.#acceptFailedAt < ACCEPT_LINE_MS) return this.#count('accept-failed');
    this.#acceptFailedAt = now;
    this.#refuse('accept-failed', `Cannot accept connections: ${error.message}`, null, null);
  }

  #accept(socket: Socket, listener: Listener): void {
    this.#accepted++;
    const { tls } = listener;
    this.#options.onCount?.('connections', tls ? 'https' : 'http');
    const { settings } = this.#options;
    const peerAddress = normaliseIp(socket.remoteAddress ?? '');
    const expectsProxy = settings().proxyPeers.contains(peerAddress);
    const connection: Connection = { socket, listener, tls, peerAddress, counted: null, served: null, facts: null };
    // Errors of sockets that no codec has yet end in close; a codec adds a listener of its own.
    socket.on('error', destroyThis);
    if (!this.#limits.enter()) {
      this.#count('limit');
      socket.destroy();
      return;
    }
    this.#connections.add(connection);
    socket.on('close', () => this.#onClose(connection));
    // A listed peer carries many visitors: they are counted by the addresses of their headers.
    if (!expectsProxy && !this.#enterAddress(connection, peerAddress)) return;
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    this.#queue.add(socket);
    peekFirstBytes(socket, { tls, expectsProxy }, (result) => this.#onPeeked(connection, result));
  }

  #onClose(connection: Connection): void {
    this.#connections.delete(connection);
    this.#queue.remove(connection.socket);
    this.#limits.leave();
    if (connection.counted !== null) this.#limits.leaveAddress(connection.counted);
  }

  #enterAddress(connection: Connection, address: string | null): boolean {
    if (address === null) return true;
    if (this.#limits.enterAddress(address)) {
      connection.counted = address;
      return true;
    }
    this.#count('limit');
    connection.socket.destroy();
    return false;
  }

  #onPeeked(connection: Connection, result: PeekResult): void {
    const { socket } = connection;
    if (result.kind === 'refused') {
      this.#onPeekRefused(connection, result.reason, result.detail);
      return;
    }
    if (result.proxy !== null && !this.#enterAddress(connection, peerOf(connection, result.proxy).address)) return;
    if (result.kind === 'tls') {
      const { hello, proxy } = result;
      this.#pace.begin(() => {
        if (!socket.destroyed) this.#startTls(connection, hello, proxy);
      });
      return;
    }
    this.#handOver(connection, socket, factsOf(connection, result.proxy), result.protocol);
  }

  #onPeekRefused(connection: Connection, reason: PeekRefusal, detail: string): void {
    const { socket, peerAddress } = connection;
    this.#queue.remove(socket);
    // Scanners and browsers that connect ahead close silently all day long.
    if (reason === 'closed-early') {
      this.#count(reason);
      socket.destroy();
      return;
    }
    this.#refuse(reason, detail, peerAddress, null);
    if (reason === 'plain-on-tls') closeWith(socket, USE_HTTPS);
    else if (reason === 'hello-malformed') closeWith(socket, DECODE_ERROR);
    else socket.destroy();
  }

  #startTls(connection: Connection, hello: ClientHello, proxy: ProxyHeader | null): void {
    const { socket } = connection;
    const { serverName } = hello;
    // RFC 8737 section 3: a handshake and nothing after it. It stays in the queue, with that deadline.
    const isChallenge = hello.alpn.length === 1 && hello.alpn[0] === CHALLENGE_PROTOCOL;
    const challenge = isChallenge ? (this.#options.challengeFor?.(serverName) ?? null) : null;
    if (challenge !== null) {
      answerTlsChallenge(socket, challenge);
      return;
    }
    if (this.#tryTls(connection, hello, proxy)) return;
    const coming = serverName === null ? null : (this.#options.demand?.(serverName) ?? null);
    if (coming === null) {
      this.#refuseName(connection, serverName, proxy);
      return;
    }
    // The visitor waits for it, as long as a handshake may take: the queue has the deadline.
    const again = (isThere: boolean): void => {
      if (socket.destroyed) return;
      if (!isThere || !this.#tryTls(connection, hello, proxy)) this.#refuseName(connection, serverName, proxy);
    };
    coming.then(again, () => again(false));
  }

  /** False: nobody has a certificate for the name. */
  #tryTls(connection: Connection, hello: ClientHello, proxy: ProxyHeader | null): boolean {
    const { serverName } = hello;
    const answer = this.#tls.accept(connection.socket, hello, (accepted) => {
      this.#options.onCount?.('handshakes', accepted.socket.isSessionReused() ? 'resumed' : 'full');
      this.#guard(connection, accepted.socket);
      // It does not flow yet. Many clients can be done in one turn, each with its first request.
      this.#pace.begin(() => {
        if (accepted.socket.destroyed) return;
        const facts = factsOf(connection, proxy, { serverName, accepted });
        this.#handOver(connection, accepted.socket, facts, accepted.protocol);
      });
    });
    return answer === 'started';
  }

  #refuseName(connection: Connection, serverName: string | null, proxy: ProxyHeader | null): void {
    const { socket } = connection;
    const peerAddress = peerOf(connection, proxy).address;
    const name = serverName === null ? 'a client that names no host' : `"${serverName}"`;
    this.#queue.remove(socket);
    this.#options.onCount?.('handshakes', 'no-certificate');
    this.#refuse('no-certificate', `Nobody has a certificate for ${name}`, peerAddress, serverName);
    closeWith(socket, UNRECOGNIZED_NAME);
  }

  /** From the handshake's end on the TLS socket is what ends, and the other with it. */
  #guard(connection: Connection, socket: Socket): void {
    socket.on('error', destroyThis);
    socket.once('close', () => connection.socket.destroy());
  }

  // oxlint-disable-next-line max-params -- the four things that make a served connection
  #handOver(connection: Connection, socket: Socket, facts: ConnectionFacts, protocol: 'http/1.1' | 'h2'): void {
    this.#queue.remove(connection.socket);
    if (socket.destroyed) return;
    connection.facts = facts;
    connection.served = this.#options.serve(socket, facts, protocol, connection.listener);
    socket.resume();
    if (this.#isDraining || connection.listener.isRetired) connection.served.drain();
  }

  #count(reason: RefusalReason): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
    this.#options.onCount?.('connectionsRefused', reason);
  }

  // oxlint-disable-next-line max-params -- the fields of the one record it makes
  #refuse(reason: RefusalReason, detail: string, peerAddress: string | null, serverName: string | null): void {
    this.#count(reason);
    this.#options.onRefused({ reason, detail, peerAddress, serverName });
  }
}

function waitUntil(isDone: () => boolean, mostMs: number): Promise<void> {
  const deadline = performance.now() + mostMs;
  return new Promise((resolve) => {
    const look = (): void => {
      if (isDone() || performance.now() >= deadline) resolve();
      else setTimeout(look, DRAIN_TICK_MS);
    };
    look();
  });
}
