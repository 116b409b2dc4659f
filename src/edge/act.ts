/** What a route does with a request that may pass: an app, files, a redirect, a fixed answer, whoami. */
import { HeaderBlock } from '../wire/header-block.ts';
import { limitBody } from './body-limit.ts';
import { createForwardPlan, templateContext } from './forward-plan.ts';
import type { RouteTarget } from './forward-plan.ts';
import { hopsLeft, sendMethods } from './options.ts';
import { ANONYMOUS } from '../policy/facts.ts';
import { factsOf, placeOf } from './place.ts';
import { routeFor } from '../route/place.ts';
import { askForNewTokens, failWith, sendBadRequest, sendError, sendNoApp, type RefuseDeps } from './refuse.ts';
import type { Passed, PassedTokens } from './passed-tokens.ts';
import { RequestReport } from './request-report.ts';
import { serveWhoami } from './whoami.ts';
import type { CompiledRoute } from '../route/table.ts';
import { serveFile } from '../upstream/files.ts';
import { edited } from '../upstream/header-edits.ts';
import type { Upstreams } from '../upstream/forward.ts';
import type { LongLived } from './long-lived.ts';
import type { PlanDeps } from './forward-plan.ts';
import type { RequestContext } from './request-context.ts';

export interface ActDeps extends PlanDeps {
  readonly upstreams: Upstreams;
  readonly longLived: LongLived;
  readonly passedTokens: Pick<PassedTokens, 'find'>;
  readonly control: RefuseDeps;
}

export function act(context: RequestContext, deps: ActDeps): void {
  deps.longLived.begin(context);
  const route = findPlace(context);
  if (route === null) {
    sendNoApp(context, 403);
    return;
  }
  const { exchange } = context;
  const { action } = route.config;
  exchange.setWriteIdle?.(route.config.limits.writeIdleMs);
  if (!limitBody(context, route.config.limits)) return;
  switch (action.kind) {
    case 'proxy':
      forward(context, route, deps);
      return;
    case 'files':
      files(context, route, action.root);
      return;
    case 'redirect':
      redirect(context, route, action.status);
      return;
    case 'respond': {
      const headers = edited(HeaderBlock.from(action.headers), route.config.responseHeaders);
      exchange.respondWhole({ status: action.status, headers }, action.body);
      return;
    }
    default:
      serveWhoami(context, deps);
  }
}

/** Null: there is no app for this visitor. */
function findPlace(context: RequestContext): CompiledRoute | null {
  const route = context.route as CompiledRoute;
  if (!route.isPersonal) return route;
  const facts = factsOf(context, context.judged?.identity ?? ANONYMOUS);
  const chosen = routeFor(route, facts);
  context.place = placeOf(route, facts, context);
  context.route = chosen ?? route;
  return context.place === null ? null : chosen;
}

/** What is left of the path once its prefix is gone would be read otherwise than it was judged. */
const PATH_AS_SENT = 'path-after-prefix';

function files(context: RequestContext, route: CompiledRoute, root: string): void {
  const path = route.targetPath(context.exchange.request.path);
  if (path === null) sendBadRequest(context, PATH_AS_SENT);
  else serveFile(context.exchange, { root, path, responseHeaders: route.config.responseHeaders });
}

function redirect(context: RequestContext, route: CompiledRoute, status: number): void {
  const target = route.redirectTo?.(templateContext(context)) ?? null;
  if (target === null) {
    sendBadRequest(context, 'redirect-target');
    return;
  }
  const headers = edited(HeaderBlock.from({ Location: target }), route.config.responseHeaders);
  context.exchange.respondWhole({ status, headers }, '');
}

function forward(context: RequestContext, route: CompiledRoute, deps: ActDeps): void {
  const hops = hopsLeft(context.exchange);
  if (hops === 0) {
    sendMethods(context.exchange);
    return;
  }
  if (hops === 'invalid') {
    sendBadRequest(context, 'max-forwards');
    return;
  }
  const path = route.targetPath(context.exchange.request.path);
  if (path === null) {
    sendBadRequest(context, PATH_AS_SENT);
    return;
  }
  const tokens = tokensFor(context, route, deps);
  if (tokens === null) {
    send(context, { route, path, tokens }, deps);
    return;
  }
  if (!(tokens instanceof Promise)) {
    sendWith(context, { route, path }, tokens, deps);
    return;
  }
  tokens
    .then(
      (late) => {
        if (!context.isOver) sendWith(context, { route, path }, late, deps);
      },
      (error: unknown) => failWith(context, error),
    )
    .catch((error: unknown) => failWith(context, error));
}

/** Null, as for nearly every request: nobody asks, or there is nobody whose they could be. */
function tokensFor(
  context: RequestContext,
  route: CompiledRoute,
  deps: ActDeps,
): ReturnType<PassedTokens['find']> | null {
  const { identityHeaders } = route.config;
  const session = context.judged?.session ?? null;
  if (identityHeaders.tokens.length === 0 || session === null) return null;
  return deps.passedTokens.find(identityHeaders, session, context.exchange.request.host);
}

const RETRY: readonly (readonly [string, string])[] = [['Retry-After', '5']];

function sendWith(context: RequestContext, target: Omit<RouteTarget, 'tokens'>, tokens: Passed, deps: ActDeps): void {
  if (tokens === 'expired') askForNewTokens(context, deps.control, (error) => failWith(context, error));
  else if (tokens === 'unavailable') sendError(context, 503, 'TOKEN_UNAVAILABLE', RETRY);
  else send(context, { ...target, tokens }, deps);
}

function send(context: RequestContext, target: RouteTarget, deps: ActDeps): void {
  const plan = createForwardPlan(context, target, deps);
  if (plan === null) {
    sendNoApp(context, 403);
    return;
  }
  const report = new RequestReport(context, deps.longLived);
  context.report = report;
  deps.upstreams.forward(context.exchange, plan, report);
}
