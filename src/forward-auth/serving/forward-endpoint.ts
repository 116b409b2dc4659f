/**
 * `/oauth2/forward`: for fronts that hand our answer to the visitor as it is (Traefik, Caddy, Envoy, HAProxy).
 * 200 for whoever may enter, since Envoy takes nothing else; a page is sent to sign in, a program gets 401, and
 * whom the rules keep out a page that says so. It is about the request that a trusted front names by
 * X-Forwarded-* or X-Original-*, or by what follows `/oauth2/forward` (Envoy's path prefix); whatever is
 * unsaid or said in two ways is 400.
 */
import { HeaderBlock } from '../../wire/header-block.ts';
import { classifyRequest } from '../../sign-in/request-kind.ts';
import { visitorScheme } from '../front-request.ts';
import { clearLines } from './clear-lines.ts';
import { acceptsJson } from './machine.ts';
import {
  FixedAnswer,
  FORBIDDEN,
  FORBIDDEN_JSON,
  NO_BYTES,
  NO_CACHE,
  UNAUTHORIZED,
  UNAUTHORIZED_JSON,
  UNAVAILABLE,
} from './plain-answer.ts';
import { withCookies } from './with-cookies.ts';
import type { Flow, SessionKeeper } from '../ports.ts';
import type { Settings } from '../settings.ts';
import type { AcceptedHeads } from './accepted-head.ts';
import type { AnswerWho } from './auth-endpoint.ts';
import type { Decide } from './door.ts';
import type { ServedRequest } from './served-request.ts';
import type { Who } from './session-chain.ts';

export interface ForwardEndpointDeps {
  readonly settings: Pick<Settings, 'paths' | 'redirects' | 'skip' | 'cookie'>;
  readonly keeper: Pick<SessionKeeper, 'clear'>;
  readonly decide: Decide;
  /** With 200. */
  readonly heads: AcceptedHeads;
  readonly flow: Pick<Flow, 'sendError' | 'sendNotAdmitted'>;
}

const UNCLEAR = new FixedAnswer(
  400,
  'Cannot tell which request this is about: a trusted proxy names it by X-Forwarded-Uri, -Host, -Proto and -Method\n' +
    'or by X-Original-URL and -Method, and not by both in different words\n',
);

/** What follows the endpoint's own path, with its slash; null: the request is for something else. */
export function pathBehind(endpoint: string, target: string): string | null {
  if (!target.startsWith(endpoint)) return null;
  const rest = target.slice(endpoint.length);
  if (rest === '' || rest.startsWith('?')) return '';
  return rest.startsWith('/') ? rest : null;
}

export function createForwardEndpoint(deps: ForwardEndpointDeps): AnswerWho {
  const endpoint = `${deps.settings.paths.prefix}/forward`;
  return (request, who) => {
    const behind = pathBehind(endpoint, request.ownUri) ?? '';
    if (behind !== '') request.isAbout(behind);
    if (request.front.uri === null || request.front.isContradictory) UNCLEAR.send(request.exchange);
    else answer(deps, request, who);
  };
}

function answer(deps: ForwardEndpointDeps, request: ServedRequest, who: Who): void {
  const { exchange } = request;
  switch (deps.decide(request, who, 'front')) {
    case 'enter':
      exchange.respondWhole(withCookies(deps.heads(request.session), who), NO_BYTES);
      return;
    case 'pass':
      exchange.respondWhole(deps.heads(null), NO_BYTES);
      return;
    case 'sign-in':
      askToSignIn(deps, request, clearLines(deps.keeper, request, who));
      return;
    case 'unavailable':
      if (isPage(request)) deps.flow.sendError(request, 503, 'Sessions cannot be looked up right now');
      else UNAVAILABLE.send(exchange);
      return;
    case 'deny':
    case 'forbid':
      keepOut(deps, request, who);
      return;
    default:
      FORBIDDEN.send(exchange);
  }
}

function askToSignIn(deps: ForwardEndpointDeps, request: ServedRequest, cookies: readonly string[]): void {
  const { exchange } = request;
  const isApi = deps.settings.skip.apiRoutes.some((route) => route.matches(request.uri));
  if (!isPage(request) || isApi) {
    const answer = isApi || acceptsJson(exchange.request.headers) ? UNAUTHORIZED_JSON : UNAUTHORIZED;
    answer.sendWith(exchange, cookies);
    return;
  }
  const headers = new HeaderBlock();
  for (const [name, value] of NO_CACHE) headers.append(name, value);
  headers.append('Location', signInUrl(deps.settings, request));
  for (const cookie of cookies) headers.append('Set-Cookie', cookie, 'set-cookie');
  exchange.respondWhole({ status: 302, headers }, NO_BYTES);
}

function keepOut({ flow }: ForwardEndpointDeps, request: ServedRequest, who: Who): void {
  const { exchange } = request;
  if (isPage(request) && who.kind === 'session') flow.sendNotAdmitted(request, who.session);
  else if (acceptsJson(exchange.request.headers)) FORBIDDEN_JSON.send(exchange);
  else FORBIDDEN.send(exchange);
}

function isPage({ exchange, front }: ServedRequest): boolean {
  const { method, headers } = exchange.request;
  return classifyRequest(front.method ?? method, headers) === 'navigation';
}

/**
 * Whole, since Traefik takes a path for one of ours. On the sign-in host, where `redirect-url` names one. Whoever came
 * by a name with a dot at its end signs in at the one without, which rules and the provider know, and stays there.
 */
function signInUrl({ paths, redirects, cookie }: ForwardEndpointDeps['settings'], request: ServedRequest): string {
  const own = `${visitorScheme(request, cookie.secure)}://${request.dotless ?? request.authority}`;
  const host = /^https?:\/\/[^/?#]+/i.exec(redirects.callbackUrl ?? '')?.[0] ?? own;
  const uri = request.uri.startsWith(`${paths.prefix}/`) ? '/' : request.uri;
  return `${host}${paths.prefix}/sign_in?rd=${encodeURIComponent(own + uri)}`;
}
