/**
 * The sign-in host's part of the hand-off: a person is known, a ticket says where to. Asks the rules,
 * notices loops, then sends a one-time code that is good for one host, one sign-in session, one tab.
 */
import { LOCAL_PROVIDER } from '../session/accounts.ts';
import { answerPage, answerRedirect, toResponse, type Context } from './context.ts';
import { hostCookie, isServedByDomain, onlyCookie, purposeName } from './cookies.ts';
import { refuseUnlisted } from './begin.ts';
import { namedProviders } from './choose.ts';
import { deniedPage, personLine } from './pages/denied-page.ts';
import { html } from './pages/html.ts';
import { goToProvider } from './provider-flow.ts';
import { isNotTopLevel } from './request-kind.ts';
import { splitUrl, type UrlParts } from './return-path.ts';
import { noteRefused } from './refused-entries.ts';
import { countRound, ROUNDS_LIFETIME_MS } from './rounds.ts';
import { isFresh, type Ticket } from './ticket.ts';
import type { Person } from '../core/person.ts';
import { describeStepUp } from '../policy/step-up.ts';
import type { StepUp } from '../policy/facts.ts';
import type { Provider } from './provider.ts';
import type { EntryDecision, SessionFacts } from './ports.ts';

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
  /** How often they were at the provider just now to show what the route asks for. */
  readonly stepUps: number;
  /** They went to the provider for another account, and it brought them back with this one. */
  readonly isSameAgain: boolean;
}

interface Judged {
  readonly target: UrlParts;
  readonly decision: EntryDecision;
}

/** What the person has not shown yet. */
interface Asked extends Judged {
  readonly needs: StepUp;
}

