/**
 * Starts a sign-in on an app host: a nonce cookie for this tab, then off to the sign-in host with a
 * sealed ticket. Only for navigations, and only for hosts that the document lists: of a name that the
 * visitor chose, the code at the end could reach a stranger.
 */
import { mintToken } from '../session/token.ts';
import { createContext, answerPage, answerRedirect, toResponse, type Context } from './context.ts';
import { hostCookie, isServedByDomain, purposeName, readCookies } from './cookies.ts';
import { leadFromDot } from './dotted-host.ts';
import { html } from './pages/html.ts';
import { classifyRequest } from './request-kind.ts';
import { returnPathOr } from './return-path.ts';
import { hashNonce, sealTicket, TICKET_LIFETIME_MS } from './ticket.ts';
import { unauthorizedJson } from './unauthorized.ts';
import type { SignInDeps, SignInMemory, SignInRequest } from './ports.ts';

/** Tabs of one host that may be on their way at the same time. */
const MAX_FLOWS = 12;
const START_PATH = '/.postern/start';

/** For the edge, when the rules say that signing in could help: `request.url` is where the visitor wanted to go. */
export function beginSignIn(deps: SignInDeps & SignInMemory, request: SignInRequest): Response {
  const context = createContext(deps, request);
  return begin(context, { path: context.url.path, query: context.url.query, switchAccount: false });
}

/** `/.postern/start?to=/path&switch=1` on an app host: the same, from a link. */
export function handleStart(context: Context): Response {
  const to = context.query.get('to') ?? '/';
  const switchAccount = context.query.get('switch') === '1';
  return begin(context, { path: to, query: '', switchAccount });
}

function startPath(to: string, switchAccount: boolean): string {
  return `${START_PATH}?${switchAccount ? 'switch=1&' : ''}to=${encodeURIComponent(to)}`;
}

interface Wish {
  readonly path: string;
  readonly query: string;
  readonly switchAccount: boolean;
}

function begin(context: Context, wish: Wish): Response {
  const { deps, request, settings, url, headers, now } = context;
  if (classifyRequest(request.method, headers) !== 'navigation') {
    return toResponse(unauthorizedJson(request.requestId, url.origin + START_PATH));
  }
  if (request.onSignInHost) return answerRedirect(302, '/.postern/sign-in');
  if (!deps.isListedHost(url.host)) return refuseUnlisted(context);
  const returnTo = returnPathOr(wish.path, wish.query, url.origin);
  const led = leadFromDot(context, startPath(returnTo, wish.switchAccount));
  if (led !== null) return led;
  const shared = isServedByDomain(url, settings);
  const basics = { origin: url.origin, returnTo, issuedAt: now, switchAccount: wish.switchAccount };
  if (shared) return goToSignIn(context, sealTicket(deps.seal, { ...basics, flow: null, nonceHash: null }), []);
  const nonce = mintToken();
  const flow = newFlowId(now);
  const ticket = sealTicket(deps.seal, { ...basics, flow, nonceHash: hashNonce(nonce) });
  const cookie = hostCookie(flowCookieName(context, flow), nonce, url.isSecure, TICKET_LIFETIME_MS);
  return goToSignIn(context, ticket, [cookie, ...dropOldFlows(context)]);
}

export function flowCookieName(context: Context, flow: string): string {
  return purposeName(context.deps.instance, `n-${flow}`, context.url.isSecure);
}

export function refuseUnlisted(context: Context): Response {
  const { title, text } = context.texts.unlistedHost;
  return answerPage(context, 421, {
    title,
    main: html`<h1>${title}</h1>
      <p class="soft">${text}</p>`,
  });
}

function goToSignIn(context: Context, ticket: string, cookies: readonly string[]): Response {
  return answerRedirect(302, `${context.settings.signInUrl}/.postern/sign-in?ticket=${ticket}`, cookies);
}

/** Sorts by time, so that the oldest go first. */
function newFlowId(now: number): string {
  return (
    Math.floor(now / 1_000)
      .toString(36)
      .padStart(7, '0') + mintToken().slice(0, 8)
  );
}

function dropOldFlows(context: Context): string[] {
  const prefix = flowCookieName(context, '');
  const names = new Set(readCookies(context.request).flatMap(([name]) => (name.startsWith(prefix) ? [name] : [])));
  const flows = [...names].filter((name) => /^[A-Za-z0-9_-]{1,40}$/.test(name.slice(prefix.length))).sort();
  return flows
    .slice(0, Math.max(0, flows.length - MAX_FLOWS + 1))
    .map((name) => hostCookie(name, '', context.url.isSecure, 0));
}
