/**
 * Visitors who are sent to HTTPS and come back as they came, round and round: a TLS terminator in front does not say how
 * they came, or is not among those whose word counts. A browser only says "too many redirects", so the log says why.
 */
import { normaliseIp } from '../core/ip-address.ts';
import type { RequestContext } from './request-context.ts';

const MINUTE_MS = 60_000;
/** As `wire/client-address.ts` reads it: the right-most one counts. */
const SCHEME = /(?:^|,)[ \t]*https?[ \t]*$/i;

export interface CircleLine {
  readonly host: string;
  readonly peer: string | null;
  readonly remedy: string;
}

export interface CircleLog {
  /** Of a request that is sent to HTTPS. At most one line a minute. */
  readonly add: (context: RequestContext) => void;
}

/** `now`: monotonic milliseconds. */
export function createCircleLog(write: (line: CircleLine) => void, now: () => number): CircleLog {
  let toldAt = -Infinity;
  return {
    add(context) {
      const remedy = remedyOf(context);
      if (remedy === null || now() - toldAt < MINUTE_MS) return;
      toldAt = now();
      const { request } = context.exchange;
      write({ host: request.host, peer: peerOf(context), remedy });
    },
  };
}

/** Null where the visitor can come by HTTPS: we speak it ourselves, or a trusted proxy knows who did. */
function remedyOf(context: RequestContext): string | null {
  const { host, listener, fromTrustedProxy, exchange } = context;
  if (listener.redirectsToHttps && host?.config.tls.kind !== 'off') return null;
  const isSaid = SCHEME.test(exchange.request.headers.getAll('x-forwarded-proto').at(-1) ?? '');
  if (fromTrustedProxy) return isSaid ? null : 'Let the proxy in front send X-Forwarded-Proto: https, or http';
  // Without the field it is somebody who came past the front.
  if (!isSaid) return null;
  const peer = peerOf(context);
  return peer === null ? null : `If ${peer} is the TLS terminator in front, list it in trusted_proxies`;
}

function peerOf({ exchange }: RequestContext): string | null {
  const { peerAddress } = exchange.connection;
  return peerAddress === null ? null : normaliseIp(peerAddress);
}