export async function enter(context: Context, entrance: Entrance): Promise<Response> {
  const { deps, request, settings, now } = context;
  const { ticket, session } = entrance;
  const target = splitUrl(ticket.origin + ticket.returnTo);
  if (!deps.isListedHost(target.host)) return refuseUnlisted(context);
  const { path, query } = target;
  const decision = await deps.mayEnter({ host: target.host, path, query, person: session.person, ip: request.ip });
  if (decision.needs !== undefined) return askForMore(context, entrance, { needs: decision.needs, target, decision });
  if (decision.kind !== 'allow') return refuseEntry(context, entrance, { target, decision });

  const cookies: string[] = [];
  if (!entrance.isFreshSignIn) {
    const name = purposeName(deps.instance, 'rounds', context.url.isSecure);
    const round = countRound(onlyCookie(request, name), ticket.origin + ticket.returnTo, ticket.issuedAt, now);
    cookies.push(hostCookie(name, round.cookie, context.url.isSecure, round.cookie === '' ? 0 : ROUNDS_LIFETIME_MS));
    if (round.isLoop) return explainLoop(context, ticket, target.host, cookies);
    if (await deps.lacksTokens?.(session.key, target)) return fetchTokens(context, entrance, cookies);
  }

  // One cookie serves the domain, or the ticket is too old for a code: the app host begins again if it must.
  const isShared = isServedByDomain(target, settings);
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

/** The app asks for the provider's token, which has ended: whoever is signed in there comes back at once, with another. */
async function fetchTokens(
  context: Context,
  { session, ticketText }: Entrance,
  cookies: readonly string[],
): Promise<Response> {
  const provider = context.deps.providers.find(session.person.provider);
  if (provider === null) return answerRedirect(303, '/', cookies);
  const away = await goToProvider(context, provider, {
    ticket: ticketText,
    switchAccount: false,
    renews: session.key,
  });
  for (const cookie of cookies) away.headers.append('Set-Cookie', cookie);
  return away;
}

/** A local account shows it here: the password again, then a second factor, which is set up on the way where there is none. */
async function askForMore(context: Context, entrance: Entrance, asked: Asked): Promise<Response> {
  const { session, ticketText } = entrance;
  const { needs } = asked;
  const { provider, subject } = session.person;
  if (provider !== LOCAL_PROVIDER) return askProvider(context, entrance, asked);
  if (needs.maxAgeMs !== null) return answerRedirect(303, `/.postern/sign-in?again=1&ticket=${ticketText}`);
  const page = (await context.deps.factors.isEnrolled(subject)) ? 'second-step' : 'security';
  return answerRedirect(303, `/.postern/${page}?ticket=${ticketText}`);
}

/** Once, or twice where it does not heed the age: a provider that was asked and does not say so would be asked for ever. */
async function askProvider(context: Context, entrance: Entrance, asked: Asked): Promise<Response> {
  const { needs } = asked;
  const { session, ticketText, stepUps } = entrance;
  const provider = context.deps.providers.find(session.person.provider);
  const mostTries = needs.maxAgeMs === null ? 1 : 2;
  if (provider?.canStepUp(needs) === true && stepUps < mostTries && !isNotTopLevel(context.headers))
    return goToProvider(context, provider, {
      ticket: ticketText,
      switchAccount: false,
      stepUp: { needs, tries: stepUps + 1 },
    });
  return noted(explainMissing(context, entrance, { needs, provider }), entrance, asked);
}

function explainMissing(
  context: Context,
  { session: { person }, ticketText }: Entrance,
  { needs, provider }: { readonly needs: StepUp; readonly provider: Provider | null },
): Response {
  const { texts, deps, request } = context;
  const isFactor = needs.secondFactor && needs.maxAgeMs === null && needs.acr.length === 0;
  const label = provider?.label ?? person.provider;
  deps.report?.({
    kind: 'provider-problem',
    requestId: request.requestId,
    ip: request.ip,
    provider: person.provider,
    reason: 'not-shown',
    message: `Route asks for ${describeStepUp(needs)}, but "${person.provider}" did not say so: ${factsOn(person)}`,
  });
  const { title, text } = isFactor ? texts.security.providerNeeded(label) : texts.security.proofNeeded(label);
  const main = html`<h1>${title}</h1>
    <p class="soft">${text}</p>
    ${personLine(texts.signedInAs, person)}
    <a class="button" href="/.postern/sign-in?switch=1&ticket=${ticketText}">${texts.useAnotherAccount}</a>
    <a class="button quiet" href="/">${texts.goHome}</a>`;
  return answerPage(context, 403, { title, main });
}

function factsOn({ acr = null, authenticatedAt = null, amr }: Person): string {
  const level = acr === null ? 'no "acr"' : `"acr" is ${JSON.stringify(acr)}`;
  const time =
    authenticatedAt === null ? 'no "auth_time"' : `"auth_time" is ${new Date(authenticatedAt).toISOString()}`;
  return `${level}, ${time}, "amr" is ${amr.length === 0 ? 'empty' : amr.join(' ')}`;
}

function refuseEntry(context: Context, entrance: Entrance, { target, decision }: Judged): Response {
  const { request, settings, headers, deps } = context;
  const { host } = target;
  const { isSameAgain, session } = entrance;
  const response = toResponse(
    deniedPage({
      host,
      rule: decision.refusedBy ?? null,
      unsaid: decision.unsaid ?? null,
      requestId: request.requestId,
      account: session.person,
      providers: namedProviders(context),
      sameAgainBy: isSameAgain ? (deps.providers.find(session.person.provider)?.label ?? null) : null,
      switchUrl: `/.postern/sign-in?switch=1&ticket=${entrance.ticketText}`,
      brand: settings.brand,
      acceptLanguage: headers.get('accept-language') ?? null,
    }),
  );
  return noted(response, entrance, { target, decision });
}

/** What is not judged here the host itself will have in the log. */
function noted(response: Response, { session: { person } }: Entrance, { target, decision }: Judged): Response {
  const { host, path, query } = target;
  if (decision.judged === undefined) return response;
  return noteRefused(response, {
    person: { provider: person.provider, name: person.name },
    wanted: { host, path, query },
    decision: decision.needs === undefined ? 'deny' : 'sign-in',
    judged: decision.judged,
  });
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
