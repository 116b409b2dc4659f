/**
 * The one spelling of a path that routing, policy and the app all see (RFC 3986 section 6.2.2):
 * unreserved characters decoded, hex upper-case, duplicate slashes merged, dot segments removed.
 * Refuses what two parties could read differently: climbing above the root, `\`, `#`, `%00`,
 * broken escapes, bytes beyond ASCII, dots beside an encoded slash, before `;` or in overlong UTF-8.
 */
import { HttpSyntaxError } from './http-syntax-error.ts';

export interface CanonicalPath {
  readonly path: string;
  /** The path holds `%2F`, `%5C` or either in too many bytes: some apps read them as a slash, others do not. */
  readonly hasEncodedSlash: boolean;
}

const PLAIN = 1;
const UNRESERVED = 2;
const ENCODE = 4;

/** What to do with each byte of a path. 0: it is refused. */
const CLASS = new Uint8Array(128);
for (const letter of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~') {
  CLASS[letter.charCodeAt(0)] = PLAIN | UNRESERVED;
}
for (const letter of "!$&'()*+,;=:@/") CLASS[letter.charCodeAt(0)] = PLAIN;
// No URI holds these raw (RFC 3986), but browsers send some of them so; `%7C` is the same resource.
for (const letter of '"<>[]^`{|}') CLASS[letter.charCodeAt(0)] = ENCODE;

const PERCENT = 37;
const DOT = 46;
const SLASH = 47;

/** True where text[from..to) is canonical as it stands: the one scan that ordinary requests need. */
function isCanonical(text: string, from: number, to: number): boolean {
  let previous = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code > 127 || ((CLASS[code] as number) & PLAIN) === 0) return false;
    if (previous === SLASH && (code === SLASH || code === DOT)) return false;
    previous = code;
  }
  return true;
}

/** Reads text[from..to), which starts with "/". */
export function canonicalPath(text: string, from: number, to: number): CanonicalPath {
  if (isCanonical(text, from, to)) return { path: text.slice(from, to), hasEncodedSlash: false };
  const path = joinSegments(normaliseEscapes(text, from, to));
  return { path, hasEncodedSlash: ENCODED_SLASH.test(path) };
}

/**
 * `/` and `\`, as one byte and in more bytes than they need: not UTF-8 (RFC 3629 section 3), and read as slashes
 * by careless decoders all the same.
 */
const ENCODED_SLASH = /%(?:2F|5C|C0%AF|C1%9C|E0%80%AF|E0%81%9C|F0%80%80%AF|F0%80%81%9C)/;
const OVERLONG_DOT = /%(?:C0|E0%80|F0%80%80)%AE/g;

function normaliseEscapes(text: string, from: number, to: number): string {
  let out = '';
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code === PERCENT) {
      out += normaliseEscape(i + 2 < to ? text.slice(i + 1, i + 3) : '');
      i += 2;
      continue;
    }
    const kind = code > 127 ? 0 : (CLASS[code] as number);
    if (kind === 0) throw new HttpSyntaxError('path-character');
    out += kind === ENCODE ? escapeOf(code) : text.charAt(i);
  }
  return out;
}

function normaliseEscape(digits: string): string {
  if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw new HttpSyntaxError('path-escape');
  const code = Number.parseInt(digits, 16);
  if (code === 0) throw new HttpSyntaxError('path-nul');
  const isUnreserved = code < 128 && ((CLASS[code] as number) & UNRESERVED) !== 0;
  return isUnreserved ? String.fromCharCode(code) : escapeOf(code);
}

function escapeOf(code: number): string {
  return `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Merges slashes and removes dot segments, in this order, as servers that merge at all do. */
function joinSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/');
  let isFolder = false;
  for (const segment of segments) {
    isFolder = segment === '' || segment === '.' || segment === '..';
    if (segment === '..') {
      if (kept.length === 0) throw new HttpSyntaxError('path-climbs');
      kept.pop();
    } else if (!isFolder) {
      checkHiddenDots(segment);
      kept.push(segment);
    }
  }
  if (kept.length === 0) return '/';
  return `/${kept.join('/')}${isFolder ? '/' : ''}`;
}

/** `..%2f` climbs for an app that decodes slashes first, `..;x` for one that cuts path parameters. */
function checkHiddenDots(segment: string): void {
  const text = segment.includes('%AE') ? segment.replaceAll(OVERLONG_DOT, '.') : segment;
  if (!text.includes('.')) return;
  for (const part of text.split(ENCODED_SLASH)) {
    if (/^\.{1,2}(?:;|%3B|$)/.test(part)) throw new HttpSyntaxError('path-dots');
  }
}
