/**
 * OPTIONS that no app is asked about: for the server as a whole (RFC 9110 section 9.3.7), and with a
 * Max-Forwards that ends here (section 7.6.2).
 */
import { HeaderBlock } from '../wire/header-block.ts';
import { METHODS_TAKEN } from '../wire/http-syntax-error.ts';
import type { Exchange } from '../wire/exchange.ts';

export function sendMethods(exchange: Exchange): void {
  const headers = new HeaderBlock();
  headers.append('Allow', METHODS_TAKEN);
  exchange.respondWhole({ status: 200, headers }, '');
}

/** How many hops the request may still take; null where it does not say, or is of a method that does not count them. */
export function hopsLeft({ request }: Pick<Exchange, 'request'>): number | 'invalid' | null {
  if (request.method !== 'OPTIONS') return null;
  const value = request.headers.get('max-forwards');
  if (value === undefined) return null;
  return /^\d{1,9}$/.test(value) && request.headers.count('max-forwards') === 1 ? Number(value) : 'invalid';
}
