/**
 * `/.postern/second-step` on the sign-in host: a code of an authenticator app, a recovery code or a
 * passkey, after a password or for a session that has shown none yet. Until it is right nothing is
 * open: what the password has proved travels sealed and bound to this browser.
 */
import { hash } from 'node:crypto';
import { LOCAL_PROVIDER } from '../session/accounts.ts';
import { answerPage, answerRedirect, readForm, type Context } from './context.ts';
import { rememberLocal } from './choose.ts';
import { ensurePreSession, isFromOwnPage, mintFormToken, readFormToken, readPreSession } from './form-guard.ts';
import { askForPasskey, checkPasskey, passkeyAmr } from './passkeys.ts';
import { PAGE_SCRIPT_PATH } from './page-script.ts';
import { secondStepForm, type CodeField } from './pages/second-step-page.ts';
import { isNotTopLevel } from './request-kind.ts';
import { refuseForm } from './refusals.ts';
import { signInCookie, signInSession } from './sign-in-session.ts';
import { SHOWN_RECOVERY, shownFactor } from './shown-factor.ts';
import { openTicket } from './ticket.ts';
import type { ShownFactor } from '../session/accounts.ts';
import type { SignInAccount } from './ports.ts';

const PENDING_LIFETIME_MS = 10 * 60_000;
const PATH = '/.postern/second-step';

/** Where the second step leads besides a ticket. */
export type Next = 'home' | 'security';

/** Whose second step it is, and what has been proved before. */
interface Basis {
  readonly account: SignInAccount;
  /** The password hash that was checked; undefined where a session stands for it. */
  readonly verified: string | undefined;
  readonly next: Next;
  readonly pendingText: string | null;
}

/** The password was right and the account has a second factor: nothing is opened yet. */
export function goToSecondStep(
  context: Context,
  account: SignInAccount,
  { ticketText, next = 'home' }: { readonly ticketText: string | null; readonly next?: Next },
): Response {
  const { deps, request, url, now } = context;
  const preSession = ensurePreSession(deps, request, url.isSecure);
  const proved = [account.name, account.subject, proofOf(account), now, next];
  const pending = deps.seal.seal(purposeOf(preSession.token), proved);
  const ticket = ticketText === null ? '' : `&ticket=${ticketText}`;
  return answerRedirect(303, `${PATH}?pending=${pending}${ticket}`, [preSession.setCookie]);
}

export async function showSecondStep(context: Context): Promise<Response> {
  const { query } = context;
  const ticketText = readTicket(context, query.get('ticket'));
  const basis = await readBasis(context, query.get('pending'));
  return basis === null ? startAgain(ticketText) : showForm(context, basis, ticketText, { status: 200, problem: null });
}

export async function postSecondStep(context: Context): Promise<Response> {
  const { deps, headers, url, request, texts } = context;
  const form = readForm(context);
  if (form === null || !isFromOwnPage(headers, url.origin) || isNotTopLevel(headers)) return refuseForm(context);
  const ticketText = readTicket(context, form.get('ticket'));
  const basis = await readBasis(context, form.get('pending'));
  if (basis === null) return startAgain(ticketText);
  const preSession = readPreSession(deps, request, url.isSecure);
  if (preSession === null || readFormToken(deps, preSession, form.get('form') ?? '') === null)
    return showForm(context, basis, ticketText, { status: 403, problem: texts.signIn.expired });
  const answer = form.get('answer') ?? '';
  if (answer !== '') return takePasskey(context, basis, ticketText, { answer, preSession });
  const field = form.get('field') === 'recovery' ? 'recovery' : 'app';
  return takeCode(context, basis, ticketText, { typed: form.get('code') ?? '', field });
}

interface Code {
  readonly typed: string;
  /** Where it was typed: what is wrong with it is said there. */
  readonly field: CodeField;
}

async function takeCode(
  context: Context,
  basis: Basis,
  ticketText: string | null,
  { typed, field }: Code,
): Promise<Response> {
  const { deps, texts } = context;
  if (typed.trim() === '')
    return showForm(context, basis, ticketText, { status: 400, problem: texts.secondStep.empty, field });
  const checked = await deps.factors.checkCode(basis.account.subject, typed.slice(0, 64));
  switch (checked.kind) {
    case 'totp':
    case 'recovery':
      return finish(context, basis, ticketText, {
        amr: ['pwd', 'otp', 'mfa'],
        factor: checked.kind === 'totp' ? shown(context, basis, checked.factor) : SHOWN_RECOVERY,
      });
    case 'wait': {
      report(context, 'limited', basis.account.name);
      const seconds = Math.max(1, Math.ceil(checked.retryAfterMs / 1_000));
      const problem = texts.signIn.wait(texts.seconds(seconds));
      return showForm(context, basis, ticketText, { status: 429, problem, field, retryAfter: seconds });
    }
    default:
      report(context, 'refused', basis.account.name);
      return showForm(context, basis, ticketText, {
        status: 403,
        problem: isOfApp(typed) ? texts.secondStep.wrong : texts.secondStep.wrongRecovery,
        field,
      });
  }
}

/** What an app shows are digits, which people part by blanks; a recovery code needs no clock. */
function isOfApp(typed: string): boolean {
  return /^[\d\s]*$/.test(typed);
}

