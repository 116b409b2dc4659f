/**
 * A proxy that shows `/oauth2/sign_in` in place of a 403 (Traefik's `errors` middleware with `status: 401-403`). For
 * somebody who is signed in that page would be the wrong one: it signs them out, and the next sign-in leads
 * to the same 403.
 */
import { isVerbatim, nameOf } from '../flow/return-address.ts';
import type { ServedRequest } from './served-request.ts';

const REFUSED = 'status=403';

/** Whether the page stands in place of a 403, as far as anybody can tell. Of a visitor's own word no more comes than a page. */
export function standsForRefusal(request: ServedRequest): boolean {
  const { method, query } = request.exchange.request;
  return method === 'GET' && (saysStatus(query) || isOfErrorsMiddleware(request));
}

/** `?rd={url}&status={status}`; behind an `rd` that nobody escaped, it belongs to that. */
function saysStatus(query: string): boolean {
  if (!query.includes(REFUSED)) return false;
  const pairs = query.slice(1).split('&');
  const rd = pairs.findIndex((pair) => nameOf(pair) === 'rd');
  const belongs = (pairs[rd] ?? '').slice('rd='.length);
  const own = rd !== -1 && isVerbatim(belongs) ? pairs.slice(0, rd) : pairs;
  return own.includes(REFUSED);
}

/**
 * Traefik asks for the page by a request of its own, with the fields of the visitor's request and its X-Forwarded-Server,
 * but X-Forwarded-For is only on what it passes on for somebody: a visitor's own request for the page has both.
 */
function isOfErrorsMiddleware({ exchange, isForwarded }: ServedRequest): boolean {
  const { headers, query } = exchange.request;
  return (
    isForwarded &&
    headers.get('x-forwarded-server') !== undefined &&
    headers.get('x-forwarded-for') === undefined &&
    (query === '' || /^\?rd=https?%3A%2F%2F/i.test(query))
  );
}
