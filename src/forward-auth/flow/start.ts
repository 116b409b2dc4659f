/** `/oauth2/start`: on to the provider with state, nonce and PKCE, all bound to a cookie of this browser. */
import type { FrontRequest } from '../front-request.ts';
import type { AuthProvider, ProviderAnswer } from '../ports.ts';
import { sendRedirect } from './answer.ts';
import { callbackUrl } from './callback-url.ts';
import { hostOf, SWITCH_PARAMETER, targetOf, type FlowContext } from './context.ts';
import { codeChallenge, newPending, nonceOf, type Pending } from './csrf-cookie.ts';
import { startWithoutDot } from './dotted-host.ts';
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
  const led = startWithoutDot(context, request, redirect, overrides);
  if (led !== null) return sendRedirect(request, led, []);
  const pending = newPending(context.clock);
  const state = writeState(context.keys(), { id: pending.id, redirect }, context.settings.redirects.encodeState);
  const { answer, method } = await loginUrl(context, {
    pending,
    redirectUri: callbackUrl(context.settings, request),
    state,
    overrides,
  });
  if (answer.kind !== 'ok') return sendUnavailable(context, request, redirect, answer);
  const begun = { ...pending, hasChallenge: method !== null };
  const cookies = context.csrf.add(request.exchange.request.headers, hostOf(request), begun);
  sendRedirect(request, answer.value, cookies);
}

interface Wish {
  readonly pending: Pick<Pending, 'secret'>;
  readonly redirectUri: string;
  readonly state: string;
  readonly overrides: URLSearchParams;
}

type ChallengeMethod = ReturnType<AuthProvider['codeChallengeMethod']>;

/**
 * Before the first sign-in a provider may not have said yet that it knows PKCE: it is asked once more when it
 * has, so that nobody is sent there without.
 */
async function loginUrl(
  context: FlowContext,
  wish: Wish,
): Promise<{ readonly answer: ProviderAnswer<string>; readonly method: ChallengeMethod }> {
  const { provider } = context;
  const method = provider.codeChallengeMethod();
  const answer = await askLoginUrl(context, wish, method);
  const now = provider.codeChallengeMethod();
  return now === method ? { answer, method } : { answer: await askLoginUrl(context, wish, now), method: now };
}

function askLoginUrl(
  { provider }: FlowContext,
  { pending, redirectUri, state, overrides }: Wish,
  method: ChallengeMethod,
): Promise<ProviderAnswer<string>> {
  return provider.loginUrl({
    redirectUri,
    state,
    nonce: provider.usesNonce ? nonceOf(pending) : null,
    codeChallenge: method === null ? null : { challenge: codeChallenge(pending, method), method },
    overrides,
    switchesAccount: overrides.has(SWITCH_PARAMETER),
  });
}

function sendUnavailable(
  context: FlowContext,
  request: FrontRequest,
  redirect: string,
  answer: Exclude<ProviderAnswer<string>, { kind: 'ok' }>,
): void {
  sendProblem(context, request, {
    status: answer.kind === 'refused' ? 500 : 503,
    words: 'unavailable',
    cause: `Cannot send anybody to sign in: ${answer.message}`,
    remedy: 'check the issuer URL and that this machine reaches it',
    isFault: true,
    redirect,
  });
}
