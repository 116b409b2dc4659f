/**
 * One accepted connection from accept to close: whom it is counted for, which codec took it, and the facts that requests
 * are decided by, read from its socket, its PROXY header and its handshake.
 */
import type { ListenerTraits } from './request-context.ts';
import type { ListenOn } from './start-listening.ts';
import type { TlsAccepted } from './tls-servers.ts';
import type { ConnectionFacts } from '../wire/exchange.ts';
import type { ProxyHeader } from '../wire/proxy-protocol.ts';
import type { Socket } from 'node:net';

/** What a codec gives back for a connection that it took. */
export interface ServedConnection {
  /** Answers what runs, then closes. */
  readonly drain: () => void;
  readonly destroy: () => void;
}

/** Takes a socket whose next bytes are those of the protocol; it begins to flow right after. */
// oxlint-disable-next-line max-params -- the four things that make a served connection
export type ServeConnection = (
  socket: Socket,
  facts: ConnectionFacts,
  protocol: 'http/1.1' | 'h2',
  listener: ListenerTraits,
) => ServedConnection;

/** A listening socket and what it is for at this moment. */
export class Listener implements ListenerTraits {
  tls: boolean;
  redirectsToHttps: boolean;
  isLocalSocket = false;
  isRetired = false;

  constructor({ tls, redirectsToHttps = true }: ListenOn) {
    this.tls = tls;
    this.redirectsToHttps = redirectsToHttps;
  }
}

/** One accepted connection, from accept to close. */
export interface Connection {
  readonly socket: Socket;
  readonly listener: Listener;
  readonly tls: boolean;
  readonly peerAddress: string | null;
  /** Address that was counted, to be given back. */
  counted: string | null;
  served: ServedConnection | null;
  /** Once it is served. */
  facts: ConnectionFacts | null;
}

/** Shared by all sockets: an idle connection costs as little as possible. */
export function destroyThis(this: Socket): void {
  this.destroy();
}

export function destroyConnection(connection: Connection): void {
  connection.served?.destroy();
  connection.socket.destroy();
}

interface TlsFacts {
  readonly serverName: string | null;
  readonly accepted: TlsAccepted;
}

/** Whoever a listed peer speaks for. LOCAL: for nobody but itself; all else that names no address: unknown. */
export function peerOf(
  { socket, peerAddress }: Connection,
  proxy: ProxyHeader | null,
): { address: string | null; port: number | null } {
  if (proxy === null || proxy.isLocal) return { address: peerAddress, port: socket.remotePort ?? null };
  return proxy.source ?? { address: null, port: null };
}

export function factsOf(
  connection: Connection,
  proxy: ProxyHeader | null,
  tls: TlsFacts | null = null,
): ConnectionFacts {
  const { socket } = connection;
  const peer = peerOf(connection, proxy);
  return {
    peerAddress: peer.address,
    peerPort: peer.port,
    viaProxyProtocol: proxy !== null && !proxy.isLocal,
    localPort: socket.localPort ?? 0,
    scheme: connection.tls ? 'https' : 'http',
    serverName: tls?.serverName ?? null,
    tlsVersion: tls?.accepted.socket.getProtocol() ?? null,
    clientCertificate: tls?.accepted.clientCertificate ?? null,
    clientAuth: tls?.accepted.clientAuth ?? null,
  };
}
