/**
 * The endpoints that people meet, joined. Never rejects: what nobody expected becomes a page with the request's
 * id, a store that does not answer becomes 503 and signs nobody out.
 */
import { PosternError } from '../../core/errors.ts';
import type { AuthSession } from '../auth-session.ts';
import type { FrontRequest } from '../front-request.ts';
import type { Flow } from '../ports.ts';
import { OWN_PAGES } from '../pages/custom-pages.ts';
import { createView } from '../pages/view.ts';
import { sendAnswer } from './answer.ts';
import { backChannelLogout } from './back-channel.ts';
import { callback } from './callback.ts';
import { createFlowContext, targetOf, type FlowContext } from './context.ts';
import type { FlowDeps } from './deps.ts';
import { sendProblem } from './problems.ts';
import { isOwnEndpoint, returnTarget } from './return-target.ts';
import { askToSignIn, signIn } from './sign-in.ts';
import { signOut } from './sign-out.ts';
import { start } from './start.ts';
import { sendStatic } from './static-files.ts';

export function createFlow(deps: FlowDeps): Flow {
  const { settings, provider, passwords, logo, templates = OWN_PAGES, version = '' } = deps;
  const hasForm = passwords !== null && settings.htpasswd?.showsForm === true;
  const context = createFlowContext(
    deps,
    createView({
      settings,
      providerName: settings.provider.kind === 'none' ? null : provider.displayName,
      hasForm,
      logo,
      templates,
      version,
    }),
  );
  const guarded =
    <Rest extends unknown[]>(endpoint: (context: FlowContext, request: FrontRequest, ...rest: Rest) => Promise<void>) =>
    (request: FrontRequest, ...rest: Rest): Promise<void> =>
      endpoint(context, request, ...rest).catch((error: unknown) => sendFailure(context, request, error));
  return {
    signIn: guarded(signIn),
    // Without a provider there is the form alone.
    start: guarded(settings.provider.kind === 'none' ? signIn : start),
    callback: guarded(callback),
    signOut: guarded(signOut),
    backChannelLogout: guarded(backChannelLogout),
    askToSignIn: guarded(askToSignIn),
    sendError: (request, status, message) => sendError(context, request, status, message),
    sendNotAdmitted: (request, session) => sendNotAdmitted(context, request, session),
    sendStatic: (request) => sendStatic(settings.paths.prefix, request),
  };
}

function sendFailure(context: FlowContext, request: FrontRequest, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof PosternError && error.code === 'STORE_UNAVAILABLE') {
    const cause = `The session store does not answer: ${message}`;
    const facts = { status: 503, words: 'store', redirect: '/', offers: 'back' } as const;
    return sendProblem(context, request, { ...facts, cause, isFault: true, error });
  }
  context.report({ kind: 'failed', request, message, remedy: null, error });
  sendError(context, request, 500, message);
}

function sendNotAdmitted(context: FlowContext, request: FrontRequest, session: AuthSession): void {
  const who = session.email === '' ? session.user : session.email;
  // In place of the sign-in page it is about `rd`.
  const isOwn = isOwnEndpoint(context.settings.paths.prefix, request.uri);
  const redirect = isOwn
    ? (targetOf(context, request, new URLSearchParams()) ?? '/')
    : returnTarget(context.targets, request, null);
  const cause = 'Not admitted: a rule of this address does not hold';
  sendProblem(context, request, {
    status: 403,
    words: 'not-admitted',
    who,
    cause,
    redirect,
    offers: 'another-account',
  });
}

/** A page of the status; `message` is for the log of whoever calls, and for the page with `show-debug-on-error`. */
function sendError(context: FlowContext, request: FrontRequest, status: number, message: string): void {
  const { view, settings } = context;
  const texts = view.textsOf(request);
  const words = texts.errors[String(status)] ?? texts.errors.other;
  const redirect = returnTarget(context.targets, request, null);
  const isDenied = status === 403;
  const start = `${settings.paths.prefix}/start?rd=${encodeURIComponent(redirect)}&postern_switch=1`;
  const answer = view.problem(request, {
    status,
    title: words.title,
    text: words.text,
    operator: null,
    account: null,
    debug: settings.pages.showsDebug ? message : null,
    next: isDenied ? { label: texts.useAnotherAccount, url: start } : { label: texts.tryAgain, url: redirect },
    redirect,
  });
  sendAnswer(request, answer, []);
}
