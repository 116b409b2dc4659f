/**
 * Path patterns and the forms of a path. A pattern is "/x" (that path alone) or "/x/*" ("/x" and all
 * below it, by whole segments); it is brought into the spelling in which the codecs give paths.
 * `foldPath` answers which path an app might see that decodes twice, ignores case, drops ";params"
 * or a trailing slash: only guards look at it, nothing is ever routed or sent by it.
 */
import { canonicalPath } from '../wire/canonical-path.ts';
import { HttpSyntaxError } from '../wire/http-syntax-error.ts';

export interface PathPattern {
  readonly text: string;
  readonly kind: 'exact' | 'prefix';
  /** The exact path, or the prefix without "/*": "" for "/*". */
  readonly key: string;
}

export type PatternResult =
  | { readonly kind: 'pattern'; readonly pattern: PathPattern }
  | { readonly kind: 'refused'; readonly reason: string };

const CUT = /[\x00-\x20\x7f\\?#]/;
const ESCAPE = /%([0-9a-fA-F]{2})/g;
const DOT_SEGMENT = /(?:^|\/)\.\.?(?:\/|$)/;

/** Reads a pattern of the document. */
export function parsePathPattern(text: string): PatternResult {
  if (!text.startsWith('/')) return refused('it does not start with "/"');
  const isPrefix = text.endsWith('/*');
  const literal = isPrefix ? text.slice(0, -2) : text;
  if (literal.includes('*')) return refused('"*" may only stand at the end, as "/*"');
  if (literal.includes('//') || DOT_SEGMENT.test(literal))
    return refused('it holds "//" or a "." or ".." segment, which no path has');
  if (isPrefix && literal.endsWith('/')) return refused('it holds "//", which no path has');
  const key = literal === '' ? '' : canonicalLiteral(literal);
  if (key === null) return refused('it holds a character or an escape that no path can have');
  return { kind: 'pattern', pattern: { text, kind: isPrefix ? 'prefix' : 'exact', key } };
}

function refused(reason: string): PatternResult {
  return { kind: 'refused', reason };
}

/** A path of the document, which starts with "/", in the spelling of canonical paths, or null. */
export function canonicalLiteral(text: string): string | null {
  if (CUT.test(text) || !text.isWellFormed()) return null;
  return canonicalOrNull(text.replace(/[^\x00-\x7f]+/g, (part) => encodeURIComponent(part)));
}

/** Whether a path would stay as it is if it were made canonical again. */
export function isCanonicalPath(path: string): boolean {
  return path.startsWith('/') && canonicalOrNull(path) === path;
}

function canonicalOrNull(path: string): string | null {
  try {
    return canonicalPath(path, 0, path.length).path;
  } catch (error) {
    if (error instanceof HttpSyntaxError) return null;
    throw error;
  }
}

const SLASH = 47;
const MOST_DECODINGS = 3;

/** The path that a lax app might see, or null where it would climb above the root. */
export function foldPath(path: string): string | null {
  if (path.includes('%') || path.includes(';')) return foldOdd(path);
  const end = path.length - 1;
  const bare = end > 0 && path.charCodeAt(end) === SLASH ? path.slice(0, end) : path;
  // No copy is made where the path has no upper-case letter.
  return bare.toLowerCase();
}

function foldOdd(path: string): string | null {
  let text = path;
  for (let i = 0; i < MOST_DECODINGS && text.includes('%'); i++) text = decodeAscii(text);
  const segments: string[] = [];
  for (const segment of text.toLowerCase().split(/[/\\]/)) {
    const semicolon = segment.indexOf(';');
    const bare = semicolon === -1 ? segment : segment.slice(0, semicolon);
    if (bare === '' || bare === '.') continue;
    if (bare !== '..') segments.push(bare);
    else if (segments.pop() === undefined) return null;
  }
  return `/${segments.join('/')}`;
}

function decodeAscii(text: string): string {
  return text.replace(ESCAPE, (escape, hex: string) => {
    const code = Number.parseInt(hex, 16);
    return code < 0x80 ? String.fromCharCode(code) : escape;
  });
}
