/**
 * Path patterns: "/x" is that path, "/x/*" is /x and all below. A pattern must be in the one canonical
 * form that requests are brought into before they are matched, or it could never match.
 */
import { fault, read, type Reading } from './reading.ts';

/** pchar of RFC 3986 without "*", plus "/". */
const PATH = /^\/(?:[A-Za-z0-9\-._~!$&'()+,;=:@/]|%[0-9A-F]{2})*$/;
/** Taken before routes are looked at. */
const OWN = /^\/\.postern(?:\/|$)/;
const ENCODED_PLAIN = /%(?:2D|2E|5F|7E|3\d|4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A])/;

export function parsePathPattern(text: string): Reading<string> {
  if (!text.startsWith('/')) return fault('does not begin with "/"', `write "/${text}"`);
  const hasTail = text.endsWith('/*');
  const base = hasTail ? text.slice(0, -2) : text;
  if (base.includes('*')) {
    return fault('has "*" other than as the last segment', 'write "/x/*" for a path and all below it');
  }
  const wrong = pathFault(base === '' ? '/' : base);
  if (wrong !== null) return fault(wrong, null);
  if (hasTail && base.endsWith('/')) return fault('has an empty segment', null);
  if (OWN.test(base))
    return fault('is below "/.postern", which is served by Postern itself on every host', 'use another path');
  return read(text);
}

/** A literal path, as for `strip_prefix` and health checks. Null where it is fine. */
export function pathFault(path: string): string | null {
  if (!path.startsWith('/')) return 'does not begin with "/"';
  if (/[?#]/.test(path)) return 'has a query or fragment, expected a path alone';
  if (/[{}]/.test(path)) return 'has a template, expected a plain path';
  if (path.includes('//')) return 'has an empty segment';
  if (/%(?:2F|5C|00)/i.test(path)) return 'has an encoded slash, backslash or NUL, which paths never match';
  if (/(?:^|\/)\.{1,2}(?:\/|$)/.test(path)) return 'has a "." or ".." segment';
  if (ENCODED_PLAIN.test(path)) return 'encodes a character that is never encoded in a canonical path';
  if (!PATH.test(path)) return 'has a character that must be percent-encoded in upper case, such as "%20" for a space';
  return null;
}
