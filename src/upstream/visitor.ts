/**
 * Whom a connection that an app has signed in (NTLM, Negotiate) may serve: who came by one connection of a client. A proxy in
 * front sends many people's requests by one, and a browser another person's after signing out: neither may go on as the first.
 */
import type { ConnectionFacts } from '../wire/exchange.ts';

/** Of one connection; a proxy's may have any number. */
const MOST = 100;

const visitors = new WeakMap<ConnectionFacts, Map<string, object>>();

/** `who` null: nobody who gave a credential to us. Null: it cannot be told from others'. */
export function visitorOf(connection: ConnectionFacts, who: string | null, isShared: boolean): object | null {
  if (who === null) return isShared ? null : connection;
  const known = visitors.get(connection) ?? new Map<string, object>();
  visitors.set(connection, known);
  const found = known.get(who);
  if (found !== undefined) return found;
  if (known.size >= MOST) known.clear();
  const fresh = {};
  known.set(who, fresh);
  return fresh;
}
