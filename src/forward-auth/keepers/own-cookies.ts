/**
 * The cookies of a request that are the session's: `name`, and `name_0`, `name_1` … where it is split.
 * Of both forms the browser may still hold leftovers, so each way of keeping sessions clears the other's.
 */
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { CookieText } from '../cookie-text.ts';

/** A part of a split cookie; "007" is no number that anybody wrote. */
const PART_NUMBER = /^(?:0|[1-9]\d{0,2})$/;
const WHOLE = -1;
const SPACE = 0x20;
const TAB = 0x09;

export interface OwnCookie {
  readonly name: string;
  readonly value: string;
  /** -1: not a part. */
  readonly part: number;
}

const NONE: readonly OwnCookie[] = [];
const NOTHING: ReadonlySet<string> = new Set();

/** In the order in which they came; names match byte for byte, values stay as they are. */
export function ownCookies(headers: HeaderBlock, name: string): readonly OwnCookie[] {
  let found: OwnCookie[] | null = null;
  const { keys, values } = headers;
  for (let i = 0; i < keys.length; i++) {
    if (keys[i] !== 'cookie') continue;
    const line = values[i] as string;
    // Most pairs of a line are others'.
    if (!line.includes(name)) continue;
    for (let start = 0; start < line.length;) {
      const semicolon = line.indexOf(';', start);
      const end = semicolon === -1 ? line.length : semicolon;
      const cookie = ownCookie(line, start, end, name);
      if (cookie !== null) (found ??= []).push(cookie);
      start = end + 1;
    }
  }
  return found ?? NONE;
}

/** This is on the way of every request with a sealed session: nothing is cut out of a line that is not ours. */
// oxlint-disable-next-line max-params -- a pair is a place in a line
function ownCookie(line: string, start: number, end: number, name: string): OwnCookie | null {
  let at = start;
  while (at < end && isBlank(line.charCodeAt(at))) at++;
  if (!line.startsWith(name, at)) return null;
  const equals = line.indexOf('=', at);
  if (equals === -1 || equals >= end) return null;
  const own = line.slice(at, trimmedEnd(line, at, equals));
  const value = trimmed(line, equals + 1, end);
  if (own.length === name.length) return { name, value, part: WHOLE };
  const number = own.charAt(name.length) === '_' ? own.slice(name.length + 1) : '';
  return PART_NUMBER.test(number) ? { name: own, value, part: Number(number) } : null;
}

function trimmed(line: string, start: number, end: number): string {
  let at = start;
  while (at < end && isBlank(line.charCodeAt(at))) at++;
  return line.slice(at, trimmedEnd(line, at, end));
}

function trimmedEnd(line: string, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(line.charCodeAt(at - 1))) at--;
  return at;
}

/** RFC 6265 section 5.2, and no others: `trim` would take a no-break space too. */
function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** Set-Cookie lines that remove all that came but those names. */
export function clearLines(
  { name, text, headers, host }: { name: string; text: CookieText; headers: HeaderBlock; host: string },
  except: ReadonlySet<string> = NOTHING,
): string[] {
  const names = new Set(ownCookies(headers, name).map((cookie) => cookie.name));
  return [...names].filter((one) => !except.has(one)).map((one) => text.session(one, '', host, 0));
}
