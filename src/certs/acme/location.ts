/** The Location of an answer (RFC 9110 section 10.2.2): a URL, or a path at the same CA. Null where it is no HTTPS one. */
import type { HttpsAnswer } from './https.ts';

export function locationOf({ headers }: HttpsAnswer, base: string): string | null {
  const { location } = headers;
  if (location === undefined || !URL.canParse(location, base)) return null;
  const url = new URL(location, base);
  return url.protocol === 'https:' ? url.href : null;
}
