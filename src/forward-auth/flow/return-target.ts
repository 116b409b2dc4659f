/**
 * Where a sign-in or sign-out ends: the first safe one of the form's `rd`, `X-Auth-Request-Redirect`, the
 * forwarded address and the request's own. An unsafe one is said in the log and passed over, never an error.
 */
import { printAuthority } from '../../wire/authority.ts';
import { visitorOrigin, visitorScheme, type FrontRequest } from '../front-request.ts';
import type { FlowEvent } from './deps.ts';
import type { DomainList } from './domain-list.ts';
import { safeTarget } from './redirect-target.ts';

/** Of an address that nobody is sent to, in the log. */
const MAX_SHOWN = 300;

export interface TargetRules {
  readonly prefix: string;
  readonly whitelist: DomainList;
  readonly hasSecureCookie: boolean;
  readonly report: (event: FlowEvent) => void;
}

/** `rd` is as it was read from query or form; null: there was none. */
export function returnTarget(rules: TargetRules, request: FrontRequest, rd: string | null): string {
  for (const [source, text] of candidates(rules, request, rd)) {
    if (text === undefined || text === '') continue;
    const target = safeHere(rules, request, text);
    if (target !== null) return target;
    rules.report({ kind: 'redirect-refused', request, source, target: text.slice(0, MAX_SHOWN) });
  }
  return '/';
}

/** Where no scheme was said, addresses of ours may be of either: of the connection, or as our own answers name it. */
function safeHere({ whitelist, hasSecureCookie }: TargetRules, request: FrontRequest, text: string): string | null {
  const { scheme, authority } = request;
  const target = safeTarget(text, { whitelist, own: { scheme, authority } });
  const visitors = visitorScheme(request, hasSecureCookie);
  if (target !== null || visitors === scheme) return target;
  return safeTarget(text, { whitelist, own: { scheme: visitors, authority } });
}

function* candidates(
  { prefix, hasSecureCookie }: TargetRules,
  request: FrontRequest,
  rd: string | null,
): Generator<readonly [source: string, text: string | undefined]> {
  yield ['rd', rd ?? undefined];
  const { headers, host, port } = request.exchange.request;
  // nginx, as oauth2-proxy documents it, names whatever was asked for: an endpoint of ours would lead round in circles.
  const said = headers.get('x-auth-request-redirect');
  yield ['X-Auth-Request-Redirect', said !== undefined && isOwnEndpoint(prefix, said) ? '/' : said];
  const uri = request.uri.startsWith(`${prefix}/`) ? '/' : request.uri;
  if (request.isForwarded && request.authority !== printAuthority(host, port))
    yield ['X-Forwarded-Host', visitorOrigin(request, hasSecureCookie) + uri];
  yield ['X-Forwarded-Uri', uri];
}

/** Below the prefix, on whatever host. */
export function isOwnEndpoint(prefix: string, address: string): boolean {
  return address.replace(/^https?:\/\/[^/?#]+/i, '').startsWith(`${prefix}/`);
}
