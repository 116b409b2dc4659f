/**
 * `/oauth2/callback`: back from the provider. State and cookie are compared before the code is redeemed (the
 * original burns a stranger's code first), the session gets a new id whatever the browser brought, and
 * whoever is not let in gets a page and no session: nobody goes round in circles.
 */
import type { AuthSession } from '../auth-session.ts';
import { broughtBy } from '../cookie-text.ts';
import type { FrontRequest } from '../front-request.ts';
import { sendRedirect } from './answer.ts';
import { callbackUrl } from './callback-url.ts';
import { hostOf, placeOf, type FlowContext } from './context.ts';
import { codeVerifier, nonceOf, type FoundPending, type Pending } from './csrf-cookie.ts';
import { readFormAndQuery } from './form.ts';
import { sendProblem, type Problem } from './problems.ts';
import { readState } from './state.ts';

interface Return {
  readonly request: FrontRequest;
  readonly parameters: URLSearchParams;
  /** By the state; "/" while that is not known to be ours. */
  readonly redirect: string;
}

export async function callback(context: FlowContext, request: FrontRequest): Promise<void> {
  const form = await readFormAndQuery(request.exchange);
  if (form.kind !== 'form') {
    const cause = 'Cannot read the form of the callback';
    return sendProblem(context, request, { status: form.status, words: 'unreadable', cause, redirect: '/' });
  }
  await compareState(context, request, form.fields);
}

async function compareState(context: FlowContext, request: FrontRequest, parameters: URLSearchParams): Promise<void> {
  const { settings, csrf } = context;
  const { headers } = request.exchange.request;
  const read = readState(context.keys(), parameters.get('state') ?? '', settings.redirects.encodeState);
  const back = { request, parameters, redirect: read.kind === 'state' ? read.state.redirect : '/' };
  const error = parameters.get('error') ?? '';
  if (error !== '') return refusedByProvider(context, back, error, read.kind === 'state' ? read.state.id : null);
  if (read.kind === 'malformed') {
    const cause = 'Cannot finish sign-in: the callback has no state of ours';
    return sendProblem(context, request, { status: 500, words: 'incomplete', cause, redirect: '/' });
  }
  if (read.kind === 'forged') {
    const cause = 'Cannot finish sign-in: the state was not made with this cookie secret, or was changed';
    const remedy = 'give every replica the same cookie secret';
    return sendProblem(context, request, { status: 403, words: 'state-forged', cause, remedy, redirect: '/' });
  }
  const found = csrf.find(headers, read.state.id);
  if (found.kind === 'none') return withoutCookie(context, back, found, read.state.id);
  if ((parameters.get('code') ?? '') === '') {
    const cause = 'Cannot finish sign-in: the callback has no code';
    const { redirect } = back;
    return sendProblem(context, request, { status: 500, words: 'incomplete', cause, redirect, isFault: true });
  }
  await redeem(context, back, found.pending);
}

/** RFC 6749 section 4.1.2.1. The text is the sender's, whoever that is: it goes to the log only. */
function refusedByProvider(context: FlowContext, back: Return, error: string, id: string | null): void {
  const { request, parameters, redirect } = back;
  const description = parameters.get('error_description') ?? '';
  const cookies = id === null ? [] : finish(context, request, id);
  const plain = `The provider answered "${error.slice(0, 100)}"${description === '' ? '' : `: ${description.slice(0, 300)}`}`;
  const cause = context.provider.explainCallbackError?.(error, description === '' ? null : description) ?? plain;
  sendProblem(context, request, { status: 403, words: 'refused', cause, redirect, cookies, offers: 'another-account' });
}

const COOKIE_WORDS: Readonly<Record<Extract<FoundPending, { kind: 'none' }>['reason'], Problem['words']>> = {
  missing: 'cookie-missing',
  other: 'cookie-missing',
  unreadable: 'cookie-missing',
  ambiguous: 'cookie-twice',
  expired: 'cookie-expired',
};

/**
 * The state is ours but this browser did not begin it, or is done with it. Where it is signed in already (another
 * tab was faster, the back button), it just goes on: nothing is redeemed, and it stays who it was.
 */
