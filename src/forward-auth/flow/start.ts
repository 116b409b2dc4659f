/** `/oauth2/start`: on to the provider with state, nonce and PKCE, all bound to a cookie of this browser. */
import type { FrontRequest } from '../front-request.ts';
import { sendRedirect } from './answer.ts';
import { callbackUrl } from './callback-url.ts';
import { hostOf, SWITCH_PARAMETER, targetOf, type FlowContext } from './context.ts';
import { codeChallenge, nonceOf } from './csrf-cookie.ts';
import { readForm } from './form.ts';
import { sendProblem } from './problems.ts';
import { writeState } from './state.ts';

export async function start(context: FlowContext, request: FrontRequest): Promise<void> {
  const form = await readForm(request.exchange);
  const redirect = form.kind === 'form' ? targetOf(context, request, form.fields) : null;
  if (form.kind !== 'form' || redirect === null) {
    const status = form.kind === 'form' ? 400 : form.status;
    const cause = 'Cannot read the parameters: an escape is broken, or the form is too large';
    return sendProblem(context, request, { status, words: 'unreadable', cause, redirect: '/' });
  }
  await goToProvider(context, request, redirect, new URLSearchParams(request.exchange.request.query));
}

/** `overrides`: what the person's own query may change of the provider's address. */
export async function goToProvider(
  context: FlowContext,
  request: FrontRequest,
  redirect: string,
  overrides: URLSearchParams,
): Promise<void> {
  const { provider, csrf, settings } = context;
  const { pending, cookies } = csrf.begin(request.exchange.request.headers, hostOf(request));
  const method = provider.codeChallengeMethod();
  const answer = await provider.loginUrl({
    redirectUri: callbackUrl(settings, request),
    state: writeState(context.keys(), { id: pending.id, redirect }, settings.redirects.encodeState),
    nonce: provider.usesNonce ? nonceOf(pending) : null,
    codeChallenge: method === null ? null : { challenge: codeChallenge(pending, method), method },
    overrides,
    switchesAccount: overrides.has(SWITCH_PARAMETER),
  });
  if (answer.kind === 'ok') return sendRedirect(request, answer.value, cookies);
  sendProblem(context, request, {
    status: answer.kind === 'refused' ? 500 : 503,
    words: 'unavailable',
    cause: `Cannot send anybody to sign in: ${answer.message}`,
    remedy: 'check the issuer URL and that this machine reaches it',
    isFault: true,
    redirect,
  });
}
