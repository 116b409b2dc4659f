/**
 * What stands after "#" over a provider that shows a page of its own: no server sees it, and a browser forgets it at the first
 * page in between. So a page of ours comes before the provider and, where there was something to keep, one after it. The fragment
 * stays in the sessionStorage of the tab on the sign-in host: neither the provider nor we learn it. All that is told is a cookie
 * that says that there is one. Without script both pages go on by themselves, and the fragment is lost.
 */
import { hash } from 'node:crypto';
import { answerPage, answerRedirect, type Context } from './context.ts';
import { purposeName, readCookies } from './cookies.ts';
import { FLOW_LIFETIME_MS } from './flow.ts';
import { html, trusted, type Html } from './pages/html.ts';

/** As long as anybody's; what is longer is no link. */
const LONGEST_FRAGMENT = 8_000;

/** A script may not add to where it goes but what stands after "#": the address is the page's own. */
const AWAY = `(() => {
  const link = document.getElementById('go');
  const { hash } = location;
  try {
    if (hash.length > 1 && hash.length <= ${LONGEST_FRAGMENT}) {
      sessionStorage.setItem(link.dataset.key, hash);
      document.cookie = link.dataset.mark;
    }
  } catch {}
  location.replace(link.href);
})();`;
const BACK = `(() => {
  const link = document.getElementById('go');
  let hash = '';
  try {
    hash = sessionStorage.getItem(link.dataset.key) || '';
    sessionStorage.removeItem(link.dataset.key);
  } catch {}
  location.replace(link.href + (hash[0] === '#' ? hash : ''));
})();`;

export interface Departing {
  readonly url: string;
  readonly flowId: string;
  /** On the button, for whose browser does not go on by itself. */
  readonly label: string;
  readonly cookies: readonly (string | null)[];
}

/** To the provider: by a page where the document wants fragments kept, else by a redirect. */
export function depart(context: Context, { url, flowId, label, cookies }: Departing): Response {
  if (!context.settings.keepsFragment) return answerRedirect(303, url, cookies);
  const attributes = html` data-key="${keyOf(flowId)}" data-mark="${markOf(context)}"`;
  return goOn(context, { url, label, attributes, script: AWAY, cookies });
}

/** Back from the provider, to a page of the sign-in host: by a page where this browser keeps a fragment. */
export function comeBack(context: Context, { url, flowId, label, cookies }: Departing): Response {
  const name = markName(context);
  const isMarked = readCookies(context.request).some(([one]) => one === name);
  if (!isMarked) return answerRedirect(303, url, cookies);
  return goOn(context, { url, label, attributes: html` data-key="${keyOf(flowId)}"`, script: BACK, cookies });
}

interface GoingOn {
  readonly url: string;
  readonly label: string;
  readonly attributes: Html;
  /** A constant of this file. */
  readonly script: string;
  readonly cookies: readonly (string | null)[];
}

function goOn(context: Context, { url, label, attributes, script, cookies }: GoingOn): Response {
  const main = html`<h1>${context.texts.signIn.title}</h1>
    <a class="button" id="go" href="${url}" rel="nofollow noreferrer" ${attributes}>${label}</a>
    ${trusted(`<script>${script}</script>`)}`;
  const head = html`<noscript><meta http-equiv="refresh" content="0; url=${url}" /></noscript>`;
  const scripts = [`'sha256-${hash('sha256', script, 'base64')}'`];
  const page = answerPage(
    context,
    200,
    { title: context.texts.signIn.title, main, head },
    { scripts, cookies, referrer: 'no-referrer' },
  );
  // As the redirect that it stands for: an app that opened a window to sign in keeps it. There is nothing to press here.
  page.headers.set('Cross-Origin-Opener-Policy', 'unsafe-none');
  return page;
}

/** Of one tab and one way to a provider: tabs do not get each other's. */
function keyOf(flowId: string): string {
  return `postern-fragment-${flowId}`;
}

function markName(context: Context): string {
  return purposeName(context.deps.instance, 'fragment', context.url.isSecure);
}

/** Written by the script, so not HttpOnly. It says "1" of every tab: whoever plants it gets one page more. */
function markOf(context: Context): string {
  const secure = context.url.isSecure ? '; Secure' : '';
  return `${markName(context)}=1; Path=/; Max-Age=${FLOW_LIFETIME_MS / 1_000}; SameSite=Lax${secure}`;
}
