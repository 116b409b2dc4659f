/**
 * Whether an upgrade may use a session. Browsers open WebSockets across origins with cookies and ask
 * nobody (RFC 6455 section 10.2), so the Origin must be the request's own scheme, host and port, or
 * one that the route lists. No Origin, or "null", is nobody's own.
 */
const STANDARD_PORT = /^(?:(https:\/\/.+):443|(http:\/\/.+):80)$/;

/** `own`: scheme and authority that the request came to. `origins`: what the route lists; "*" for any. */
export function isUpgradeOriginAllowed(origin: string | undefined, own: string, origins: readonly string[]): boolean {
  if (origin === undefined || origin === '' || origin === 'null') return false;
  const given = spell(origin);
  return given === spell(own) || origins.some((listed) => listed === '*' || spell(listed) === given);
}

/** As browsers write it: lower-case, no default port, no trailing slash (RFC 6454 section 6.2). */
function spell(origin: string): string {
  const text = origin.toLowerCase().replace(/\/$/, '');
  const match = STANDARD_PORT.exec(text);
  return match?.[1] ?? match?.[2] ?? text;
}
