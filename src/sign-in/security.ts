/**
 * `/.postern/security` on the sign-in host: a person's own second factors. Changes need a recent password
 * and the second step where there is one; a session that has not shown both is asked for them.
 */
import { hasSecondFactor } from '../policy/facts.ts';
import { LOCAL_PROVIDER } from '../session/accounts.ts';
import { mintTotpSecret, totpUri } from '../session/totp.ts';
import { answerPage, answerRedirect, readForm, type Context, type PageOptions } from './context.ts';
import { isFromOwnPage, mintFormToken, readFormToken } from './form-guard.ts';
import { offerPasskey, readNewPasskey, passkeyAmr } from './passkeys.ts';
import { checkPassword } from './password.ts';
import { PAGE_SCRIPT_PATH } from './page-script.ts';
import { html } from './pages/html.ts';
import { addTotpPage, confirmPage, recoveryPage, securityPage, type Frame } from './pages/security-page.ts';
import { isNotTopLevel } from './request-kind.ts';
import { splitUrl } from './return-path.ts';
import { shownFactor } from './shown-factor.ts';
import { goToSecondStep } from './second-step.ts';
import { refuseForm } from './refusals.ts';
import { signInCookie, signInSession } from './sign-in-session.ts';
import { openTicket } from './ticket.ts';
import type { SessionFacts, SignInFactorWish } from './ports.ts';

/** How long ago the password may have been shown for second factors to be changed. */
const FRESH_MS = 15 * 60_000;
const MAX_NAME = 40;

/** The session of a local account, and the ticket that the page was asked for with. */
interface Visit {
  readonly session: SessionFacts;
  readonly ticketText: string | null;
}

export async function showSecurity(context: Context): Promise<Response> {
  const visit = readVisit(context, context.query.get('ticket'));
  if (visit instanceof Response) return visit;
  if (!(await mayChange(context, visit.session))) return showConfirm(context, visit, 200, null);
  if (context.query.get('add') === 'totp') return showAddTotp(context, visit, { status: 200, problem: null });
  return showOverview(context, visit, { status: 200, problem: null });
}

export async function postSecurity(context: Context): Promise<Response> {
  const { headers, url } = context;
  const form = readForm(context);
  if (form === null || !isFromOwnPage(headers, url.origin) || isNotTopLevel(headers)) return refuseForm(context);
  const visit = readVisit(context, form.get('ticket'));
  if (visit instanceof Response) return visit;
  if (readFormToken(context.deps, visit.session.key, form.get('form') ?? '') === null) return refuseForm(context);
  const intent = form.get('do');
  if (intent === 'confirm') return confirm(context, visit, form.get('password') ?? '');
  if (!(await mayChange(context, visit.session))) return showConfirm(context, visit, 403, null);
  switch (intent) {
    case 'totp':
      return addTotp(context, visit, form);
    case 'passkey':
      return addPasskey(context, visit, form);
    case 'remove':
      return remove(context, visit, form.get('id') ?? '');
    case 'recovery':
      return renewRecovery(context, visit);
    default:
      return refuseForm(context);
  }
}

function readVisit(context: Context, text: string | null): Visit | Response {
  const ticketText = text !== null && openTicket(context.deps.seal, text) !== null ? text : null;
  const session = signInSession(context);
  if (session === null) return toSignIn(ticketText);
  return session.person.provider === LOCAL_PROVIDER ? { session, ticketText } : explainForeign(context, session);
}

function toSignIn(ticketText: string | null): Response {
  return answerRedirect(303, ticketText === null ? '/.postern/sign-in' : `/.postern/sign-in?ticket=${ticketText}`);
}

/**
 * The password a moment ago, and the second factor where there is one: a session that a password opened before the
 * factor was set up has not shown it, and one that a code has renewed has not shown the password.
 */
async function mayChange({ deps, now }: Context, { person }: SessionFacts): Promise<boolean> {
  const { subject, amr, authenticatedAt = null } = person;
  if (authenticatedAt === null || Math.abs(now - authenticatedAt) >= FRESH_MS) return false;
  return hasSecondFactor(amr) || !(await deps.factors.isEnrolled(subject));
}

