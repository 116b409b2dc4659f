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

/** Ids of one worker: a random prefix for its life, then a counter. */
export function createRequestIds(): () => string {
  const prefix = Array.from(randomBytes(PREFIX_CHARS), (byte) => ALPHABET[byte & 31]).join('');
  let count = 0;
  return () => {
    count += 1;
    return prefix + count.toString(36).padStart(COUNTER_CHARS, '0');
  };
}

/** The id that a trusted peer gave its request, or null where it gave none that may be taken over. */
export function acceptRequestId(text: string | null | undefined): string | null {
  return text !== null && text !== undefined && ACCEPTABLE.test(text) ? text : null;
}
