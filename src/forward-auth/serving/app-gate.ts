/**
 * Proxy mode: what becomes of a request that is none of ours. Whoever may enter reaches an app through the
 * project's engine; API clients are told by status and JSON, people by a page.
 */
import { HeaderBlock } from '../../wire/header-block.ts';
import { HttpSyntaxError } from '../../wire/http-syntax-error.ts';
import { withoutCookies } from '../../wire/cookies.ts';
import { classifyRequest } from '../../sign-in/request-kind.ts';
import { compileEdits } from '../../upstream/header-edits.ts';
import { serveFile } from '../../upstream/files.ts';
import { createAppTable, pathInFolder } from './app-table.ts';
import { createAppHeaders } from './app-headers.ts';
import { AppReport } from './app-report.ts';
import { withSetCookies } from './cookie-exchange.ts';
import { clearLines } from './clear-lines.ts';
import { acceptsJson } from './machine.ts';
import { createOwnCookieTest } from './own-cookie-names.ts';
import { FORBIDDEN, FORBIDDEN_JSON, FixedAnswer, UNAUTHORIZED_JSON, UNAVAILABLE } from './plain-answer.ts';
import { rewriteFor } from './rewrite.ts';
import { createUpgradeOrigins } from './upgrade-origin.ts';
import type { ForwardPlan } from '../../upstream/plan.ts';
import type { Upstreams } from '../../upstream/forward.ts';
import type { Flow, SessionKeeper } from '../ports.ts';
import type { Settings } from '../settings.ts';
import type { App, AppTable } from './app-table.ts';
import type { AppHeaders } from './app-headers.ts';
import type { AnswerWho } from './auth-endpoint.ts';
import type { Decide } from './door.ts';
import type { LiveRequests } from './live-requests.ts';
import type { IsOwnCookie } from './own-cookie-names.ts';
import type { ServedRequest } from './served-request.ts';
import type { Who } from './session-chain.ts';

export interface AppGateDeps {
  readonly settings: Settings;
  readonly keeper: Pick<SessionKeeper, 'end' | 'clear'>;
  readonly decide: Decide;
  readonly flow: Flow;
  readonly upstreams: Upstreams;
  readonly live: LiveRequests;
  readonly now: () => number;
}

export interface AppGate {
  readonly answer: AnswerWho;
  readonly table: AppTable;
}

interface Gate extends AppGateDeps {
  readonly table: AppTable;
  readonly headers: AppHeaders;
  readonly isOwnCookie: IsOwnCookie;
  readonly removeCookies: (value: string) => string | null;
  readonly mayUpgrade: (request: ServedRequest) => boolean;
}

const BAD_REQUEST = new FixedAnswer(400, 'Bad Request\n');

export function createAppGate(deps: AppGateDeps): AppGate {
  const { settings } = deps;
  const isOwnCookie = createOwnCookieTest(settings.cookie.name);
  const gate: Gate = {
    ...deps,
    table: createAppTable(settings.upstreams),
    headers: createAppHeaders(settings, deps.now),
    isOwnCookie,
    removeCookies: (value) => withoutCookies(value, isOwnCookie),
    mayUpgrade: createUpgradeOrigins(settings),
  };
  return { table: gate.table, answer: (request, who) => answer(gate, request, who) };
}

function answer(gate: Gate, request: ServedRequest, who: Who): void | Promise<void> {
  const { exchange } = request;
  const app = gate.table.find(exchange.request.path);
  // Only where nothing but a status is behind it does the front proxy's word decide what is asked about.
  switch (gate.decide(request, who, app?.kind === 'static' ? 'front-or-own' : 'own')) {
    case 'enter':
    case 'pass':
      if (exchange.request.upgrade !== null && request.session !== null && !gate.mayUpgrade(request)) {
        request.decision = 'forbid';
        FORBIDDEN.send(exchange);
      } else enter(gate, request, app, who);
      return;
    case 'sign-in':
      return askToSignIn(gate, request, who);
    case 'deny':
      deny(gate, request, who);
      return;
    case 'forbid':
      if (isPage(request) && who.kind === 'session') gate.flow.sendNotAdmitted(request, who.session);
      else FORBIDDEN.send(exchange);
      return;
    case 'unavailable':
      if (isPage(request)) gate.flow.sendError(request, 503, 'Sessions cannot be looked up right now');
      else UNAVAILABLE.send(exchange);
      return;
    default:
      FORBIDDEN.send(exchange);
  }
}

