/**
 * Off to a provider, and back: `/.postern/callback/ID`. Each provider has a callback of its own, so an
 * answer of one is never taken for another's (mix-up, RFC 9700 section 4.4). What a provider answers is
 * shown in our words; its own words go to the log.
 */
import { CALLBACK_PATH, redirectUriOf } from './callback-path.ts';
import { answerPage, answerRedirect, type Context } from './context.ts';
import { comeBack, depart } from './departure.ts';
import type { Outcome } from './callback-limit.ts';
import { rememberBrowser, whoComes } from './known-browser.ts';
import { rememberWay } from './remembered.ts';
import {
  COOKIE_LIFETIME_MS,
  createFlow,
  dropFlow,
  findFlow,
  FLOW_LIFETIME_MS,
  flowCookies,
  flowIdOf,
  MAX_TICKET,
  SHORT_TICKET,
  type Flow,
} from './flow.ts';
import { html } from './pages/html.ts';
import { explainProblem, reportProblem } from './provider-problem.ts';
import { isNotTopLevel } from './request-kind.ts';
import { splitUrl } from './return-path.ts';
import { localesOf } from './texts/texts.ts';
import { openTicket } from './ticket.ts';
import { signInCookie, signInSession } from './sign-in-session.ts';
import type { StepUp } from '../policy/facts.ts';
import type { FreshSession, JudgedEntry } from './ports.ts';
import type { Finished, Known, Provider, ProviderProblem } from './provider.ts';

export interface Departure {
  readonly ticket: string | null;
  readonly switchAccount: boolean;
  readonly stepUp?: StepUpTry | null;
  /** Key of the session that new tokens are for, and nothing else. */
  readonly renews?: string | null;
}

/** What is to be shown, and how often it was asked for, this time included. */
export interface StepUpTry {
  readonly needs: StepUp;
  readonly tries: number;
}

/** What `continue` says of somebody who comes back, by how often they went to show more. */
export const RESUMES: readonly string[] = ['signed-in', 'stepped-up', 'stepped-up-again'];

/** Off to the provider. The browser gets the flow's cookie and nothing else. */
export async function goToProvider(context: Context, provider: Provider, departure: Departure): Promise<Response> {
  const { settings } = context;
  const redirectUri = redirectUriOf(settings.signInUrl, provider.id);
  const ticket = await fitTicket(context, departure.ticket);
  const { stepUp = null, renews = null } = departure;
  const stepUps = stepUp?.tries ?? 0;
  const flow = createFlow(context, {
    provider: provider.id,
    authority: provider.authority,
    redirectUri,
    ticket,
    stepUps,
    renews,
  });
  const { state, nonce, codeVerifier } = flow;
  const begun = await provider.begin({
    redirectUri,
    state,
    nonce,
    codeVerifier,
    switchAccount: departure.switchAccount,
    stepUp: stepUp === null ? null : { ...stepUp.needs, insists: stepUp.tries > 1 },
    uiLocales: localesOf(context.headers.get('accept-language')),
  });
  if (begun.kind === 'problem') return explainProblem(context, provider, begun.problem, { ticket: departure.ticket });
  const label = context.texts.provider.with(provider.label);
  return depart(context, { url: begun.url, flowId: flow.id, label, cookies: flowCookies(context, flow) });
}

/** A long ticket waits in the store: what the cookie holds then is the code that it can be had for, once. */
async function fitTicket(context: Context, ticket: string | null): Promise<string | null> {
  if (ticket === null || ticket.length <= SHORT_TICKET) return ticket;
  const { deps, request, now } = context;
  const mint = (): Promise<string> => deps.sessions.mintCode(ticket, COOKIE_LIFETIME_MS);
  const kept = await deps.longTickets.keep(mint, request.ip, now);
  // A crowd of one address has no room there, but few tabs each.
  return kept ?? (ticket.length <= MAX_TICKET ? ticket : null);
}

async function unfitTicket(context: Context, kept: string | null): Promise<string | null> {
  if (kept === null || openTicket(context.deps.seal, kept) !== null) return kept;
  const ticket = await context.deps.sessions.redeemCode(kept);
  return typeof ticket === 'string' ? ticket : null;
}

