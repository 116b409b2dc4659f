/**
 * Trouble with Redis as the log tells it: one line when it begins, one when it is over. What its user may not do is no
 * outage: it is told once, with the remedy.
 */
import { PosternError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';

export interface RedisTrouble {
  /** The error for whoever asked. */
  readonly error: (cause: unknown) => PosternError;
  /** The same for whoever asks while there is no connection. */
  readonly again: () => PosternError;
  readonly isOver: () => void;
}

const FORBIDDEN = /NOPERM|no permissions|can't run this command|unknown command/i;
const REMEDY = 'allow its user all commands that are needed (docs/forward-auth/sessions.md)';
/** One for each command, in practice. */
const MOST_TOLD = 20;

/** The rights of the user in Redis do not go so far, or the command was taken out of it. */
export function isForbidden(error: unknown): error is Error {
  return error instanceof Error && FORBIDDEN.test(error.message);
}

export function createRedisTrouble(log: Logger): RedisTrouble {
  let isBad = false;
  const told = new Set<string>();
  let last = 'there is no connection yet';
  const unavailable = (cause?: unknown): PosternError =>
    new PosternError('STORE_UNAVAILABLE', `Cannot reach Redis: ${last}`, {}, cause);
  return {
    error(cause) {
      const reason = reasonOf(cause);
      if (isForbidden(cause)) {
        if (!told.has(reason) && told.size < MOST_TOLD) {
          told.add(reason);
          log.error({ code: 'STORE_UNAVAILABLE', reason }, `Redis forbids what sessions need: ${REMEDY}`);
        }
        return new PosternError('STORE_UNAVAILABLE', `Cannot use Redis: ${reason}; ${REMEDY}`, {}, cause);
      }
      last = reason;
      if (!isBad) {
        isBad = true;
        log.error({ code: 'STORE_UNAVAILABLE', reason }, 'Redis does not answer: nobody is signed out, nobody let in');
      }
      return unavailable(cause);
    },
    again: () => unavailable(),
    isOver() {
      if (isBad) log.info({}, 'Redis answers again');
      isBad = false;
    },
  };
}

/** Several addresses of one name fail in one error without a message. Of an unknown command Redis repeats what it was asked with: names of sessions. */
export function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join('; ');
  return cause instanceof Error ? cause.message.replace(/,? with args beginning with:.*/is, '') : String(cause);
}