function isPage({ exchange: { request } }: ServedRequest): boolean {
  return request.upgrade === null && classifyRequest(request.method, request.headers) === 'navigation';
}

function askToSignIn({ settings, keeper, flow }: Gate, request: ServedRequest, who: Who): void | Promise<void> {
  const { exchange } = request;
  if (exchange.request.upgrade !== null || isForMachine(settings, request)) {
    UNAUTHORIZED_JSON.sendWith(exchange, clearLines(keeper, request, who));
    return;
  }
  return flow.askToSignIn(request);
}

function isForMachine({ skip }: Settings, { exchange, uri }: ServedRequest): boolean {
  if (skip.forceJsonErrors || skip.apiRoutes.some((route) => route.matches(uri))) return true;
  return acceptsJson(exchange.request.headers);
}

/** As in auth-endpoint.ts: with 401 there, the session ends. */
function deny({ settings, keeper, flow }: Gate, request: ServedRequest, who: Who): void {
  const { exchange } = request;
  const tell = (): void => {
    if (settings.skip.forceJsonErrors || who.kind !== 'session') FORBIDDEN_JSON.send(exchange);
    else flow.sendNotAdmitted(request, who.session);
  };
  if (settings.compat.deniedStatus === 403) {
    tell();
    return;
  }
  keeper.end(exchange.request.headers, { host: request.visitorHost }).then(tell, () => UNAVAILABLE.send(exchange));
}

// oxlint-disable-next-line max-params -- one step of `answer`
function enter(gate: Gate, request: ServedRequest, app: App | null, who: Who): void {
  const cookies = who.kind === 'session' ? who.cookies : [];
  const exchange = withSetCookies(request.exchange, cookies);
  const { session } = request;
  if (app !== null && !canRewrite(app, exchange.request.path)) {
    BAD_REQUEST.send(exchange);
    return;
  }
  gate.live.begin(request, who);
  if (app === null) {
    const headers = HeaderBlock.from({
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
    });
    compileEdits(gate.headers.responseEdits(session)).apply(headers);
    exchange.respondWhole({ status: 404, headers }, '404 page not found\n');
  } else if (app.kind === 'static') {
    request.upstream = 'static';
    const headers = HeaderBlock.from(app.status === 204 ? {} : { 'Content-Type': 'text/plain; charset=utf-8' });
    compileEdits(gate.headers.responseEdits(session)).apply(headers);
    exchange.respondWhole({ status: app.status, headers }, 'Authenticated');
  } else if (app.kind === 'file') {
    request.upstream = 'file';
    const path = pathInFolder(app.settings, rewriteFor(app.settings, exchange.request.path, '').path);
    serveFile(exchange, { root: app.folder, path, responseHeaders: gate.headers.responseEdits(session) });
  } else gate.upstreams.forward(exchange, planOf(gate, request, app, who), new AppReport(request, gate));
}

/** A rewrite can make a path that two readers read differently. */
function canRewrite({ settings }: App, path: string): boolean {
  if (settings.rewrite === null) return true;
  try {
    rewriteFor(settings, path, '');
    return true;
  } catch (error) {
    if (error instanceof HttpSyntaxError) return false;
    throw error;
  }
}

// oxlint-disable-next-line max-params -- everything that a plan is made of
function planOf(gate: Gate, request: ServedRequest, app: Extract<App, { kind: 'proxy' }>, who: Who): ForwardPlan {
  const { exchange, session } = request;
  const { path, query, upgrade, headers, port, host } = exchange.request;
  const { scheme } = request;
  return {
    action: app.action,
    limits: app.limits,
    ...rewriteFor(app.settings, path, query),
    hostHeader: port === null ? host : `${host}:${port}`,
    clientIp: request.clientIp,
    scheme,
    publicPort: port ?? (scheme === 'https' ? 443 : 80),
    requestId: request.id,
    identityHeaders: gate.headers.requestFields(session, headers),
    strip: gate.headers.strip,
    requestHeaders: NO_EDITS,
    responseHeaders: gate.headers.responseEdits(session),
    removeCookies: gate.removeCookies,
    removeAuthorization: who.kind === 'session' && who.credential === 'htpasswd',
    isOwnCookieName: gate.isOwnCookie,
    upgradeAllowed: upgrade === 'websocket' && app.settings.websockets,
    who: session === null ? null : `${session.via} ${session.user} ${session.email}`,
    fromTrustedProxy: request.isForwarded,
  };
}

const NO_EDITS = { add: {}, remove: [] };
