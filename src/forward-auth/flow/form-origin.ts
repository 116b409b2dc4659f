/**
 * Guards the password form against other sites (login CSRF). The page has no token: it is shown wherever a front
 * proxy puts it, in place of any app's page. Browsers say where a form came from, and that decides; who says
 * nothing is no browser.
 */
import type { FrontRequest } from '../front-request.ts';
import type { DomainList } from './domain-list.ts';

export function isFromTrustedPage(whitelist: DomainList, request: FrontRequest): boolean {
  const { headers } = request.exchange.request;
  const site = headers.get('sec-fetch-site');
  if (site === 'same-origin') return true;
  const origin = headers.get('origin');
  if (origin === undefined) return site === undefined || site === 'none';
  const url = URL.parse(origin);
  if (url === null) return false;
  // The scheme may be hidden from us by a front proxy that ends TLS.
  if (url.host === request.authority.toLowerCase()) return site === undefined;
  const defaultPort = url.protocol === 'https:' ? 443 : 80;
  return whitelist.has(url.hostname, url.port === '' ? null : Number(url.port), defaultPort);
}
