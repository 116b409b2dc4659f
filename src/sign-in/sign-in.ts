/**
 * `/.postern/sign-in` on the sign-in host. Whoever has a session passes straight through to where the
 * ticket says; everybody else gets the form. Every sign-in makes a new session id and ends the old one.
 */
import { assertNever } from '../core/assert-never.ts';
import { LOCAL_PROVIDER } from '../session/accounts.ts';
import { answerPage, answerRedirect, readForm, type Context, type PageOptions } from './context.ts';
import { chooseWay, LOCAL_WAY, namedProviders, othersUrl, rememberLocal, waysOf, type Way } from './choose.ts';
import { enter } from './enter.ts';
import { ensurePreSession, isFromOwnPage, mintFormToken, readFormToken, readPreSession } from './form-guard.ts';
import { PAGE_SCRIPT_PATH } from './page-script.ts';
import { providerNameOf } from './pages/account-provider.ts';
import { chooserPage } from './pages/provider-pages.ts';
import { signInForm } from './pages/sign-in-page.ts';
import { checkPassword, type PasswordAnswer } from './password.ts';
import { askForPasskey } from './passkeys.ts';
import { goToProvider, RESUMES } from './provider-flow.ts';
import { refuseForm, refuseTicket } from './refusals.ts';
import { isNotTopLevel } from './request-kind.ts';
import { splitUrl } from './return-path.ts';
import { goToSecondStep, startAgain } from './second-step.ts';
import { signInCookie, signInSession } from './sign-in-session.ts';
import { openTicket, type Ticket } from './ticket.ts';
import type { SessionFacts, SignInAccount } from './ports.ts';

const MAX_NAME = 256;

interface Visit {
  readonly ticket: Ticket | null;
  readonly ticketText: string | null;
  readonly switchAccount: boolean;
  /** The provider that a link names. */
  readonly named: string | null;
  /** The person wants the page to choose on. */
  readonly wantsChoice: boolean;
}

export async function showSignIn(context: Context): Promise<Response> {
  const { query, request } = context;
  const visit = readVisit(context, query);
  if (visit === null) return refuseTicket(context);
  const session = signInSession(context);
  const resumes = query.get('continue');
  const stepUps = Math.max(0, RESUMES.indexOf(resumes ?? ''));
  const isFreshSignIn = RESUMES.includes(resumes ?? '');
  if (session === null) return showWays(context, visit, isFreshSignIn);
  if (visit.switchAccount && resumes === null) return showWays(context, visit, false);
  // A speculative load may look, but gets no code.
  if (isNotTopLevel(context.headers) || request.method !== 'GET') return showWays(context, visit, false);
  if (visit.ticket === null || visit.ticketText === null) return answerRedirect(303, '/');
  if (query.get('again') === '1' && session.person.provider === LOCAL_PROVIDER)
    return showAgain(context, visit, session);
  return enter(context, {
    ticket: visit.ticket,
    ticketText: visit.ticketText,
    session,
    isFreshSignIn,
    stepUps,
    isSameAgain: isFreshSignIn && query.get('same') === '1',
  });
}

/** The sign-in is too old for the route: the password, or a passkey, once more. */
function showAgain(context: Context, visit: Visit, session: SessionFacts): Promise<Response> {
  const { confirmFirst } = context.texts.security;
  return showForm(context, visit, { status: 200, name: session.person.name, notice: confirmFirst });
}

/** The form, the page to choose on, or straight to a provider. */
async function showWays(context: Context, visit: Visit, hasNoCookies: boolean): Promise<Response> {
  const { deps, texts } = context;
  const way = waysFor(context, visit, hasNoCookies);
  const provider = way.kind === 'provider' ? deps.providers.find(way.id) : null;
  if (provider !== null && mayLeave(context))
    return goToProvider(context, provider, { ticket: visit.ticketText, switchAccount: visit.switchAccount });
  if (way.kind === 'local')
    return showForm(context, visit, { status: 200, problem: hasNoCookies ? texts.signIn.noCookies : null });
  return showChooser(context, visit, hasNoCookies);
}

function waysFor(context: Context, visit: Visit, hasNoCookies: boolean): Way {
  const { ticket, named, wantsChoice, switchAccount } = visit;
  const isNamed = named !== null && !hasNoCookies;
  const way = chooseWay(context, {
    ticket,
    named: isNamed ? named : null,
    wantsChoice: wantsChoice || switchAccount || hasNoCookies,
  });
  // Without cookies it would go round and round between here and the provider.
  return hasNoCookies && way.kind === 'provider' ? { kind: 'choose' } : way;
}

