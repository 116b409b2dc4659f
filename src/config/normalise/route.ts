/**
 * Reads one route. What may stand on a host as well is a setting: it is read once where it stands and
 * handed down, so that a problem is reported once and at its own place.
 */
import { isToken } from '../../wire/fields.ts';
import type { Action, UpstreamServer } from '../document/actions.ts';
import type { Route } from '../document/hosts.ts';
import type { RouteLimits } from '../document/limits.ts';
import type { Path } from '../document/path.ts';
import type { Rule, ShadowRules, StepUp } from '../document/rules.ts';
import { pathFault } from '../path-pattern.ts';
import type { RequireInput, RouteInput } from '../schema/routes.ts';
import { readAction } from './action.ts';
import { type Context, entriesOf } from './context.ts';
import { NO_EDITS, readHeaderEdits, readHeaderMatch } from './header-edits.ts';
import { checkTokenNames, DEFAULT_IDENTITY_HEADERS, readIdentityHeaders } from './identity-headers.ts';
import { DEFAULT_ROUTE_LIMITS, H2C_ROUTE_LIMITS, readRouteLimits, readUnit } from './limits.ts';
import { DEFAULT_PROXY, type ProxySettings, readProxySettings } from './proxy.ts';
import { readProviderId } from './people.ts';
import { isAnonymous, readRules } from './rules.ts';

/** What a route has as it is given. */
type Given =
  | 'require'
  | 'requestHeaders'
  | 'responseHeaders'
  | 'identityHeaders'
  | 'encodedSlash'
  | 'signInProvider'
  | 'origins'
  | 'upgrades';

export interface Settings extends Pick<Route, Given> {
  /** Null: none was given so far, and a route without one is refused. */
  readonly allow: readonly Rule[] | null;
  readonly shadow: ShadowRules | null;
  readonly limits: Partial<RouteLimits>;
  readonly proxy: ProxySettings;
}

export const DEFAULT_SETTINGS: Settings = {
  allow: null,
  shadow: null,
  require: null,
  limits: {},
  proxy: DEFAULT_PROXY,
  requestHeaders: NO_EDITS,
  responseHeaders: NO_EDITS,
  identityHeaders: DEFAULT_IDENTITY_HEADERS,
  encodedSlash: 'reject',
  signInProvider: null,
  origins: [],
  upgrades: ['websocket'],
};

/** What may stand beside settings. Most hosts say nothing else, and inherit all but their rules. */
const NO_SETTINGS: ReadonlySet<string> = new Set([
  'to',
  'redirect',
  'respond',
  'routes',
  'paths',
  'tls',
  'hsts',
  'allow',
  'deny',
  'methods',
  'headers',
  'strip_prefix',
  'rewrite',
]);

function hasSettings(input: RouteInput): boolean {
  for (const key in input) if (!NO_SETTINGS.has(key)) return true;
  return false;
}

export function readSettings(input: RouteInput, path: Path, base: Settings, context: Context): Settings {
  if (!hasSettings(input) && !context.isBroken(path)) {
    const allow = readRules(input.allow, [...path, 'allow'], context);
    return allow === null ? base : { ...base, allow };
  }
  const edits = { direction: 'request', base: base.requestHeaders } as const;
  const responseEdits = { direction: 'response', base: base.responseHeaders } as const;
  return {
    allow: readRules(input.allow, [...path, 'allow'], context) ?? base.allow,
    shadow: readShadow(input, path, base.shadow, context),
    require: readRequire(input.require, [...path, 'require'], base.require, context),
    limits: { ...base.limits, ...readRouteLimits(input, path, context) },
    proxy: readProxySettings(input, path, base.proxy, context),
    requestHeaders: readHeaderEdits(input, path, edits, context),
    responseHeaders: readHeaderEdits(input.response ?? {}, [...path, 'response'], responseEdits, context),
    identityHeaders: readIdentityHeaders(input, path, base.identityHeaders, context),
    encodedSlash: input.encoded_slash ?? base.encodedSlash,
    signInProvider:
      readProviderId(input.sign_in?.provider, [...path, 'sign_in', 'provider'], context.providers, context) ??
      base.signInProvider,
    origins: input.origins === undefined ? base.origins : readOrigins(input.origins, [...path, 'origins'], context),
    upgrades:
      input.upgrades === undefined ? base.upgrades : readUpgrades(input.upgrades, [...path, 'upgrades'], context),
  };
}

