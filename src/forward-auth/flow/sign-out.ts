/**
 * `/oauth2/sign_out`: ends the session here, tells the provider where `backend-logout-url` says so, and goes
 * on to `rd`, which may be the provider's own sign-out with `{id_token}`. Works without a session as well.
 */
import type { AuthSession } from '../auth-session.ts';
import type { FrontRequest } from '../front-request.ts';
import { sendRedirect } from './answer.ts';
import { placeOf, targetOf, type FlowContext } from './context.ts';
import { readForm } from './form.ts';
import { sendProblem } from './problems.ts';
import { mayTakeIdToken } from './token-hosts.ts';

const PLACEHOLDER = '{id_token}';

export async function signOut(context: FlowContext, request: FrontRequest, session: AuthSession | null): Promise<void> {
  const form = await readForm(request.exchange);
  const target = form.kind === 'form' ? targetOf(context, request, form.fields) : null;
  const redirect = target ?? '/';
  if (isForeignSubresource(request)) {
    const cause = 'Another site tried to sign somebody out by an image, a script or the like';
    const facts = { status: 403, words: 'foreign-sign-out', cause, redirect: '/', offers: 'back' } as const;
    return sendProblem(context, request, facts);
  }
  const cookies = await context.keeper.end(request.exchange.request.headers, placeOf(request));
  const idToken = session?.idToken ?? '';
  await tellProvider(context, request, idToken);
  context.report({ kind: 'signed-out', request, session });
  const isTaken = hasPlaceholder(redirect) && idToken !== '' && (await mayTakeIdToken(context, request, redirect));
  sendRedirect(request, withIdToken(redirect, isTaken ? idToken : ''), cookies);
}

/**
 * An image or a script of a stranger's page. Links, redirects, frames of a provider's sign-out and an app's own
 * fetch pass: people sign out that way.
 */
function isForeignSubresource(request: FrontRequest): boolean {
  const { headers } = request.exchange.request;
  return headers.get('sec-fetch-site') === 'cross-site' && headers.get('sec-fetch-mode') === 'no-cors';
}

function hasPlaceholder(redirect: string): boolean {
  return /(?:\{|%7B)id_token(?:\}|%7D)/i.test(redirect);
}

/** Without a token the parameter that would hold it is left out: a provider takes no literal "{id_token}". */
export function withIdToken(redirect: string, idToken: string): string {
  // Where the address was escaped on its way, the braces were too.
  const placed = redirect.replaceAll(/%7Bid_token%7D/gi, PLACEHOLDER);
  if (!placed.includes(PLACEHOLDER)) return redirect;
  if (idToken !== '') return placed.replaceAll(PLACEHOLDER, encodeURIComponent(idToken));
  const bare = placed.replaceAll(/([?&])[^?&#]*\{id_token\}[^?&#]*/g, '$1').replaceAll(PLACEHOLDER, '');
  return bare
    .replace('?&', '?')
    .replaceAll(/&{2,}/g, '&')
    .replace(/[?&](?=#|$)/, '');
}

async function tellProvider(context: FlowContext, request: FrontRequest, idToken: string): Promise<void> {
  const address = context.settings.provider.backendLogoutUrl;
  if (address === null || idToken === '') return;
  try {
    const status = await context.callProvider(address.replaceAll(PLACEHOLDER, encodeURIComponent(idToken)));
    if (status >= 200 && status < 400) return;
    fail(context, request, `it answered ${status}`);
  } catch (error) {
    fail(context, request, (error as Error).message, error);
  }
}

function fail({ report }: FlowContext, request: FrontRequest, reason: string, error?: unknown): void {
  const message = `Cannot end the session at the provider: ${reason}`;
  report({ kind: 'failed', request, message, remedy: 'check backend_logout_url', error });
}
