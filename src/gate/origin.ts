/**
 * Whether an upgrade may use a session. Browsers open WebSockets across origins with cookies and ask
 * nobody (RFC 6455 section 10.2), so the Origin must be the request's own scheme, host and port, or
 * one that the route lists. No Origin, several, or "null" is not ours.
 */
import type { RequestHead } from '../wire/exchange.ts';

export function isOwnOrigin(request: RequestHead, secure: boolean, origins: readonly string[]): boolean {
  if (request.headers.count('origin') !== 1) return false;
  const origin = request.headers.get('origin') ?? '';
  if (origins.includes('*')) return true;
  const own = originOf(request, secure);
  return origin.toLowerCase() === own || origins.includes(origin.toLowerCase()) || origins.includes(origin);
}

/** As browsers write it: no default port (RFC 6454 section 6.2). */
function originOf(request: RequestHead, secure: boolean): string {
  const standard = secure ? 443 : 80;
  const port = request.port === null || request.port === standard ? '' : `:${request.port}`;
  return `${secure ? 'https' : 'http'}://${request.host}${port}`;
}
