/**
 * Sign-in by GitHub (OAuth 2.0, an OAuth app or a GitHub App; github.com, Enterprise Server). A person is
 * the numeric id; the login is only a name, kept in lower case. Organisations and teams are groups:
 * "acme", "acme/platform". Membership is looked at again every `recheck`, in the background.
 */
import type { GithubProvider } from '../../config/document/providers.ts';
import type { Clock } from '../../core/clock.ts';
import { hash } from 'node:crypto';
import { assertNever } from '../../core/assert-never.ts';
import type { Person } from '../../core/person.ts';
import { parseEmailAddress } from '../../policy/email-address.ts';
import { canonicalGithubName, vouchesFor } from '../../policy/provider-kinds.ts';
import { isName } from '../oidc/claims.ts';
import { TLS_CODES } from '../oidc/problems.ts';
import { createNoteTeller } from '../note-teller.ts';
import { createProviderHttp, type ProviderHttp } from '../provider-http.ts';
import type { Registration } from '../texts/registration.ts';
import type {
  Finding,
  Begun,
  BeginWish,
  Callback,
  Finished,
  Provider,
  ProviderGrant,
  ProviderProblem,
  Refreshed,
} from '../provider.ts';
import { apiBaseOf, createGithubApi, GithubError, type GithubApi, type Withholding } from './api.ts';

const AHEAD_MS = 5 * 60_000;

export interface GithubDeps {
  readonly clock: Clock;
  readonly turn?: () => Promise<void>;
  readonly breathe?: (() => Promise<unknown>) | undefined;
  /** Organisations that rules name, in lower case. */
  readonly namedOrganisations: (provider: string) => readonly string[];
  readonly log: (level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>) => void;
}

interface Parts extends GithubDeps {
  readonly provider: GithubProvider;
  readonly http: ProviderHttp;
  readonly api: GithubApi;
}

/** What GitHub's token endpoint answers; errors come with 200 as well. */
interface TokenAnswer {
  readonly access_token?: unknown;
  readonly refresh_token?: unknown;
  readonly expires_in?: unknown;
  readonly error?: unknown;
}

export function createGithubProvider(provider: GithubProvider, deps: GithubDeps): Provider {
  const { url, caPem } = provider;
  const http = createProviderHttp({
    publicOrigin: url,
    internalUrl: null,
    caPem,
    isPatient: true,
    turn: deps.turn,
    breathe: deps.breathe,
  });
  const parts: Parts = { ...deps, provider, http, api: createGithubApi(http, apiBaseOf(url)) };
  const tellNotes = createNoteTeller(deps.clock, (note) => deps.log('warn', note, { provider: provider.id }));
  return {
    id: provider.id,
    label: provider.label,
    authority: url,
    pinsNames: true,
    canStepUp: () => false,
    warm: () => undefined,
    begin: (wish) => Promise.resolve(begin(parts, wish)),
    finish: (callback) => finish(parts, callback),
    async refresh(person, grant) {
      const refreshed = await refresh(parts, person, grant);
      if (refreshed.kind === 'known') tellNotes(person.subject, refreshed.notes);
      return refreshed;
    },
    // GitHub has no address for it: signing out ends the session here.
    logoutUrl: () => Promise.resolve(null),
    probe: (redirectUri) => probe(parts, redirectUri),
    close: http.close,
  };
}

function begin({ provider }: Parts, wish: BeginWish): Begun {
  const url = new URL(`${provider.url}/login/oauth/authorize`);
  url.search = new URLSearchParams({
    client_id: provider.clientId,
    redirect_uri: wish.redirectUri,
    scope: provider.scopes.join(' '),
    state: wish.state,
    code_challenge: hash('sha256', wish.codeVerifier, 'base64url'),
    code_challenge_method: 'S256',
    allow_signup: 'false',
    ...(wish.switchAccount ? { prompt: 'select_account' } : {}),
  }).toString();
  return { kind: 'go', url: url.href };
}