export async function handleCallback(context: Context): Promise<Response> {
  const { deps, url, query } = context;
  const id = url.path.slice(CALLBACK_PATH.length);
  const provider = deps.providers.find(id);
  if (provider === null) return explainCallback(context, []);
  // A prefetch or a frame must not use up the code.
  if (isNotTopLevel(context.headers))
    return refuseCallback(context, provider, { why: NO_NAVIGATION, cookies: [], isAnybodys: true });
  const states = query.getAll('state');
  const found = findFlow(context, states.length === 1 ? (states[0] ?? '') : '');
  if (found.kind === 'missing')
    return (
      finishedBefore(context) ??
      refuseCallback(context, provider, { why: NOT_BEGUN, cookies: dropOf(context, states[0]), isAnybodys: true })
    );
  if (found.kind === 'stale') return beginAgain(context, provider, found.flow);
  const { flow } = found;
  if (flow.provider !== provider.id) return refuseFlow(context, provider, flow, MIXED_UP);
  if (flow.authority !== provider.authority) return refuseFlow(context, provider, flow, MOVED);
  const who = whoComes(context);
  const turn = deps.callbacks.begin(flow.id, who);
  if (turn.kind === 'used') return refuseFlow(context, provider, flow, USED);
  if (turn.kind === 'wait') return askForPatience(context, provider, turn.retryAfterMs);
  let outcome: Outcome = 'over';
  try {
    const finished = await finishFlow(context, provider, flow);
    ({ outcome } = finished);
    return finished.response;
  } finally {
    deps.callbacks.end(flow.id, who, outcome);
  }
}

interface FinishedFlow {
  readonly response: Response;
  readonly outcome: Outcome;
}

async function finishFlow(context: Context, provider: Provider, flow: Flow): Promise<FinishedFlow> {
  const { deps, query } = context;
  const used = (): FinishedFlow => ({ response: refuseFlow(context, provider, flow, USED), outcome: 'over' });
  // Before the provider is: RFC 6749 section 4.1.2 has it revoke the tokens of a code that comes twice.
  if (await deps.sessions.wasSpent('flow', flow.id)) return used();
  const { state, nonce, codeVerifier, redirectUri } = flow;
  const heardBefore = deps.logouts.count;
  const finished = await provider.finish({ query, state, nonce, codeVerifier, redirectUri });
  if (finished.kind === 'problem') {
    const ticket = await unfitTicket(context, flow.ticket);
    const cookies = [dropFlow(context, flow.id)];
    const outcome = query.has('code') && OF_STRANGERS.has(finished.problem.reason) ? 'made-up' : 'over';
    return { response: explainProblem(context, provider, finished.problem, { ticket, cookies }), outcome };
  }
  // Only now, so that whoever fills what is kept of used states has signed in that often; before anything comes of it.
  const until = flow.startedAt + FLOW_LIFETIME_MS;
  const owner = `${provider.id} ${finished.person.subject}`;
  if (!(await deps.sessions.spend('flow', flow.id, { until, owner }))) return used();
  const ticket = await unfitTicket(context, flow.ticket);
  return { response: await open(context, provider, finished, { flow, ticket, heardBefore }), outcome: 'signed-in' };
}

/** What comes of a code that somebody made up, whatever words the provider has for it. */
const OF_STRANGERS: ReadonlySet<ProviderProblem['reason']> = new Set(['invalid', 'registration', 'denied']);
const NO_NAVIGATION = 'a frame, a prefetch or a script asked for it, and no tab';
const NOT_BEGUN =
  'this browser began no sign-in with its state: it was begun in another one, its cookie is gone or blocked, or the state was changed';
const TOO_LATE = `its state is older than ${FLOW_LIFETIME_MS / 60_000} minutes`;
const USED = (): string => 'its state was used before';
const GONE = (): string => 'the document has no such provider any more';
const MOVED = (flow: Flow): string =>
  `its state belongs to a sign-in at "${flow.authority}", which the document named until a moment ago`;
const SIGNED_OUT = (): string => 'the provider has signed the person out meanwhile';
const MIXED_UP = (flow: Flow): string => `its state belongs to a sign-in by "${flow.provider}" (mix-up)`;