function readShadow(
  { shadow, allow: own }: RouteInput,
  path: Path,
  base: ShadowRules | null,
  context: Context,
): ShadowRules | null {
  if (shadow === undefined) return base;
  const at = [...path, 'shadow'];
  const allow = readRules(shadow.allow, [...at, 'allow'], context);
  const deny = readRules(shadow.deny, [...at, 'deny'], context);
  if (allow === null && deny === null) context.report(at, 'is empty', 'add "allow" or "deny"');
  // As of the rules in force: a path's "allow" stands in for its host's, which it has else, and its host's "deny" holds besides.
  const inherited = own === undefined ? (base?.allow ?? null) : null;
  return { allow: allow ?? inherited, deny: [...(base?.deny ?? []), ...(deny ?? [])] };
}

export interface RoutePlace {
  readonly path: Path;
  readonly pattern: string;
  readonly settings: Settings;
  /** The route's own, beside the host's. */
  readonly deny: readonly Rule[];
}

/** Null, and reported, where it cannot become a route. */
export function readRoute(
  input: RouteInput,
  { path, pattern, settings, deny }: RoutePlace,
  context: Context,
): Route | null {
  const action = readAction(input, path, settings.proxy, context);
  const allow = settings.allow;
  if (allow === null)
    context.report(path, 'has no "allow"', 'add "allow: [signed-in]", or "allow: [public]" to open it to all');
  const methods = readMethods(input, path, context);
  const matchHeaders = readHeaderMatch(input.headers, [...path, 'headers'], context);
  const stripPrefix = readStripPrefix(input.strip_prefix, pattern, [...path, 'strip_prefix'], context);
  const rewrite = readRewrite(input.rewrite, [...path, 'rewrite'], context);
  if (action === null || allow === null) return null;
  const servers = serversOf(action);
  if (servers.some((server) => server.isTemplate) && allow.some(({ rule }) => isAnonymous(rule))) {
    context.warn(
      [...path, 'to'],
      'has a template, but "allow" also lets in visitors who have no name',
      'remove the rules that need no name',
    );
  }
  if (settings.require !== null) refuseNameless(settings.require, allow, path, context);
  checkTokenNames({ ...settings, allow, matchHeaders }, path, context);
  const isH2c = servers[0]?.scheme === 'h2c';
  return {
    path: pattern,
    methods,
    matchHeaders,
    allow,
    deny,
    shadow: settings.shadow,
    require: settings.require,
    action,
    stripPrefix,
    rewrite,
    requestHeaders: settings.requestHeaders,
    responseHeaders: settings.responseHeaders,
    identityHeaders: settings.identityHeaders,
    encodedSlash: settings.encodedSlash,
    signInProvider: settings.signInProvider,
    origins: settings.origins,
    upgrades: settings.upgrades,
    limits: wholeLimits(settings.limits, isH2c),
    at: path,
  };
}

const wholes = { plain: new WeakMap<object, RouteLimits>(), h2c: new WeakMap<object, RouteLimits>() };

/** Routes that inherit the same limits share one object. */
function wholeLimits(given: Partial<RouteLimits>, isH2c: boolean): RouteLimits {
  const known = isH2c ? wholes.h2c : wholes.plain;
  const before = known.get(given);
  if (before !== undefined) return before;
  const limits = { ...DEFAULT_ROUTE_LIMITS, ...(isH2c ? H2C_ROUTE_LIMITS : {}), ...given };
  known.set(given, limits);
  return limits;
}

/** No shorter: whoever comes back from a provider needs a moment. */
const LEAST_MAX_AGE_MS = 10_000;
const MAX_LEVELS = 10;
/** What `acr_values` may hold between its spaces. */
const LEVEL = /^[\x21-\x7e]{1,200}$/;

function readRequire(
  input: RouteInput['require'],
  path: Path,
  base: Route['require'],
  context: Context,
): Route['require'] {
  if (input === undefined) return base;
  if (input === 'second-factor') return { secondFactor: true, acr: [], maxAgeMs: null };
  if (input === 'nothing') return null;
  const at = [...path, 'max_age'];
  const maxAgeMs =
    input.max_age === undefined ? null : readUnit(input.max_age, { unit: 'duration', least: 0, at }, context);
  if (maxAgeMs !== null && maxAgeMs < LEAST_MAX_AGE_MS)
    context.report(at, 'is too short to come back from a provider in', 'write at least "10s"');
  if (maxAgeMs === Infinity) context.report(at, 'has no end', 'write a duration such as "15m", or remove it');
  const wanted = { secondFactor: input.second_factor ?? false, acr: readLevels(input, path, context), maxAgeMs };
  const isEmpty = !wanted.secondFactor && input.acr === undefined && input.max_age === undefined;
  if (isEmpty && !context.isBroken(path))
    context.report(path, 'asks for nothing', 'write "max_age: 15m", "acr: gold" or "second_factor: true"');
  return isEmpty ? null : wanted;
}

