/** The place that a request is led to, where that depends on who comes. */
import type { Identity } from '../core/person.ts';
import type { Facts } from '../policy/facts.ts';
import { findPlace } from '../route/place.ts';
import type { CompiledRoute } from '../route/table.ts';
import type { TemplateContext } from '../route/template.ts';
import type { RequestContext } from './request-context.ts';

/**
 * The place as text, to be compared when something changes while a request is under way; null: nowhere.
 * Only for routes where it depends on who comes.
 */
export function placeOf(route: CompiledRoute, facts: Facts, context: RequestContext): string | null {
  const place = findPlace(route, facts, templateContextOf(context, facts.identity));
  return place === null ? null : JSON.stringify([place.route.id, place.addresses]);
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
