/**
 * Request ids: unique over workers and restarts, short enough to be read out on the phone. Names a
 * request, proves nothing: an id is no secret.
 */
import { randomBytes } from 'node:crypto';

const PREFIX_CHARS = 12;
const COUNTER_CHARS = 8;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
/** Nothing that could break a log line, a header or a page. */
const ACCEPTABLE = /^[A-Za-z0-9][A-Za-z0-9._-]{7,63}$/;

/** The last two digits in base 36, made once: printing a number for each request is not free. */
const LOW_DIGITS = Array.from({ length: 36 * 36 }, (_, number) => number.toString(36).padStart(2, '0'));

/** Ids of one worker: a random prefix for its life, then a counter. */
export function createRequestIds(): () => string {
  const prefix = Array.from(randomBytes(PREFIX_CHARS), (byte) => ALPHABET[byte & 31]).join('');
  let high = 0;
  let low = 0;
  let start = prefix + '0'.repeat(COUNTER_CHARS - 2);
  return () => {
    low += 1;
    if (low === LOW_DIGITS.length) {
      low = 0;
      high += 1;
      start = prefix + high.toString(36).padStart(COUNTER_CHARS - 2, '0');
    }
    return start + (LOW_DIGITS[low] as string);
  };
}

/** The id that a trusted peer gave its request, or null where it gave none that may be taken over. */
export function acceptRequestId(text: string | null | undefined): string | null {
  return text !== null && text !== undefined && ACCEPTABLE.test(text) ? text : null;
}
