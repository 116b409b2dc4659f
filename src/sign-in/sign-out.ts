/**
 * Signing out. GET asks and changes nothing; POST ends the sign-in session of this browser with every
 * app's session under it, or all sessions of the person. Ends on the sign-in host, whose cookie goes too.
 */
import { LINK_PROVIDER } from '../core/person.ts';
import { sessionCookieName } from '../session/token.ts';
import { answerPage, answerRedirect, readForm, type Context } from './context.ts';
import { readCookies, sessionCookie, sessionTraits } from './cookies.ts';
import { isFromOwnPage, mintFormToken, readFormToken } from './form-guard.ts';
import { namedProviders } from './choose.ts';
import { providerNameOf } from './pages/account-provider.ts';
import { html } from './pages/html.ts';
import { signedOutPage, signOutForm, signOutPage } from './pages/session-pages.ts';
import { refuseForm } from './refusals.ts';
import { readGrant } from './provider.ts';
import type { SessionFacts } from './ports.ts';

export function showSignOut(context: Context): Response {
  const { request, deps, texts } = context;
  if (request.session === null) return answerRedirect(303, signedOutUrl(context, false), [clearedCookie(context)]);
  const { person, key } = request.session;
  const providerName = providerNameOf(texts, person.provider, namedProviders(context));
  const main = signOutPage(texts, person, { formToken: mintFormToken(deps, key), providerName });
  return answerPage(
    context,
    200,
    { title: texts.signOut.title, main },
    {
      formAction: signOutTargets(context, request.session),
    },
  );
}

export async function postSignOut(context: Context): Promise<Response> {
  const { deps, headers, url, request } = context;
  const form = readForm(context);
  if (form === null || !isFromOwnPage(headers, url.origin)) return refuseForm(context);
  const { session } = request;
  if (session === null) return answerRedirect(303, signedOutUrl(context, false), [clearedCookie(context)]);
  if (readFormToken(deps, session.key, form.get('form') ?? '') === null) return refuseForm(context);
  // A link is many people's: who leaves ends nobody else's session by it.
  const isEverywhere = form.get('everywhere') === '1' && session.person.provider !== LINK_PROVIDER;
  const goOn = await providerLogout(context, session);
  // This browser's first: should the store fail in between, at least that one has ended.
  await deps.sessions.revoke(session.parent);
  if (isEverywhere) await deps.sessions.revokeByPerson(session.person.provider, session.person.subject);
  const kind = isEverywhere ? 'signed-out-everywhere' : 'signed-out';
  deps.report?.({ kind, requestId: request.requestId, ip: request.ip, account: session.person.name });
  return answerRedirect(303, goOn ?? signedOutUrl(context, isEverywhere), [clearedCookie(context)]);
}

/** Where signing out ends the session with the provider too; null: it ends here. */
async function providerLogout(context: Context, session: SessionFacts): Promise<string | null> {
  const { deps } = context;
  const provider = deps.providers.find(session.person.provider);
  const grant = provider === null ? null : readGrant(await deps.sessions.findGrant(session.parent));
  // The address is registered with the provider as it is: no query.
  return provider === null || grant === null ? null : provider.logoutUrl(grant, signedOutUrl(context, false));
}

/** Chromium applies `form-action` to the redirects after a form: to the sign-in host, and to a provider's address. */
export function signOutTargets({ settings, deps }: Context, session: SessionFacts): readonly string[] {
  const provider = deps.providers.find(session.person.provider);
  if (provider === null) return [settings.signInUrl];
  return [settings.signInUrl, provider.authority.startsWith('http:') ? 'http:' : 'https:'];
}

export function showSignedOut(context: Context): Response {
  const { request, deps, texts, query } = context;
  if (request.session === null) {
    const main = signedOutPage(texts, query.get('everywhere') === '1');
    return answerPage(context, 200, { title: texts.signOut.doneTitle, main }, { cookies: [clearedCookie(context)] });
  }
  const { title, text } = texts.signOut.stillSignedIn;
  const form = signOutForm(texts, mintFormToken(deps, request.session.key));
  const main = html`<h1>${title}</h1>
    <p class="lead">${text}</p>
    ${form}`;
  return answerPage(context, 200, { title, main }, { formAction: signOutTargets(context, request.session) });
}

function signedOutUrl(context: Context, isEverywhere: boolean): string {
  return `${context.settings.signInUrl}/.postern/signed-out${isEverywhere ? '?everywhere=1' : ''}`;
}

/** Removes this host's session cookie where the browser sent one. */
function clearedCookie(context: Context): string | null {
  const { deps, request, url, settings } = context;
  const traits = sessionTraits(url.host, url.isSecure, settings.cookieDomain);
  const name = sessionCookieName(deps.instance, traits);
  return readCookies(request).some(([one]) => one === name) ? sessionCookie(deps.instance, traits, '', 0) : null;
}
