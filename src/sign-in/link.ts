/**
 * `/.postern/link?token=…` on an app host: the page that a link leads to, and its button, which opens it. A GET opens
 * nothing: chats and mail scanners look at addresses before people do, and would use up what opens once.
 */
import { answerPage, answerRedirect, readForm, type Context } from './context.ts';
import { isUnder, sessionCookie, sessionTraits } from './cookies.ts';
import { isFromOwnPage } from './form-guard.ts';
import { html } from './pages/html.ts';
import { isNotTopLevel } from './request-kind.ts';

export async function showLink(context: Context): Promise<Response> {
  const { deps, query, url, texts } = context;
  const value = query.get('token') ?? '';
  const link = (await deps.links?.peek(value)) ?? null;
  if (link === null || link.host !== url.host || isInDomain(context)) return explain(context);
  if (canEnterAnyway(context, link.target)) return answerRedirect(303, url.origin + link.target);
  const { title, lead, open } = texts.link;
  const main = html`<h1>${title}</h1>
    <p class="soft">${lead(`${link.host}${link.target.split('?', 1)[0] ?? ''}`)}</p>
    <form method="post" action="/.postern/link">
      <input type="hidden" name="token" value="${value}" />
      <button type="submit">${open}</button>
    </form>`;
  return answerPage(context, 200, { title, main }, { referrer: 'no-referrer' });
}

export async function openLink(context: Context): Promise<Response> {
  const { deps, request, url, headers, now } = context;
  const value = readForm(context)?.get('token') ?? '';
  if (isInDomain(context)) return explain(context);
  if (isNotTopLevel(headers, 'app host') || !isFromOwnPage(headers, url.origin)) return explain(context);
  const link = (await deps.links?.peek(value)) ?? null;
  // One that is for another host is not used up by this one.
  const opened = link?.host === url.host ? await deps.links?.open(value) : null;
  if (opened === null || opened === undefined) return explain(context);
  const options = { authority: '', providerSession: null, grant: null, expiresAt: opened.link.expiresAt };
  const { token, view } = await deps.sessions.openSignIn(opened.person, url.host, options);
  // Whoever takes the link back ends the sessions that are there: this one was not, perhaps.
  if ((await deps.links?.isThere(opened.link.key)) !== true) {
    await deps.sessions.revoke(view.key);
    return explain(context);
  }
  deps.report?.({
    kind: 'signed-in',
    requestId: request.requestId,
    ip: request.ip,
    account: `link:${opened.link.name}`,
  });
  const cookie = sessionCookie(deps.instance, sessionTraits(url.host, url.isSecure, null), token, view.expiresAt - now);
  return answerRedirect(303, url.origin + opened.link.target, [cookie]);
}

/** One cookie for all its hosts leaves no room for one that is for a single place. */
function isInDomain({ settings, url }: Context): boolean {
  return settings.cookieDomain !== null && isUnder(url.host, settings.cookieDomain);
}

/** Somebody who is signed in, and may see it as who they are, keeps that session. */
function canEnterAnyway({ deps, request, url }: Context, target: string): boolean {
  const { session } = request;
  if (session === null) return false;
  const question = target.indexOf('?');
  const [path, query] = question === -1 ? [target, ''] : [target.slice(0, question), target.slice(question)];
  return deps.links?.isOpenTo({ host: url.host, path, query, person: session.person, ip: request.ip }) === true;
}

function explain(context: Context): Response {
  const { badTitle, badText } = context.texts.link;
  const main = html`<h1>${badTitle}</h1>
    <p class="soft">${badText}</p>`;
  return answerPage(context, 404, { title: badTitle, main }, { referrer: 'no-referrer' });
}
