/**
 * What a provider did not do, on a page in our words: its own words go to the log. Whoever is kept out, rather than held up
 * by something that is wrong, has a decision in the log besides.
 */
import { redirectUriOf } from './callback-path.ts';
import { othersUrl, waysOf } from './choose.ts';
import { answerPage, type Context } from './context.ts';
import { problemPage } from './pages/provider-pages.ts';
import { noteRefused } from './refused-entries.ts';
import { splitUrl } from './return-path.ts';
import { signInSession } from './sign-in-session.ts';
import { openTicket } from './ticket.ts';
import type { Person } from '../core/person.ts';
import type { JudgedEntry, RefusedEntry } from './ports.ts';
import type { Provider, ProviderProblem } from './provider.ts';

const RETRY_SECONDS = 10;

const STATUS: Readonly<Record<ProviderProblem['reason'], number>> = {
  unavailable: 503,
  denied: 403,
  interaction: 403,
  scope: 502,
  registration: 502,
  invalid: 400,
  clock: 400,
  'not-admitted': 403,
  withheld: 403,
};

export interface Explained {
  readonly ticket: string | null;
  readonly cookies?: readonly string[];
  /** What is to be said of the provider besides: some of it once. */
  readonly notes?: readonly string[];
  /** Whom the rules refuse, where those were asked. */
  readonly refused?: { readonly person: Person; readonly judged: JudgedEntry } | null;
}

/** Somebody is kept out, in place of something being wrong. */
const REFUSES: ReadonlySet<ProviderProblem['reason']> = new Set(['denied', 'not-admitted', 'withheld']);

export function explainProblem(
  context: Context,
  provider: Provider,
  problem: ProviderProblem,
  explained: Explained,
): Response {
  const { texts, settings } = context;
  const { ticket, cookies = [], notes = [] } = explained;
  reportProblem(context, provider, problem, notes);
  const session = signInSession(context);
  // Else whoever is signed in comes to where they are refused, not to the provider.
  const isSwitch = problem.reason === 'not-admitted' || (session !== null && session.person.provider !== provider.id);
  const ticketPart = ticket === null ? '' : `&ticket=${ticket}`;
  const words = texts.provider.problems[problem.reason];
  const { setting } = problem;
  const redirectUri = redirectUriOf(settings.signInUrl, provider.id);
  const main = problemPage({
    texts,
    label: problem.about ?? provider.label,
    words,
    operator: setting === undefined ? words.operator : texts.provider.registrations[setting](redirectUri),
    againUrl: `/.postern/sign-in?provider=${provider.id}${isSwitch ? '&switch=1' : ''}${ticketPart}`,
    otherUrl: waysOf(context).length > 1 ? othersUrl(context, ticket) : null,
  });
  const retry = problem.reason === 'unavailable' ? { retryAfter: RETRY_SECONDS } : {};
  const title = words.title(problem.about ?? provider.label);
  const page = answerPage(
    context,
    STATUS[problem.reason],
    { title, main },
    { cookies, referrer: 'no-referrer', ...retry },
  );
  return REFUSES.has(problem.reason) ? noteRefused(page, refusedEntry(context, explained)) : page;
}

function refusedEntry({ deps }: Context, { ticket: text, refused = null }: Explained): RefusedEntry {
  const ticket = text === null ? null : openTicket(deps.seal, text);
  const { host, path, query } = splitUrl(ticket === null ? '' : ticket.origin + ticket.returnTo);
  return {
    person: refused === null ? null : { provider: refused.person.provider, name: refused.person.name },
    wanted: ticket === null ? null : { host, path, query },
    decision: 'deny',
    judged: refused?.judged ?? null,
  };
}

export function reportProblem(
  { request, deps }: Context,
  provider: Provider,
  problem: ProviderProblem & { readonly isAnybodys?: boolean },
  notes: readonly string[] = [],
): void {
  deps.report?.({
    kind: 'provider-problem',
    requestId: request.requestId,
    ip: request.ip,
    provider: provider.id,
    reason: problem.reason,
    message: problem.message,
    ...(problem.isAnybodys === true ? { isAnybodys: true } : {}),
    ...(notes.length === 0 ? {} : { notes }),
  });
}