async function finish(parts: Parts, callback: Callback): Promise<Finished> {
  const { provider } = parts;
  const answered = only(callback.query, 'error');
  if (answered !== null) return { kind: 'problem', problem: explainAnswer(provider, answered) };
  const code = only(callback.query, 'code');
  if (code === null) return problem('invalid', provider, 'the callback has no code');
  try {
    const answer = await askForToken(parts, {
      code,
      redirect_uri: callback.redirectUri,
      code_verifier: callback.codeVerifier,
    });
    if (typeof answer.error === 'string') return { kind: 'problem', problem: explainAnswer(provider, answer.error) };
    const grant = grantOf(parts, answer, null);
    if (grant.accessToken === null) return problem('invalid', provider, 'the answer has no access token');
    const { person, withheld, organisations } = await personOf(parts, grant.accessToken);
    const notes = withheld.map((one) => noteOn(provider, one));
    return {
      kind: 'known',
      person,
      grant,
      notes,
      providerSession: null,
      refreshAt: refreshAtOf(parts, grant),
      organisations,
    };
  } catch (error) {
    return { kind: 'problem', problem: explainError(provider, error) };
  }
}

/** A parameter that is there exactly once. */
function only(query: URLSearchParams, name: string): string | null {
  const values = query.getAll(name);
  return values.length === 1 && values[0] !== '' ? (values[0] ?? null) : null;
}

async function askForToken(parts: Parts, parameters: Readonly<Record<string, string>>): Promise<TokenAnswer> {
  const { provider, http } = parts;
  const response = await http.fetch(`${provider.url}/login/oauth/access_token`, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ client_id: provider.clientId, client_secret: provider.clientSecret, ...parameters }),
  });
  if (response.status >= 500 || response.status === 429)
    throw new GithubError('unavailable', `the token endpoint answered ${response.status}`);
  // Of an app that it does not know GitHub says "Not Found".
  if (response.status === 404) return { error: 'not_found' };
  const body: unknown = await response.json().catch(() => null);
  if (typeof body !== 'object' || body === null)
    throw new GithubError('refused', `the token endpoint answered ${response.status} and no JSON`);
  return body;
}

interface Withheld {
  readonly organisation: string;
  readonly why: Withholding;
}

interface Found {
  readonly person: Person;
  /** Organisations that rules name and of which GitHub does not say whether the person is in. */
  readonly withheld: readonly Withheld[];
  /** Their numbers, by name. */
  readonly organisations: ReadonlyMap<string, string>;
}

async function personOf(parts: Parts, token: string): Promise<Found> {
  const { provider, api } = parts;
  const user = await api.user(token);
  const [emails, organisations, teams] = await Promise.all([
    provider.scopes.some((scope) => scope === 'user' || scope === 'user:email') ? api.emails(token) : [],
    api.organisations(token),
    api.teams(token),
  ]);
  const known = new Set<string>();
  const numbers = new Map<string, string>();
  const add = (login: string, number: string | null): void => {
    const name = canonicalGithubName('org', login);
    if (name === null) return;
    known.add(name);
    if (number !== null) numbers.set(name, number);
  };
  for (const { login, id } of organisations) add(login, id);
  const withheld: Withheld[] = [];
  for (const organisation of parts.namedOrganisations(provider.id)) {
    if (known.has(organisation)) continue;
    const membership = await api.membership(token, organisation);
    if (membership.kind === 'member') add(organisation, membership.id);
    else if (membership.kind !== 'none') withheld.push({ organisation, why: membership });
  }
  const login = canonicalGithubName('user', user.login);
  if (login === null) throw new GithubError('refused', `the login "${user.login.slice(0, 60)}" is none`);
  // A team counts only with its organisation: what is withheld above must not come in by the side.
  const inTeams = teams.all.flatMap((team) => canonicalGithubName('team', team) ?? []);
  const groups = [...known, ...inTeams.filter((team) => known.has(team.split('/', 1)[0] ?? ''))];
  const email = emails.find((one) => one.primary && one.verified)?.email ?? null;
  const address = email === null ? null : parseEmailAddress(email);
  const person: Person = {
    provider: provider.id,
    subject: String(user.id),
    name: login,
    displayName: user.name !== null && isName(user.name) ? user.name : user.login,
    email,
    emailVerified: address !== null && vouchesFor(provider, address.domain),
    groups: [...new Set(groups)],
    roles: [],
    ...(teams.isCut ? { cut: ['groups'] } : {}),
    ...(withheld.length === 0 ? {} : { withheld: withheld.map(({ organisation }) => organisation) }),
    amr: [],
  };
  return { person, withheld, organisations: numbers };
}

