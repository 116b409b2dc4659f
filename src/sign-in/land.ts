/**
 * The app host's end of the hand-off: `/.postern/land?code=…&flow=…`. Opens a session here if the code
 * is for this host and this tab's nonce cookie is there; of every code one try counts. Answers 303,
 * so that the code is in no history and no Referer.
 */
import { isToken } from '../session/token.ts';
import { answerPage, answerRedirect, type Context } from './context.ts';
import { flowCookieName, refuseUnlisted } from './begin.ts';
import { hostCookie, onlyCookie, sessionCookie, sessionTraits } from './cookies.ts';
import type { HandOff } from './enter.ts';
import { html } from './pages/html.ts';
import { isNotTopLevel } from './request-kind.ts';
import { safeReturnPath } from './return-path.ts';
import { hashNonce, isFlowId } from './ticket.ts';

export async function handleLand(context: Context): Promise<Response> {
  const { deps, request, query, url, now } = context;
  // A reload may have taken the host away since it was begun: of what `default:` serves the name is the visitor's.
  if (!deps.isListedHost(url.host)) return refuseUnlisted(context);
  const code = query.get('code') ?? '';
  const flow = query.get('flow') ?? '';
  if (isNotTopLevel(context.headers, 'app host') || !isToken(code) || !isFlowId(flow)) return explain(context, []);
  const cookieName = flowCookieName(context, flow);
  const nonce = onlyCookie(request, cookieName);
  // Without the tab's cookie the code stays as it is: whoever only has the URL can do nothing, not even spoil it.
  if (nonce === null) return finishedBefore(context) ?? explain(context, []);
  const dropNonce = hostCookie(cookieName, '', url.isSecure, 0);
  const handOff = readHandOff(await deps.sessions.redeemCode(code));
  if (handOff === null || handOff.host !== url.host || handOff.nonceHash !== hashNonce(nonce)) {
    return explain(context, [dropNonce]);
  }
  const returnTo = safeReturnPath(handOff.returnTo, url.origin) ?? '/';
  const opened = await deps.sessions.openChild(handOff.parent, url.host);
  if (opened === null) return explain(context, [dropNonce]);
  // A session of another sign-in must not live on beside the new one: a planted one least of all.
  if (request.session !== null && request.session.parent !== opened.view.parent)
    await deps.sessions.revoke(request.session.key);
  const traits = sessionTraits(url.host, url.isSecure, null);
  const cookie = sessionCookie(deps.instance, traits, opened.token, opened.view.expiresAt - now);
  return answerRedirect(303, url.origin + returnTo, [cookie, dropNonce]);
}

/** The back button, or a reload: the code is used, and its session is there. */
function finishedBefore(context: Context): Response | null {
  return context.request.session === null ? null : answerRedirect(303, `${context.url.origin}/`);
}

function explain(context: Context, cookies: readonly string[]): Response {
  const { landing, tryAgain } = context.texts;
  const main = html`<h1>${landing.title}</h1>
    <p class="soft">${landing.text}</p>
    <a class="button" href="/">${tryAgain}</a>`;
  return answerPage(context, 400, { title: landing.title, main }, { cookies, referrer: 'no-referrer' });
}

function readHandOff(value: unknown): HandOff | null {
  if (typeof value !== 'object' || value === null) return null;
  const { host, parent, nonceHash, returnTo } = value as Record<string, unknown>;
  const areTexts = typeof host === 'string' && typeof parent === 'string' && typeof nonceHash === 'string';
  return areTexts && typeof returnTo === 'string' ? { host, parent, nonceHash, returnTo } : null;
}
