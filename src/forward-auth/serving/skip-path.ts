/**
 * The path that skip rules are tried on: decoded once, as oauth2-proxy does, and null where an app could see
 * another one in it. Dot segments, empty segments, backslashes, encoded slashes, "#", "?" and a percent sign
 * that is left over never satisfy a rule, in whatever spelling (CVE-2026-41059, CVE-2025-54576).
 */

/** What an app, or a proxy on the way to it, might read as the end or the limit of a segment. */
const AMBIGUOUS = /[#?\\%\u0000-\u001F\u007F]/;
const DOTS = /(?:^|\/)\.{1,2}(?:\/|;|$)/;

/** `uri`: path and query. */
export function skipPathOf(uri: string): string | null {
  const question = uri.indexOf('?');
  const path = question === -1 ? uri : uri.slice(0, question);
  if (!path.startsWith('/') || /%2f/i.test(path)) return null;
  const decoded = decode(path);
  if (decoded === null || AMBIGUOUS.test(decoded) || decoded.includes('//') || DOTS.test(decoded)) return null;
  return decoded;
}

function decode(path: string): string | null {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}
