/**
 * Which app a visitor is led to, where that depends on who comes. What cannot be decided leads nowhere:
 * there is no guess and no neighbour's app.
 */
import type { Identity } from '../core/person.ts';
import type { Facts } from '../policy/facts.ts';
import type { CompiledRoute } from '../route/table.ts';
import type { TemplateContext } from '../route/template.ts';
import type { RequestContext } from './request-context.ts';

/** The route itself, or the choice that is meant for who comes; null: none is. */
export function routeFor(route: CompiledRoute, facts: Facts): CompiledRoute | null {
  if (route.choices.length === 0) return route;
  return route.choices.find((choice) => choice.matches(facts))?.route ?? null;
}

/**
 * The place as text, to be compared when something changes while a request is under way; null: nowhere.
 * Only for routes where it depends on who comes.
 */
export function placeOf(route: CompiledRoute, facts: Facts, context: RequestContext): string | null {
  const chosen = routeFor(route, facts);
  if (chosen === null) return null;
  const template = templateContextOf(context, facts.identity);
  const addresses = chosen.servers.map((server) => server.resolve(template));
  return addresses.includes(null) ? null : JSON.stringify([chosen.id, addresses]);
}

export function factsOf(context: RequestContext, identity: Identity): Facts {
  const { request, connection } = context.exchange;
  const now = context.judged?.at ?? 0;
  return { identity, ip: context.ip, clientCertificate: connection.clientCertificate, request, now };
}

export function templateContextOf(context: RequestContext, identity: Identity): TemplateContext {
  const { path, query } = context.exchange.request;
  return { identity, ip: context.ip, requestId: context.id, path, query };
}
