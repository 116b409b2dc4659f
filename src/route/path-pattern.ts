/**
 * Path patterns. A pattern is "/x" (that path alone) or "/x/*" ("/x" and all below it, by whole segments); it is brought
 * into the spelling in which the codecs give paths.
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