// oxlint-disable-next-line max-params -- whose flow it is, and what to say
function refuseFlow(
  context: Context,
  provider: Provider,
  flow: Flow,
  why: (flow: Flow) => string,
  ticket: string | null = null,
): Response {
  return refuseCallback(context, provider, { why: why(flow), cookies: [dropFlow(context, flow.id)], ticket });
}

interface RefusedCallback {
  readonly why: string;
  readonly cookies: readonly string[];
  readonly ticket?: string | null;
  /** No sign-in of ours stands behind it. */
  readonly isAnybodys?: boolean;
}

function refuseCallback(
  context: Context,
  provider: Provider,
  { why, cookies, ticket = null, isAnybodys = false }: RefusedCallback,
): Response {
  const message = `Callback of "${provider.id}" refused: ${why}`;
  reportProblem(context, provider, { reason: 'invalid', message, isAnybodys });
  return explainCallback(context, cookies, ticket);
}

/** The flow is left as it is: the same address may be opened again. */
function askForPatience(context: Context, provider: Provider, retryAfterMs: number): Response {
  const { texts, deps, request } = context;
  const retryAfter = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  deps.report?.({
    kind: 'limited',
    requestId: request.requestId,
    ip: request.ip,
    account: null,
    provider: provider.id,
  });
  const { title } = texts.errors['429'] ?? texts.errors.other;
  const main = html`<h1>${title}</h1>
    <p class="soft">${texts.signIn.wait(texts.seconds(retryAfter))}</p>
    <a class="button" href="/.postern/sign-in">${texts.tryAgain}</a>`;
  return answerPage(context, 429, { title, main }, { referrer: 'no-referrer', retryAfter });
}

async function open(
  context: Context,
  provider: Provider,
  finished: Finished & { readonly kind: 'known' },
  { flow, ticket, heardBefore }: { readonly flow: Flow; readonly ticket: string | null; readonly heardBefore: number },
): Promise<Response> {
  const { deps, request } = context;
  const drop = dropFlow(context, flow.id);
  const person = await deps.admit(provider, finished.person, finished.organisations);
  if (person.kind === 'refused') {
    const problem = { reason: 'not-admitted', message: person.message, setting: 'name' } as const;
    return explainProblem(context, provider, problem, { ticket, cookies: [drop], notes: finished.notes });
  }
  const notes = [...finished.notes, ...person.notes];
  const withheld = await withheldProblem(context, { person: person.person, notes }, ticket);
  if (withheld !== null) {
    const { problem, judged } = withheld;
    const refused = judged === null ? null : { person: person.person, judged };
    return explainProblem(context, provider, problem, { ticket, cookies: [drop], refused });
  }
  const known = { ...finished, person: person.person };
  const opened = await openSession(context, known, { flow, provider, heardBefore });
  if (opened.kind === 'void') return refuseFlow(context, provider, flow, opened.why, ticket);
  const facts = { requestId: request.requestId, ip: request.ip, provider: provider.id, notes };
  deps.report?.({ kind: 'signed-in', account: person.person.name, ...facts });
  const resumes = RESUMES[flow.stepUps] ?? 'signed-in';
  // Whoever has a session goes to a provider to come back as somebody else.
  const same = opened.isSameAgain === true ? '&same=1' : '';
  const next = ticket === null ? '/' : `/.postern/sign-in?continue=${resumes}${same}&ticket=${ticket}`;
  const label = context.texts.signIn.continueAs(person.person.name);
  return comeBack(context, {
    url: next,
    flowId: flow.id,
    label,
    cookies: [opened.cookie, drop, rememberWay(context, provider.id), rememberBrowser(context)],
  });
}

interface Withheld {
  readonly problem: ProviderProblem;
  readonly judged: JudgedEntry | null;
}

