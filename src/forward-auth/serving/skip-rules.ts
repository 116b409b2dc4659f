/**
 * Requests that need no sign-in: trusted addresses, preflights, routes by method and regular expression.
 * On `/oauth2/auth` a route is what a trusted proxy says; the endpoint's own path is none, or a rule such as
 * `!=^/private` would open it to anybody. In proxy mode it is the path that the app gets, never a header.
 */
import { createIpSet } from '../../core/ip-address.ts';
import { skipPathOf } from './skip-path.ts';
import type { ServedRequest } from './served-request.ts';
import type { SkipRoute, SkipSettings, TrustSettings } from '../settings.ts';

/** `front`: what the front proxy asks about; `own`: the request itself goes to an app. */
export type AskedAbout = 'front' | 'own' | 'front-or-own';

export interface SkipRules {
  /** Which rule lets it pass without a sign-in: "trusted-ip", "preflight", "route"; null: none. */
  readonly reasonFor: (request: ServedRequest, about: AskedAbout) => SkipReason | null;
}

export type SkipReason = 'trusted-ip' | 'preflight' | 'route';

export function createSkipRules(skip: SkipSettings, trust: TrustSettings): SkipRules {
  const trusted = createIpSet(trust.trustedIps);
  const { routes, preflight } = skip;
  if (trusted.isEmpty && routes.length === 0 && !preflight) return { reasonFor: () => null };
  return {
    reasonFor(request, about) {
      const method = methodOf(request, about);
      if (preflight && method === 'OPTIONS') return 'preflight';
      if (routes.length > 0 && isOnRoute(routes, method, pathOf(request, about))) return 'route';
      return !trusted.isEmpty && trusted.contains(request.clientIp) ? 'trusted-ip' : null;
    },
  };
}

function isOnRoute(routes: readonly SkipRoute[], method: string, path: string | null): boolean {
  return path !== null && routes.some((route) => matches(route, method, path));
}

function matches({ method: only, isNegated, pattern }: SkipRoute, method: string, path: string): boolean {
  if (only !== null && only !== method) return false;
  if (!isNegated) return pattern.matches(path);
  // `/private;x` is `/private` to apps that cut path parameters.
  return !path.includes(';') && !pattern.matches(path);
}

function methodOf({ exchange, front }: ServedRequest, about: AskedAbout): string {
  return about === 'own' ? exchange.request.method : (front.method ?? exchange.request.method);
}

/** Of an app's request the canonical path: that is what the app gets. */
function pathOf({ exchange, front }: ServedRequest, about: AskedAbout): string | null {
  if (about === 'own') return skipPathOf(exchange.request.path);
  if (front.saysUri) return front.uri === null ? null : skipPathOf(front.uri);
  return about === 'front-or-own' ? skipPathOf(exchange.request.path) : null;
}
