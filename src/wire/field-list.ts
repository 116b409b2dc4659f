/** Lists of tokens in field values (RFC 9110 section 5.6.1): empty elements are nothing, anything odd is null. */
import { isToken } from './fields.ts';

/** Without blanks and tabs around it. `trim` would take U+00A0 for a blank, which is a byte like any other here. */
export function trimBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return from === 0 && to === text.length ? text : text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** Lower-case tokens of one field value, or null where an element is no token. */
export function parseTokens(value: string): string[] | null {
  const tokens: string[] = [];
  for (const element of value.split(',')) {
    const token = trimBlanks(element).toLowerCase();
    if (token === '') continue;
    if (!isToken(token)) return null;
    tokens.push(token);
  }
  return tokens;
}
