/** `redirect_uri`: as configured where that names a host, else from the address that the visitor's browser has. */
import type { FrontRequest } from '../front-request.ts';
import type { Settings } from '../settings.ts';

export function callbackUrl({ redirects, cookie, paths }: Settings, request: FrontRequest): string {
  const configured = redirects.callbackUrl ?? '';
  const callback = `${paths.prefix}/callback`;
  if (/^https?:\/\/[^/?#]+$/i.test(configured)) return configured + callback;
  if (/^https?:\/\//i.test(configured)) return configured;
  const path = configured.startsWith('/') ? configured : callback;
  if (redirects.isRelative) return path;
  // Not every front proxy says that its visitors come by https; a Secure cookie does.
  const scheme = cookie.secure ? 'https' : request.scheme;
  return `${scheme}://${request.authority}${path}`;
}
