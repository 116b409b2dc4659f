/**
 * Apps that several routes lead to, each for people of another provider. An app knows people by name, whichever way they
 * came, so alice of the one must not become alice of the other there: names carry the provider, as on a route that both
 * may enter. What is the same app is told by its address, as the document writes it.
 */
import type { Work } from '../core/turns.ts';
import type { UpstreamServer } from '../config/document/actions.ts';
import type { Host, Route } from '../config/document/hosts.ts';

/** Hosts between two looks at the clock. */
const HOSTS_AT_ONCE = 50;

/** `providerOf`: the one provider whose people a route may let in; null: none, or several, which are told apart anyway. */
export function* findSharedApps(
  hosts: readonly Host[],
  providerOf: (route: Route) => string | null,
): Work<ReadonlySet<string>> {
  const routesTo = new Map<string, number>();
  for (const [index, { routes }] of hosts.entries()) {
    for (const app of routes.flatMap(appsOf)) routesTo.set(app, (routesTo.get(app) ?? 0) + 1);
    if (index % HOSTS_AT_ONCE === 0) yield;
  }
  const providers = new Map<string, string>();
  const shared = new Set<string>();
  for (const [index, { routes }] of hosts.entries()) {
    for (const route of routes) {
      // Most apps have one route: whose rules need not be looked at.
      const apps = appsOf(route).filter((app) => (routesTo.get(app) ?? 0) > 1);
      const provider = apps.length === 0 ? null : providerOf(route);
      if (provider === null) continue;
      for (const app of apps) {
        const before: string = providers.get(app) ?? provider;
        providers.set(app, before);
        if (before !== provider) shared.add(app);
      }
    }
    if (index % HOSTS_AT_ONCE === 0) yield;
  }
  return shared;
}

/** Whatever the scheme: the same port is the same program. */
export function appsOf(route: Route): readonly string[] {
  return serversOf(route).map(({ scheme, host, port }) => (scheme === 'unix' ? host : `${host}:${port}`));
}

function serversOf({ action }: Route): readonly UpstreamServer[] {
  const actions = action.kind === 'choose' ? action.choices.map((choice) => choice.action) : [action];
  return actions.flatMap((one) => (one.kind === 'proxy' ? one.servers : []));
}
