/** Set-Cookie lines that make a browser forget a session that is none any more. */
import type { SessionKeeper } from '../ports.ts';
import type { ServedRequest } from './served-request.ts';
import type { Who } from './session-chain.ts';

const NONE: readonly string[] = [];

export function clearLines(keeper: Pick<SessionKeeper, 'clear'>, request: ServedRequest, who: Who): readonly string[] {
  if (who.kind !== 'nobody') return NONE;
  if (who.cookies.length > 0 || !who.hadCookie) return who.cookies;
  return keeper.clear(request.exchange.request.headers, { host: request.visitorHost });
}
