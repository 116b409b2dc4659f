/**
 * Which fields may stand in a trailer section (RFC 9110 section 6.5.1). Fields that frame, route,
 * authenticate or describe content have no business after the body: an app that merges trailers into
 * its headers would take them for checked ones. They are dropped, in every alias spelling.
 */
import type { HeaderBlock } from './header-block.ts';

const FORBIDDEN = new Set(
  `age authorization cache-control connection cookie date early-data expect expires forwarded from host http2-settings
  if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive location max-forwards origin pragma
  proxy range referer refresh retry-after set-cookie set-cookie2 te trailer transfer-encoding true-client-ip upgrade
  user-agent vary via www-authenticate x-client-ip x-cluster-client-ip x-rewrite-url x-scheme x-url-scheme
  x-http-method-override x-http-method x-method-override x-user x-email x-groups x-id-token x-access-token`.split(
    /\s+/,
  ),
);

const FORBIDDEN_PREFIXES = [
  'content-',
  'proxy-',
  'access-control-',
  'cf-',
  'sec-',
  'ssl-client',
  'postern-',
  'remote-',
  'x-forwarded-',
  'x-real-',
  'x-original-',
  'x-remote-',
  'x-auth-',
  'x-user-',
  'x-scope-',
  'x-webauth-',
];

export function isForbiddenTrailer(key: string): boolean {
  // CGI-like apps read `_` and `.` as `-`.
  const folded = key.replaceAll(/[_.]/g, '-');
  return FORBIDDEN.has(folded) || FORBIDDEN_PREFIXES.some((prefix) => folded.startsWith(prefix));
}

/** Drops what a trailer section must not hold; null where nothing is left. */
export function keepAllowedTrailers(trailers: HeaderBlock): HeaderBlock | null {
  trailers.removeWhere(isForbiddenTrailer);
  return trailers.size === 0 ? null : trailers;
}
