/** When a plain request goes to HTTPS, and answers that are a redirect and nothing else. */
import { HeaderBlock } from '../wire/header-block.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { RequestContext } from './request-context.ts';

/** True where the visitor speaks plain HTTP to what is served by HTTPS. `isOwnPath`: one of Postern's own pages. */
export function needsHttps(context: RequestContext, isOwnPath: boolean): boolean {
  if (context.scheme === 'https') return false;
  const { host, route, listener, fromTrustedProxy, site } = context;
  // Behind another TLS terminator only a trusted proxy knows how the visitor came. Who comes past it gets
  // what needs no session: no cookie of ours goes over plain HTTP unless the document says so.
  if (!listener.redirectsToHttps && !fromTrustedProxy) {
    return !site.document.session.insecureHttp && (isOwnPath || route?.policy.couldSignIn === true);
  }
  if (host === null) return true;
  if (host.config.tls.kind === 'off') return false;
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
