/** How an app's answer can fail, in the words of the log. What the app sent is never quoted. */
import { PosternError } from '../core/errors.ts';

export function badResponse(what: string): PosternError {
  return new PosternError('UPSTREAM_BAD_RESPONSE', `Cannot relay the app's response: ${what}`);
}

/** The connection ended behind the head of a final answer. */
export function truncated(cause: Error | null): PosternError {
  const text = "Cannot relay the rest of the app's response: the app broke off";
  return new PosternError('UPSTREAM_TRUNCATED', text, factsOf(cause), cause);
}

/** The connection ended before there was one. */
export function unanswered(isMidHead: boolean, cause: Error | null): PosternError {
  const text = isMidHead ? 'in the middle of its header' : 'before it answered';
  const code = isMidHead ? 'UPSTREAM_BAD_RESPONSE' : 'UPSTREAM_UNREACHABLE';
  const how = cause === null ? 'closed' : 'reset';
  return new PosternError(
    code,
    `Cannot relay the app's response: the connection was ${how} ${text}`,
    factsOf(cause),
    cause,
  );
}

function factsOf(cause: Error | null): Record<string, unknown> {
  return cause === null ? {} : { cause: cause.message };
}
