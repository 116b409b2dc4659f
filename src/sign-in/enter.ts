/**
 * The sign-in host's part of the hand-off: a person is known, a ticket says where to. Asks the rules,
 * notices loops, then sends a one-time code that is good for one host, one sign-in session, one tab.
 */
import { LOCAL_PROVIDER } from '../session/accounts.ts';
import { answerPage, answerRedirect, toResponse, type Context } from './context.ts';
import { hostCookie, onlyCookie, purposeName, sessionTraits } from './cookies.ts';
import { refuseUnlisted } from './begin.ts';
import { deniedPage, type RefusingRule } from './pages/denied-page.ts';
import { html } from './pages/html.ts';
import { goToProvider } from './provider-flow.ts';
import { isNotTopLevel } from './request-kind.ts';
import { splitUrl } from './return-path.ts';
import { countRound, ROUNDS_LIFETIME_MS } from './rounds.ts';
import { isFresh, type Ticket } from './ticket.ts';
import type { SessionFacts } from './ports.ts';

export const CODE_LIFETIME_MS = 30_000;

/** What a one-time code stands for. */
export interface HandOff {
  readonly host: string;
  readonly parent: string;
  readonly nonceHash: string;
  readonly returnTo: string;
}

export interface Entrance {
  readonly ticket: Ticket;
  readonly ticketText: string;
  readonly session: SessionFacts;
  /** The password was typed a moment ago: no loop. */
  readonly isFreshSignIn: boolean;
  /** They were at the provider a moment ago to show a second factor. */
  readonly hasSteppedUp: boolean;
}

export async function enter(context: Context, entrance: Entrance): Promise<Response> {
  const { deps, request, settings, now } = context;
  const { ticket, session } = entrance;
  const target = splitUrl(ticket.origin + ticket.returnTo);
  if (!deps.isListedHost(target.host)) return refuseUnlisted(context);
  const { path, query } = target;
  const decision = await deps.mayEnter({ host: target.host, path, query, person: session.person, ip: request.ip });
  if (decision.needsSecondFactor === true) return askForSecondFactor(context, entrance);
  if (decision.kind !== 'allow')
    return refuseEntry(context, entrance, { host: target.host, rule: decision.refusedBy ?? null });

  const cookies: string[] = [];
  if (!entrance.isFreshSignIn) {
    const name = purposeName(deps.instance, 'rounds', context.url.isSecure);
    const round = countRound(onlyCookie(request, name), ticket.origin + ticket.returnTo, ticket.issuedAt, now);
    cookies.push(hostCookie(name, round.cookie, context.url.isSecure, round.cookie === '' ? 0 : ROUNDS_LIFETIME_MS));
    if (round.isLoop) return explainLoop(context, ticket, target.host, cookies);
  }

  // One cookie serves the domain, or the ticket is too old for a code: the app host begins again if it must.
  const isShared = sessionTraits(target.host, target.isSecure, settings.cookieDomain).domain !== null;
  if (ticket.nonceHash === null || ticket.flow === null || isShared || !isFresh(ticket, now)) {
    return answerRedirect(303, ticket.origin + ticket.returnTo, cookies);
  }
  const handOff: HandOff = {
    host: target.host,
    parent: session.key,
    nonceHash: ticket.nonceHash,
    returnTo: ticket.returnTo,
  };
  const code = await deps.sessions.mintCode(handOff, CODE_LIFETIME_MS);
  return answerRedirect(303, `${ticket.origin}/.postern/land?code=${code}&flow=${ticket.flow}`, cookies);
}

/** Where there is one it is asked for; else the person sets one up on the way. */
async function askForSecondFactor(context: Context, entrance: Entrance): Promise<Response> {
  const { session, ticketText } = entrance;
  const { provider, subject } = session.person;
  if (provider !== LOCAL_PROVIDER) return askProviderForFactor(context, entrance);
  const page = (await context.deps.factors.isEnrolled(subject)) ? 'second-step' : 'security';
  return answerRedirect(303, `/.postern/${page}?ticket=${ticketText}`);
}

/** Once: a provider that was asked and did not say so would be asked for ever. */
async function askProviderForFactor(
  context: Context,
  { session, ticketText, hasSteppedUp }: Entrance,
): Promise<Response> {
  const provider = context.deps.providers.find(session.person.provider);
  if (provider?.canStepUp === true && !hasSteppedUp && !isNotTopLevel(context.headers))
    return goToProvider(context, provider, { ticket: ticketText, switchAccount: false, isStepUp: true });
  const { title, text } = context.texts.security.providerNeeded(provider?.label ?? session.person.provider);
  const main = html`<h1>${title}</h1>
    <p class="soft">${text}</p>
    <a class="button quiet" href="/">${context.texts.goHome}</a>`;
  return answerPage(context, 403, { title, main });
}

function refuseEntry(
  context: Context,
  entrance: Entrance,
  { host, rule }: { readonly host: string; readonly rule: RefusingRule | null },
): Response {
  const { request, settings, headers } = context;
  return toResponse(
    deniedPage({
      host,
      rule,
      requestId: request.requestId,
      account: entrance.session.person,
      switchUrl: `/.postern/sign-in?switch=1&ticket=${entrance.ticketText}`,
      brand: settings.brand,
      acceptLanguage: headers.get('accept-language') ?? null,
    }),
  );
}

function explainLoop(context: Context, ticket: Ticket, host: string, cookies: readonly string[]): Response {
  const { loop, tryAgain, backToApp } = context.texts;
  const main = html`<h1>${loop.title}</h1>
    <p class="soft">${loop.text}</p>
    <ul class="soft">
      ${loop.reasons.map((reason) => html`<li>${reason}</li>`)}
    </ul>
    <a class="button" href="${ticket.origin + ticket.returnTo}">${tryAgain}</a>
    <a class="button quiet" href="${ticket.origin}/">${backToApp(host)}</a>`;
  return answerPage(context, 409, { title: loop.title, main }, { cookies });
}