/** Only a tab itself leaves for a provider: a prefetch or a frame gets the page instead. */
function mayLeave({ request, headers }: Context): boolean {
  return request.method === 'GET' && !isNotTopLevel(headers);
}

function showChooser(context: Context, visit: Visit, hasNoCookies: boolean): Response {
  const { texts, deps } = context;
  const session = signInSession(context);
  const suffix = `${visit.switchAccount ? '&switch=1' : ''}${ticketPart(visit)}`;
  const labelOf = (id: string): string =>
    id === LOCAL_WAY ? texts.provider.local : (deps.providers.find(id)?.label ?? id);
  const main = chooserPage({
    texts,
    host: visit.ticket === null ? null : splitUrl(visit.ticket.origin).host,
    problem: hasNoCookies ? texts.signIn.noCookies : null,
    choices: waysOf(context).map((id) => ({
      label: labelOf(id),
      url: `/.postern/sign-in?provider=${id}${suffix}`,
      isQuiet: id === LOCAL_WAY,
    })),
    current: session === null ? null : currentOf(context, session.person, visit),
  });
  return answerPage(context, 200, { title: texts.signIn.title, main, script: PAGE_SCRIPT_PATH }, { hasScript: true });
}

function ticketPart({ ticketText }: Visit): string {
  return ticketText === null ? '' : `&ticket=${ticketText}`;
}

function currentOf(
  context: Context,
  { provider, name: own }: SessionFacts['person'],
  visit: Visit,
): { readonly name: string; readonly continueUrl: string } {
  const providerName = providerNameOf(context.texts, provider, namedProviders(context));
  const name = providerName === null ? own : `${own} (${providerName})`;
  return { name, continueUrl: `/.postern/sign-in?continue=1${ticketPart(visit)}` };
}

export async function postSignIn(context: Context): Promise<Response> {
  const { deps, headers, url, request, texts } = context;
  const form = readForm(context);
  if (form === null || !isFromOwnPage(headers, url.origin)) return refuseForm(context);
  const visit = readVisit(context, form);
  if (visit === null) return refuseTicket(context);
  if (!context.settings.hasLocalAccounts) return refuseForm(context);
  const name = (form.get('name') ?? '').slice(0, MAX_NAME);
  const preSession = readPreSession(deps, request, url.isSecure);
  if (preSession === null) return showForm(context, visit, { status: 403, name, problem: texts.signIn.noCookies });
  const madeAt = readFormToken(deps, preSession, form.get('form') ?? '');
  if (madeAt === null) return showForm(context, visit, { status: 403, name, problem: texts.signIn.expired });
  const password = form.get('password') ?? '';
  if (name.trim() === '' || password === '')
    return showForm(context, visit, { status: 400, name, problem: texts.signIn.empty });

  const answer = await checkPassword(deps, name, password, request.ip);
  if (answer.kind !== 'ok') return refusePassword(context, visit, name, answer);
  if (await deps.factors.isEnrolled(answer.account.subject))
    return goToSecondStep(context, answer.account, { ticketText: visit.ticketText });
  const opened = await openSession(context, answer, madeAt);
  if (opened === null && !deps.settings().hasLocalAccounts) return startAgain(visit.ticketText);
  if (opened === null) return refusePassword(context, visit, name, await whyNot(context, answer.account));
  deps.report?.({ kind: 'signed-in', requestId: request.requestId, ip: request.ip, account: answer.account.name });
  const ticket = visit.ticketText;
  return answerRedirect(303, ticket === null ? '/' : `/.postern/sign-in?continue=signed-in&ticket=${ticket}`, [
    opened.cookie,
    rememberLocal(context),
  ]);
}

/** Between the check of the password and the session the account was disabled, or got another password. */
async function whyNot(
  context: Context,
  account: SignInAccount,
): Promise<{ readonly kind: 'wrong' | 'disabled'; readonly name: string }> {
  const now = await context.deps.accounts.findByName(account.name);
  return { kind: now?.disabled === true ? 'disabled' : 'wrong', name: account.name };
}

