/**
 * What the edge hands over with an exchange that may pass: where it goes, what the app is told about
 * the visitor, and a report to be filled in for the log. Everything here is decided already.
 */
import type { ErrorCode, PosternError } from '../core/errors.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import type { HeaderEdits } from '../config/document/hosts.ts';
import type { RouteLimits } from '../config/document/limits.ts';
import type { Tunnel } from '../wire/tunnel.ts';
import type { StripList } from './header-verdict.ts';

export interface ForwardPlan {
  /** Servers with templates resolved. The same object for the same route, where there are none: it is a key of caches. */
  readonly action: ProxyAction;
  readonly limits: RouteLimits;
  /** Canonical, after strip_prefix and rewrite. */
  readonly path: string;
  /** With its "?", or "". */
  readonly query: string;
  /** Host as the visitor sent it, port included; X-Forwarded-Host, and Host where the route keeps it. */
  readonly hostHeader: string;
  /** Null: unknown. */
  readonly clientIp: string | null;
  readonly scheme: 'http' | 'https';
  readonly publicPort: number;
  readonly requestId: string;
  readonly identityHeaders: readonly (readonly [name: string, value: string])[];
  /** Names of the document's own that no client may say, on any route. */
  readonly strip: StripList | null;
  /** Templates in values are resolved already. */
  readonly requestHeaders: HeaderEdits;
  readonly responseHeaders: HeaderEdits;
  /** The Cookie value without Postern's own cookies; null: nothing is left. */
  readonly removeCookies: (value: string) => string | null;
  /** The gate consumed the Authorization field. */
  readonly removeAuthorization: boolean;
  /** An app may not set cookies of these names. */
  readonly isOwnCookieName: (name: string) => boolean;
  /** The route permits the protocol that the request asks to upgrade to. */
  readonly upgradeAllowed: boolean;
  /** Of the session, token or service that it rides on: nobody else's may follow it on a connection that the app signs in. Null: none. */
  readonly who: string | null;
  /** The peer is a trusted proxy: what it says of its client is continued, not replaced. */
  readonly fromTrustedProxy: boolean;
}

/** Filled in while the exchange runs. Milliseconds count from `exchange.startedAt`. */
export interface ForwardReport {
  /** Label of the server that was tried last, e.g. "http://127.0.0.1:9001". */
  server: string | null;
  connectMs: number | null;
  firstByteMs: number | null;
  retries: number;
  errorCode: ErrorCode | null;
  error: PosternError | null;
  /** No byte of an answer was sent: the caller answers. */
  readonly onFailure: (error: PosternError) => void;
  /** The exchange became a tunnel, which the caller may close when its permission ends. */
  readonly onTunnel?: (tunnel: Tunnel) => void;
  /** The answer is an event stream, which has no end of its own. */
  readonly onEventStream?: () => void;
}

export function createReport(onFailure: (error: PosternError) => void): ForwardReport {
  return { server: null, connectMs: null, firstByteMs: null, retries: 0, errorCode: null, error: null, onFailure };
}
