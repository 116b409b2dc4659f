/** The listeners of `postern forward-auth`: HTTP/1.1 and HTTP/2, plain and TLS, TCP, unix sockets, inherited ones. */
import { randomBytes } from 'node:crypto';
import { createIpSet } from '../../core/ip-address.ts';
import { Transport } from '../../edge/listener.ts';
import { createRequestIds } from '../../observe/request-id.ts';
import { serveHttp1 } from '../../wire/http1-server.ts';
import { HTTP1_DEFAULTS } from '../../wire/http1-settings.ts';
import { serveHttp2 } from '../../wire/http2-server.ts';
import { applyMode, removeStaleSocket } from './listen-on.ts';
import type { Logger } from '../../core/log.ts';
import type { OpenListener } from '../../edge/listener.ts';
import type { RefusalReason } from '../../edge/refusal.ts';
import type { CertificateSource } from '../../edge/tls-servers.ts';
import type { ServeExchange } from '../../forward-auth/serving/serve.ts';
import type { Ticker } from '../../wire/ticker.ts';
import type { FrontAddress } from './listen-on.ts';

export interface FrontTransportOptions {
  readonly serve: ServeExchange;
  readonly certificates: CertificateSource | null;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** OpenSSL's list; null: Postern's own. */
  readonly ciphers: string | null;
  readonly ticker: Ticker;
  readonly log: Logger;
  readonly onDefect: (error: unknown) => void;
}

export interface FrontTransport {
  readonly listen: (address: FrontAddress, tls: boolean) => Promise<OpenListener>;
  readonly drain: (deadlineMs: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Cookies of eight kilobytes and more are what people have when they come from the original. */
const HEADER_BYTES = 65_536;
const HTTP2_STREAMS = 256;
const MAX_CONNECTIONS = 65_536;
const MAX_HANDSHAKES = 1_024;
const HANDSHAKE_MS = 10_000;
const NOBODY: CertificateSource = { contextFor: () => null, clientAuthFor: () => null };
/** A scanner's bytes are no news. */
const SILENT: ReadonlySet<RefusalReason> = new Set([
  'closed-early',
  'limit',
  'handshake-timeout',
  'handshake-overflow',
]);

export function createFrontTransport(options: FrontTransportOptions): FrontTransport {
  const { serve, ticker, log, onDefect } = options;
  const nextId = createRequestIds();
  const http1 = {
    ...HTTP1_DEFAULTS,
    headerBytes: HEADER_BYTES,
    minBodyRate: 0,
    ticker,
    onDefect,
    onRefused({ status, rule }: { status: number; rule: string }, { peerAddress }: { peerAddress: string | null }) {
      const requestId = nextId();
      log.info({ code: 'BAD_REQUEST', requestId, rule, status, ip: peerAddress }, 'Request refused');
      return requestId;
    },
  };
  const http2 = { ...http1, http2Streams: HTTP2_STREAMS };
  const settings = {
    // Every request comes by a few front proxies.
    connections: MAX_CONNECTIONS,
    connectionsPerAddress: MAX_CONNECTIONS,
    connectionsPerLoopback: MAX_CONNECTIONS,
    proxyPeers: createIpSet([]),
    handshakeMs: HANDSHAKE_MS,
    minVersion: options.minVersion,
    http2: true,
    handshakes: MAX_HANDSHAKES,
  };
  const transport = new Transport({
    settings: () => settings,
    certificates: options.certificates ?? NOBODY,
    ticketKeys: randomBytes(48),
    ...(options.ciphers !== null && { ciphers: options.ciphers }),
    // oxlint-disable-next-line max-params -- as ServeConnection
    serve(socket, facts, protocol, listener) {
      const { isLocalSocket } = listener;
      return protocol === 'http/1.1'
        ? serveHttp1(socket, facts, http1, (exchange) => serve(exchange, isLocalSocket))
        : serveHttp2(socket, facts, http2, (exchange) => serve(exchange, isLocalSocket));
    },
    onRefused(refusal) {
      if (!SILENT.has(refusal.reason)) log.warn({ ...refusal, code: 'BAD_REQUEST' }, 'Connection refused');
    },
  });
  return {
    listen: (address, tls) => listen(transport, address, tls),
    drain: (deadlineMs) => transport.drain(deadlineMs),
    close: () => transport.close(),
  };
}

async function listen(transport: Transport, address: FrontAddress, tls: boolean): Promise<OpenListener> {
  const nowhere = { host: null, port: 0, tls };
  if (address.kind === 'tcp') return transport.listen({ ...nowhere, host: address.host, port: address.port });
  if (address.kind === 'fd') return transport.listen({ ...nowhere, fd: address.fd });
  await removeStaleSocket(address.path);
  const listener = await transport.listen({ ...nowhere, path: address.path });
  applyMode(address);
  return listener;
}
