/** `/oauth2/sign_in`: the page, and the form of the password file. Also the page in place of an app. */
import { NO_SESSION, type AuthSession } from '../auth-session.ts';
import type { FrontRequest } from '../front-request.ts';
import { sendAnswer, sendRedirect } from './answer.ts';
import { placeOf, targetOf, type FlowContext } from './context.ts';
import type { PasswordFile } from './deps.ts';
import { startAtDotless } from './dotted-host.ts';
import { readForm } from './form.ts';
import { isFromTrustedPage } from './form-origin.ts';
import { sendProblem } from './problems.ts';
import { returnTarget } from './return-target.ts';
import { goToProvider, start } from './start.ts';

export async function signIn(context: FlowContext, request: FrontRequest): Promise<void> {
  const { passwords, settings } = context;
  if (request.exchange.request.method === 'POST' && passwords !== null) return checkForm(context, request, passwords);
  if (settings.skip.providerButton) return start(context, request);
  const form = await readForm(request.exchange);
  const redirect = form.kind === 'form' ? targetOf(context, request, form.fields) : null;
  if (form.kind !== 'form' || redirect === null) {
    const status = form.kind === 'form' ? 400 : form.status;
    const cause = 'Cannot read "rd": an escape is broken, or the form is too large';
    return sendProblem(context, request, { status, words: 'unreadable', cause, redirect: '/' });
  }
  sendPage(context, request, { status: 200, redirect });
}

/** In proxy mode: 403 and the page, or straight on to the provider. */
export async function askToSignIn(context: FlowContext, request: FrontRequest): Promise<void> {
  // The app's own parameters are none of ours: its `rd` does not decide where a sign-in ends.
  const redirect = returnTarget(context.targets, request, null);
  if (context.settings.skip.providerButton) {
    const led = startAtDotless(context, request, redirect);
    return led === null
      ? goToProvider(context, request, redirect, new URLSearchParams())
      : sendRedirect(request, led, []);
  }
  sendPage(context, request, { status: 403, redirect });
}

interface PageFacts {
  readonly status: number;
  readonly redirect: string;
  readonly user?: string;
  readonly problem?: string;
}

/**
 * Signs this browser out on the way: who sees the page is nobody (CVE-2026-34454). Not where an image or a fetch
 * gets the page that nobody sees: a late one would throw out the session that another tab has just opened.
 */
function sendPage(context: FlowContext, request: FrontRequest, facts: PageFacts): void {
  const { status, redirect, user = '', problem = null } = facts;
  const answer = context.view.signIn(request, { status, redirect, user, problem });
  const { headers } = request.exchange.request;
  const isSeen = (headers.get('sec-fetch-dest') ?? 'document') === 'document';
  const cookies = isSeen ? context.keeper.clear(headers, placeOf(request)) : [];
  sendAnswer(request, answer, cookies);
}

async function checkForm(context: FlowContext, request: FrontRequest, passwords: PasswordFile): Promise<void> {
  const form = await readForm(request.exchange);
  const redirect = form.kind === 'form' ? targetOf(context, request, form.fields) : null;
  if (form.kind !== 'form' || redirect === null) {
    const status = form.kind === 'form' ? 400 : form.status;
    return sendProblem(context, request, { status, words: 'unreadable', cause: 'Cannot read the form', redirect: '/' });
  }
  const { headers } = request.exchange.request;
  if (!isFromTrustedPage(context.targets.whitelist, request)) {
    const cause = `The password form came from another site: Origin "${headers.get('origin') ?? ''}"`;
    const remedy = 'let the front proxy pass Host and X-Forwarded-Proto as the browser has them';
    return sendProblem(context, request, { status: 403, words: 'foreign-form', cause, remedy, redirect });
  }
  // Longer ones are nobody's, and go neither to the log nor back to the page.
  const user = (form.fields.get('username') ?? '').slice(0, MAX_USER);
  await checkPassword(context, { request, redirect, user, password: form.fields.get('password') ?? '', passwords });
}

const MAX_USER = 256;

interface Attempt {
  readonly request: FrontRequest;
  readonly redirect: string;
  readonly user: string;
  readonly password: string;
  readonly passwords: PasswordFile;
}

async function checkPassword(context: FlowContext, attempt: Attempt): Promise<void> {
  const { request, redirect, user, password, passwords } = attempt;
  const { attempts, view, report } = context;
  const texts = view.textsOf(request);
  const refuse = (status: number, reason: string, problem: string): void => {
    report({ kind: 'refused', request, status, who: user, reason, remedy: null });
    sendPage(context, request, { status, redirect, user, problem });
  };
  if (user === '') return refuse(400, 'The user name is empty', texts.forwardAuth.emptyName);
  const turn = attempts.begin(user, request.clientIp);
  if (turn.kind === 'wait') {
    const seconds = Math.ceil(turn.retryAfterMs / 1_000);
    return refuse(429, 'Too many tries', texts.signIn.wait(texts.seconds(seconds)));
  }
  const verdict = await passwords.verify(user, password, request.clientIp);
  if (verdict === 'busy') {
    attempts.cancel(user, request.clientIp);
    return refuse(503, 'Too many passwords are being checked', texts.signIn.busy);
  }
  if (verdict === 'wrong') return refuse(401, 'The password does not fit', texts.signIn.wrong);
  attempts.succeed(user, request.clientIp);
  await enterWithPassword(context, attempt);
}

async function enterWithPassword(context: FlowContext, { request, redirect, user }: Attempt): Promise<void> {
  const { keeper, clock, settings, report, admission } = context;
  const session: AuthSession = {
    ...NO_SESSION,
    createdAt: clock.now(),
    user,
    groups: settings.htpasswd?.groups ?? [],
    via: 'htpasswd',
  };
  const verdict = admission.judge(session);
  if (verdict.kind === 'denied') {
    const cause = `Not admitted: ${verdict.reason}`;
    const remedy = 'give people of the password file a group that is allowed (htpasswd-user-groups)';
    const facts = { status: 403, words: 'not-admitted', cause, remedy, who: user, redirect, offers: 'back' } as const;
    return sendProblem(context, request, facts);
  }
  const cookies = await keeper.open(session, placeOf(request), request.exchange.request.headers);
  report({ kind: 'signed-in', request, session });
  sendRedirect(request, redirect, cookies);
}
