/**
 * Rewrites of the structured file. An expression is tried on the path as people read it, as in the original
 * (`^/größe/`, and `%2F` is a slash), but for escapes that keep something from being a parameter or another escape:
 * the original undoes those too, and then whoever comes writes parameters of the app. Dots beside an encoded slash were
 * refused before; what a rewrite makes is canonical again before anybody uses it (CVE-2026-40912).
 */
import { canonicalPath } from '../../wire/canonical-path.ts';
import type { UpstreamSettings } from '../settings.ts';

type Rewrite = NonNullable<UpstreamSettings['rewrite']>;

export interface Rewritten {
  readonly path: string;
  /** With its "?", or "". */
  readonly query: string;
}

/** `path`: the canonical one. */
export function isRewritten({ pattern }: Rewrite, path: string): boolean {
  return pattern.matches(toReadable(path));
}

/** Throws HttpSyntaxError where the rewritten path is none that may be sent. */
export function rewriteFor({ rewrite }: UpstreamSettings, path: string, query: string): Rewritten {
  if (rewrite === null) return { path, query };
  const text = toBytes(rewrite.pattern.replaceAll(toReadable(path), rewrite.target));
  const question = text.indexOf('?');
  const end = question === -1 ? text.length : question;
  const rooted = text.startsWith('/') ? text : `/${text}`;
  const shift = rooted.length - text.length;
  const found = canonicalPath(rooted, 0, end + shift);
  const added = question === -1 ? '' : text.slice(question + 1);
  return { path: found.path, query: joinQueries(added, query) };
}

const ESCAPES = /(?:%[0-9A-F]{2})+/g;
/** "#", "%", "&", "+", ";", "=", "?" and "\\". */
const KEPT = /%(?=2[356B]|3[BDF]|5C)/g;

function toReadable(path: string): string {
  return path.includes('%') ? path.replaceAll(ESCAPES, decode) : path;
}

function decode(escapes: string): string {
  try {
    return decodeURIComponent(escapes.replaceAll(KEPT, '%25'));
  } catch {
    // No UTF-8: it stays as it came.
    return escapes;
  }
}

/** What no address holds as it stands, escaped; its own escapes stay. */
function toBytes(text: string): string {
  return text.replaceAll(/(?:[^!-~]|["<>^`{|}])+/g, (run) => encodeURIComponent(run));
}

/**
 * In the order of the original: by name, and of one name what the visitor wrote before what the rewrite adds, so
 * that apps which take the last one take that. Byte for byte otherwise.
 */
function joinQueries(added: string, query: string): string {
  if (added === '') return query;
  const pairs = [...(query.length < 2 ? [] : query.slice(1).split('&')), ...added.split('&')];
  return `?${pairs.toSorted(byName).join('&')}`;
}

function byName(one: string, other: string): number {
  const [name, otherName] = [nameOf(one), nameOf(other)];
  if (name === otherName) return 0;
  return name < otherName ? -1 : 1;
}

function nameOf(pair: string): string {
  const end = pair.indexOf('=');
  return end === -1 ? pair : pair.slice(0, end);
}
