/**
 * What a request gets that may not pass. What could still help decides: a sign-in for a navigation, the
 * same said by JSON to scripts, a challenge to machines, else a plain no. Pages tell the visitor a
 * request id; the log has the same id with the cause.
 */
import { PosternError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { deniedPage, type DeniedFacts } from '../sign-in/pages/denied-page.ts';
import { errorPage } from '../sign-in/pages/error-page.ts';
import { classifyRequest } from '../sign-in/request-kind.ts';
import { expiredTokenJson, stepUpParameters, unauthorizedJson } from '../sign-in/unauthorized.ts';
import type { StepUp } from '../policy/facts.ts';
import { refusingRule, type RefusingRule } from '../policy/refusing-rule.ts';
import type { PlainAnswer } from '../sign-in/pages/page.ts';
import { sendInternal, toInternalRequest } from './internal.ts';
import type { InternalRequest, InternalResponse } from './control-port.ts';
import type { RequestContext } from './request-context.ts';
import { factsOf } from './place.ts';
import { unsaidByPlace, unsaidByRules } from './unsaid.ts';

export interface RefuseDeps {
  readonly beginSignIn: (request: InternalRequest) => Promise<InternalResponse>;
}

/** An error page, or its plain or JSON form, by what the client accepts. */
export function sendError(context: RequestContext, status: number, code: ErrorCode, extra: Fields = []): void {
  sendPage(context, { status, code, rule: null }, extra);
}

/** The same for a request that is not good HTTP: whoever sent it is told which rule it breaks. */
export function sendBadRequest(context: RequestContext, rule: string, status = 400, extra: Fields = []): void {
  sendPage(context, { status, code: 'BAD_REQUEST', rule }, extra);
}

interface Trouble {
  readonly status: number;
  readonly code: ErrorCode;
  /** Short name of the broken rule. */
  readonly rule: string | null;
}

function sendPage(context: RequestContext, trouble: Trouble, extra: Fields): void {
  const { status, code } = trouble;
  context.errorCode ??= code;
  const { headers } = context.exchange.request;
  if (isGrpc(headers)) {
    sendGrpcError(context, status);
    return;
  }
  const brand = context.site.document.signIn.branding;
  const page = errorPage({ ...trouble, requestId: context.id, brand, ...preferences(headers) });
  const isUnclear = status === UNCLEAR || code === 'BAD_REQUEST';
  sendPlain(context, { ...page, headers: [...page.headers, ...(isUnclear ? CLOSE : []), ...extra] });
}

/** Behind a request that is not clear nothing is clear. */
const UNCLEAR = 400;
const CLOSE: Fields = [['Connection', 'close']];

/** The 403 of the rules: names the account and offers another one. */
export function sendDenied(context: RequestContext): void {
  context.errorCode ??= 'ACCESS_DENIED';
  sendAboutAccount(context, 403, 'rules', { rule: ruleFor(context), unsaid: unsaidByRules(context) });
}

/** Each visitor is led to an app of their own, and there is none for this one, or it is not running. */
export function sendNoApp(context: RequestContext, status: 403 | 503): void {
  context.errorCode ??= 'NO_APP';
  sendAboutAccount(context, status, 'no-app', { unsaid: unsaidByPlace(context), mayKnow: mayKnow(context) });
}

/** Which rule refused, for those whom the document lets know. */
function ruleFor(context: RequestContext): RefusingRule | null {
  const { judged, route } = context;
  if (judged?.decision.kind !== 'deny' || !mayKnow(context)) return null;
  return refusingRule(judged.decision, () => route?.policy.explain(factsOf(context, judged.identity)) ?? []);
}

function mayKnow(context: RequestContext): boolean {
  const { judged, site } = context;
  return judged !== null && site.table.mayKnowRules(factsOf(context, judged.identity));
}

function sendAboutAccount(
  context: RequestContext,
  status: 403 | 503,
  reason: 'rules' | 'no-app',
  why: Pick<DeniedFacts, 'rule' | 'unsaid' | 'mayKnow'>,
): void {
  const { headers, host } = context.exchange.request;
  if (isGrpc(headers)) {
    sendGrpcError(context, status);
    return;
  }
  const identity = context.judged?.identity;
  const account = identity?.kind === 'person' ? identity.person : null;
  const { path, query } = context.exchange.request;
  const switchUrl = account === null ? null : `/.postern/start?switch=1&to=${encodeURIComponent(path + query)}`;
  const { providers, signIn } = context.site.document;
  const look = { brand: signIn.branding, providers };
  const facts = { status, reason, host, requestId: context.id, account, switchUrl, ...look, ...why };
  sendPlain(context, deniedPage({ ...facts, ...preferences(headers) }));
}

type Fields = readonly (readonly [name: string, value: string])[];

export function sendPlain(context: RequestContext, answer: PlainAnswer): void {
  const headers = new HeaderBlock();
  for (const [name, value] of answer.headers) headers.append(name, value);
  context.exchange.respondWhole({ status: answer.status, headers }, answer.body);
}

function preferences(headers: HeaderBlock): { accept: string | null; acceptLanguage: string | null } {
  return { accept: headers.get('accept') ?? null, acceptLanguage: headers.get('accept-language') ?? null };
}

function isGrpc(headers: HeaderBlock): boolean {
  return (headers.get('content-type') ?? '').startsWith('application/grpc');
}

/** gRPC reads its status from the fields of a 200 answer ("trailers-only"). */
function sendGrpcError(context: RequestContext, status: number): void {
  const grpcStatus = GRPC_STATUS.get(status) ?? 2;
  const headers = HeaderBlock.from({
    'content-type': 'application/grpc',
    'grpc-status': String(grpcStatus),
    'grpc-message': `Refused by the gateway, request ${context.id}`,
  });
  context.exchange.respondWhole({ status: 200, headers }, '');
}

/** gRPC's own mapping of HTTP statuses. */
const GRPC_STATUS: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [413, 8],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
]);

