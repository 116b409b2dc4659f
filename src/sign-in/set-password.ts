/**
 * `/.postern/set-password?token=…`: GET shows whose link it is, POST sets the password once, ends the
 * account's sessions and signs in. No rules of composition: length is what counts (NIST SP 800-63B).
 */
import { answerPage, answerRedirect, readForm, type Context } from './context.ts';
import { ensurePreSession, isFromOwnPage, mintFormToken, readFormToken, readPreSession } from './form-guard.ts';
import { html } from './pages/html.ts';
import { setPasswordForm } from './pages/set-password-page.ts';
import { MAX_PASSWORD_BYTES } from './password.ts';
import { refuseForm } from './refusals.ts';
import { goToSecondStep } from './second-step.ts';
import { signInCookie, signInSession } from './sign-in-session.ts';
import type { SignInAccount } from './ports.ts';

export const MIN_PASSWORD = 10;
const BUSY_RETRY_SECONDS = 3;

export async function showSetPassword(context: Context): Promise<Response> {
  const token = context.query.get('token') ?? '';
  const account = await context.deps.accounts.peekLink(token);
  return account === null ? explainGone(context) : showForm(context, account, token, { status: 200, problem: null });
}

export async function postSetPassword(context: Context): Promise<Response> {
  const { deps, headers, url, request, texts } = context;
  const form = readForm(context);
  if (form === null || !isFromOwnPage(headers, url.origin)) return refuseForm(context);
  const token = form.get('token') ?? '';
  const account = await deps.accounts.peekLink(token);
  if (account === null) return explainGone(context);
  const preSession = readPreSession(deps, request, url.isSecure);
  if (preSession === null) return showForm(context, account, token, { status: 403, problem: texts.signIn.noCookies });
  if (readFormToken(deps, preSession, form.get('form') ?? '') === null) {
    return showForm(context, account, token, { status: 403, problem: texts.signIn.expired });
  }
  const password = form.get('password') ?? '';
  const problem = problemOf(context, account, password, form.get('again') ?? '');
  if (problem !== null) return showForm(context, account, token, { status: 400, problem });

  const made = await deps.hashPool.hash(password, request.ip ?? 'unknown');
  if (made.kind === 'busy') {
    return showForm(context, account, token, {
      status: 503,
      problem: texts.signIn.busy,
      retryAfter: BUSY_RETRY_SECONDS,
    });
  }
  const changed = await deps.accounts.consumeLink(token, made.hash);
  if (changed === null) return explainGone(context);
  deps.report?.({ kind: 'password-set', requestId: request.requestId, ip: request.ip, account: changed.name });
  const old = signInSession(context);
  if (old !== null) await deps.sessions.revoke(old.key);
  // A link replaces the password, not what comes after it.
  if (await deps.factors.isEnrolled(changed.subject)) return goToSecondStep(context, changed, { ticketText: null });
  const opened = await deps.accounts.openSignIn(changed.subject, url.host, ['pwd'], { verified: made.hash });
  if (opened === null) return answerRedirect(303, '/.postern/sign-in');
  return answerRedirect(303, '/?notice=password-set', [signInCookie(context, opened)]);
}

function problemOf(context: Context, account: SignInAccount, password: string, again: string): string | null {
  const texts = context.texts.setPassword;
  if (Array.from(password).length < MIN_PASSWORD) return texts.tooShort(MIN_PASSWORD);
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return texts.tooLong;
  if (password.toLowerCase() === account.name.toLowerCase()) return texts.likeName;
  return password === again ? null : texts.differ;
}

interface FormState {
  readonly status: number;
  readonly problem: string | null;
  readonly retryAfter?: number;
}

function showForm(context: Context, account: SignInAccount, token: string, state: FormState): Response {
  const { deps, request, url, texts } = context;
  const preSession = ensurePreSession(deps, request, url.isSecure);
  const formToken = mintFormToken(deps, preSession.token);
  const main = setPasswordForm({ texts, account, token, formToken, least: MIN_PASSWORD, problem: state.problem });
  const retry = state.retryAfter === undefined ? {} : { retryAfter: state.retryAfter };
  // The token is in this page's URL: not even our own pages get it as Referer.
  const options = { cookies: [preSession.setCookie], referrer: 'strict-origin' as const, ...retry };
  return answerPage(context, state.status, { title: texts.setPassword.title, main }, options);
}

function explainGone(context: Context): Response {
  const { title, text, operator } = context.texts.setPassword.gone;
  const main = html`<h1>${title}</h1>
    <p class="soft">${text}</p>
    <p class="soft">${operator} <code>postern user link NAME</code></p>
    <a class="button quiet" href="/">${context.texts.goHome}</a>`;
  return answerPage(context, 410, { title, main }, { referrer: 'no-referrer' });
}
