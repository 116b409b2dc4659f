/**
 * Guards forms against other sites (login and logout CSRF): Origin or Sec-Fetch-Site must be ours, and
 * a sealed token in the form must belong to the browser's pre-session cookie or to its session.
 */
import { isToken, mintToken } from '../session/token.ts';
import { hostCookie, onlyCookie, purposeName } from './cookies.ts';
import type { FieldReader } from './request-kind.ts';
import type { SignInDeps, SignInRequest } from './ports.ts';

/** A tab may stay open over a working day. */
const FORM_LIFETIME_MS = 12 * 3_600_000;

export interface PreSession {
  readonly token: string;
  /** For the answer; null where the browser has the cookie already: other open tabs depend on it. */
  readonly setCookie: string | null;
}

export function readPreSession(deps: SignInDeps, request: SignInRequest, isSecure: boolean): string | null {
  const value = onlyCookie(request, purposeName(deps.instance, 'pre', isSecure));
  return value !== null && isToken(value) ? value : null;
}

export function ensurePreSession(deps: SignInDeps, request: SignInRequest, isSecure: boolean): PreSession {
  const known = readPreSession(deps, request, isSecure);
  if (known !== null) return { token: known, setCookie: null };
  const token = mintToken();
  return { token, setCookie: hostCookie(purposeName(deps.instance, 'pre', isSecure), token, isSecure, null) };
}

/** `binding` is the pre-session token or the session key that the form is good for. */
export function mintFormToken(deps: SignInDeps, binding: string): string {
  return deps.seal.seal(`form/${binding}`, deps.clock.now());
}

/** When the form was made; null where the token is not for this browser, or too old. */
export function readFormToken(deps: SignInDeps, binding: string, token: string): number | null {
  const madeAt = deps.seal.unseal(`form/${binding}`, token);
  if (typeof madeAt !== 'number') return null;
  return deps.clock.now() - madeAt < FORM_LIFETIME_MS ? madeAt : null;
}

/** Whether the browser says that a page of `origin` sent the form. Where it says nothing, the token decides. */
export function isFromOwnPage(headers: FieldReader, origin: string): boolean {
  const site = headers.get('sec-fetch-site') ?? null;
  if (site !== null && site !== 'same-origin') return false;
  const from = headers.get('origin') ?? null;
  // "null" is what sandboxed frames and pages that hide themselves send.
  if (from === null || from === 'null') return from === null || site === 'same-origin';
  return from === origin;
}
