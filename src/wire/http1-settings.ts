/** What HTTP/1.1 toward clients is given: limits, and who is told. The other codecs take the same. */
import type { ConnectionFacts, RequestBodyLimits } from './exchange.ts';
import type { HeadLimits } from './request-head.ts';
import type { Ticker } from './ticker.ts';

export interface Http1Connection {
  readonly facts: ConnectionFacts;
  /** True between requests. */
  readonly isIdle: boolean;
  /** Answers the running exchange with `Connection: close`; an idle connection is closed at once. */
  drain(): void;
  destroy(): void;
}

export interface Http1Settings extends HeadLimits, RequestBodyLimits {
  /** Most bytes of a request head. */
  readonly headerBytes: number;
  /** Absolute: from the first byte to the end of the head. Also how long a new connection may stay silent. */
  readonly headTimeoutMs: number;
  /** How long a connection may wait for its next request. */
  readonly keepAliveMs: number;
  /** Longest time that a client may take nothing of an answer that waits for it. */
  readonly writeIdleMs: number;
  readonly ticker: Ticker;
  /** Told once, when the socket is closed. */
  readonly onClose?: (connection: Http1Connection) => void;
  /** Told of a request that was refused before it was handed on: for the log. Answers the id that the client is told. */
  readonly onRefused?: (refusal: Http1Refusal, facts: ConnectionFacts) => string | null;
  /** Lines for people whose browser may send by itself what is refused so: many cookies, an address that is long or broken. */
  readonly wordsFor?: (status: number, rule: string) => string;
  /** Told of an exception out of the handler; its connection is broken off, the others live on. Without it, it is thrown on. */
  readonly onDefect?: (error: unknown) => void;
}

export interface Http1Refusal {
  readonly status: number;
  /** Short name of the broken rule. Holds no input. */
  readonly rule: string;
}

/** Sane limits for a server that faces the internet; the ticker is the worker's. */
export const HTTP1_DEFAULTS: Omit<Http1Settings, 'ticker'> = {
  headerBytes: 32_768,
  headerCount: 200,
  targetBytes: 8_192,
  headTimeoutMs: 15_000,
  keepAliveMs: 75_000,
  bodyIdleMs: 30_000,
  minBodyRate: 500,
  writeIdleMs: 60_000,
  maxBodyBytes: -1,
};
