/**
 * Finds host and route of a request in compiled maps. Hosts come in the one spelling of
 * wire/authority.ts, paths in that of wire/canonical-path.ts: nothing is normalised here again.
 */
import type { ProviderRef } from '../policy/principal.ts';
import type { CompiledHost, RoutingTable } from './table.ts';

export interface TableParts {
  readonly hosts: ReadonlyMap<string, CompiledHost>;
  readonly fallback: CompiledHost | null;
  readonly signInHost: string | null;
  readonly providers: readonly ProviderRef[];
  /** Asked at most once, when somebody first wants to know. */
  readonly namedUsers: () => ReadonlySet<string>;
  readonly mayKnowRules: RoutingTable['mayKnowRules'];
}

export function createTable(parts: TableParts): RoutingTable {
  const { hosts, fallback, signInHost } = parts;
  const wildcards = new Map<string, CompiledHost>();
  let deepest = 0;
  for (const [name, host] of hosts) {
    if (!name.startsWith('*.')) continue;
    wildcards.set(name.slice(1), host);
    deepest = Math.max(deepest, name.length - 1);
  }
  let namedUsers: ReadonlySet<string> | null = null;
  const findListed = (host: string): CompiledHost | null => {
    const exact = hosts.get(host);
    if (exact !== undefined && !exact.name.startsWith('*')) return exact;
    return deepest === 0 ? null : nearestWildcard(host, wildcards, deepest);
  };
  return {
    hosts: [...hosts.values()],
    fallback,
    signInHost,
    providers: parts.providers,
    get namedUsers() {
      return (namedUsers ??= parts.namedUsers());
    },
    mayKnowRules: parts.mayKnowRules,
    findHost: (host) => (host === signInHost ? null : (findListed(host) ?? fallback)),
    isKnownHost: (host) => host === signInHost || findListed(host) !== null,
    findRoute: (host, path, method, headers) => host.match.find(path, method, headers),
  };
}

/** Suffixes longer than any wildcard's are not looked at, so a name of many labels costs no more. */
function nearestWildcard(
  host: string,
  wildcards: ReadonlyMap<string, CompiledHost>,
  deepest: number,
): CompiledHost | null {
  let dot = host.indexOf('.', Math.max(1, host.length - deepest));
  while (dot !== -1) {
    const found = wildcards.get(host.slice(dot));
    if (found !== undefined) return found;
    dot = host.indexOf('.', dot + 1);
  }
  return null;
}
