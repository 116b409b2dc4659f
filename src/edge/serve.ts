/**
 * A request's way: own pages, host, HTTPS, route, gate, then the route's action. Decides nothing about
 * people by itself and parses nothing; each step can end the way with an answer. Everything that fails
 * unexpectedly ends in 500 with the request's id, never in an open door.
 */
import type { ErrorCode } from '../core/errors.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import { isUpgradeOriginAllowed } from '../gate/origin.ts';
import type { Gate, Judged } from '../gate/gate.ts';
import { sendInternal, toInternalRequest } from './internal.ts';
import { sendMethods } from './options.ts';
import { factsOf } from './place.ts';
import { needsHttps, redirectToHttps } from './redirect.ts';
import { askToSignIn, challenge, failWith, sendDenied, sendError } from './refuse.ts';
import { RequestContext } from './request-context.ts';
import { sendChallengeAnswer } from './challenge-answer.ts';
import type { ActDeps } from './act.ts';
import { act } from './act.ts';
import type { ChallengeBoard } from './challenge-board.ts';
import type { CircleLog } from './circle-log.ts';
import type { ClientFacts } from '../wire/client-address.ts';
import type { ListenerTraits } from './request-context.ts';
import type { CompiledPolicy } from '../policy/compile.ts';
import type { ControlPort, InternalResponse } from './control-port.ts';
import type { Site } from './site.ts';

export interface ServeDeps extends ActDeps {
  readonly gate: Gate;
  readonly control: Pick<ControlPort, 'handleInternal' | 'beginSignIn'>;
  readonly site: () => Site;
  readonly challenges: ChallengeBoard;
  readonly circles: CircleLog;
  readonly clientFacts: (exchange: Exchange, site: Site) => ClientFacts;
  readonly nextRequestId: (exchange: Exchange, trusted: boolean) => string;
  /** True where the connection's handshake asked for other client certificates than this host does. */
  readonly isMisdirected: (exchange: Exchange) => boolean;
  readonly finish: (
    context: RequestContext,
    outcome: { complete: boolean; bytesIn: number; bytesOut: number; status: number },
  ) => void;
}

export type Serve = (exchange: Exchange, listener: ListenerTraits) => void;

const OWN_PATHS = '/.postern';

export function createServe(deps: ServeDeps): Serve {
  return (exchange, listener) => {
    const site = deps.site();
    const from = deps.clientFacts(exchange, site);
    const context = new RequestContext(exchange, site, deps.nextRequestId(exchange, from.isProxied), listener, from);
    exchange.onClose = (outcome) => {
      context.isOver = true;
      deps.finish(context, outcome);
    };
    try {
      serve(context, deps);
    } catch (error) {
      failWith(context, error);
    }
  };
}

function serve(context: RequestContext, deps: ServeDeps): void {
  const { site } = context;
  const { request } = context.exchange;
  // Before host, redirect and rules: a CA asks for names that are not served yet, over plain HTTP and, where it
  // was redirected, over HTTPS.
  if (deps.challenges.hasTokens && sendChallengeAnswer(context, deps.challenges)) return;
  const isSignInHost = request.host === site.signInHost;
  const host = isSignInHost ? null : site.table.findHost(request.host);
  context.host = host;
  if (context.scheme === 'https') context.exchange.hsts = isSignInHost ? site.signInHsts : (host?.hsts ?? null);
  if (host === null && !isSignInHost) {
    refuseUnknownHost(context);
    return;
  }
  if (context.scheme === 'https' && deps.isMisdirected(context.exchange)) {
    context.outcome = 'refuse';
    // Only a new handshake will do.
    sendError(context, 421, 'MISDIRECTED', [['Connection', 'close']]);
    return;
  }
  if (request.path === '*') {
    context.outcome = 'own';
    sendMethods(context.exchange);
    return;
  }
  const isOwnPath = isSignInHost || (request.path.startsWith(OWN_PATHS) && isBoundary(request.path, OWN_PATHS.length));
  if (!isOwnPath && host !== null)
    context.route = site.table.findRoute(host, request.path, request.method, request.headers);
  if (needsHttps(context, isOwnPath) && !(isSignInHost && site.document.session.insecureHttp)) {
    context.outcome = 'redirect';
    deps.circles.add(context);
    redirectToHttps(context);
    return;
  }
  if (isOwnPath) serveOwnPage(context, deps);
  else serveRoute(context, deps);
}

function isBoundary(path: string, at: number): boolean {
  return path.length === at || path[at] === '/';
}

/** RFC 9110 section 15.5.20: over TLS another connection may be the right one; without, there is nothing here. */
function refuseUnknownHost(context: RequestContext): void {
  if (context.scheme === 'https') refuse(context, 421, 'NO_HOST');
  else refuse(context, 404, 'NO_HOST');
}

function refuse(context: RequestContext, status: number, code: ErrorCode): void {
  context.outcome = 'refuse';
  sendError(context, status, code);
}