function noteOn(provider: GithubProvider, { organisation, why }: Withheld): string {
  const name = `Organisation "${organisation}"`;
  const settings = `${provider.url}/organizations/${organisation}/settings`;
  switch (why.kind) {
    case 'sso-required':
      return `${name} requires its single sign-on: the person has to authorise this app for it at ${provider.url}`;
    case 'app-not-approved':
      return `${name} restricts third-party apps, so its members cannot be told: an owner has to approve the app of "${provider.id}" at ${settings}/oauth_application_policy`;
    case 'address-not-allowed':
      return `${name} answers listed addresses alone, so its members cannot be told: an owner has to add the one of this server to the IP allow list at ${settings}/security`;
    case 'app-not-installed':
      return `${name} does not let the GitHub App of "${provider.id}" know its members: an owner has to install it there, with the organisation permission "Members: read"`;
    case 'refused':
      return `${name} does not say whether the person is a member: GitHub answered 403: ${why.said}`;
    default:
      return assertNever(why);
  }
}

function grantOf({ clock }: Parts, answer: TokenAnswer, before: ProviderGrant | null): ProviderGrant {
  const { access_token: access, refresh_token: renewal, expires_in: seconds } = answer;
  return {
    accessToken: typeof access === 'string' && access !== '' ? access : null,
    refreshToken: typeof renewal === 'string' ? renewal : (before?.refreshToken ?? null),
    idToken: null,
    expiresAt: typeof seconds === 'number' ? clock.now() + seconds * 1_000 : null,
  };
}

function refreshAtOf({ clock, provider }: Parts, grant: ProviderGrant): number {
  const byToken = grant.expiresAt === null ? Number.POSITIVE_INFINITY : grant.expiresAt - AHEAD_MS;
  return Math.max(clock.now() + 10_000, Math.min(byToken, clock.now() + provider.recheckMs));
}

async function refresh(parts: Parts, person: Person, before: ProviderGrant): Promise<Refreshed> {
  const { provider, clock } = parts;
  const ended = (why: string): Refreshed => ({
    kind: 'ended',
    message: `GitHub ended the session of "${person.name}": ${why}`,
  });
  let grant: ProviderGrant | null = null;
  try {
    grant = await renewToken(parts, before);
    if (grant === null || grant.accessToken === null) return ended('the token cannot be renewed');
    const found = await personOf(parts, grant.accessToken);
    if (found.person.subject !== person.subject) return ended('the token is of another person');
    const { person: fresh, organisations, withheld } = found;
    const notes = withheld.map((one) => noteOn(provider, one));
    return { kind: 'known', person: fresh, organisations, grant, refreshAt: refreshAtOf(parts, grant), notes };
  } catch (error) {
    if (error instanceof GithubError && error.kind === 'unauthorised') return ended(error.message);
    const until = error instanceof GithubError ? (error.until ?? ownRetryAt(parts, error, grant)) : null;
    const message = explainError(provider, error).message;
    const renewed = grant === null || grant === before ? {} : { grant };
    const retry = until === null ? {} : { retryAt: Math.max(until, clock.now()) };
    return { kind: 'unavailable', message, ...renewed, ...retry };
  }
}

/** With a token that counts: what is refused then is refused to this person. Null: others fare no better. */
function ownRetryAt(parts: Parts, { kind }: GithubError, grant: ProviderGrant | null): number | null {
  return grant !== null && (kind === 'refused' || kind === 'no-permission') ? refreshAtOf(parts, grant) : null;
}

/**
 * Tokens of OAuth apps last; those of GitHub Apps are renewed. Null: GitHub does not renew it. What is wrong with
 * us (a secret that was changed, a suspended app) says nothing of the person, and ends nobody's session.
 */
