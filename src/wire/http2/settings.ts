/** What a connection is served by, and what whoever accepted it may do to it. */
import type { ConnectionFacts, RequestBodyLimits } from '../exchange.ts';
import type { Ticker } from '../ticker.ts';
import type { Http2HeadLimits } from './request-head.ts';

export interface Http2Settings extends Http2HeadLimits, RequestBodyLimits {
  /** How long the preface, a header block or our settings' answer may take. */
  readonly headTimeoutMs: number;
  /** How long a connection may be without a stream. */
  readonly keepAliveMs: number;
  /** Longest time that a client may take nothing of an answer that waits for it. */
  readonly writeIdleMs: number;
  /** Streams that one connection may have open at once. */
  readonly http2Streams: number;
  readonly ticker: Ticker;
  /** Told once, when the connection is closed. */
  readonly onClose?: (connection: Http2Connection) => void;
  /** Told of an exception that the handler let out; the stream is reset, the connection goes on. */
  readonly onDefect?: (error: unknown) => void;
  /** Told of a request that was refused before it was handed on: for the log. Answers the id that the client is told. */
  readonly onRefused?: (
    refusal: { readonly status: number; readonly rule: string },
    facts: ConnectionFacts,
  ) => string | null;
  /** Lines for people whose browser may send by itself what is refused so: many cookies, an address that is long or broken. */
  readonly wordsFor?: (status: number, rule: string) => string;
}

export interface Http2Connection {
  readonly facts: ConnectionFacts;
  /** True while no stream is open. */
  readonly isIdle: boolean;
  /** GOAWAY; open streams finish. */
  drain(): void;
  destroy(): void;
}
