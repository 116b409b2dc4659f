/** How an app's answer can fail, in the words of the log. What the app sent is never quoted. */
import { HttpSyntaxError } from './http-syntax-error.ts';
import { PosternError } from '../core/errors.ts';

export function badResponse(what: string): PosternError {
  return new PosternError('UPSTREAM_BAD_RESPONSE', `Cannot relay the app's response: ${what}`);
}

export function timedOut(hasBegun: boolean): PosternError {
  const what = hasBegun ? 'fell silent in the middle of its answer' : 'did not begin to answer in time';
  return new PosternError('UPSTREAM_TIMEOUT', `Cannot relay the app's response: it ${what}`);
}

/** Thrown while it was read: by a rule of the body, or by who takes the answer: one exchange is lost, not the worker. */
export function unreadable(error: unknown): PosternError {
  if (error instanceof PosternError) return error;
  if (!(error instanceof HttpSyntaxError))
    return new PosternError('INTERNAL', "Cannot relay the app's response", {}, error);
  const text = `Cannot relay the app's response: its body is not valid: rule "${error.rule}" is broken`;
  return new PosternError('UPSTREAM_BAD_RESPONSE', text, { rule: error.rule }, error);
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