async function renewToken(parts: Parts, grant: ProviderGrant): Promise<ProviderGrant | null> {
  const isOld = grant.expiresAt !== null && parts.clock.now() >= grant.expiresAt - AHEAD_MS;
  if (!isOld || grant.refreshToken === null) return grant;
  const answer = await askForToken(parts, { grant_type: 'refresh_token', refresh_token: grant.refreshToken });
  if (typeof answer.error !== 'string') return grantOf(parts, answer, grant);
  if (answer.error === 'bad_refresh_token') return null;
  throw new GithubError('refused', whatAnswered(answer.error).what);
}

/** A code that is none: whether the app and its secret are known comes first in the answer. */
async function probe(parts: Parts, redirectUri: string): Promise<readonly Finding[]> {
  const { provider } = parts;
  try {
    const answer = await askForToken(parts, { code: 'postern-check', redirect_uri: redirectUri });
    if (answer.error === 'bad_verification_code')
      return [
        { ok: true, message: `"${provider.url}" answers, and knows the client and its secret` },
        // It looks at the address when somebody has signed in there.
        {
          ok: true,
          message: `the app there must have the callback URL "${redirectUri}": that shows at a sign-in only`,
        },
      ];
    return [{ ok: false, message: explainAnswer(provider, String(answer.error)).message }];
  } catch (error) {
    return [{ ok: false, message: explainError(provider, error).message }];
  }
}

function problem(reason: ProviderProblem['reason'], provider: GithubProvider, what: string): Finished {
  return { kind: 'problem', problem: { reason, message: `Sign-in by "${provider.id}" failed: ${what}` } };
}

/** Errors of the authorization and of the token endpoint, as GitHub documents them. */
const BY_ERROR: Readonly<
  Record<string, readonly [reason: ProviderProblem['reason'], remedy: string, setting?: Registration]>
> = {
  access_denied: ['denied', 'the person cancelled'],
  application_suspended: ['registration', 'GitHub suspended the app; write to its support'],
  redirect_uri_mismatch: ['registration', 'register the callback address with the app', 'redirect-uri'],
  not_found: ['registration', 'it knows no such app: check "client_id" and "url"', 'client'],
  incorrect_client_credentials: ['registration', 'check "client_id" and "client_secret"', 'client'],
  unverified_user_email: ['denied', 'the person has no verified e-mail address at GitHub'],
  bad_verification_code: ['invalid', 'the code was used before, has expired, or is none'],
};

function explainAnswer(provider: GithubProvider, error: string): ProviderProblem {
  const { what, ...kind } = whatAnswered(error);
  return { ...kind, message: `Sign-in by "${provider.id}" failed: ${what}` };
}

function whatAnswered(error: string): Pick<ProviderProblem, 'reason' | 'setting'> & { readonly what: string } {
  const known = Object.hasOwn(BY_ERROR, error) ? BY_ERROR[error] : undefined;
  const said = error.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100);
  const [reason, remedy, setting] = known ?? (['invalid', 'see the documentation of GitHub'] as const);
  const what = `GitHub answered "${said}"; ${remedy}`;
  return setting === undefined ? { reason, what } : { reason, what, setting };
}

const REASONS: Readonly<Record<GithubError['kind'], ProviderProblem['reason']>> = {
  limited: 'unavailable',
  unavailable: 'unavailable',
  unauthorised: 'invalid',
  refused: 'invalid',
  'no-permission': 'scope',
};

function explainError(provider: GithubProvider, error: unknown): ProviderProblem {
  const message = (what: string): string => `Sign-in by "${provider.id}" failed: ${what}`;
  if (error instanceof GithubError) {
    const setting = error.kind === 'no-permission' ? ({ setting: 'permission' } as const) : {};
    return { reason: REASONS[error.kind], message: message(error.message), ...setting };
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (TLS_CODES.test(code) || code.startsWith('ERR_SSL')) {
    const remedy = `name its CA by "ca" of "providers.${provider.id}"`;
    const what = `cannot trust "${provider.url}": ${code}; ${remedy}`;
    return { reason: 'unavailable', message: message(what), setting: 'address' };
  }
  const what = code === '' ? String(error) : code;
  const setting = code === 'ENOTFOUND' ? ({ setting: 'address' } as const) : {};
  return { reason: 'unavailable', message: message(`cannot reach "${provider.url}": ${what}`), ...setting };
}
