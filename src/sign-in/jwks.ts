/**
 * `/.postern/jwks.json`: the public keys that assertions are signed with (RFC 7517), on every host. A key
 * is listed for a day before it signs and after, so that the answer may be kept for an hour.
 */
import { toResponse, type Context } from './context.ts';

export function showJwks({ deps }: Context): Response {
  const headers: [string, string][] = [
    ['Content-Type', 'application/jwk-set+json'],
    ['Cache-Control', 'public, max-age=3600'],
    ['X-Content-Type-Options', 'nosniff'],
    // Nothing in it is secret, and pages of other origins may check assertions too.
    ['Access-Control-Allow-Origin', '*'],
  ];
  return toResponse({ status: 200, headers, body: `${JSON.stringify({ keys: deps.jwks?.() ?? [] })}\n` });
}
