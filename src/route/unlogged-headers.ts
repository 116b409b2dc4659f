/**
 * Which header fields a request of the log may have had, where routes are chosen by them: the log names the route that took
 * it and no fields. Answers a block for each way in which the routes of both documents could tell it from others.
 */
import { HeaderBlock } from '../wire/header-block.ts';
import { explainRequest } from './explain-request.ts';
import { ANONYMOUS } from '../policy/facts.ts';
import type { LoggedRequest } from './policy-diff.ts';
import type { RoutingTable } from './table.ts';

type Fields = Readonly<Record<string, string>>;

/** What routes are told apart by; more of one host are not looked at. */
const MOST = 32;
const NONE: Fields = {};

export function headersThatFit(
  { before, after }: { readonly before: RoutingTable; readonly after: RoutingTable },
  request: LoggedRequest,
): readonly HeaderBlock[] {
  const [old, next] = [fieldsOf(before, request.host), fieldsOf(after, request.host)];
  if (old.length === 0 && next.length === 0) return [new HeaderBlock()];
  const all = new Map<string, HeaderBlock>();
  for (const one of [NONE, ...old])
    for (const other of [NONE, ...next]) {
      const fields = { ...other, ...one };
      const key = Object.entries(fields).map((field) => JSON.stringify(field));
      all.set(key.sort().join(), HeaderBlock.from(fields));
    }
  return [...all.values()].filter((headers) => isTakenAsLogged(before, request, headers));
}

function fieldsOf(table: RoutingTable, host: string): readonly Fields[] {
  const routes = table.findHost(host)?.routes ?? [];
  const found = routes.map(({ config }) => Object.entries(config.matchHeaders)).filter((all) => all.length > 0);
  return found.slice(0, MOST).map((all) => Object.fromEntries(all.map(([name, value]) => [name, value ?? 'any'])));
}

/** A choice by who comes is named behind its route: "app.example.com /* (2)". */
function isTakenAsLogged(table: RoutingTable, request: LoggedRequest, headers: HeaderBlock): boolean {
  const { host, path, method, ip, route } = request;
  if (route === null) return true;
  const taken = explainRequest(table, { url: `https://${host}${path}`, method, identity: ANONYMOUS, ip, headers });
  return taken.kind === 'route' && (route === taken.route.label || route.startsWith(`${taken.route.label} (`));
}