/** The rules would let some person in: a navigation is sent to sign in, anything else is told so. */
export function askToSignIn(context: RequestContext, deps: RefuseDeps, onError: (error: unknown) => void): void {
  if (isNavigation(context)) {
    begin(context, deps, onError);
    return;
  }
  const needs = neededOf(context);
  const answer = unauthorizedJson(context.id, startUrl(context), needs);
  const challenge = needs === null ? BEARER : `${BEARER}, ${stepUpParameters(needs)}`;
  const bearer: Fields = context.site.takesBearers ? [['WWW-Authenticate', challenge]] : [];
  sendPlain(context, { ...answer, headers: [...answer.headers, ...bearer] });
}

/** The app asks for the provider's token, and no refresh brings another: the person goes there again, a program is told so. */
export function askForNewTokens(context: RequestContext, deps: RefuseDeps, onError: (error: unknown) => void): void {
  context.errorCode ??= 'TOKEN_EXPIRED';
  if (isNavigation(context)) begin(context, deps, onError);
  else sendPlain(context, expiredTokenJson(context.id, startUrl(context)));
}

function isNavigation({ exchange }: RequestContext): boolean {
  const { upgrade, method, headers } = exchange.request;
  return upgrade === null && classifyRequest(method, headers) === 'navigation';
}

function startUrl({ scheme, authority }: RequestContext): string {
  return `${scheme}://${authority}/.postern/start`;
}

function begin(context: RequestContext, deps: RefuseDeps, onError: (error: unknown) => void): void {
  toInternalRequest(context)
    .then((internal) => deps.beginSignIn(internal))
    .then((response) => sendInternal(context.exchange, response))
    .catch(onError);
}

/** What somebody who is signed in has not shown; null: nobody is, or it is not about that. */
function neededOf({ judged }: RequestContext): StepUp | null {
  if (judged?.identity.kind !== 'person' || judged.decision.kind !== 'sign-in') return null;
  return judged.decision.needs ?? null;
}

const BASIC = 'Basic realm="postern", charset="UTF-8"';
const BEARER = 'Bearer realm="postern"';
const INVALID_TOKEN = `${BEARER}, error="invalid_token", error_description="The token is unknown, revoked, expired or damaged"`;

/**
 * Only a machine's credentials could help, or those it gave are wrong (RFC 7617, RFC 6750 section 3).
 * Where a token could help Basic is offered too: many a program sends a token only as its password.
 */
export function challenge(context: RequestContext): void {
  const { judged, route } = context;
  const refused = judged?.refused ?? null;
  const tokens = route?.policy.acceptsTokens ?? false;
  const fields: [name: string, value: string][] = [];
  if (refused === 'bearer') fields.push(['WWW-Authenticate', INVALID_TOKEN]);
  else if (tokens) fields.push(['WWW-Authenticate', BEARER]);
  if (tokens || refused === 'basic' || route?.policy.acceptsServices === true) fields.push(['WWW-Authenticate', BASIC]);
  sendError(context, 401, refused === null ? 'ACCESS_DENIED' : 'CREDENTIAL_REFUSED', fields);
}

/** The way ends here, whatever happened: an answer if none has begun, else a visible break. */
export function failWith(context: RequestContext, error: unknown): void {
  const failure =
    error instanceof PosternError
      ? error
      : new PosternError('INTERNAL', `Cannot serve request: ${String(error)}`, {}, error);
  context.error = failure;
  context.errorCode = failure.code;
  if (context.isOver) return;
  try {
    const { code, facts } = failure;
    const { rule, status = statusOf(code), fields = [] } = OF_HTTP.has(code) ? (facts as BrokenRule) : NO_RULE;
    sendPage(context, { status, code, rule: rule ?? null }, fields);
  } catch {
    context.exchange.abort(failure);
  }
}

/** Of these the visitor's own request is the cause, and no app. */
const OF_HTTP: ReadonlySet<ErrorCode> = new Set(['BAD_REQUEST', 'CLIENT_CLOSED']);

/** What their facts may hold beside. */
interface BrokenRule {
  readonly rule?: string;
  readonly status?: number;
  readonly fields?: Fields;
}

const NO_RULE: BrokenRule = {};

const STATUS: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  // Half closed in the middle of its body: it may still read why it gets no answer.
  CLIENT_CLOSED: 400,
  PAYLOAD_TOO_LARGE: 413,
  REQUEST_TIMEOUT: 408,
  STORE_UNAVAILABLE: 503,
  OVERLOADED: 503,
  UPSTREAM_BUSY: 503,
  UPSTREAM_UNHEALTHY: 503,
  UPSTREAM_TIMEOUT: 504,
  UPSTREAM_UNREACHABLE: 502,
  UPSTREAM_BAD_RESPONSE: 502,
  UPSTREAM_TLS: 502,
  UPSTREAM_TRUNCATED: 502,
  LOOP_DETECTED: 508,
  ACCESS_DENIED: 403,
};

export function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? 500;
}
