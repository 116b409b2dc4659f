/**
 * Whether a browser may be sent somewhere. Judged twice: by oauth2-proxy's rules on the text, and by what
 * the URL parser of browsers (WHATWG) makes of it. What comes out is ASCII without blanks, else byte for
 * byte what came in: a deep link is never printed anew.
 */
import type { DomainList } from './domain-list.ts';

export interface RedirectRules {
  readonly whitelist: DomainList;
  /** Where the visitor is, as the browser has it: always allowed, whatever the whitelist says. */
  readonly own: { readonly scheme: 'http' | 'https'; readonly authority: string };
}

/** State and Location carry it; longer ones break providers and front proxies. */
const MAX_LENGTH = 6_000;
/** Also what is no byte at all. */
const UNUSABLE = /[^\u0020-\u007e\u0080-\u00ff]/;
const UNPRINTABLE = /[^\u0021-\u007e]/g;
/** User info never passes: nothing but host and port may stand before path, query or fragment. */
const ABSOLUTE = /^(https?):\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?(?=[/?#]|$)/;
/** What oauth2-proxy refuses anywhere: dot segments and blanks between slashes (CVE-2020-11053). */
const DISGUISED = /[/\\](?:\s+|\.{1,2})(?:[/\\]|$)/;
/** An escape must not hide what would be refused: front proxies and apps decode once. */
const HIDDEN = /^\/(?:%(?:[01][0-9a-f]|20|7f))*(?:%2f|%5c)|%(?:[01][0-9a-f]|7f)/i;

/** The text as a Location may hold it; null where a browser must not go. Takes bytes as Latin-1. */
export function safeTarget(text: string, rules: RedirectRules): string | null {
  if (text.length === 0 || text.length > MAX_LENGTH || UNUSABLE.test(text)) return null;
  const printable = text.replaceAll(UNPRINTABLE, escapeByte);
  const isSafe = text.startsWith('/') ? isSafePath(text, printable) : isSafeUrl(printable, rules);
  return isSafe ? printable : null;
}

function isSafePath(text: string, printable: string): boolean {
  const path = pathOf(text);
  if (path.startsWith('//') || path.includes('\\') || DISGUISED.test(path) || HIDDEN.test(path)) return false;
  if (path.includes('//') && !isPlainWithSlashes(path)) return false;
  const url = resolve(printable, 'https://own.invalid');
  return url !== null && url.origin === 'https://own.invalid' && !url.pathname.startsWith('//');
}

/** "/a//b" is a path like others; "/https://evil.example" has no business in a sign-in. */
function isPlainWithSlashes(path: string): boolean {
  const [, first = ''] = path.split('/', 2);
  return /^[\w%~!$'()*,;=&+.-]+$/.test(first);
}

function isSafeUrl(text: string, { whitelist, own }: RedirectRules): boolean {
  const [, scheme, name, digits] = ABSOLUTE.exec(text) ?? [];
  if (scheme === undefined || name === undefined || pathOf(text).includes('\\')) return false;
  const url = resolve(text, undefined);
  const host = name.toLowerCase();
  // The browser's reading must be ours: numbers that are addresses in disguise are rewritten by the parser.
  if (url === null || url.hostname !== host || url.username !== '' || url.password !== '') return false;
  if (url.protocol !== `${scheme}:`) return false;
  const defaultPort = scheme === 'https' ? 443 : 80;
  const port = digits === undefined ? null : Number(digits);
  return whitelist.has(host, port, defaultPort) || isOwn(url, own);
}

/** Never from https to http. */
function isOwn(url: URL, { scheme, authority }: RedirectRules['own']): boolean {
  const own = resolve(`${scheme}://${authority}`, undefined);
  if (own === null) return false;
  return url.host === own.host && (url.protocol === own.protocol || (scheme === 'http' && own.port === ''));
}

function pathOf(text: string): string {
  const end = text.search(/[?#]/);
  return end === -1 ? text : text.slice(0, end);
}

function resolve(text: string, base: string | undefined): URL | null {
  return URL.parse(text, base);
}

function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
