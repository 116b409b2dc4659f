/**
 * A request's way through forward-auth: clean path, HTTPS, health, endpoints below the prefix, then the app.
 * Everything that fails unexpectedly ends in 500, never in an open door.
 */
import { PosternError } from '../../core/errors.ts';
import { isOwnEndpoint } from '../flow/return-target.ts';
import { HeaderBlock } from '../../wire/header-block.ts';
import { classifyRequest } from '../../sign-in/request-kind.ts';
import { pathBehind } from './forward-endpoint.ts';
import { acceptsJson } from './machine.ts';
import { cleanTargetOf, ownPathOf } from './own-path.ts';
import { FixedAnswer, INTERNAL_ERROR, OK, ROBOTS, UNAUTHORIZED_JSON } from './plain-answer.ts';
import { standsForRefusal } from './refused-page.ts';
import { ServedRequest } from './served-request.ts';
import type { Exchange, ExchangeOutcome } from '../../wire/exchange.ts';
import type { Flow } from '../ports.ts';
import type { Settings } from '../settings.ts';
import type { AnswerWho } from './auth-endpoint.ts';
import type { FrontTrust } from './front-trust.ts';
import type { SessionChain, Who } from './session-chain.ts';

export interface ServeDeps {
  readonly settings: Pick<Settings, 'paths' | 'server' | 'skip' | 'trust'>;
  readonly trust: FrontTrust;
  readonly chain: SessionChain;
  readonly check: AnswerWho;
  readonly forward: AnswerWho;
  readonly userinfo: AnswerWho;
  readonly app: AnswerWho;
  readonly flow: Flow;
  /** robots.txt of the operator's own; left out or null: all robots are kept out. */
  readonly robots?: string | null;
  /** Null: ready. Else what is missing, in words that a stranger may read. */
  readonly notReady: () => string | null | Promise<string | null>;
  readonly nextRequestId: (said: string | undefined) => string;
  readonly onBegin: () => void;
  readonly onEnd: (request: ServedRequest, outcome: ExchangeOutcome) => void;
  readonly onDefect: (request: ServedRequest, error: unknown) => void;
}

/** `isLocalSocket`: it came by a unix socket. */
export type ServeExchange = (exchange: Exchange, isLocalSocket: boolean) => void;

export function createServe(deps: ServeDeps): ServeExchange {
  const { trust, settings } = deps;
  const { requestIdHeader } = settings.trust;
  const route = createRoute(deps);
  return (exchange, isLocalSocket) => {
    const id = deps.nextRequestId(exchange.request.headers.get(requestIdHeader));
    const request = new ServedRequest(exchange, id, trust, trust.peerOf(exchange.connection, isLocalSocket));
    deps.onBegin();
    exchange.onClose = (outcome) => {
      request.isOver = true;
      deps.onEnd(request, outcome);
    };
    try {
      route(request);
    } catch (error) {
      fail(deps, request, error);
    }
  };
}

/** What load balancers of Google ask, and how they call themselves. */
const GOOGLE_PATHS: readonly string[] = ['/liveness_check', '/readiness_check'];
const GOOGLE_AGENT = 'GoogleHC/1.0';

/** The operator's own, or one that keeps all robots out. */
function robotsRoute(own: string | null): readonly [string, (request: ServedRequest) => void] {
  const answer = own === null ? ROBOTS : new FixedAnswer(200, own, [['Content-Type', 'text/plain; charset=utf-8']]);
  return ['/robots.txt', ({ exchange }) => answer.send(exchange)];
}

function createRoute(deps: ServeDeps): (request: ServedRequest) => void {
  const { settings, flow } = deps;
  const { paths, server } = settings;
  const authPath = `${paths.prefix}/auth`;
  const forwardPath = `${paths.prefix}/forward`;
  const statics = `${paths.prefix}/static/`;
  const answerBy = new Map<string, (request: ServedRequest) => void>([
    [`${paths.prefix}/sign_in`, (request) => signIn(deps, request)],
    [`${paths.prefix}/start`, (request) => watch(deps, request, flow.start(request))],
    [`${paths.prefix}/callback`, (request) => watch(deps, request, flow.callback(request))],
    [`${paths.prefix}/sign_out`, (request) => identify(deps, request, signOut)],
    [`${paths.prefix}/backchannel-logout`, (request) => void flow.backChannelLogout(request)],
    [`${paths.prefix}/userinfo`, (request) => identify(deps, request, deps.userinfo)],
    ...(paths.hasRobots === false ? [] : [robotsRoute(deps.robots ?? null)]),
    ...(paths.pingsOfGoogle === true ? GOOGLE_PATHS : []).map(
      (path) => [path, (request: ServedRequest) => answerPing(deps, request)] as const,
    ),
    [paths.ready, (request) => answerReady(deps, request)],
    // The last one wins, as the first in the original's chain.
    [paths.ping, (request) => answerPing(deps, request)],
  ]);
  const signOut: AnswerWho = (request, who) => {
    request.session = who.kind === 'session' ? who.session : null;
    return flow.signOut(request, request.session);
  };
  return (request) => {
    const { exchange } = request;
    // OPTIONS for the server as a whole (RFC 9110 section 9.3.7).
    if (exchange.request.path === '*') return exchange.respondWhole({ status: 200, headers: new HeaderBlock() }, '');
    const isForward = pathBehind(forwardPath, exchange.request.target) !== null;
    // What follows may be any path of an app: it is judged, not tidied up.
    const cleanTarget = isForward ? null : cleanTargetOf(exchange.request);
    if (cleanTarget !== null) return redirect(exchange, 301, cleanTarget);
    if (server.forceHttps && request.scheme === 'http') return forceHttps(deps, request);
    if (isForward) return identify(deps, request, deps.forward);
    const path = ownPathOf(exchange.request);
    if (path === authPath) return identify(deps, request, deps.check);
    const answer = answerBy.get(path);
    if (answer !== undefined) answer(request);
    else if (path.startsWith(statics)) flow.sendStatic(request);
    else identify(deps, request, deps.app);
  };
}

