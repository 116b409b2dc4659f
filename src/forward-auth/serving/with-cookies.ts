/** A head that many answers share, with Set-Cookie fields of this one: those of a session that was refreshed. */
import type { ResponseHead } from '../../wire/exchange.ts';
import type { Who } from './session-chain.ts';

export function withCookies(head: ResponseHead, who: Who): ResponseHead {
  if (who.kind !== 'session' || who.cookies.length === 0) return head;
  const headers = head.headers.clone();
  for (const cookie of who.cookies) headers.append('Set-Cookie', cookie, 'set-cookie');
  return { status: head.status, headers };
}