async function takePasskey(
  context: Context,
  basis: Basis,
  ticketText: string | null,
  { answer, preSession }: { readonly answer: string; readonly preSession: string },
): Promise<Response> {
  const found = await checkPasskey(context, answer, { binding: preSession, needsVerification: false });
  if (found === null || found.subject !== basis.account.subject) {
    report(context, 'refused', basis.account.name);
    return showForm(context, basis, ticketText, { status: 403, problem: context.texts.secondStep.passkeyWrong });
  }
  return finish(context, basis, ticketText, {
    amr: ['pwd', passkeyAmr(found), 'mfa'],
    factor: shown(context, basis, found.id),
  });
}

function shown({ deps }: Context, { account }: Basis, id: string): ShownFactor {
  return shownFactor(deps.factors, account.subject, id);
}

interface Proof {
  readonly amr: readonly string[];
  readonly factor: ShownFactor;
}

/** A new session id, as after every sign-in; what was open in this browser ends. */
async function finish(context: Context, basis: Basis, ticketText: string | null, proof: Proof): Promise<Response> {
  const { deps, url } = context;
  const old = signInSession(context);
  const ended = old === null ? 0 : await deps.sessions.revoke(old.key);
  // One that somebody has ended meanwhile stands for no password.
  if (basis.verified === undefined && ended === 0) return startAgain(ticketText);
  const opened = await deps.accounts.openSignIn(basis.account.subject, url.host, proof.amr, {
    verified: basis.verified,
    factor: proof.factor,
    // Where a session stands for the password, that one was shown back then.
    ...(basis.verified === undefined ? { authenticatedAt: old?.person.authenticatedAt ?? null } : {}),
  });
  if (opened === null) return startAgain(ticketText);
  report(context, 'signed-in', basis.account.name);
  const cookies = [signInCookie(context, opened), rememberLocal(context)];
  const ticket = ticketText === null ? '' : `ticket=${ticketText}`;
  if (basis.next === 'security') return answerRedirect(303, `/.postern/security${ticket && `?${ticket}`}`, cookies);
  if (ticketText !== null) return answerRedirect(303, `/.postern/sign-in?continue=signed-in&${ticket}`, cookies);
  return answerRedirect(303, proof.factor === SHOWN_RECOVERY ? '/?notice=recovery-used' : '/', cookies);
}

/** Null: neither a password nor a session stands behind the request. */
async function readBasis(context: Context, pendingText: string | null): Promise<Basis | null> {
  if (pendingText !== null) return readPending(context, pendingText);
  const session = signInSession(context);
  if (session === null || session.person.provider !== LOCAL_PROVIDER) return null;
  const account = await context.deps.accounts.findByName(session.person.name);
  if (account === null || account.subject !== session.person.subject || account.disabled) return null;
  if (!(await context.deps.factors.isEnrolled(account.subject))) return null;
  return { account, verified: undefined, next: 'home', pendingText: null };
}

async function readPending(context: Context, pendingText: string): Promise<Basis | null> {
  const { deps, request, url, now } = context;
  const preSession = readPreSession(deps, request, url.isSecure);
  const fields = preSession === null ? undefined : deps.seal.unseal(purposeOf(preSession), pendingText);
  if (!Array.isArray(fields) || fields.length !== 5) return null;
  const [name, subject, proof, at, next] = fields as unknown[];
  if (typeof at !== 'number' || now - at >= PENDING_LIFETIME_MS || now < at - 60_000) return null;
  const account = await deps.accounts.findByName(String(name));
  if (account === null || account.subject !== subject || account.disabled) return null;
  // Another password by now: what was proved is worth nothing any more.
  if (account.passwordHash === null || proofOf(account) !== proof) return null;
  return { account, verified: account.passwordHash, next: next === 'security' ? 'security' : 'home', pendingText };
}

function proofOf(account: SignInAccount): string {
  return hash('sha256', `password-proof/${account.passwordHash ?? ''}`, 'base64url');
}

function purposeOf(preSession: string): string {
  return `second-step/${preSession}`;
}

function readTicket(context: Context, text: string | null): string | null {
  return text !== null && openTicket(context.deps.seal, text) !== null ? text : null;
}

/** On the page that says which ways in there are. */
export function startAgain(ticketText: string | null): Response {
  return answerRedirect(303, ticketText === null ? '/.postern/sign-in' : `/.postern/sign-in?ticket=${ticketText}`);
}

function report(context: Context, kind: 'signed-in' | 'refused' | 'limited', account: string): void {
  const { deps, request } = context;
  deps.report?.({ kind, requestId: request.requestId, ip: request.ip, account });
}

interface FormState {
  readonly status: number;
  readonly problem: string | null;
  /** Which code it is about; left out: neither. */
  readonly field?: CodeField;
  readonly retryAfter?: number;
}

async function showForm(
  context: Context,
  basis: Basis,
  ticketText: string | null,
  state: FormState,
): Promise<Response> {
  const { deps, request, url, texts } = context;
  const preSession = ensurePreSession(deps, request, url.isSecure);
  const passkeys = await deps.factors.passkeysOf(basis.account.subject);
  const { factors } = await deps.factors.overview(basis.account.subject);
  const main = secondStepForm({
    texts,
    account: basis.account,
    formToken: mintFormToken(deps, preSession.token),
    pending: basis.pendingText,
    ticket: ticketText,
    takesCodes: factors.some(({ kind }) => kind === 'totp'),
    passkey: passkeys.length === 0 ? null : askForPasskey(context, preSession.token, passkeys),
    problem: state.problem,
    field: state.field ?? null,
  });
  const retry = state.retryAfter === undefined ? {} : { retryAfter: state.retryAfter };
  const options = { cookies: [preSession.setCookie], hasScript: true, formAction: ['https:'], ...retry };
  return answerPage(context, state.status, { title: texts.secondStep.title, main, script: PAGE_SCRIPT_PATH }, options);
}
