/**
 * The cookies of a request that are the session's: `name`, and `name_0`, `name_1` … where it is split.
 * Of both forms the browser may still hold leftovers, so each way of keeping sessions clears the other's.
 */
import { cookieValues } from '../../wire/cookies.ts';
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { CookieText } from '../cookie-text.ts';

/** A part of a split cookie; "007" is no number that anybody wrote. */
const PART_NUMBER = /^(?:0|[1-9]\d{0,2})$/;

export interface OwnCookies {
  /** Every value of `name` itself. */
  readonly whole: (headers: HeaderBlock) => readonly string[];
  /** Every value of each part, by its number. */
  readonly parts: (headers: HeaderBlock) => ReadonlyMap<number, readonly string[]>;
  /** Whether any of either form came, at whatever value. */
  readonly hasAny: (headers: HeaderBlock) => boolean;
  /** Set-Cookie lines that remove all that came but those names. */
  readonly clearLines: (headers: HeaderBlock, host: string, except?: ReadonlySet<string>) => string[];
}

const NOTHING: ReadonlySet<string> = new Set();

export function createOwnCookies(name: string, text: CookieText): OwnCookies {
  const prefix = `${name}_`;
  const numbers = (headers: HeaderBlock): number[] => partNumbers(headers, prefix);
  return {
    whole: (headers) => cookieValues(headers, name),
    parts: (headers) => new Map(numbers(headers).map((at) => [at, cookieValues(headers, `${prefix}${at}`)])),
    hasAny: (headers) => cookieValues(headers, name).length > 0 || numbers(headers).length > 0,
    clearLines(headers, host, except = NOTHING) {
      const names = numbers(headers).map((at) => `${prefix}${at}`);
      if (cookieValues(headers, name).length > 0) names.unshift(name);
      return names.filter((one) => !except.has(one)).map((one) => text.session(one, '', host, 0));
    },
  };
}

/** In order, each once. */
function partNumbers(headers: HeaderBlock, prefix: string): number[] {
  const found = new Set<number>();
  const { keys, values } = headers;
  for (let i = 0; i < keys.length; i++) {
    const line = values[i] as string;
    // Most requests bring none, and this is on their way.
    if (keys[i] !== 'cookie' || !line.includes(prefix)) continue;
    for (const pair of line.split(';')) {
      const name = pair.split('=', 1)[0]?.trim() ?? '';
      const number = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      if (PART_NUMBER.test(number)) found.add(Number(number));
    }
  }
  return [...found].sort((one, other) => one - other);
}
