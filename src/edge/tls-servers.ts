/**
 * Terminates TLS on peeked sockets. One tls.Server for each client-auth policy, each with its own
 * sessionIdContext, so that a ticket of one never opens another. The name of the peeked ClientHello is
 * the truth: on resumption SNICallback is not called, and on TLS 1.2 `servername` is false then; so
 * name, certificate and policy are looked up for every connection before its handshake begins.
 * Connections with client certificates are never resumed: certificate and CA are checked each time.
 * A client without a name gets the source's context for null, if it has one.
 */
import { TLS_CIPHERS, TLS_GROUPS, TLS_SERVER_OPTIONS } from '../certs/certificate-store.ts';
import { CHALLENGE_PROTOCOL } from './challenge-board.ts';
import { type ClientAuthPolicy, clientCertificateOf, parseAuthorities } from './tls-client-certificate.ts';
import type { ClientHello } from '../wire/client-hello.ts';
import type { ClientCertificate } from '../wire/exchange.ts';
import { sendWaiting } from '../wire/turn-end.ts';
import { constants, createHash, type X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';

/** Where certificates come from; `certs` has it. Asked for every connection, so answers may change at any time. */
export interface CertificateSource {
  /**
   * Null: nobody has a certificate for the name (or, for null, for clients without a name). The
   * context of a name with client auth must hold that policy's CAs (`ca`): OpenSSL verifies with them.
   */
  contextFor(
    serverName: string | null,
    offer?: Pick<ClientHello, 'signatureSchemes' | 'cipherSuites' | 'versions'>,
  ): tls.SecureContext | null;
  clientAuthFor(serverName: string | null): ClientAuthPolicy | null;
  /** PEM of what clients without a name are served; needed only where they are asked for a certificate. */
  pairWithoutName?(): NamelessPair | null;
}

export interface NamelessPair {
  /** Changes with the content. */
  readonly id: string;
  readonly cert: string;
  readonly key: string;
}

export interface TlsAccepted {
  readonly socket: tls.TLSSocket;
  readonly protocol: 'http/1.1' | 'h2';
  readonly clientCertificate: ClientCertificate | null;
  /** Id of the policy that asked for it; null: none did. */
  readonly clientAuth: string | null;
}

export interface TlsServersOptions {
  readonly source: CertificateSource;
  readonly minVersion: () => 'TLSv1.2' | 'TLSv1.3';
  readonly http2: () => boolean;
  /** 48 bytes, the same in all workers. */
  readonly ticketKeys: Buffer;
  /** OpenSSL's list, in place of the usual suites. */
  readonly ciphers?: string;
  /** For metrics. */
  readonly onFailed?: () => void;
}

export type TlsAnswer = 'started' | 'no-certificate';

interface Pending {
  readonly raw: Socket;
  readonly serverName: string | null;
  readonly context: tls.SecureContext;
  readonly done: (accepted: TlsAccepted) => void;
}

type AnswerSni = (error: Error | null, context?: tls.SecureContext) => void;

interface PolicyServer {
  readonly server: tls.Server;
  readonly policy: ClientAuthPolicy | null;
  readonly authorities: readonly X509Certificate[];
}

const TICKET_LIFETIME_S = 12 * 3600;
/** Servers of policies that reloads left behind cost a context each; the eldest go. */
const MAX_SERVERS = 64;

export class TlsServers {
  readonly #options: TlsServersOptions;
  readonly #servers: Map<string, PolicyServer> = new Map();
  /** Handshakes under way, by the four numbers that tell one TCP connection from another. */
  readonly #pending: Map<string, Pending> = new Map();
  #ticketKeys: Buffer;

  constructor(options: TlsServersOptions) {
    this.#options = options;
    this.#ticketKeys = options.ticketKeys;
  }

  /**
   * Begins the handshake on a paused socket with its first bytes un-shifted. Calls `done` when it is
   * over; a handshake that fails destroys the socket. Nothing happens where nobody has a certificate.
   */
  accept(raw: Socket, hello: ClientHello, done: (accepted: TlsAccepted) => void): TlsAnswer {
    const { serverName } = hello;
    const context = this.#options.source.contextFor(serverName, hello);
    const policy = this.#options.source.clientAuthFor(serverName);
    if (context === null) return 'no-certificate';
    // A handshake takes a millisecond: whoever is in already is answered first.
    sendWaiting();
    // A client that leaves in the middle of the handshake is gone; the codec allows half-open again (node copies this).
    raw.allowHalfOpen = false;
    if (serverName === null && policy === null) {
      this.#acceptNameless(raw, context, done);
      return 'started';
    }
    const pair = this.#pairFor(serverName);
    if (serverName === null && pair === null) return 'no-certificate';
    const key = connectionKey(raw);
    const pending = { raw, serverName, context, done };
    this.#pending.set(key, pending);
    raw.once('close', () => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    });
    this.#serverFor(policy, pair).server.emit('connection', raw);
    return 'started';
  }

  /** SNICallback is not called for a client without a name: its server has the certificate itself. */
  #pairFor(serverName: string | null): NamelessPair | null {
    return serverName === null ? (this.#options.source.pairWithoutName?.() ?? null) : null;
  }

  /** Later handshakes use the new keys; tickets of the old ones lead to full handshakes. */
  setTicketKeys(keys: Buffer): void {
    this.#ticketKeys = keys;
    for (const { server } of this.#servers.values()) server.setTicketKeys(keys);
  }

  #serverFor(policy: ClientAuthPolicy | null, pair: NamelessPair | null): PolicyServer {
    const minVersion = this.#options.minVersion();
    const asked = policy === null ? '' : `${policy.mode} ${policy.policyId} ${hashOf(policy.ca)}`;
    const key = `${minVersion} ${asked} ${pair?.id ?? ''}`;
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    const server = this.#createServer(policy, pair, hashOf([key]));
    const made = { server, policy, authorities: parseAuthorities(policy?.ca ?? []) };
    server.on('secureConnection', (socket) => this.#onSecure(socket, made));
    // The socket is destroyed by then, and the listener counts its close.
    server.on('tlsClientError', () => this.#options.onFailed?.());
    const eldest = this.#servers.keys().next();
    if (this.#servers.size >= MAX_SERVERS && eldest.done !== true) this.#servers.delete(eldest.value);
    this.#servers.set(key, made);
    return made;
  }

  #createServer(policy: ClientAuthPolicy | null, pair: NamelessPair | null, id: string): tls.Server {
    const chooseContext = this.#chooseContext.bind(this);
    const options: tls.TlsOptions = {
      ...(pair === null ? {} : { cert: pair.cert, key: pair.key }),
      minVersion: this.#options.minVersion(),
      ciphers: this.#options.ciphers ?? TLS_CIPHERS,
      ecdhCurve: TLS_GROUPS,
      secureOptions: TLS_SERVER_OPTIONS,
      sessionIdContext: id,
      sessionTimeout: TICKET_LIFETIME_S,
      ticketKeys: this.#ticketKeys,
      allowHalfOpen: true,
      // The peek queue has the one deadline of a handshake; zero would mean none, and this is the net below it.
      handshakeTimeout: 120_000,
      // Called as a method of the connection's TLSSocket, which tells which ClientHello it is about.
      SNICallback(this: unknown, name, answer): void {
        chooseContext(this instanceof tls.TLSSocket ? this : null, name, answer);
      },
      ALPNCallback: ({ protocols }) => this.#chooseProtocol(protocols),
    };
    if (policy === null) return tls.createServer(options);
    return tls.createServer({
      ...options,
      ca: [...policy.ca],
      requestCert: true,
      rejectUnauthorized: policy.mode === 'require',
      secureOptions: TLS_SERVER_OPTIONS | constants.SSL_OP_NO_TICKET,
    });
  }

  /** What was looked up before the handshake began. A throw in here would end the process (CVE-2026-21637). */
  #chooseContext(socket: tls.TLSSocket | null, name: string, answer: AnswerSni): void {
    try {
      const serverName = name.toLowerCase();
      const pending = socket === null ? undefined : this.#pending.get(connectionKey(socket));
      const isSame = pending?.serverName === serverName;
      const context = isSame ? pending.context : this.#options.source.contextFor(serverName);
      if (context === null) answer(new Error('Nobody has a certificate for the name'));
      else answer(null, context);
    } catch (error) {
      answer(error instanceof Error ? error : new Error('The certificate source failed'));
    }
  }

  /** Asked only where the client sends ALPN; no overlap is a fatal alert. `acme-tls/1` never gets here: see the peek. */
  #chooseProtocol(protocols: readonly string[]): string | undefined {
    if (this.#options.http2() && protocols.includes('h2')) return 'h2';
    return protocols.includes('http/1.1') ? 'http/1.1' : undefined;
  }

  #onSecure(socket: tls.TLSSocket, from: PolicyServer): void {
    const key = connectionKey(socket);
    const pending = this.#pending.get(key);
    this.#pending.delete(key);
    // `servername` is false on resumption in TLS 1.2; where it is there, both readings must agree.
    const said: unknown = socket.servername;
    const isSameName = typeof said !== 'string' || said === '' || said.toLowerCase() === pending?.serverName;
    if (pending === undefined || !isSameName || !this.#isStillServed(pending.serverName, from)) {
      socket.destroy();
      pending?.raw.destroy();
      return;
    }
    const { policy, authorities } = from;
    const clientCertificate = policy === null ? null : clientCertificateOf(socket, policy.policyId, authorities);
    if (policy?.mode === 'require' && clientCertificate === null) {
      socket.destroy();
      return;
    }
    const clientAuth = policy?.policyId ?? null;
    pending.done({ socket, protocol: protocolOf(socket), clientCertificate, clientAuth });
  }

  /** A reload may have come between the ClientHello and the end of the handshake. */
  #isStillServed(serverName: string | null, from: PolicyServer): boolean {
    const { source } = this.#options;
    const server = this.#serverFor(source.clientAuthFor(serverName), this.#pairFor(serverName));
    return source.contextFor(serverName) !== null && server === from;
  }

  /** tls.Server has no way to hand in a ready context for clients that send no name. */
  #acceptNameless(raw: Socket, secureContext: tls.SecureContext, done: (accepted: TlsAccepted) => void): void {
    const socket = new tls.TLSSocket(raw, {
      isServer: true,
      secureContext,
      ALPNCallback: ({ protocols }: { protocols: string[] }) => this.#chooseProtocol(protocols),
    });
    // Without a server object, errors of the record layer come by this event only.
    socket.on('_tlsError', () => socket.destroy());
    socket.once('error', () => undefined);
    socket.once('secure', () => {
      done({ socket, protocol: protocolOf(socket), clientCertificate: null, clientAuth: null });
    });
  }
}

/** RFC 8737: the CA reads the certificate of the handshake, and that is all. The certificate serves nobody else. */
export function answerTlsChallenge(raw: Socket, secureContext: tls.SecureContext): void {
  const socket = new tls.TLSSocket(raw, {
    isServer: true,
    secureContext,
    ALPNCallback: () => CHALLENGE_PROTOCOL,
  });
  socket.on('_tlsError', () => socket.destroy());
  socket.on('error', () => undefined);
  socket.once('close', () => raw.destroy());
  socket.once('secure', () => socket.end());
  socket.resume();
}

const protocolOf = (socket: tls.TLSSocket): 'http/1.1' | 'h2' => (socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1');

function connectionKey(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}

/** At most 32 bytes, as OpenSSL wants it. */
function hashOf(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length}:`).update(text);
  return hash.digest('base64url').slice(0, 32);
}
