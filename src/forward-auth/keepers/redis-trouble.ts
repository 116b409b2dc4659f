/** Trouble with Redis as the log tells it: one line when it begins, one when it is over. */
import { PosternError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';

export interface RedisTrouble {
  /** The error for whoever asked. */
  readonly error: (cause: unknown) => PosternError;
  /** The same for whoever asks while there is no connection. */
  readonly again: () => PosternError;
  readonly isOver: () => void;
}

export function createRedisTrouble(log: Logger): RedisTrouble {
  let isBad = false;
  let last = 'there is no connection yet';
  const unavailable = (cause?: unknown): PosternError =>
    new PosternError('STORE_UNAVAILABLE', `Cannot reach Redis: ${last}`, {}, cause);
  return {
    error(cause) {
      const reason = reasonOf(cause);
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

/** Several addresses of one name fail in one error without a message. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}