async function confirm(context: Context, visit: Visit, password: string): Promise<Response> {
  const { deps, request, texts, url } = context;
  const { person } = visit.session;
  const answer = await checkPassword(deps, person.name, password, request.ip);
  if (answer.kind === 'wait' || answer.kind === 'busy')
    return showConfirm(context, visit, 429, texts.signIn.wait(texts.seconds(answer.seconds)));
  if (answer.kind !== 'ok' || answer.account.subject !== person.subject)
    return showConfirm(context, visit, 403, texts.signIn.wrong);
  if (await deps.factors.isEnrolled(person.subject))
    return goToSecondStep(context, answer.account, { ticketText: visit.ticketText, next: 'security' });
  await deps.sessions.revoke(visit.session.key);
  const opened = await deps.accounts.openSignIn(person.subject, url.host, ['pwd'], { verified: answer.verified });
  if (opened === null) return answerRedirect(303, '/.postern/sign-in');
  return answerRedirect(303, `/.postern/security${ticketQuery(visit)}`, [signInCookie(context, opened)]);
}

async function addTotp(context: Context, visit: Visit, form: URLSearchParams): Promise<Response> {
  const { deps, texts } = context;
  const { person } = visit.session;
  const secret = deps.seal.unseal(totpPurpose(visit.session), form.get('secret') ?? '');
  if (typeof secret !== 'string') return refuseForm(context);
  const wish = wishOf(person, form, texts.security.totp);
  const id = await deps.factors.addTotp(person.subject, wish, secret, form.get('code') ?? '');
  if (id !== null) return added(context, visit, { id, amr: ['pwd', 'otp', 'mfa'] });
  if (!(await mayChange(context, visit.session))) return showConfirm(context, visit, 403, null);
  return showAddTotp(context, visit, { status: 403, problem: texts.secondStep.wrong, secret, name: nameOf(form, '') });
}

async function addPasskey(context: Context, visit: Visit, form: URLSearchParams): Promise<Response> {
  const { deps, texts } = context;
  const { key: binding, person } = visit.session;
  const passkey = await readNewPasskey(context, form.get('answer') ?? '', { binding, owner: person.subject });
  const wish = wishOf(person, form, texts.security.passkey);
  const id = passkey === null ? null : await deps.factors.addPasskey(person.subject, wish, passkey);
  if (passkey !== null && id !== null) {
    const isDeviceBound = passkey.isSynced === false;
    return added(context, visit, { id, amr: ['pwd', passkeyAmr({ isDeviceBound }), 'mfa'] });
  }
  if (!(await mayChange(context, visit.session))) return showConfirm(context, visit, 403, null);
  return showOverview(context, visit, { status: 403, problem: texts.secondStep.passkeyFailed });
}

/** A session that has shown none adds the first one: whoever set up another a moment before is to be asked for that. */
function wishOf({ amr }: SessionFacts['person'], form: URLSearchParams, otherwise: string): SignInFactorWish {
  return { name: nameOf(form, otherwise), isFirst: !hasSecondFactor(amr) };
}

interface AddedFactor {
  readonly id: string;
  /** What this session has proved by it. */
  readonly amr: readonly string[];
}

/** The first one raises what this session has proved; with it come the recovery codes. */
async function added(context: Context, visit: Visit, { id, amr }: AddedFactor): Promise<Response> {
  const { deps, url } = context;
  const { person, key } = visit.session;
  const { authenticatedAt = null } = person;
  const cookies: string[] = [];
  if (!hasSecondFactor(person.amr)) {
    const factor = shownFactor(deps.factors, person.subject, id);
    // It was removed in this very moment, and proves nothing.
    if (!(await factor.isThere())) return answerRedirect(303, `/.postern/security${ticketQuery(visit)}`);
    // What somebody has ended meanwhile is not gone on with.
    const isAlive = (await deps.sessions.revoke(key)) > 0;
    const proof = { authenticatedAt, factor };
    const opened = isAlive ? await deps.accounts.openSignIn(person.subject, url.host, amr, proof) : null;
    if (opened === null) return toSignIn(visit.ticketText);
    cookies.push(signInCookie(context, opened));
  }
  const codes = await deps.factors.makeRecovery(person.subject, 'missing');
  return codes === null
    ? answerRedirect(303, continueUrl(visit), cookies)
    : showRecovery(context, visit, { codes, cookies });
}