function readLevels({ acr }: RequireInput, path: Path, context: Context): readonly string[] {
  const found: string[] = [];
  for (const [level, at] of entriesOf<string>(acr, [...path, 'acr'])) {
    if (LEVEL.test(level)) found.push(level);
    else context.report(at, 'is no level of authentication', 'write one as the provider names it, without spaces');
  }
  if (Array.isArray(acr) && acr.length === 0) context.report([...path, 'acr'], 'is an empty list', 'remove it');
  if (found.length > MAX_LEVELS) context.report([...path, 'acr'], `names more than ${MAX_LEVELS} levels`);
  return [...new Set(found)];
}

function textOf({ secondFactor, acr }: StepUp): string {
  if (secondFactor) return 'a second factor';
  return acr.length > 0 ? 'a level of authentication' : 'a recent sign-in';
}

/** A visitor without a name has no second factor either: the door would stand half open. */
function refuseNameless(require: StepUp, allow: readonly Rule[], path: Path, context: Context): void {
  for (const { rule } of allow) {
    if (!isAnonymous(rule)) continue;
    const shown = typeof rule === 'string' ? rule : JSON.stringify(rule);
    context.report(
      path,
      `asks for ${textOf(require)}, but its rule "${shown}" lets in visitors who have no name`,
      'write { all: ["signed-in", …] }, or "require: nothing"',
    );
  }
}

function serversOf(action: Action): readonly UpstreamServer[] {
  if (action.kind === 'choose') return action.choices.flatMap((choice) => serversOf(choice.action));
  return action.kind === 'proxy' ? action.servers : [];
}

function readMethods(input: RouteInput, path: Path, context: Context): readonly string[] {
  const found: string[] = [];
  for (const [text, at] of entriesOf<string>(input.methods, [...path, 'methods'])) {
    const method = text.toUpperCase();
    if (!isToken(text)) context.report(at, 'is not a method', 'write a method such as "GET"');
    else if (method === 'CONNECT') context.report(at, 'is never routed', 'use "upgrades" for tunnels');
    else found.push(method);
  }
  return found;
}

function readStripPrefix(text: string | undefined, pattern: string, at: Path, context: Context): string | null {
  if (text === undefined) return null;
  const prefix = text.replace(/\/$/, '');
  const wrong = pathFault(text);
  if (wrong !== null) context.report(at, wrong);
  else if (prefix === '') return null;
  else if (!`${pattern.replace(/\/\*$/, '')}/`.startsWith(`${prefix}/`)) {
    const base = pattern.replace(/\/?\*$/, '');
    context.report(
      at,
      `is no prefix of the path "${pattern}"`,
      base === '' ? `write it under the path "${prefix}/*"` : `write "${base}"`,
    );
  }
  return prefix;
}

function readRewrite(text: string | undefined, at: Path, context: Context): string | null {
  if (text === undefined) return null;
  const wrong = rewriteFault(text);
  if (wrong === null) return text;
  context.report(at, wrong, 'write a path such as "/app{path}"');
  return null;
}

function rewriteFault(text: string): string | null {
  // {path} begins with "/" itself, so the stand-in shows what the app would get.
  if (text.includes('/{path}')) return 'gives a doubled slash: {path} begins with "/"';
  return pathFault(text.replaceAll('{path}', '/x'));
}

function readOrigins(input: string | readonly string[], path: Path, context: Context): readonly string[] {
  const found: string[] = [];
  for (const [text, at] of entriesOf<string>(input, path)) {
    if (text === '*') {
      found.push(text);
      continue;
    }
    const url = URL.canParse(text) ? new URL(text) : null;
    const isOrigin = url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && !/[?#@]/.test(text);
    if (isOrigin) found.push(url.origin);
    else context.report(at, 'is not an origin', 'write an origin such as "https://other.example.com"');
  }
  return found;
}

function readUpgrades(input: string | readonly string[] | false, path: Path, context: Context): readonly string[] {
  if (input === false) return [];
  const found: string[] = [];
  for (const [text, at] of entriesOf<string>(input, path)) {
    const name = text.toLowerCase();
    if (/^h2c?$/.test(name))
      context.report(
        at,
        'never passes: it would carry requests past the rules',
        'use "to: h2c://..." for apps that speak HTTP/2',
      );
    else if (isToken(text)) found.push(name);
    else context.report(at, 'is not a protocol name', 'write a name such as "websocket"');
  }
  return found;
}
