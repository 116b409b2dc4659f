/** Reads `hosts:` and `default:`: names, certificates, and the routes below each. */
import type { Work } from '../../core/turns.ts';
import type { Host, Route } from '../document/hosts.ts';
import type { Path } from '../document/path.ts';
import type { Rule } from '../document/rules.ts';
import type { Hsts } from '../document/tls.ts';
import { parseHostName } from '../host-name.ts';
import { parsePathPattern } from '../path-pattern.ts';
import type { HostInput } from '../schema/hosts.ts';
import type { RouteInput } from '../schema/routes.ts';
import { givenActions } from './action.ts';
import { type Context, entriesOf } from './context.ts';
import { readRoute, readSettings, type Settings } from './route.ts';
import { readRules } from './rules.ts';
import { hstsFor, readHsts } from './hsts.ts';
import { withoutOverrides } from './method-override.ts';
import { readHostTls } from './tls.ts';

export interface HostDefaults {
  readonly settings: Settings;
  readonly deny: readonly Rule[];
  readonly hsts: Hsts | 'automatic' | null;
  readonly publicHttpsPort: number;
}

/** Hosts that are read before somebody else may have a turn. */
const HOSTS_AT_ONCE = 50;

export function* readHosts(
  input: Readonly<Record<string, HostInput>>,
  defaults: HostDefaults,
  context: Context,
): Work<readonly Host[]> {
  const hosts: Host[] = [];
  const seen = new Map<string, string>();
  for (const key of Object.keys(input)) {
    const host = input[key];
    if (host === undefined) continue;
    const path = ['hosts', key];
    const name = parseHostName(key);
    if (!name.ok) context.fault(path, name, { isAtKey: true });
    else if (seen.has(name.value)) {
      context.fault(
        path,
        { wrong: `is the same host as "${seen.get(name.value) ?? ''}"`, remedy: 'merge the two' },
        { isAtKey: true },
      );
    } else seen.set(name.value, key);
    hosts.push(readHost(name.ok ? name.value : key, host, { path, defaults }, context));
    if (hosts.length % HOSTS_AT_ONCE === 0) yield;
  }
  return hosts;
}

export function readHost(
  name: string,
  input: HostInput,
  { path, defaults }: { readonly path: Path; readonly defaults: HostDefaults },
  context: Context,
): Host {
  const settings = readSettings(input, path, defaults.settings, context);
  const own = readRules(input.deny, [...path, 'deny'], context) ?? [];
  const deny = defaults.deny.length === 0 ? own : [...defaults.deny, ...own];
  const hasPaths = input.paths !== undefined || context.isBroken([...path, 'paths']);
  const routes: Route[] = [];
  if (!hasPaths || givenActions(input, path, context).length > 0) {
    const route = readRoute(input, { path, pattern: '/*', settings, deny: [] }, context);
    if (route !== null) routes.push(route);
  } else refuseLoneMatchers(input, path, context);
  for (const [pattern, one] of Object.entries(input.paths ?? {})) {
    if (one !== undefined) readPath(pattern, one, { path: [...path, 'paths', pattern], settings, routes }, context);
  }
  if (input.paths !== undefined && Object.keys(input.paths).length === 0) {
    context.report([...path, 'paths'], 'is empty', 'add a path such as "/*", or write "to" instead');
  }
  const { tls, clientAuth } = readHostTls(input.tls, path, context);
  const setting = input.hsts === undefined ? defaults.hsts : readHsts(input.hsts, [...path, 'hsts'], context);
  if (tls.kind === 'off' && typeof input.hsts === 'object') {
    context.report([...path, 'hsts'], 'needs TLS, but "tls" is "off"', 'let the server in front send the field');
  }
  const hsts = hstsFor(setting, { name, tls }, defaults.publicHttpsPort);
  return { name, tls, clientAuth, hsts, deny, routes: withoutOverrides(routes, deny), at: path };
}

/** What tells routes apart or changes their path means nothing beside `paths` alone. */
function refuseLoneMatchers(input: HostInput, path: Path, context: Context): void {
  for (const key of ['methods', 'headers', 'strip_prefix', 'rewrite'] as const) {
    if (input[key] !== undefined)
      context.report([...path, key], 'stands beside "paths"', 'move it into the path that it is meant for');
  }
}

interface PathPlace {
  readonly path: Path;
  readonly settings: Settings;
  readonly routes: Route[];
}

function readPath(
  key: string,
  input: RouteInput | readonly RouteInput[],
  { path, settings, routes }: PathPlace,
  context: Context,
): void {
  const pattern = parsePathPattern(key);
  if (!pattern.ok) context.fault(path, pattern, { isAtKey: true });
  if (Array.isArray(input) && input.length === 0) context.report(path, 'is an empty list', 'add a route with "to"');
  for (const [one, at] of entriesOf<RouteInput>(input, path)) {
    const merged = readSettings(one, at, settings, context);
    const deny = readRules(one.deny, [...at, 'deny'], context) ?? [];
    const route = readRoute(
      one,
      { path: at, pattern: pattern.ok ? pattern.value : key, settings: merged, deny },
      context,
    );
    if (route === null) continue;
    const twin = routes.find((other) => matchKey(other) === matchKey(route));
    if (twin === undefined) routes.push(route);
    else
      context.fault(
        at,
        {
          wrong: 'is never reached: an earlier route takes the same requests',
          remedy: 'tell them apart by "methods" or "headers"',
        },
        { isAtKey: true },
      );
  }
}

function matchKey(route: Route): string {
  const headers = Object.entries(route.matchHeaders).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([route.path, [...route.methods].sort(), headers]);
}
