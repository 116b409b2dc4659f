/** What an operator asked for and cannot have, with what to do instead. */
import { PosternError } from '../core/errors.ts';

export function refusal(message: string): PosternError {
  return new PosternError('OPERATION_REFUSED', message);
}
