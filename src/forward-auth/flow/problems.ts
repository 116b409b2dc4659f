/** Sends the page that says what did not work, and tells the log the same with the cause and a remedy. */
import type { ForwardAuthProblem } from '../../sign-in/texts/texts.ts';
import type { FrontRequest } from '../front-request.ts';
import { sendAnswer } from './answer.ts';
import { SWITCH_PARAMETER, type FlowContext } from './context.ts';

export interface Problem {
  readonly status: number;
  readonly words: ForwardAuthProblem;
  /** For the log, and for the page with `show-debug-on-error`. */
  readonly cause: string;
  readonly remedy?: string;
  readonly who?: string;
  /** Ours, the provider's or the store's fault rather than the visitor's. */
  readonly isFault?: boolean;
  readonly error?: unknown;
  /** Where the visitor wanted to go. */
  readonly redirect: string;
  readonly cookies?: readonly string[];
  /** What the button offers; left out: signing in again. */
  readonly offers?: 'again' | 'another-account' | 'back';
}

export function sendProblem(context: FlowContext, request: FrontRequest, problem: Problem): void {
  const { status, words, cause, remedy = null, who = '', redirect } = problem;
  if (problem.isFault === true)
    context.report({ kind: 'failed', request, message: cause, remedy, error: problem.error });
  else context.report({ kind: 'refused', request, status, who, reason: cause, remedy });
  const { view, settings, provider } = context;
  const texts = view.textsOf(request);
  const own = texts.forwardAuth.problems[words];
  const answer = view.problem(request, {
    status,
    title: own.title,
    text: own.text(provider.displayName),
    operator: own.operator ?? null,
    account: words === 'not-admitted' && who !== '' ? who : null,
    debug: settings.pages.showsDebug ? cause : null,
    next: nextStep(context, request, problem),
    redirect,
  });
  sendAnswer(request, answer, problem.cookies ?? []);
}

function nextStep(
  { view, settings }: FlowContext,
  request: FrontRequest,
  { redirect, offers = 'again' }: Problem,
): { label: string; url: string } {
  const texts = view.textsOf(request);
  if (offers === 'back') return { label: texts.forwardAuth.back, url: redirect };
  const start = `${settings.paths.prefix}/start?rd=${encodeURIComponent(redirect)}`;
  if (offers === 'another-account') return { label: texts.useAnotherAccount, url: `${start}&${SWITCH_PARAMETER}=1` };
  return { label: texts.tryAgain, url: start };
}