/** Null unless the person is refused there, and the reason may be what the provider keeps to itself. */
async function withheldProblem(
  { deps, request }: Context,
  { person, notes }: Pick<Known, 'person' | 'notes'>,
  ticketText: string | null,
): Promise<Withheld | null> {
  const ticket = ticketText === null ? null : openTicket(deps.seal, ticketText);
  if (person.withheld === undefined || ticket === null) return null;
  const { host, path, query } = splitUrl(ticket.origin + ticket.returnTo);
  const decision = await deps.mayEnter({ host, path, query, person, ip: request.ip });
  const withheld = decision.unsaid?.missing.find(({ what }) => what === 'organisations');
  if (withheld === undefined) return null;
  const about = withheld.claims.join(', ');
  return { problem: { reason: 'withheld', message: notes.join('; '), about }, judged: decision.judged ?? null };
}

type Opened =
  /** The cookie of a session with a new id; null where the one of the same person goes on: a tab that came first has opened it, or only tokens were fetched. */
  | { readonly kind: 'session'; readonly cookie: string | null; readonly isSameAgain?: boolean }
  /** A reload has taken the provider away, or made it another, or the provider has ended its session: before this one was there to be ended with it. */
  | { readonly kind: 'void'; readonly why: () => string };
const SAME: Opened = { kind: 'session', cookie: null };

async function openSession(
  context: Context,
  finished: Finished & { readonly kind: 'known' },
  { flow, provider, heardBefore }: { readonly flow: Flow; readonly provider: Provider; readonly heardBefore: number },
): Promise<Opened> {
  const { deps, settings, url } = context;
  const { person, grant, refreshAt, providerSession } = finished;
  const old = signInSession(context);
  const openedAt = old === null ? 0 : old.expiresAt - settings.lifetimeMs;
  const isSame = old?.person.provider === person.provider && old.person.subject === person.subject;
  // Not where more was to be shown: it is the session that has to show it.
  if (isSame && openedAt >= flow.startedAt && flow.stepUps === 0) return SAME;
  const { authority } = provider;
  const basis = { authority, providerSession, grant: { value: grant, refreshAt } };
  // As a refresh would: the session shows no more than before, and ends when it would have ended. So it keeps its id.
  const isRenewal = isSame && flow.renews === old.key;
  if (isRenewal && (await deps.sessions.renewTokens(old.key, person, basis))) return SAME;
  if (old !== null) await deps.sessions.revoke(old.key);
  const opened: FreshSession = await deps.sessions.openSignIn(person, url.host, basis);
  const { startedAt } = flow;
  const { authTime = null } = finished;
  const opening = { subject: person.subject, providerSession, startedAt, heardBefore, authTime };
  const isThere = deps.providers.find(provider.id)?.authority === authority;
  const isOrdinary = flow.stepUps === 0 && flow.renews === null;
  if (isThere && !deps.logouts.cover(provider, opening))
    return { kind: 'session', cookie: signInCookie(context, opened), isSameAgain: isSame && isOrdinary };
  await deps.sessions.revoke(opened.view.key);
  return { kind: 'void', why: isThere ? SIGNED_OUT : GONE };
}

/** The back button: the sign-in is finished, and its session is there. */
function finishedBefore(context: Context): Response | null {
  return signInSession(context) === null ? null : answerRedirect(303, '/');
}

function dropOf(context: Context, state: string | undefined): readonly string[] {
  const id = state === undefined ? null : flowIdOf(state);
  return id === null ? [] : [dropFlow(context, id)];
}

/** Setting up a second factor at the provider took longer than a state lives: on to where the person wanted to go. */
async function beginAgain(context: Context, provider: Provider, flow: Flow): Promise<Response> {
  const ticket = await unfitTicket(context, flow.ticket);
  const cookies = [dropFlow(context, flow.id)];
  if (signInSession(context) !== null) return answerRedirect(303, againUrl(ticket), cookies);
  return refuseCallback(context, provider, { why: TOO_LATE, cookies, ticket });
}

function againUrl(ticket: string | null): string {
  return ticket === null ? '/.postern/sign-in' : `/.postern/sign-in?ticket=${ticket}`;
}

function explainCallback(context: Context, cookies: readonly string[], ticket: string | null = null): Response {
  const { landing, tryAgain } = context.texts;
  const main = html`<h1>${landing.title}</h1>
    <p class="soft">${landing.text}</p>
    <a class="button" href="${againUrl(ticket)}">${tryAgain}</a>`;
  return answerPage(context, 400, { title: landing.title, main }, { cookies, referrer: 'no-referrer' });
}
