/**
 * The cookies of a request that are the session's: `name`, and `name_0`, `name_1` … where it is split.
 * Of both forms the browser may still hold leftovers, so each way of keeping sessions clears the other's.
 */
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { CookieText } from '../cookie-text.ts';

/** A part of a split cookie; "007" is no number that anybody wrote. */
const PART_NUMBER = /^(?:0|[1-9]\d{0,2})$/;
const WHOLE = -1;

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
    for (const pair of line.split(';')) {
      const cookie = ownCookie(pair, name);
      if (cookie !== null) (found ??= []).push(cookie);
    }
  }
  return found ?? NONE;
}

function ownCookie(pair: string, name: string): OwnCookie | null {
  const equals = pair.indexOf('=');
  if (equals === -1) return null;
  const own = trimBlanks(pair.slice(0, equals));
  if (!own.startsWith(name)) return null;
  const value = trimBlanks(pair.slice(equals + 1));
  if (own.length === name.length) return { name, value, part: WHOLE };
  const number = own.charAt(name.length) === '_' ? own.slice(name.length + 1) : '';
  return PART_NUMBER.test(number) ? { name: own, value, part: Number(number) } : null;
}

/** Blanks of RFC 6265 section 5.2, and no others: `trim` would take a no-break space too. */
function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
}

/** Set-Cookie lines that remove all that came but those names. */
export function clearLines(
  { name, text, headers, host }: { name: string; text: CookieText; headers: HeaderBlock; host: string },
  except: ReadonlySet<string> = NOTHING,
): string[] {
  const names = new Set(ownCookies(headers, name).map((cookie) => cookie.name));
  return [...names].filter((one) => !except.has(one)).map((one) => text.session(one, '', host, 0));
}
