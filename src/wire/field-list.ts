/** Lists of tokens in field values (RFC 9110 section 5.6.1): empty elements are nothing, anything odd is null. */
import { isToken } from './fields.ts';

/** Lower-case tokens of one field value, or null where an element is no token. */
export function parseTokens(value: string): string[] | null {
  const tokens: string[] = [];
  for (const element of value.split(',')) {
    const token = element.trim().toLowerCase();
    if (token === '') continue;
    if (!isToken(token)) return null;
    tokens.push(token);
  }
  return tokens;
}
