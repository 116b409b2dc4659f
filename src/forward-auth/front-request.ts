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
  /** As the visitor's browser has it, as far as that is said; else that of the connection. */
  readonly scheme: 'http' | 'https';
  /** What a trusted proxy said of it; null: nothing. */
  readonly saidScheme: 'http' | 'https' | null;
  /** With its port, where it has one; as the visitor's browser has it. */
  readonly authority: string;
  /** What a trusted proxy says of the host, without the dot that its name ends in; null: it says no such name. */
  readonly dotless: string | null;
  /** Path and query as the visitor's browser has them, as far as they are known. */
  readonly uri: string;
  /** Of the request itself, byte for byte: path and query. */
  readonly ownUri: string;
  /** For logs and `trusted-ip`; null: unknown, and then not trusted. */
  readonly clientIp: string | null;
}

/**
 * Where the visitor is, for addresses that lead them back. Not every front proxy says that its visitors come by
 * https; a Secure cookie does, and by http nobody would be signed in there.
 */
export function visitorOrigin(request: FrontRequest, hasSecureCookie: boolean): string {
  return `${visitorScheme(request, hasSecureCookie)}://${request.authority}`;
}

export function visitorScheme(
  { isForwarded, saidScheme, scheme }: FrontRequest,
  hasSecureCookie: boolean,
): 'http' | 'https' {
  return isForwarded && saidScheme === null && hasSecureCookie ? 'https' : scheme;
}
