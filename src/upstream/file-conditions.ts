/**
 * Conditions and ranges of a request for a file (RFC 9110 sections 13 and 14). More than one range,
 * or one that is not understood, is as if none were asked for.
 */
import type { HeaderBlock } from '../wire/header-block.ts';

export interface FileVersion {
  readonly etag: string;
  readonly mtimeMs: number;
}

/** First byte, and the one behind the last. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** In the order of section 13.2.2: what must still hold, then what must not hold any more. */
export function conditionOf(headers: HeaderBlock, version: FileVersion): 'unchanged' | 'changed' | 'none' {
  if (!isAsWanted(headers, version)) return 'changed';
  return isUnchanged(headers, version) ? 'unchanged' : 'none';
}

/** If-Match compares strongly, and counts before If-Unmodified-Since. */
function isAsWanted(headers: HeaderBlock, { etag, mtimeMs }: FileVersion): boolean {
  const tags = listOf(headers, 'if-match');
  if (tags !== null) return tags.includes('*') || tags.includes(etag);
  const since = headers.get('if-unmodified-since');
  // A date that is none is passed over (section 13.1.4).
  return since === undefined || !(seconds(mtimeMs) > seconds(Date.parse(since)));
}

/** If-None-Match compares weakly, and counts before If-Modified-Since. */
function isUnchanged(headers: HeaderBlock, { etag, mtimeMs }: FileVersion): boolean {
  const tags = listOf(headers, 'if-none-match');
  if (tags !== null) return tags.some((one) => one === '*' || one.replace(/^W\//, '') === etag);
  const since = headers.get('if-modified-since');
  return since !== undefined && seconds(mtimeMs) <= seconds(Date.parse(since));
}

/** The members of a list, over all its lines; null where there is no such field. */
function listOf(headers: HeaderBlock, key: string): string[] | null {
  if (!headers.has(key)) return null;
  return headers
    .getAll(key)
    .join(',')
    .split(',')
    .map((one) => one.trim());
}

export function rangeOf(headers: HeaderBlock, size: number, version: FileVersion): Range | 'unsatisfiable' | null {
  const text = headers.get('range');
  if (text === undefined || !holdsFor(headers.get('if-range'), version)) return null;
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text.trim());
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === '')) return null;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { from: size - length, to: size };
  }
  const from = Number(first);
  const to = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < from) return null;
  return from >= size ? 'unsatisfiable' : { from, to };
}

/** If-Range takes a strong tag or the exact date. */
function holdsFor(ifRange: string | undefined, { etag, mtimeMs }: FileVersion): boolean {
  if (ifRange === undefined) return true;
  const text = ifRange.trim();
  return text.startsWith('"') ? text === etag : seconds(Date.parse(text)) === seconds(mtimeMs);
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
