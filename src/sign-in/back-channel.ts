/**
 * `/.postern/backchannel-logout` on the sign-in host: a provider says that somebody signed out there
 * (OpenID Connect Back-Channel Logout 1.0). Validated in full, used once. A `sub` alone ends all sessions of the
 * person (section 2.4), a `sid` the one that it names (section 2.7: where that is over already, all is well), and
 * with a `sub` beside it those of the person whose `sid` the provider never said, since any may be meant. It counts for
 * a session that is being opened, too. Answers before the workers could let another request through, and tells a caller
 * nothing but yes or no.
 */
import { readForm, toResponse, type Context } from './context.ts';
import { plainHeaders } from './pages/error-page.ts';
import type { LogoutToken, Provider } from './provider.ts';

const MAX_TOKEN = 16_000;
/** Longer than a token can be of age. */
const REMEMBER_MS = 30 * 60_000;
const RETRY_SECONDS = 5;
const USED = 'the token was used before';

export async function handleBackChannelLogout(context: Context): Promise<Response> {
  const tokens = readForm(context)?.getAll('logout_token') ?? [];
  const token = tokens.length === 1 ? (tokens[0] ?? '') : '';
  if (token === '' || token.length > MAX_TOKEN) return refuse(context, null, 'there is not exactly one "logout_token"');
  // A document may have one client of an issuer under two names, as for another level of sign-in.
  const meant = context.deps.providers.list().filter((one) => one.isMeantBy?.(token) === true);
  if (meant.length === 0) return refuse(context, null, 'no provider of the document sent it');
  const answers: Response[] = [];
  for (const provider of meant) answers.push(await takeToken(context, provider, token));
  const first = (status: number): Response | undefined => answers.find((one) => one.status === status);
  return first(503) ?? first(200) ?? answer(400, { error: 'invalid_request' });
}

async function takeToken(context: Context, provider: Provider, token: string): Promise<Response> {
  const { deps, now } = context;
  const read = await provider.readLogoutToken?.(token);
  if (read === undefined) return refuse(context, provider, 'it takes no logout token');
  if (read.kind === 'refused') return refuse(context, provider, read.message);
  if (read.kind === 'unavailable') return answer(503, { error: 'temporarily_unavailable' });
  const use = `${provider.id} ${read.id}`;
  if (await deps.sessions.wasSpent('logout', use)) return refuse(context, provider, USED);
  // Before sessions are looked for: one that is written meanwhile is looked at by whoever writes it.
  deps.logouts.hear(provider, read);
  const ended = await endSessions(context, provider, read);
  // Only now: where the sessions could not be ended, the provider may say it again.
  const once = { until: now + REMEMBER_MS, owner: provider.id };
  if (!(await deps.sessions.spend('logout', use, once))) return refuse(context, provider, USED);
  report(context, provider, { refusal: null, ended });
  return answer(200, null);
}

/** Answers how many cookies ended. */
async function endSessions(
  { deps: { sessions } }: Context,
  { id }: Provider,
  { providerSession, subject }: Extract<LogoutToken, { kind: 'logout' }>,
): Promise<number> {
  if (providerSession === null) return subject === null ? 0 : sessions.revokeByPerson(id, subject);
  const named = await sessions.revokeByProviderSession(id, providerSession);
  // Any of the person's of which we were told no `sid` may be the one that is meant. The others are not.
  return subject === null ? named : named + (await sessions.revokeUnnamed(id, subject));
}

function refuse(context: Context, provider: Provider | null, refusal: string): Response {
  report(context, provider, { refusal });
  return answer(400, { error: 'invalid_request' });
}

interface Outcome {
  readonly refusal: string | null;
  readonly ended?: number;
}

function report({ deps, request }: Context, provider: Provider | null, outcome: Outcome): void {
  const { requestId } = request;
  deps.report?.({ kind: 'back-channel-logout', requestId, provider: provider?.id ?? null, ...outcome });
}

function answer(status: number, body: unknown): Response {
  const retry: [string, string][] = status === 503 ? [['Retry-After', String(RETRY_SECONDS)]] : [];
  const text = body === null ? '' : `${JSON.stringify(body)}\n`;
  return toResponse({ status, headers: [...plainHeaders(true), ...retry], body: text });
}
