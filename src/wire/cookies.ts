/**
 * The Cookie field, read strictly: pairs end at ";" whatever quotes say, names match byte for byte,
 * values stay as they came. And Set-Cookie, written so that nothing can be smuggled into it.
 * RFC 6265 sections 4.1 and 5.4; RFC 9113 section 8.2.3 splits the field, so every line counts.
 */
import type { HeaderBlock } from './header-block.ts';

export interface CookieAttributes {
  readonly secure: boolean;
  readonly httpOnly?: boolean;
  /** "Lax" where left out; null: the attribute is left out, and the browser decides. */
  readonly sameSite?: 'Strict' | 'Lax' | 'None' | null;
  readonly path?: string;
  /** Left out: bound to the exact host. */
  readonly domain?: string | null;
  /** Seconds; 0 removes the cookie; left out: until the browser closes. */
  readonly maxAge?: number;
}

const NONE: readonly string[] = [];
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const SPACE = 0x20;
const TAB = 0x09;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const COOKIE_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
const ATTRIBUTE = /^[\x20-\x3a\x3c-\x7e]*$/;

/** Every value that the request gives for a cookie name, over all Cookie lines, in order. */
export function cookieValues(headers: HeaderBlock, name: string): readonly string[] {
  let found: string[] | null = null;
  const { keys, values } = headers;
  for (let i = 0; i < keys.length; i++) {
    if (keys[i] !== 'cookie') continue;
    found = collectValues(values[i] as string, name, found);
  }
  return found ?? NONE;
}

function collectValues(line: string, name: string, into: string[] | null): string[] | null {
  let found = into;
  for (let at = line.indexOf(name); at !== -1; at = line.indexOf(name, at + name.length)) {
    if (!startsPair(line, at)) continue;
    let equals = at + name.length;
    while (isBlank(line.charCodeAt(equals))) equals++;
    if (line.charCodeAt(equals) !== EQUALS) continue;
    (found ??= []).push(trimBlanks(line, equals + 1, endOfPair(line, equals)));
  }
  return found;
}

/** True where nothing but blanks stands between this place and the ";" before it, or the line's begin. */
function startsPair(line: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(line.charCodeAt(before))) before--;
  return before < 0 || line.charCodeAt(before) === SEMICOLON;
}

/**
 * A Cookie line without the cookies that `isOwn` names: the same string where there is none of them,
 * null where nothing is left.
 */
export function withoutCookies(line: string, isOwn: (name: string) => boolean): string | null {
  let kept: string[] | null = null;
  let removed = 0;
  for (let at = 0; at <= line.length;) {
    const end = endOfPair(line, at);
    if (isOwn(nameOf(line, at, end))) {
      kept ??= pairsBefore(line, at);
      removed++;
    } else if (kept !== null) {
      const pair = trimBlanks(line, at, end);
      if (pair !== '') kept.push(pair);
    }
    at = end + 1;
  }
  if (removed === 0 || kept === null) return line;
  return kept.length === 0 ? null : kept.join('; ');
}

function pairsBefore(line: string, end: number): string[] {
  const before = line.slice(0, Math.max(0, end - 1)).trim();
  return before === '' || /^[;\s]*$/.test(before) ? [] : [before];
}

function nameOf(line: string, start: number, end: number): string {
  const equals = line.indexOf('=', start);
  return trimBlanks(line, start, equals === -1 || equals > end ? end : equals);
}

function endOfPair(line: string, from: number): number {
  const end = line.indexOf(';', from);
  return end === -1 ? line.length : end;
}

function trimBlanks(line: string, start: number, end: number): string {
  let [from, to] = [start, end];
  while (from < to && isBlank(line.charCodeAt(from))) from++;
  while (to > from && isBlank(line.charCodeAt(to - 1))) to--;
  return line.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** A Set-Cookie value. Throws RangeError for what would break out of it. */
export function serialiseCookie(name: string, value: string, attributes: CookieAttributes): string {
  const { secure, httpOnly = true, sameSite = 'Lax', path = '/', domain = null, maxAge } = attributes;
  if (!TOKEN.test(name)) throw new RangeError(`Cannot write cookie: name ${JSON.stringify(name)} is not a token`);
  if (!COOKIE_VALUE.test(value))
    throw new RangeError(`Cannot write cookie "${name}": the value has characters that cookies cannot hold`);
  if (!path.startsWith('/') || !ATTRIBUTE.test(path))
    throw new RangeError(`Cannot write cookie "${name}": path ${JSON.stringify(path)} is not a path`);
  if (name.startsWith('__Host-') && (!secure || path !== '/' || domain !== null)) {
    throw new RangeError(`Cannot write cookie "${name}": __Host- needs Secure, Path=/ and no Domain`);
  }
  let text = `${name}=${value}; Path=${path}`;
  if (domain !== null) {
    if (!/^\.?[a-z0-9.-]+$/i.test(domain))
      throw new RangeError(`Cannot write cookie "${name}": domain ${JSON.stringify(domain)} is not a domain`);
    text += `; Domain=${domain}`;
  }
  if (maxAge !== undefined) text += `; Max-Age=${Math.max(0, Math.floor(maxAge))}`;
  if (httpOnly) text += '; HttpOnly';
  if (secure) text += '; Secure';
  return sameSite === null ? text : `${text}; SameSite=${sameSite}`;
}
