/** Asks the rules of a route about one request. */
import type { Identity } from '../core/person.ts';
import type { CompiledPolicy } from '../policy/compile.ts';
import type { Decision } from '../policy/facts.ts';
import type { Exchange } from '../wire/exchange.ts';

export interface Asked<Route extends { readonly policy: Pick<CompiledPolicy, 'decide'> }> {
  readonly exchange: Exchange;
  readonly route: Route;
  readonly ip: string | null;
}

export function decide(
  asked: Asked<{ readonly policy: Pick<CompiledPolicy, 'decide'> }>,
  identity: Identity,
  /** Left out where nobody in particular comes. */
  now = 0,
): Decision {
  const { request, connection } = asked.exchange;
  return asked.route.policy.decide({
    identity,
    ip: asked.ip,
    clientCertificate: connection.clientCertificate,
    request,
    now,
  });
}
