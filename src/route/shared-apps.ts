/**
 * Apps that several routes lead to, and whose people these ask for. An app knows people by name, whichever way they came,
 * so alice of one provider must not become alice of another there, nor two people by two routes: names carry the
 * provider wherever one of its routes may bring those of several. What is the same app is told by its address, as the
 * document writes it.
 */
import type { Work } from '../core/turns.ts';
import type { UpstreamServer } from '../config/document/actions.ts';
import type { Host, Route } from '../config/document/hosts.ts';

/** Hosts between two looks at the clock. */
const HOSTS_AT_ONCE = 50;

/** Apps with one route are left out: these are told by it alone. */
export function* findSharedApps(
  hosts: readonly Host[],
  askedBy: (route: Route) => readonly string[],
): Work<ReadonlyMap<string, ReadonlySet<string>>> {
  const routesTo = new Map<string, number>();
  for (const [index, { routes }] of hosts.entries()) {
    for (const app of routes.flatMap(appsOf)) routesTo.set(app, (routesTo.get(app) ?? 0) + 1);
    if (index % HOSTS_AT_ONCE === 0) yield;
  }
  const people = new Map<string, Set<string>>();
  for (const [index, { routes }] of hosts.entries()) {
    for (const route of routes) {
      // Most apps have one route: whose rules need not be looked at.
      const apps = appsOf(route).filter((app) => (routesTo.get(app) ?? 0) > 1);
      const asked = apps.length === 0 ? [] : askedBy(route);
      for (const app of apps) {
        const known = people.get(app) ?? new Set();
        people.set(app, known);
        for (const id of asked) known.add(id);
      }
    }
    if (index % HOSTS_AT_ONCE === 0) yield;
  }
  return people;
}

/** Whatever the scheme: the same port is the same program. */
export function appsOf(route: Route): readonly string[] {
  return serversOf(route).map(({ scheme, host, port }) => (scheme === 'unix' ? host : `${host}:${port}`));
}

function serversOf({ action }: Route): readonly UpstreamServer[] {
  const actions = action.kind === 'choose' ? action.choices.map((choice) => choice.action) : [action];
  return actions.flatMap((one) => (one.kind === 'proxy' ? one.servers : []));
}
