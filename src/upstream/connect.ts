/**
 * Opens one connection to an app: its addresses in order, the next one begun when the last failed or
 * is slow (as RFC 8305), then TLS, verified unless the route says otherwise. Never sends SNI to an
 * address. Every failure becomes an error with one code; the first TLS failure ends the attempt,
 * since another address of the same name would be the same app.
 */
import { connect, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, createSecureContext, getCACertificates } from 'node:tls';
import type { ConnectionOptions, SecureContext, TLSSocket } from 'node:tls';
import { connectOwn } from './own-socket.ts';
import type { Target } from './target.ts';
import { timerMs } from '../core/durations.ts';
import { PosternError } from '../core/errors.ts';
import { startPatience } from '../core/patience.ts';

/** The first bytes of a connection go to nobody: an app speaks after the request. */
export type ReadInto = (length: number, buffer: Buffer) => boolean;

export interface ConnectRequest {
  readonly target: Target;
  readonly addresses: readonly string[];
  readonly timeoutMs: number;
  /** Reads into one buffer that all connections share; null: an ordinary stream. */
  readonly read: ReadInto | null;
  /** Each direction of a tunnel ends by itself. */
  readonly isTunnel: boolean;
  /** Protocols to offer; null: no ALPN. */
  readonly alpn: readonly string[] | null;
  readonly done: (error: PosternError | null, socket: Socket | null) => void;
}

/** How long one address may keep the next waiting. */
const NEXT_ADDRESS_MS = 250;
/** A read is handled before the next one begins, so one buffer a worker is enough. */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(65_536);

export class ConnectAttempt {
  readonly #request: ConnectRequest;
  /** Those that are tried, each with how to stop listening to it. */
  readonly #sockets = new Map<Socket, () => void>();
  readonly #stopWaiting: () => void;
  #nextTimer: NodeJS.Timeout | null = null;
  #nextAddress = 0;
  #lastError: Error | null = null;
  #isOver = false;

  constructor(request: ConnectRequest) {
    this.#request = request;
    // By a machine that stood still meanwhile the app is not judged.
    this.#stopWaiting = startPatience(timerMs(request.timeoutMs), () => this.#fail(timeoutError(request)));
    this.#tryNext();
  }

  cancel(): void {
    this.#end(null);
  }