/** Own pages know who is signed in on this host; what they do about it is theirs. */
function serveOwnPage(context: RequestContext, deps: ServeDeps): void {
  context.outcome = 'own';
  const session = deps.gate.findSession(context.exchange, context.exchange.request.host, context.scheme);
  Promise.resolve(session)
    .then((judged) => {
      context.judged = judged;
      return judged.decision.kind === 'unavailable' ? null : askControl(context, deps);
    })
    .then((response) => {
      if (context.isOver) return;
      if (response === null) {
        sendError(context, 503, 'STORE_UNAVAILABLE', [['Retry-After', '2']]);
        return;
      }
      context.refused = response.refused ?? null;
      sendInternal(context.exchange, response);
    })
    .catch((error: unknown) => failWith(context, error));
}

async function askControl(context: RequestContext, deps: ServeDeps): Promise<InternalResponse> {
  return deps.control.handleInternal(await toInternalRequest(context));
}

function serveRoute(context: RequestContext, deps: ServeDeps): void {
  const { route, exchange } = context;
  if (route === null) {
    refuse(context, 404, 'NO_ROUTE');
    return;
  }
  if (exchange.request.hasEncodedSlash && route.config.encodedSlash === 'reject') {
    context.outcome = 'refuse';
    sendError(context, 400, 'ENCODED_SLASH');
    return;
  }
  const judged = deps.gate.judge(
    exchange,
    { policy: route.policy, host: exchange.request.host, scheme: context.scheme },
    context.ip,
  );
  if (judged instanceof Promise) {
    judged.then(
      (late) => settle(context, late, deps),
      (error: unknown) => failWith(context, error),
    );
    return;
  }
  settle(context, judged, deps);
}

function settle(context: RequestContext, judged: Judged, deps: ServeDeps): void {
  if (context.isOver) return;
  context.judged = judged;
  const shadow = context.route?.shadow ?? null;
  try {
    if (shadow !== null) tryShadow(context, judged, { shadow, gate: deps.gate });
    obey(context, judged, deps);
  } catch (error) {
    failWith(context, error);
  }
}

interface Trial {
  readonly shadow: CompiledPolicy;
  readonly gate: Gate;
}

/** Rules on trial are judged on the same facts; they change nothing but the log. */
function tryShadow(context: RequestContext, judged: Judged, { shadow, gate }: Trial): void {
  // Without an identity that was looked at there is nothing to judge by.
  if (judged.decision.kind === 'unavailable') return;
  const { request } = context.exchange;
  if (!hasCredential(request.headers)) {
    noteTrial(context, judged, shadow.decide(factsOf(context, judged.identity)));
    return;
  }
  // Which credentials are looked at, and whose the request is by them, depends on the rules.
  const tried = gate.tryOut(
    context.exchange,
    { policy: shadow, host: request.host, scheme: context.scheme },
    context.ip,
  );
  if (!(tried instanceof Promise)) noteTrial(context, judged, tried);
  // A password takes its time. The request does not wait for it: its line in the log does.
  else context.trial = tried.then((late) => noteTrial(context, judged, late)).catch(() => undefined);
}

function hasCredential(headers: HeaderBlock): boolean {
  return headers.has('authorization') || headers.has('postern-authorization');
}

function noteTrial(context: RequestContext, judged: Judged, decision: Judged['decision']): void {
  if (decision.kind === 'unavailable' || decision.kind === 'busy') return;
  if (decision.kind !== judged.decision.kind) context.shadow = decision;
}

function obey(context: RequestContext, judged: Judged, deps: ServeDeps): void {
  switch (judged.decision.kind) {
    case 'allow':
      if (mayUpgrade(context, judged)) act(context, deps);
      else sendError(context, 403, 'CROSS_ORIGIN');
      return;
    case 'sign-in':
      if (hasPassedHere(context, deps)) {
        // The route points at Postern itself: the cookie stayed behind on the first pass, and signing in changes nothing.
        sendError(context, 508, 'LOOP_DETECTED', [['Connection', 'close']]);
        return;
      }
      askToSignIn(context, deps.control, (error) => failWith(context, error));
      return;
    case 'challenge':
      challenge(context);
      return;
    case 'deny':
      sendDenied(context);
      return;
    case 'unavailable':
      sendError(context, 503, 'STORE_UNAVAILABLE', [['Retry-After', '2']]);
      return;
    default:
      sendError(context, 503, 'OVERLOADED', [['Retry-After', '1']]);
  }
}

function hasPassedHere(context: RequestContext, deps: ServeDeps): boolean {
  return context.exchange.request.headers.get('via')?.includes(deps.upstreams.viaName) === true;
}

/** A WebSocket that rides on a session must come from the host's own pages (cross-site WebSocket hijacking). */
function mayUpgrade(context: RequestContext, judged: Judged): boolean {
  if (context.exchange.request.upgrade === null || judged.credential !== 'session') return true;
  const { request } = context.exchange;
  if (request.headers.count('origin') > 1) return false;
  return isUpgradeOriginAllowed(
    request.headers.get('origin'),
    `${context.scheme}://${context.authority}`,
    context.route?.config.origins ?? [],
  );
}
