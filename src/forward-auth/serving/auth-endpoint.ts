/**
 * `/oauth2/auth`: 202 for whoever may enter, with the fields that a front proxy copies; 401 for whoever must
 * sign in; 403 where a constraint of the query does not hold. nginx takes nothing else for an answer. The
 * whole answer for a session is made once: this is the hot path.
 */
import { clearLines } from './clear-lines.ts';
import { FORBIDDEN, NO_BYTES, UNAUTHORIZED, UNAVAILABLE } from './plain-answer.ts';
import { withCookies } from './with-cookies.ts';
import type { SessionKeeper } from '../ports.ts';
import type { AcceptedHeads } from './accepted-head.ts';
import type { Decide } from './door.ts';
import type { ServedRequest } from './served-request.ts';
import type { Who } from './session-chain.ts';

export interface AuthEndpointDeps {
  readonly keeper: Pick<SessionKeeper, 'end' | 'clear'>;
  readonly decide: Decide;
  readonly heads: AcceptedHeads;
  readonly deniedStatus: 401 | 403;
}

/** A promise where the answer comes from elsewhere; whoever calls looks after its failure. */
export type AnswerWho = (request: ServedRequest, who: Who) => void | Promise<void>;

export function createAuthEndpoint(deps: AuthEndpointDeps): AnswerWho {
  return (request, who) => {
    const { exchange } = request;
    switch (deps.decide(request, who, 'front')) {
      case 'enter':
        exchange.respondWhole(withCookies(deps.heads(request.session), who), NO_BYTES);
        return;
      case 'pass':
        exchange.respondWhole(deps.heads(null), NO_BYTES);
        return;
      case 'sign-in':
        UNAUTHORIZED.sendWith(exchange, clearLines(deps.keeper, request, who));
        return;
      case 'deny':
        deny(deps, request);
        return;
      case 'unavailable':
        UNAVAILABLE.send(exchange);
        return;
      default:
        FORBIDDEN.send(exchange);
    }
  };
}

/**
 * With 401, as the original, the session ends, or the next sign-in would not be asked for; with 403 it stays,
 * since signing in again would change nothing.
 */
function deny({ deniedStatus, keeper }: AuthEndpointDeps, request: ServedRequest): void {
  const { exchange } = request;
  if (deniedStatus === 403) {
    FORBIDDEN.send(exchange);
    return;
  }
  keeper.end(exchange.request.headers, { host: request.visitorHost }).then(
    (cookies) => UNAUTHORIZED.sendWith(exchange, cookies),
    () => UNAVAILABLE.send(exchange),
  );
}