  #tryNext(): void {
    if (this.#nextTimer !== null) clearTimeout(this.#nextTimer);
    this.#nextTimer = null;
    const { addresses } = this.#request;
    const address = addresses[this.#nextAddress++];
    if (address === undefined) {
      if (this.#sockets.size === 0) this.#fail(unreachableError(this.#request, this.#lastError));
      return;
    }
    if (this.#nextAddress < addresses.length) this.#nextTimer = setTimeout(() => this.#tryNext(), NEXT_ADDRESS_MS);
    this.#open(address);
  }

  #open(address: string): void {
    let socket: Socket;
    try {
      socket = openSocket(this.#request, address);
    } catch (error) {
      return this.#fail(tlsError(this.#request.target, error));
    }
    let isConnected = false;
    const isSecure = this.#request.target.scheme === 'https';
    const onSecure = (): void => this.#succeed(socket);
    const onError = (error: Error): void => {
      if (this.#isOver) return;
      if (isConnected) return this.#fail(tlsError(this.#request.target, error));
      this.#lastError = error;
      this.#sockets.delete(socket);
      this.#tryNext();
    };
    const onClose = (): void => {
      if (!this.#isOver && isConnected)
        this.#fail(tlsError(this.#request.target, new Error('the app closed the connection')));
    };
    this.#sockets.set(socket, () => {
      socket.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
    });
    socket.once('connect', () => {
      isConnected = true;
      this.#keepOnly(socket);
      if (!isSecure) this.#succeed(socket);
    });
    if (isSecure) socket.once('secureConnect', onSecure);
    socket.on('error', onError);
    socket.once('close', onClose);
  }

  /** One address answered: the others are not needed. */
  #keepOnly(winner: Socket): void {
    if (this.#nextTimer !== null) clearTimeout(this.#nextTimer);
    this.#nextTimer = null;
    for (const socket of this.#sockets.keys()) {
      if (socket === winner) continue;
      discard(socket);
      this.#sockets.delete(socket);
    }
  }

  #succeed(socket: Socket): void {
    if (this.#isOver) return;
    const stopListening = this.#sockets.get(socket);
    this.#end(socket);
    this.#request.done(null, socket);
    // Whoever has it listens now. It may live for days, and would hold the attempt and what it was for.
    stopListening?.();
  }

  #fail(error: PosternError): void {
    if (this.#isOver) return;
    this.#end(null);
    this.#request.done(error, null);
  }

  #end(winner: Socket | null): void {
    this.#isOver = true;
    this.#stopWaiting();
    if (this.#nextTimer !== null) clearTimeout(this.#nextTimer);
    for (const socket of this.#sockets.keys()) if (socket !== winner) discard(socket);
    this.#sockets.clear();
  }
}

/** A late error of a discarded socket concerns nobody. */
function discard(socket: Socket): void {
  socket.destroy();
}

function openSocket(request: ConnectRequest, address: string): Socket {
  const { target, read, isTunnel: allowHalfOpen } = request;
  const onread =
    read === null ? {} : { onread: { buffer: SHARED_BUFFER, callback: read as (n: number, b: Uint8Array) => boolean } };
  if (target.scheme === 'unix') {
    const place = { path: target.host, allowHalfOpen, ...onread };
    return target.ownBelow === null ? connect(place) : connectOwn(place, target.ownBelow);
  }
  const place = {
    host: address,
    port: target.port,
    allowHalfOpen,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    ...onread,
  };
  if (target.scheme !== 'https') return connect(place);
  const socket = connectTls({ ...place, ...tlsOptions(target), ...alpnOf(request) } as ConnectionOptions);
  socket.on('session', (session) => {
    target.tlsSession = session;
  });
  return socket;
}

function alpnOf(request: ConnectRequest): ConnectionOptions {
  return request.alpn === null ? {} : { ALPNProtocols: [...request.alpn] };
}

/** What is verified is the configured name, else the name in the URL, else the address itself. */
function tlsOptions(target: Target): ConnectionOptions {
  const { tls } = target;
  target.secureContext ??= contextOf(target);
  const name = tls.serverName ?? target.host;
  const identity =
    isIP(name) === 0 ? { servername: name } : { servername: '', checkServerIdentity: checkAddress(name) };
  const session = target.tlsSession === null ? {} : { session: target.tlsSession };
  return { secureContext: target.secureContext, rejectUnauthorized: tls.verify, ...identity, ...session };
}

/** Without SNI the runtime would compare with the address it dialled; compare with the configured one. */
function checkAddress(address: string): NonNullable<ConnectionOptions['checkServerIdentity']> {
  return (_name, certificate) => checkServerIdentity(address, certificate);
}

function contextOf(target: Target): SecureContext {
  const { caPem, certificatePem, keyPem } = target.tls;
  return createSecureContext({
    minVersion: 'TLSv1.2',
    ...(caPem === null ? {} : { ca: [...getCACertificates('default'), caPem] }),
    ...(certificatePem === null ? {} : { cert: certificatePem }),
    ...(keyPem === null ? {} : { key: keyPem }),
  });
}

/** Whether ALPN chose h2. */
export function choseHttp2(socket: Socket): boolean {
  return (socket as TLSSocket).alpnProtocol === 'h2';
}

function timeoutError({ target, timeoutMs }: ConnectRequest): PosternError {
  const text = `Cannot connect to "${target.label}": no connection within ${timeoutMs} ms`;
  return new PosternError('UPSTREAM_TIMEOUT', text, { server: target.label, connectMs: timeoutMs });
}

export function nameTimeoutError({ target }: { readonly target: Target }, connectMs: number): PosternError {
  const text = `Cannot connect to "${target.label}": its name was not resolved within ${connectMs} ms`;
  return new PosternError('UPSTREAM_TIMEOUT', text, { server: target.label, connectMs });
}

export function unreachableError({ target }: { readonly target: Target }, cause: Error | null): PosternError {
  const reason = cause === null ? 'its name has no address' : reasonOf(cause);
  const facts = { server: target.label, reason: codeOf(cause) };
  // Ours, not the app's: it is not counted against it.
  if (OUR_LIMITS.has(facts.reason ?? ''))
    return new PosternError('OVERLOADED', `Cannot connect to "${target.label}": ${reason}`, facts, cause);
  return new PosternError('UPSTREAM_UNREACHABLE', `Cannot connect to "${target.label}": ${reason}`, facts, cause);
}

function tlsError(target: Target, cause: unknown): PosternError {
  const reason = cause instanceof Error ? reasonOf(cause) : String(cause);
  const facts = { server: target.label, reason: codeOf(cause) };
  return new PosternError('UPSTREAM_TLS', `Cannot connect to "${target.label}" over TLS: ${reason}`, facts, cause);
}

const OUR_LIMITS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused; is the app running?',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'its host is unreachable',
  ENETUNREACH: 'its network is unreachable',
  ENOTFOUND: 'its name does not resolve',
  EAI_AGAIN: 'the name server did not answer',
  EMFILE: 'no file descriptors are left; raise LimitNOFILE',
  ENFILE: 'the machine has no file descriptors left',
  EADDRNOTAVAIL: 'no local port is left for it',
  ENOENT: 'the socket does not exist',
  EACCES: 'the socket may not be opened by this user',
  ETIMEDOUT: 'the connection timed out',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; name its CA as upstream_tls.ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'its CA is not trusted; name it as upstream_tls.ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its CA is not trusted; name it as upstream_tls.ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its CA is not trusted; name it as upstream_tls.ca',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name; see upstream_tls.server_name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on this port; write "http://"?',
  EPROTO: 'it does not speak TLS as we do',
};

function reasonOf(error: Error): string {
  return REASONS[codeOf(error) ?? ''] ?? error.message;
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