/** Ends what was there and opens a session with a new id; null where the account is no longer what was checked. */
async function openSession(
  context: Context,
  { account, verified }: Extract<PasswordAnswer, { kind: 'ok' }>,
  formMadeAt: number,
): Promise<{ readonly cookie: string | null } | null> {
  const old = signInSession(context);
  // Two tabs, one person: the tab that comes second keeps the session that the first opened since its form was made.
  const openedAt = old === null ? 0 : old.expiresAt - context.settings.lifetimeMs;
  const isSame = old !== null && old.person.provider === LOCAL_PROVIDER && old.person.subject === account.subject;
  if (isSame && openedAt >= formMadeAt) return { cookie: null };
  if (old !== null) await context.deps.sessions.revoke(old.key);
  const opened = await context.deps.accounts.openSignIn(account.subject, context.url.host, ['pwd'], { verified });
  return opened === null ? null : { cookie: signInCookie(context, opened) };
}

function refusePassword(
  context: Context,
  visit: Visit,
  name: string,
  answer: Exclude<PasswordAnswer, { kind: 'ok' }>,
): Promise<Response> {
  const { texts, deps, request } = context;
  const facts = { requestId: request.requestId, ip: request.ip, account: answer.name };
  switch (answer.kind) {
    case 'wrong':
      deps.report?.({ kind: 'refused', ...facts });
      return showForm(context, visit, { status: 403, name, problem: texts.signIn.wrong });
    case 'disabled':
      deps.report?.({ kind: 'disabled', ...facts });
      return showForm(context, visit, { status: 403, name, problem: texts.signIn.disabled });
    case 'wait': {
      deps.report?.({ kind: 'limited', ...facts });
      const problem = texts.signIn.wait(texts.seconds(answer.seconds));
      return showForm(context, visit, { status: 429, name, problem, retryAfter: answer.seconds });
    }
    case 'busy':
      deps.report?.({ kind: 'busy', ...facts });
      return showForm(context, visit, { status: 503, name, problem: texts.signIn.busy, retryAfter: answer.seconds });
    default:
      return assertNever(answer);
  }
}

interface FormState {
  readonly status: number;
  readonly name?: string;
  readonly problem?: string | null;
  readonly retryAfter?: number;
  /** Why to sign in though there is a session: there is no going on with it. */
  readonly notice?: string;
}

/** The form with what was wrong with a passkey. */
export function refusePasskey(context: Context, ticketText: string | null, problem: string): Promise<Response> {
  const ticket = ticketText === null ? null : openTicket(context.deps.seal, ticketText);
  const visit = {
    ticket,
    ticketText,
    switchAccount: ticket?.switchAccount ?? false,
    named: LOCAL_WAY,
    wantsChoice: false,
  };
  return showForm(context, visit, { status: 403, problem });
}

async function showForm(context: Context, visit: Visit, state: FormState): Promise<Response> {
  const { deps, request, url, texts } = context;
  const preSession = ensurePreSession(deps, request, url.isSecure);
  const hasPasskeys = await deps.factors.hasPasskeys();
  const session = signInSession(context);
  const main = signInForm({
    texts,
    host: visit.ticket === null ? null : splitUrl(visit.ticket.origin).host,
    formToken: mintFormToken(deps, preSession.token),
    ticket: visit.ticketText,
    switchAccount: visit.switchAccount,
    name: state.name ?? '',
    problem: state.problem ?? null,
    notice: state.notice ?? null,
    passkey: hasPasskeys ? askForPasskey(context, preSession.token, []) : null,
    current: session === null || state.notice !== undefined ? null : currentOf(context, session.person, visit),
    othersUrl: waysOf(context).length > 1 ? othersUrl(context, visit.ticketText) : null,
  });
  // Chromium applies form-action to every redirect after the form, the app's own to its login included.
  const isPlain = !url.isSecure || visit.ticket?.origin.startsWith('http:') === true;
  const formAction = visit.ticket === null ? [] : [isPlain ? 'http:' : 'https:'];
  const retry = state.retryAfter === undefined ? {} : { retryAfter: state.retryAfter };
  const options: PageOptions = { cookies: [preSession.setCookie], formAction, hasScript: true, ...retry };
  const words = { title: texts.signIn.title, main, script: PAGE_SCRIPT_PATH };
  return answerPage(context, state.status, words, options);
}

/** Null where a ticket is given that is none of ours. */
function readVisit(context: Context, fields: URLSearchParams): Visit | null {
  const ticketText = fields.get('ticket');
  const wantsSwitch = fields.get('switch') === '1';
  const wish = { named: fields.get('provider'), wantsChoice: fields.get('choose') === '1' };
  if (ticketText === null) return { ticket: null, ticketText: null, switchAccount: wantsSwitch, ...wish };
  const ticket = openTicket(context.deps.seal, ticketText);
  if (ticket === null) return null;
  return { ticket, ticketText, switchAccount: wantsSwitch || ticket.switchAccount, ...wish };
}