/** A flow answers whatever happens; should one fail all the same, the request ends. */
function watch(deps: ServeDeps, request: ServedRequest, answered: Promise<void>): void {
  answered.catch((error: unknown) => fail(deps, request, error));
}

/** Answered in the same turn wherever the session is known. */
function identify(deps: ServeDeps, request: ServedRequest, then: AnswerWho): void {
  const who = deps.chain(request);
  if (!(who instanceof Promise)) {
    const answered = then(request, who);
    if (answered !== undefined) watch(deps, request, answered);
    return;
  }
  const go = (late: Who): void | Promise<void> => (request.isOver ? undefined : then(request, late));
  who.then(go).catch((error: unknown) => fail(deps, request, error));
}

/**
 * nginx shows this page in place of an app (`error_page 401 = /oauth2/sign_in`), also to programs: they get the
 * 401 that nginx took away, where the original says 200 and sends a page.
 */
function signIn(deps: ServeDeps, request: ServedRequest): void {
  const { flow, settings } = deps;
  const { exchange, uri } = request;
  const { method, headers, upgrade } = exchange.request;
  const { prefix } = settings.paths;
  const asked = headers.get('x-auth-request-redirect');
  const isInPlace =
    !isOwnEndpoint(prefix, uri) || (asked !== undefined && asked !== '' && !isOwnEndpoint(prefix, asked));
  const isForPerson = (): boolean =>
    classifyRequest(method, headers) === 'navigation' && !settings.skip.apiRoutes.some((api) => api.matches(uri));
  const isForProgram = upgrade !== null || acceptsJson(headers) || (isInPlace && !isForPerson());
  if (method === 'GET' && isForProgram) UNAUTHORIZED_JSON.send(exchange);
  else if (standsForRefusal(request)) identify(deps, request, (it, who) => keepOut(flow, it, who));
  else watch(deps, request, flow.signIn(request));
}

/** Who is signed in stays so, and learns that this is not for them; everybody else may sign in. */
function keepOut(flow: Flow, request: ServedRequest, who: Who): void | Promise<void> {
  if (who.kind === 'session') flow.sendNotAdmitted(request, who.session);
  else if (who.kind === 'unavailable') flow.sendError(request, 503, 'Sessions cannot be looked up right now');
  else return flow.signIn(request);
}

function answerPing(deps: ServeDeps, request: ServedRequest): void {
  const { exchange } = request;
  const { pingUserAgent, pingsOfGoogle = false } = deps.settings.paths;
  request.decision = 'ping';
  // CVE-2026-34457: the User-Agent narrows the path down, it never replaces it.
  const agents = [...(pingUserAgent === null ? [] : [pingUserAgent]), ...(pingsOfGoogle ? [GOOGLE_AGENT] : [])];
  if (agents.length === 0 || agents.includes(exchange.request.headers.get('user-agent') ?? '')) OK.send(exchange);
  else identify(deps, request, deps.app);
}

function answerReady({ notReady }: ServeDeps, { exchange }: ServedRequest): void {
  const tell = (why: string | null): void => {
    if (why === null) OK.send(exchange);
    else new FixedAnswer(500, `error: ${why}\n`).send(exchange);
  };
  Promise.resolve(notReady())
    .then(tell)
    .catch(() => INTERNAL_ERROR.send(exchange));
}

/** A port that the visitor typed is of the plain listener: ours for HTTPS takes its place. */
function forceHttps({ settings: { server } }: ServeDeps, { exchange, authority }: ServedRequest): void {
  const port = /:(\d+)$/.exec(server.https ?? '')?.[1] ?? '443';
  const suffix = /:\d+$/.test(authority) && port !== '443' ? `:${port}` : '';
  const { path, query } = exchange.request;
  redirect(exchange, 308, `https://${authority.replace(/:\d+$/, '')}${suffix}${path}${query}`);
}

function redirect(exchange: Exchange, status: number, location: string): void {
  exchange.respondWhole({ status, headers: HeaderBlock.from({ Location: location }) }, '');
}

function fail(deps: ServeDeps, request: ServedRequest, error: unknown): void {
  request.error = error;
  deps.onDefect(request, error);
  if (request.isOver) return;
  try {
    INTERNAL_ERROR.send(request.exchange);
  } catch {
    request.exchange.abort(new PosternError('INTERNAL', 'Cannot serve request', {}, error));
  }
}
