/** Upstreams and paths without a sign-in, as routes of the gateway. */
import { scalar } from './text.ts';
import type { Settings, SkipRoute, UpstreamSettings } from '../../settings.ts';
import type { Notes } from './text.ts';

export interface PathRoute {
  readonly pattern: string;
  /** Keys of the route, as YAML. */
  readonly keys: readonly string[];
}

const HERE = 'http://127.0.0.1:8080';

/** The routes of the app's host, most of them one. */
export function appRoutes(settings: Settings, notes: Notes): readonly PathRoute[] {
  const routes = settings.upstreams.flatMap((upstream) => routeOf(upstream, notes));
  if (routes.length > 0 && !isAnswerAlone(settings)) return routes;
  notes.add(
    'upstreams',
    'the application stood behind the proxy in front: write its address in place of the one below',
  );
  return [{ pattern: '/*', keys: [`to: ${scalar(HERE)}`] }];
}

/** `static://202`, which proxies in front are given as an answer. */
function isAnswerAlone({ upstreams }: Settings): boolean {
  return upstreams.every(({ target }) => target.kind === 'static');
}

function routeOf(upstream: UpstreamSettings, notes: Notes): readonly PathRoute[] {
  const pattern = patternOfPath(upstream, notes);
  if (pattern === null) return [];
  const keys = [targetKey(upstream.target)];
  const { target } = upstream;
  if (target.kind === 'http') {
    if (!upstream.passHostHeader) keys.push('host_header: upstream');
    if (upstream.skipTlsVerify && target.url.startsWith('https:')) keys.push('upstream_tls: { verify: false }');
  }
  if (!upstream.websockets && target.kind !== 'static') keys.push('upgrades: false');
  return [{ pattern, keys }];
}

function targetKey(target: UpstreamSettings['target']): string {
  switch (target.kind) {
    case 'http':
      return `to: ${scalar(target.url)}`;
    case 'unix':
      return `to: ${scalar(`unix:${target.socket}`)}`;
    case 'file':
      return `to: ${scalar(`files:${target.folder}`)}`;
    case 'static':
      return `respond: ${target.status}`;
    default:
      return target satisfies never;
  }
}

const PLAIN_PATH = /^\/(?:[A-Za-z0-9\-._~!$&'()+,;=:@]+\/?)*$/;

/** "/x/" and all below, "/x" alone, "/" everything. */
function patternOfPath({ path, rewrite }: UpstreamSettings, notes: Notes): string | null {
  if (rewrite !== null || !PLAIN_PATH.test(path)) {
    notes.add('upstreams', `"${path}" with its rewrite has no equal: see "strip_prefix" and "rewrite" of a route`);
    return null;
  }
  return path.endsWith('/') ? `${path}*` : path;
}

/** Paths of skip rules that are plain enough; the others are told. */
export function publicRoutes(settings: Settings, notes: Notes): readonly PathRoute[] {
  const app = appTarget(settings);
  const found = new Map<string, PathRoute>();
  for (const route of settings.skip.routes) {
    const pattern = route.isNegated ? null : patternOfExpression(route.pattern.source);
    if (pattern === null) {
      notes.add('skip_auth_routes', `"${textOf(route)}" has no equal: write its paths with "allow: [public]"`);
      continue;
    }
    const keys = [app, 'allow: [public]', ...(route.method === null ? [] : [`methods: [${scalar(route.method)}]`])];
    found.set(`${route.method ?? ''} ${pattern}`, { pattern, keys });
  }
  return [...found.values()];
}

function appTarget(settings: Settings): string {
  const first = settings.upstreams.find(({ path, target }) => path === '/' && target.kind !== 'static');
  return first === undefined ? `to: ${scalar(HERE)}` : targetKey(first.target);
}

function textOf({ method, isNegated, pattern }: SkipRoute): string {
  const sign = isNegated ? '!=' : '=';
  return method === null && !isNegated ? pattern.source : `${method ?? ''}${sign}${pattern.source}`;
}

/** `^/x$` is "/x"; `^/x/`, `^/x/.*` and `^/x(/.*)?$` are "/x/*". What is wider or narrower is no equal. */
export function patternOfExpression(source: string): string | null {
  if (source === '^/') return '/*';
  const [, path = '', end = ''] =
    /^\^(\/(?:[A-Za-z0-9_~!@,;:'&=-]|\\[.+$-]|\/)*?)(\$|\/|\/\.\*\$?|\(\?:\/\.\*\)\?\$|\(\/\.\*\)\?\$)$/.exec(source) ??
    [];
  const plain = path.replaceAll('\\', '').replace(/\/$/, '');
  if (end === '' || `${path}${end}`.includes('//')) return null;
  if (end === '$') return path === '/' || !path.endsWith('/') ? plain || '/' : null;
  return `${plain}/*`;
}

/** Lines of `paths:`; one path twice becomes a list, told apart by methods. */
export function printRoutes(routes: readonly PathRoute[], indent: string): readonly string[] {
  const byPattern = new Map<string, PathRoute[]>();
  for (const route of routes) byPattern.set(route.pattern, [...(byPattern.get(route.pattern) ?? []), route]);
  return [...byPattern].flatMap(([pattern, [first, ...more]]) => {
    if (first === undefined) return [];
    const one = (route: PathRoute): string => `{ ${route.keys.join(', ')} }`;
    if (more.length === 0) return [`${indent}${scalar(pattern)}: ${one(first)}`];
    return [`${indent}${scalar(pattern)}:`, ...[...more, first].map((route) => `${indent}  - ${one(route)}`)];
  });
}
