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
  /** Which rule lets it pass without a sign-in; null: none. */
  readonly reasonFor: (request: ServedRequest, about: AskedAbout) => SkipReason | null;
}

export type SkipReason = 'trusted-ip' | 'preflight' | 'route';

/** Told where a rule about a method would hold if the front proxy said which method it is. */
export type TellUnknownMethod = (request: ServedRequest) => void;

export function createSkipRules(
  skip: Pick<SkipSettings, 'routes' | 'preflight'>,
  trust: Pick<TrustSettings, 'trustedIps'>,
  onUnknownMethod: TellUnknownMethod = () => {},
): SkipRules {
  const trusted = createIpSet(trust.trustedIps);
  const { routes, preflight } = skip;
  if (trusted.isEmpty && routes.length === 0 && !preflight) return { reasonFor: () => null };
  return {
    reasonFor(request, about) {
      const method = methodOf(request, about);
      if (preflight && method === 'OPTIONS') return 'preflight';
      const path = routes.length === 0 ? null : pathOf(request, about);
      if (path !== null) {
        if (routes.some((route) => matches(route, method, path))) return 'route';
        if (method === null && routes.some((route) => matches(route, 'GET', path))) onUnknownMethod(request);
      }
      return !trusted.isEmpty && trusted.contains(request.clientIp) ? 'trusted-ip' : null;
    },
  };
}

function matches({ method: only, isNegated, pattern }: SkipRoute, method: string | null, path: string): boolean {
  if (only !== null && only !== method) return false;
  if (!isNegated) return pattern.matches(path);
  // `/private;x` is `/private` to apps that cut path parameters.
  return !path.includes(';') && !pattern.matches(path);
}

/**
 * Null: not known. nginx, Traefik and Caddy ask by GET whatever they ask about: where nobody says more, a rule
 * for GET would let a DELETE through.
 */
function methodOf({ exchange, front, carriesMethod }: ServedRequest, about: AskedAbout): string | null {
  const own = exchange.request.method;
  if (about === 'own') return own;
  if (front.saysMethod) return front.method;
  if (carriesMethod) return own;
  return own === 'GET' && (about === 'front' || front.saysUri) ? null : own;
}

/** Of an app's request the canonical path: that is what the app gets. */
function pathOf({ exchange, front }: ServedRequest, about: AskedAbout): string | null {
  if (about === 'own') return skipPathOf(exchange.request.path);
  if (front.saysUri) return front.uri === null ? null : skipPathOf(front.uri);
  return about === 'front-or-own' ? skipPathOf(exchange.request.path) : null;
}
