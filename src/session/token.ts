/**
 * Session tokens and the cookies that carry them. A token is 256 random bits in base64url; everything
 * but the browser knows only its SHA-256. Cookies ignore ports (RFC 6265 section 8.5), so their name
 * holds the instance: two Posterns on one host do not overwrite each other's.
 */
import { hash, randomBytes } from 'node:crypto';

const TOKEN_BYTES = 32;
const TOKEN_TEXT = /^[A-Za-z0-9_-]{43}$/;
const INSTANCE = /^[a-z0-9]{4,16}$/;

export interface CookieTraits {
  /** True where the browser talks HTTPS to this host. */
  readonly secure: boolean;
  /** ".example.com" where one cookie serves the domain, else null: bound to the exact host. */
  readonly domain: string | null;
}

export function mintToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

/** Whether a cookie value can be a token at all; what cannot is not looked up. */
export function isToken(text: string): boolean {
  return text.length === 43 && TOKEN_TEXT.test(text);
}

/** Hex SHA-256: the only name by which a store or a log knows a token. */
export function keyOfToken(token: string): string {
  return hash('sha256', token, 'hex');
}

/** Names an access token of a provider: never the same as what a token of our own is known by. */
export function keyOfBearer(provider: string, token: string): string {
  return `bearer:${provider}:${keyOfToken(token)}`;
}

/** "__Host-postern-k3v9": the prefix lets no other host and no plain page set the cookie (RFC 6265bis section 4.1.3). */
export function sessionCookieName(instance: string, traits: CookieTraits): string {
  return `${prefixOf(traits)}${baseName(instance)}`;
}

/** Cookie of one purpose and one try, e.g. the nonce of a tab: "__Host-postern-k3v9-n-Yx3". */
export function purposeCookieName(instance: string, purpose: string, traits: CookieTraits): string {
  return `${prefixOf(traits)}${baseName(instance)}-${purpose}`;
}

/** Whether a cookie name is one of this instance, in any spelling of its prefix: such cookies never reach an app. */
export function createOwnCookieTest(instance: string): (name: string) => boolean {
  const base = baseName(instance);
  const own = new RegExp(`^(?:__(?:host|secure|http|host-http)-)?${base}(?:-.*)?$`, 'is');
  return (name) => name.length >= base.length && own.test(name);
}

function baseName(instance: string): string {
  if (!INSTANCE.test(instance))
    throw new RangeError(`Cannot name cookies: instance "${instance}" is not 4 to 16 of a-z and 0-9`);
  return `postern-${instance}`;
}

function prefixOf(traits: CookieTraits): string {
  if (!traits.secure) return '';
  return traits.domain === null ? '__Host-' : '__Secure-';
}
