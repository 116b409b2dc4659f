/**
 * Postern's own cookies of the sign-in pages, read and written (RFC 6265bis). Of several cookies of
 * one name none counts: a neighbour host may have planted one of them.
 */
import { purposeCookieName, sessionCookieName, type CookieTraits } from '../session/token.ts';
import type { SignInRequest } from './ports.ts';

const MAX_COOKIES = 500;
/**
 * RFC 6265 section 5.2 trims these two and no more. `trim()` would also take U+00A0 and its kin, by which
 * a neighbour host sets "\u00a0__Host-…": for the browser that has no prefix, for us it would be our name.
 */
const BLANKS = /^[ \t]+|[ \t]+$/g;

/** Name and value of every cookie, in order. */
export function readCookies(request: Pick<SignInRequest, 'headers'>): [name: string, value: string][] {
  const found: [string, string][] = [];
  for (const [name, value] of request.headers) {
    if (name.toLowerCase() !== 'cookie') continue;
    for (const pair of value.split(';')) {
      const equals = pair.indexOf('=');
      if (equals > 0) found.push([trimBlanks(pair.slice(0, equals)), trimBlanks(pair.slice(equals + 1))]);
      if (found.length >= MAX_COOKIES) return found;
    }
  }
  return found;
}

function trimBlanks(text: string): string {
  return text.replace(BLANKS, '');
}

/** The value of the one cookie of this name; null for none and for several. */
export function onlyCookie(request: Pick<SignInRequest, 'headers'>, name: string): string | null {
  const values = readCookies(request).filter(([one]) => one === name);
  return values.length === 1 ? (values[0]?.[1] ?? null) : null;
}

/** How session cookies of a host look: bound to the host, or to the domain where one cookie serves all. */
export function sessionTraits(host: string, isSecure: boolean, cookieDomain: string | null): CookieTraits {
  return { secure: isSecure, domain: cookieDomain !== null && isUnder(host, cookieDomain) ? cookieDomain : null };
}

/** Whether the sign-in host's own cookie serves a host: it goes over HTTPS alone where that host does. */
export function isServedByDomain(
  host: { readonly host: string; readonly isSecure: boolean },
  { cookieDomain, signInUrl }: { readonly cookieDomain: string | null; readonly signInUrl: string },
): boolean {
  return cookieDomain !== null && isUnder(host.host, cookieDomain) && host.isSecure === signInUrl.startsWith('https:');
}

/** ".example.com" holds example.com and every host below it, and never notexample.com. */
export function isUnder(host: string, domain: string): boolean {
  const bare = domain.replace(/^\./, '').toLowerCase();
  return host === bare || host.endsWith(`.${bare}`);
}

export function sessionCookie(instance: string, traits: CookieTraits, token: string, maxAgeMs: number): string {
  return cookieText(sessionCookieName(instance, traits), token, traits, maxAgeMs);
}

export function purposeName(instance: string, purpose: string, isSecure: boolean): string {
  return purposeCookieName(instance, purpose, { secure: isSecure, domain: null });
}

/** A cookie of one purpose on exactly this host; a life of 0 removes it. */
export function hostCookie(name: string, value: string, isSecure: boolean, maxAgeMs: number | null): string {
  return cookieText(name, value, { secure: isSecure, domain: null }, maxAgeMs);
}

function cookieText(name: string, value: string, traits: CookieTraits, maxAgeMs: number | null): string {
  const parts = [`${name}=${value}`, 'Path=/'];
  if (traits.domain !== null) parts.push(`Domain=${traits.domain.replace(/^\./, '')}`);
  if (maxAgeMs !== null) parts.push(`Max-Age=${Math.max(0, Math.floor(maxAgeMs / 1_000))}`);
  parts.push('HttpOnly', 'SameSite=Lax');
  if (traits.secure) parts.push('Secure');
  return parts.join('; ');
}
