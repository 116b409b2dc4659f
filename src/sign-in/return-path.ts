/**
 * Where a sign-in may end: path and query on exactly one host, as text that no browser reads as
 * another host. The query stays byte for byte, so nothing is parsed and printed again.
 */

/** Longer ones would not fit into a URL as a sealed ticket. */
const MAX_LENGTH = 5_000;
/** What a request target can hold after the wire's checks; obs-text may be raw UTF-8 of a query. */
const VISIBLE = /^\/[\u0021-\u007e\u0080-\u00ff]*$/;
const OWN_PAGES = /^\/\.postern(?:[/?]|$)/i;

export interface UrlParts {
  /** "https://app.example.com:8443", default ports left out. */
  readonly origin: string;
  /** Without port, lower-case, IPv6 in brackets. */
  readonly host: string;
  readonly isSecure: boolean;
  readonly path: string;
  /** With its "?", byte for byte. */
  readonly query: string;
}

/** Takes an absolute http(s) URL apart without touching path and query. */
export function splitUrl(url: string): UrlParts {
  const authority = url.indexOf('//') + 2;
  const slash = url.indexOf('/', authority);
  const end = slash === -1 ? url.length : slash;
  const base = new URL(url.slice(0, end));
  const target = slash === -1 ? '/' : url.slice(slash);
  const mark = target.indexOf('?');
  return {
    origin: base.origin,
    host: base.hostname,
    isSecure: base.protocol === 'https:',
    path: mark === -1 ? target : target.slice(0, mark),
    query: mark === -1 ? '' : target.slice(mark),
  };
}

/** The path and query as they may stand after an origin; null where they may not. */
export function safeReturnPath(target: string, origin: string): string | null {
  if (target.length > MAX_LENGTH || !VISIBLE.test(target) || target.includes('#')) return null;
  const path = target.split('?', 1)[0] ?? '';
  // A browser reads "\" as "/", and "//" as the start of another host.
  if (path.includes('\\') || path.startsWith('//') || OWN_PAGES.test(path)) return null;
  let resolved: URL;
  try {
    resolved = new URL(target, origin);
  } catch {
    return null;
  }
  const isSame = resolved.origin === origin && resolved.username === '' && resolved.password === '';
  return isSame && !resolved.pathname.startsWith('//') && !OWN_PAGES.test(resolved.pathname) ? target : null;
}

/** Path and query; without the query where it is too long; "/" where the path is unsafe. */
export function returnPathOr(path: string, query: string, origin: string): string {
  return safeReturnPath(path + query, origin) ?? safeReturnPath(path, origin) ?? '/';
}
