/** Reads Retry-After (RFC 9110 section 10.2.3): seconds or a date. Null where it is neither or absurd. */

/** No CA means more than this; a clock that is wrong might. */
const LONGEST_MS = 31 * 86_400_000;

/** Milliseconds since the epoch. */
export function parseRetryAfter(text: string | undefined, now: number): number | null {
  if (text === undefined) return null;
  const trimmed = text.trim();
  if (/^\d{1,9}$/.test(trimmed)) return now + Math.min(Number(trimmed) * 1000, LONGEST_MS);
  if (!/^[A-Za-z]{3,9},? /.test(trimmed)) return null;
  const at = Date.parse(trimmed);
  if (Number.isNaN(at)) return null;
  return Math.min(Math.max(at, now), now + LONGEST_MS);
}
