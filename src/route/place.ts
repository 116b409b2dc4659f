/**
 * Which app a visitor is led to, where that depends on who comes. What cannot be decided leads nowhere:
 * there is no guess and no neighbour's app.
 */
import type { Facts } from '../policy/facts.ts';
import type { CompiledRoute, ServerAddress } from './table.ts';
import type { TemplateContext } from './template.ts';

export interface Place {
  /** The route itself, or the choice that is meant for who comes. */
  readonly route: CompiledRoute;
  /** Of its app; empty for files, redirects and fixed answers. */
  readonly addresses: readonly ServerAddress[];
}

/** The route itself, or the choice that is meant for who comes; null: none is. */
export function routeFor(route: CompiledRoute, facts: Facts): CompiledRoute | null {
  if (route.choices.length === 0) return route;
  return route.choices.find((choice) => choice.matches(facts))?.route ?? null;
}

/** Null: there is no app for this visitor. */
export function findPlace(route: CompiledRoute, facts: Facts, template: TemplateContext): Place | null {
  const chosen = routeFor(route, facts);
  if (chosen === null) return null;
  const addresses: ServerAddress[] = [];
  for (const server of chosen.servers) {
    const address = server.resolve(template);
    if (address === null) return null;
    addresses.push(address);
  }
  return { route: chosen, addresses };
}
