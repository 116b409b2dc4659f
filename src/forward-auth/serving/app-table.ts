/**
 * The apps of proxy mode and which path leads to which: a path that ends in "/" is a prefix, any other one
 * exact; the longest wins, and a rewrite comes before all.
 */
import { parseTarget } from './app-target.ts';
import { isRewritten } from './rewrite.ts';
import type { ProxyAction } from '../../config/document/actions.ts';
import type { RouteLimits } from '../../config/document/limits.ts';
import type { UpstreamSettings } from '../settings.ts';

export type App =
  | {
      readonly kind: 'proxy';
      readonly settings: UpstreamSettings;
      readonly action: ProxyAction;
      readonly limits: RouteLimits;
    }
  | { readonly kind: 'file'; readonly settings: UpstreamSettings; readonly folder: string }
  | { readonly kind: 'static'; readonly settings: UpstreamSettings; readonly status: number };

export interface AppTable {
  /** By the canonical path; null: no app has it. */
  readonly find: (path: string) => App | null;
  readonly actions: readonly ProxyAction[];
}

export function createAppTable(upstreams: readonly UpstreamSettings[]): AppTable {
  const apps = upstreams.map(appOf).toSorted(byPrecedence);
  return {
    find: (path) => apps.find(({ settings }) => isOnPath(settings, path)) ?? null,
    actions: apps.flatMap((app) => (app.kind === 'proxy' ? [app.action] : [])),
  };
}

function appOf(settings: UpstreamSettings): App {
  const { target } = settings;
  switch (target.kind) {
    case 'static':
      return { kind: 'static', settings, status: target.status };
    case 'file':
      return { kind: 'file', settings, folder: target.folder };
    default:
      return { kind: 'proxy', settings, action: actionOf(settings, target), limits: limitsOf(settings) };
  }
}

function byPrecedence({ settings: one }: App, { settings: other }: App): number {
  if ((one.rewrite === null) !== (other.rewrite === null)) return one.rewrite === null ? 1 : -1;
  return other.path.length - one.path.length;
}

function isOnPath({ path: own, rewrite }: UpstreamSettings, path: string): boolean {
  if (rewrite !== null) return isRewritten(rewrite, path);
  return own.endsWith('/') ? path.startsWith(own) : path === own;
}

/** The path within the folder of a file upstream, whose own prefix does not count. */
export function pathInFolder({ path: own, rewrite }: UpstreamSettings, path: string): string {
  if (rewrite !== null || own === '/') return path;
  return own.endsWith('/') ? path.slice(own.length - 1) : '/';
}

function actionOf(
  { passHostHeader, skipTlsVerify, keepAlive }: UpstreamSettings,
  target: Extract<UpstreamSettings['target'], { kind: 'http' | 'unix' }>,
): ProxyAction {
  const server =
    target.kind === 'unix' ? ({ scheme: 'unix', host: target.socket, port: 0 } as const) : parseTarget(target.url);
  return {
    kind: 'proxy',
    servers: [{ ...server, isTemplate: false, weight: 1, at: [], ...(!keepAlive && { servesOnce: true }) }],
    balance: 'first',
    hostHeader: passHostHeader ? 'keep' : 'upstream',
    tls: {
      verify: !skipTlsVerify,
      caFile: null,
      caPem: null,
      serverName: null,
      certificatePem: null,
      keyPem: null,
    },
    health: null,
    // There is no other server to go to.
    maxFails: Number.POSITIVE_INFINITY,
    failMs: 0,
    maxConnections: 1_024,
    at: [],
  };
}

/** The original waits for the begin of an answer only, and then as long as it takes. */
function limitsOf({ timeoutMs }: UpstreamSettings): RouteLimits {
  return {
    maxBodyBytes: Number.POSITIVE_INFINITY,
    bodyIdleMs: 60_000,
    minBodyRate: 0,
    writeIdleMs: 60_000,
    connectMs: 10_000,
    firstByteMs: timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs,
    upstreamIdleMs: Number.POSITIVE_INFINITY,
    streamIdleMs: Number.POSITIVE_INFINITY,
    tunnelIdleMs: Number.POSITIVE_INFINITY,
  };
}
