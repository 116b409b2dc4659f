/** Answers HTTP-01 (RFC 8555 section 8.3): the key authorization of a known token, whatever the host and its rules. */
import { HeaderBlock } from '../wire/header-block.ts';
import type { ChallengeBoard } from './challenge-board.ts';
import type { RequestContext } from './request-context.ts';

/** False where the request is none of a CA's: it goes its usual way. */
export function sendChallengeAnswer(context: RequestContext, board: ChallengeBoard): boolean {
  const { method, path } = context.exchange.request;
  if (method !== 'GET' && method !== 'HEAD') return false;
  const body = board.bodyFor(path);
  if (body === null) return false;
  // "challenge" is what the rules say for a 401.
  context.outcome = 'acme';
  const headers = HeaderBlock.from({ 'content-type': 'application/octet-stream', 'cache-control': 'no-store' });
  context.exchange.respondWhole({ status: 200, headers }, body);
  return true;
}