async function withoutCookie(
  context: FlowContext,
  { request, redirect }: Return,
  { reason }: Extract<FoundPending, { kind: 'none' }>,
  id: string,
): Promise<void> {
  const found = await context.keeper.find(request.exchange.request.headers);
  if (found.kind === 'found' && context.admission.judge(found.session).kind === 'admitted')
    return sendRedirect(request, redirect, []);
  sendProblem(context, request, {
    status: 403,
    words: COOKIE_WORDS[reason],
    cause: `Cannot finish sign-in: the cookie of its begin is ${reason === 'other' ? 'of another sign-in' : reason}`,
    remedy: 'start and callback must be on hosts that share the cookie: check cookie domains, Secure and SameSite',
    redirect,
    cookies: finish(context, request, id),
  });
}

async function redeem(context: FlowContext, back: Return, pending: Pending): Promise<void> {
  const { provider, settings } = context;
  const { request, parameters, redirect } = back;
  const heardBefore = provider.readLogoutToken === undefined ? 0 : await context.logouts.count();
  const answer = await provider.redeem({
    code: parameters.get('code') ?? '',
    redirectUri: callbackUrl(settings, request),
    codeVerifier: pending.hasChallenge ? codeVerifier(pending) : null,
    issuer: parameters.get('iss'),
    nonce: provider.usesNonce ? nonceOf(pending) : null,
  });
  if (answer.kind === 'ok') return enter(context, back, { pending, session: answer.value, heardBefore });
  if (answer.kind === 'refused' && answer.isNotAdmitted === true) {
    const cookies = finish(context, request, pending.id);
    const shared = { status: 403, words: 'not-admitted', offers: 'another-account', redirect, cookies } as const;
    return sendProblem(context, request, { ...shared, cause: `Not admitted: ${answer.message}` });
  }
  const isDown = answer.kind === 'unavailable';
  sendProblem(context, request, {
    status: isDown ? 503 : 500,
    words: isDown ? 'unavailable' : 'redeem',
    cause: `Cannot redeem the code: ${answer.message}`,
    remedy: 'check client id, client secret and redirect URL at the provider',
    isFault: true,
    redirect,
    // A provider that was down may take the same code a moment later.
    cookies: isDown ? [] : finish(context, request, pending.id),
  });
}

interface Finished {
  readonly pending: Pending;
  readonly session: AuthSession;
  /** How many logout tokens were, before the provider was asked. */
  readonly heardBefore: number;
}

async function enter(context: FlowContext, back: Return, finished: Finished): Promise<void> {
  const { keeper, admission, report } = context;
  const { pending, session } = finished;
  const { request, redirect } = back;
  const { headers } = request.exchange.request;
  const cookies = finish(context, request, pending.id);
  const isFirst = context.spent.take(pending.id, context.clock.now() + context.csrf.lifeMs);
  if (!isFirst) return withoutCookie(context, back, { kind: 'none', reason: 'missing' }, pending.id);
  const verdict = admission.judge(session);
  if (verdict.kind === 'denied') {
    const cause = `Not admitted: ${verdict.reason}`;
    const who = session.email === '' ? session.user : session.email;
    const shared = { redirect, cookies, offers: 'another-account' } as const;
    return sendProblem(context, request, { status: 403, words: 'not-admitted', cause, who, ...shared });
  }
  const opened = await keeper.open(session, placeOf(request), headers);
  if (await isEndedMeanwhile(context, finished)) return endAgain(context, back, { opened, cookies });
  report({ kind: 'signed-in', request, session });
  sendRedirect(request, redirect, [...opened, ...cookies]);
}

/** The provider has ended its session before ours was there to be ended with it. */
async function isEndedMeanwhile(
  { provider, logouts }: FlowContext,
  { pending: { startedAt }, session, heardBefore }: Finished,
): Promise<boolean> {
  if (provider.readLogoutToken === undefined) return false;
  const providerSession = session.providerSession === '' ? null : session.providerSession;
  const authTime = provider.authTimeOf?.(session) ?? null;
  return logouts.cover({ subject: session.user, providerSession, startedAt, heardBefore, authTime });
}

/** Nobody has seen its cookie. */
async function endAgain(
  context: FlowContext,
  { request, redirect }: Return,
  { opened, cookies }: { readonly opened: readonly string[]; readonly cookies: readonly string[] },
): Promise<void> {
  const cleared = await context.keeper.end(broughtBy(opened), placeOf(request));
  const cause = 'Cannot finish sign-in: the provider has signed the person out meanwhile';
  const shared = { redirect, cookies: [...cleared, ...cookies] } as const;
  sendProblem(context, request, { status: 403, words: 'signed-out', cause, ...shared });
}

function finish(context: FlowContext, request: FrontRequest, id: string): readonly string[] {
  return context.csrf.finish(request.exchange.request.headers, hostOf(request), id);
}
