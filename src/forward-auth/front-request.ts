/**
 * A request as the front proxy, or the visitor, put it: what counts of the forwarded headers is decided once,
 * here, and everybody else reads only this.
 */
import type { Exchange } from '../wire/exchange.ts';

export interface FrontRequest {
  readonly exchange: Exchange;
  readonly id: string;
  /** Whether X-Forwarded-Proto, -Host and -Uri count: `reverse-proxy` is on and the peer is a trusted proxy. */
  readonly isForwarded: boolean;
  /** As the visitor's browser has it. */
  readonly scheme: 'http' | 'https';
  /** With its port, where it has one; as the visitor's browser has it. */
  readonly authority: string;
  /** Path and query as the visitor's browser has them, as far as they are known. */
  readonly uri: string;
  /** Of the request itself, byte for byte: path and query. */
  readonly ownUri: string;
  /** For logs and `trusted-ip`; null: unknown, and then not trusted. */
  readonly clientIp: string | null;
}