/** What it has opened elsewhere ends with it: it may have been stolen. */
async function remove(context: Context, visit: Visit, id: string): Promise<Response> {
  const { factors, sessions } = context.deps;
  const { person, key } = visit.session;
  const gone = (await factors.overview(person.subject)).factors.find((one) => one.id === id);
  if (gone !== undefined) {
    // Before it, too: a crash in between leaves nobody signed in by what is gone.
    await sessions.revokeByFactor(person, gone, key);
    await factors.remove(person.subject, gone.id);
    await sessions.revokeByFactor(person, gone, key);
  }
  return answerRedirect(303, `/.postern/security${ticketQuery(visit)}`);
}

/** They stand in for a second factor. Without one, whoever has only the password would keep some for later. */
async function renewRecovery(context: Context, visit: Visit): Promise<Response> {
  const codes = await context.deps.factors.makeRecovery(visit.session.person.subject, 'all');
  if (codes === null) return answerRedirect(303, `/.postern/security${ticketQuery(visit)}`);
  return showRecovery(context, visit, { codes, cookies: [] });
}

interface Recovery {
  readonly codes: readonly string[];
  readonly cookies: readonly string[];
}

function showRecovery(context: Context, visit: Visit, { codes, cookies }: Recovery): Response {
  const title = context.texts.security.recovery;
  return answerPage(context, 200, { title, main: recoveryPage(context.texts, codes, continueUrl(visit)) }, { cookies });
}

interface State {
  readonly status: number;
  readonly problem: string | null;
  readonly secret?: string;
  /** What the person has called it. */
  readonly name?: string;
}

async function showOverview(context: Context, visit: Visit, state: State): Promise<Response> {
  const { deps, texts } = context;
  const { person, key } = visit.session;
  const overview = await deps.factors.overview(person.subject);
  const ticket = visit.ticketText === null ? null : openTicket(deps.seal, visit.ticketText);
  const main = securityPage({
    ...frameOf(context, visit),
    person,
    ...overview,
    passkey: offerPasskey(context, key, person, await deps.factors.passkeysOf(person.subject)),
    notice: null,
    problem: state.problem,
    host: ticket === null ? null : splitUrl(ticket.origin).host,
  });
  const words = { title: texts.security.title, main, script: PAGE_SCRIPT_PATH };
  return answerPage(context, state.status, words, { hasScript: true });
}

async function showAddTotp(context: Context, visit: Visit, state: State): Promise<Response> {
  const { deps, settings, texts } = context;
  const { encode } = await import('uqr');
  const secret = state.secret ?? mintTotpSecret();
  const uri = await totpUri(secret, settings.brand.name, visit.session.person.name);
  const main = addTotpPage({
    ...frameOf(context, visit),
    secret,
    sealedSecret: deps.seal.seal(totpPurpose(visit.session), secret),
    code: encode(uri, { ecc: 'M', border: 0 }).data,
    name: state.name ?? '',
    problem: state.problem,
  });
  return answerPage(context, state.status, { title: texts.security.addTotp, main });
}

function showConfirm(context: Context, visit: Visit, status: number, problem: string | null): Response {
  const main = confirmPage(frameOf(context, visit), visit.session.person, problem);
  return answerPage(context, status, { title: context.texts.security.title, main });
}

function explainForeign(context: Context, { person }: SessionFacts): Response {
  const { title, foreign } = context.texts.security;
  const main = html`<h1>${title}</h1>
    <p class="soft">${foreign(context.deps.providers.find(person.provider)?.label ?? person.provider)}</p>
    <a class="button quiet" href="/">${context.texts.goHome}</a>`;
  const options: PageOptions = {};
  return answerPage(context, 200, { title, main }, options);
}

function frameOf({ deps, texts }: Context, { session, ticketText }: Visit): Frame {
  return { texts, formToken: mintFormToken(deps, session.key), ticket: ticketText };
}

function continueUrl({ ticketText }: Visit): string {
  return ticketText === null ? '/.postern/security' : `/.postern/sign-in?continue=signed-in&ticket=${ticketText}`;
}

function ticketQuery({ ticketText }: Visit): string {
  return ticketText === null ? '' : `?ticket=${ticketText}`;
}

function totpPurpose({ key }: SessionFacts): string {
  return `totp-secret/${key}`;
}

function nameOf(form: URLSearchParams, otherwise: string): string {
  const name = (form.get('name') ?? '')
    .replaceAll(/\p{Cc}/gu, '')
    .trim()
    .slice(0, MAX_NAME);
  return name === '' ? otherwise : name;
}
