/** When a plain request goes to HTTPS, and answers that are a redirect and nothing else. */
import { HeaderBlock } from '../wire/header-block.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { RequestContext } from './request-context.ts';

/** True where the visitor speaks plain HTTP to what is served by HTTPS. `isOwnPath`: one of Postern's own pages. */
export function needsHttps(context: RequestContext, isOwnPath: boolean): boolean {
  if (context.scheme === 'https') return false;
  const { host, route, listener, fromTrustedProxy, site } = context;
  // No cookie of ours and no code goes over plain HTTP unless the document says so: neither past the TLS terminator
  // in front nor through one that serves plain HTTP too, where `tls: off` says that the host's TLS ends there.
  const needsSession = !site.document.session.insecureHttp && (isOwnPath || route?.policy.couldSignIn === true);
  if (!listener.redirectsToHttps && !fromTrustedProxy) return needsSession;
  if (host === null) return true;
  if (host.config.tls.kind === 'off') return needsSession;
  // Nobody has certificates for "every other host" by itself: what is public there is served as it was asked for.
  const isUncertain = host.config.name === '*' && host.config.tls.kind === 'automatic';
  return !(isUncertain && route?.policy.isPublic === true);
}

export function redirectToHttps(context: RequestContext): void {
  const { request } = context.exchange;
  const location = `https://${request.host}${context.site.httpsPortSuffix}${request.path}${request.query}`;
  sendRedirect(context.exchange, 308, location);
}

export function sendRedirect(exchange: Exchange, status: number, location: string): void {
  const headers = new HeaderBlock();
  headers.append('Location', location);
  exchange.respondWhole({ status, headers }, '');
}
