/**
 * The contract between a codec (HTTP/1.1, HTTP/2) and what answers a request: one request and its
 * one answer. Every codec runs the same contract suite. Nothing here knows about routes or people.
 */
import type { FieldText } from './field-text.ts';
import type { PosternError } from '../core/errors.ts';
import type { HeaderBlock } from './header-block.ts';
import type { Duplex } from 'node:stream';

/** Takes a message body. Whoever holds a sink calls `end` or `abort` exactly once. */
export interface BodySink {
  /** Takes a chunk. False: stop until the sink calls the source's `resume`. The chunk may be kept. */
  write(chunk: Buffer): boolean;
  /** Hands on what `write` held back to coalesce. A source calls it at the end of each read event. */
  flush(): void;
  /** The body is complete. Trailers have passed no filter yet. */
  end(trailers: HeaderBlock | null): void;
  /**
   * The last bytes[from..to), which are used up when this returns, and the end without trailers. Sinks without it are
   * written a copy. Places instead of a part of the buffer: making one costs more than copying what is in it.
   */
  endWith?(bytes: Buffer, from: number, to: number): void;
  /** The source broke: the receiver must see that the message is not complete (RFC 9112 section 8). */
  abort(error: PosternError): void;
}

/** Gives a message body, by push with back-pressure. */
export interface BodySource {
  /** Exact bytes where known, 0 for none, -1 where it ends by framing. */
  readonly length: number;
  /** Begins the flow; called at most once. Bytes may arrive before it returns. */
  start(sink: BodySink): void;
  /** After `write` answered false: go on. */
  resume(): void;
  /** Nobody wants the rest. The codec drains or closes, as its protocol needs. */
  cancel(): void;
}

/** Facts of the connection that a request came by. One object a connection, shared by its exchanges. */
export interface ConnectionFacts {
  /** The TCP peer, or what the PROXY header of a listed peer said. Null: unknown (a unix socket, PROXY "UNKNOWN"). */
  readonly peerAddress: string | null;
  readonly peerPort: number | null;
  /** True where the peer address came from a PROXY header of a listed peer. */
  readonly viaProxyProtocol: boolean;
  readonly localPort: number;
  readonly scheme: 'http' | 'https';
  /** Name from the ClientHello, lower-cased; null without TLS or SNI. */
  readonly serverName: string | null;
  readonly tlsVersion: string | null;
  /** A client certificate that verified against the CA of this connection's policy, else null. */
  readonly clientCertificate: ClientCertificate | null;
  /** Id of the policy by which its handshake asked for client certificates; null: it asked for none. */
  readonly clientAuth: string | null;
}

export interface ClientCertificate {
  /** Hex SHA-256 of the DER, lower-case, no colons. */
  readonly fingerprint: string;
  readonly subject: string;
  readonly commonName: string | null;
  readonly emails: readonly string[];
  readonly dnsNames: readonly string[];
  /** Which CA set verified it: the id of the client-auth policy (see certs). */
  readonly policy: string;
}

/** A request head that passed every check of RFC 9110, 9112 or 9113. */
export interface RequestHead {
  readonly method: string;
  /** The canonical path: what is routed, judged and sent upstream. Starts with "/"; "*" only for OPTIONS. */
  readonly path: string;
  /** With its "?", byte for byte as received; "" where there is none. */
  readonly query: string;
  /** Path and query byte for byte as received: for answers that depend on how a path was spelled. Never sent upstream. */
  readonly target: string;
  /** Lower-case host without port and trailing dot; IPv6 in brackets. */
  readonly host: string;
  /** From the Host field or :authority; null where none was given. */
  readonly port: number | null;
  readonly version: '1.0' | '1.1' | '2';
  readonly headers: HeaderBlock;
  /** True where the path holds an encoded slash or backslash: 400 unless the route keeps them. */
  readonly hasEncodedSlash: boolean;
  /** Lower-case protocol of `Upgrade` (HTTP/1.1) or `:protocol` (RFC 8441); null where none is asked for. */
  readonly upgrade: string | null;
  readonly expectsContinue: boolean;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderBlock;
  /** The fields as they were read and checked, until somebody asks for `headers`; from then on those count. */
  readonly lines?: FieldText | null;
}

/** Limits of one request's body. A codec that is told of none applies its own defaults. */
export interface RequestBodyLimits {
  /** Most bytes, -1 without a limit. More than that aborts the body with PAYLOAD_TOO_LARGE. */
  readonly maxBodyBytes: number;
  /** Longest time between two reads. */
  readonly bodyIdleMs: number;
  /** Bytes a second over any time as long as `bodyIdleMs`, 0 for any. */
  readonly minBodyRate: number;
}

export interface Exchange {
  readonly request: RequestHead;
  readonly connection: ConnectionFacts;
  /**
   * Value of Strict-Transport-Security that the final answer gets, whoever gives it, unless it has one of
   * its own (RFC 6797 section 7.1: at most one); null: none. Set before anybody answers.
   */
  hsts: string | null;
  /** Bytes of the request body; `length` 0 where there is none. */
  readonly body: BodySource;
  /** When the head was complete, `performance.now()`. */
  readonly startedAt: number;

  /** What the route allows of the request body; call it before `body.start`. */
  setBodyLimits?(limits: Partial<RequestBodyLimits>): void;
  /** Longest that the client may take no byte of this answer. */
  setWriteIdle?(ms: number): void;
  /** Sends 1xx. Codecs drop it for HTTP/1.0. 100 is sent by the codec itself once `body.start` is called. */
  inform(head: ResponseHead): void;
  /**
   * Begins the final answer. `source` is told to `resume` when a refused write can go on.
   * `length` as in BodySource. The codec frames: it removes Content-Length, Transfer-Encoding and
   * Connection of `headers` and writes its own; it sends no body for HEAD, 204 and 304.
   */
  respond(head: ResponseHead, length: number, resume: () => void): BodySink;
  /** Takes back an answer of which no byte has left yet; false where it is too late. Then `respond` may be called again. */
  retract?(): boolean;
  /** A whole small answer at once. */
  respondWhole(head: ResponseHead, body: Buffer | string): void;
  /** Answers 101 (or 200 to RFC 8441) and hands over the byte stream, with bytes that came early un-shifted. */
  acceptUpgrade(head: ResponseHead): Duplex;
  /** Breaks the exchange so that the client sees an incomplete answer (h1: destroy; h2: RST_STREAM). */
  abort(error: PosternError): void;
  /** Called once, when the client went away or the answer was written; then the exchange is over. */
  onClose: ((outcome: ExchangeOutcome) => void) | null;
}

export interface ExchangeOutcome {
  /** True where the whole answer was handed to the socket. */
  readonly complete: boolean;
  /** Bytes of body received from and sent to the client, as carried (without framing). */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** NO_ANSWER where none had begun. */
  readonly status: number;
}

/** What logs say, as those of other servers do, of a request whose client was gone before an answer began. */
export const NO_ANSWER = 499;

/** What a codec is given: it calls this once for each request, when its head is complete. */
export type HandleExchange = (exchange: Exchange) => void;
