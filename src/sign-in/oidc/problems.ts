/**
 * From what went wrong with a provider to what the visitor is told and what the log says. The log names
 * the cause and what to change; the page the kind, and which setting. Neither holds a token, a code or a claim.
 */
import { errors } from 'jose';
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import type { OidcProvider } from '../../config/document/providers.ts';
import { Outage } from '../oauth/failures.ts';
import type { ProblemReason, ProviderProblem } from '../provider.ts';
import type { Registration } from '../texts/registration.ts';
import { IssuerMismatchError, PlainKeysError } from './discovery.ts';
import { KeysUnavailableError } from './keys.ts';

/** Errors of RFC 6749 section 4.1.2.1 and OpenID Connect Core section 3.1.2.6. */
const BY_ERROR: Readonly<Record<string, ProblemReason>> = {
  access_denied: 'denied',
  login_required: 'interaction',
  interaction_required: 'interaction',
  consent_required: 'interaction',
  account_selection_required: 'interaction',
  temporarily_unavailable: 'unavailable',
  server_error: 'unavailable',
  invalid_scope: 'scope',
  invalid_client: 'registration',
  unauthorized_client: 'registration',
  invalid_request: 'registration',
  unsupported_response_type: 'registration',
  unmet_authentication_requirements: 'not-admitted',
};
const TIMES: ReadonlySet<unknown> = new Set(['exp', 'nbf', 'iat']);
/** Codes of Node and openid-client that say: nobody answered. */
export const UNREACHED: RegExp =
  /^(?:ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|UND_ERR|OAUTH_TIMEOUT|OAUTH_ABORT)/;
/** Codes of OpenSSL that say: somebody answered who cannot be trusted. */
export const TLS_CODES: RegExp = /^(?:CERT_|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO)/;

/** OpenSSL met plain text. */
const NO_TLS = /wrong version number|packet length too long|record layer failure/i;

/** What neither openid-client nor jose looks at in an ID token. */
export class IdTokenError extends Error {
  constructor(what: string) {
    super(`the token is not right: ${what}`);
    this.name = 'IdTokenError';
  }
}

/** Userinfo answered, and says no to the token of this person. */
export class UserinfoRefusal extends Error {
  constructor(status: number) {
    super(`userinfo answered ${status} to the person's token`);
    this.name = 'UserinfoRefusal';
  }
}

/** Null: nobody said no. */
export function userinfoRefusalOf(error: unknown): UserinfoRefusal | null {
  for (const one of chainOf(error)) {
    const status = one instanceof Response || one instanceof WWWAuthenticateChallengeError ? one.status : 0;
    // Without such a place, in a crowd, or out of time: it is so for others, too.
    if (status >= 400 && status < 500 && ![404, 408, 429].includes(status)) return new UserinfoRefusal(status);
  }
  return null;
}

/** Errors of the token endpoint that are about the client, or the provider itself, whoever is asked about. */
const OF_CLIENT: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'invalid_request',
  'unsupported_grant_type',
  'temporarily_unavailable',
  'server_error',
]);

/**
 * Answers to a refresh by which the provider takes somebody out: the token counts no more (RFC 6749 section 5.2), a rule
 * refuses them (Auth0), or they have to come in person (Entra ID, OpenID Connect Core section 3.1.2.6).
 */
const ENDING: ReadonlySet<string> = new Set([
  'invalid_grant',
  'access_denied',
  'interaction_required',
  'login_required',
  'consent_required',
]);

export function endsSession(error: unknown): boolean {
  return error instanceof ResponseBodyError && error.status < 500 && ENDING.has(error.error);
}

/** Whether a refresh failed for this person, and may well not fail for others. `hasTokens`: it gave new tokens first. */
export function isOfOnePerson(provider: OidcProvider, error: unknown, hasTokens: boolean): boolean {
  if (error instanceof ResponseBodyError)
    return error.status < 500 && error.status !== 429 && !OF_CLIENT.has(error.error);
  return hasTokens && (error instanceof UserinfoRefusal || read(provider, error).reason === 'invalid');
}

/** The same where the sign-in goes on without. */
export function whatFailed(provider: OidcProvider, error: unknown): string {
  return read(provider, error).what;
}

export function explainProblem(provider: OidcProvider, error: unknown): ProviderProblem {
  const { reason, what, setting } = read(provider, error);
  const message = `Sign-in by "${provider.id}" failed: ${what}`;
  return setting === undefined ? { reason, message } : { reason, message, setting };
}

interface Reading {
  readonly reason: ProblemReason;
  readonly what: string;
  readonly setting?: Registration;
}

// oxlint-disable-next-line complexity -- a list of kinds, each its own early return
function read(provider: OidcProvider, error: unknown): Reading {
  if (error instanceof AuthorizationResponseError)
    return ofAnswer(provider, { error: error.error, description: error.error_description, status: 0 });
  if (error instanceof ResponseBodyError)
    return ofAnswer(provider, { error: error.error, description: error.error_description, status: error.status });
  if (error instanceof WWWAuthenticateChallengeError)
    return {
      reason: 'registration',
      what: `the provider refused the client (${error.status}); check "client_secret"`,
      setting: 'client',
    };
  if (error instanceof UserinfoRefusal)
    return { reason: 'registration', what: `${error.message}; check "scopes" of "providers.${provider.id}"` };
  if (error instanceof IssuerMismatchError) return { reason: 'registration', what: error.message, setting: 'issuer' };
  if (error instanceof PlainKeysError) return { reason: 'registration', what: error.message };
  for (const one of chainOf(error)) {
    if (one instanceof Outage || one instanceof KeysUnavailableError)
      return { reason: 'unavailable', what: one.message };
    const outage = outageOf(one, provider);
    if (outage !== null) return outage;
    if (one instanceof errors.JWTExpired) return clock(provider, 'exp', one.payload['exp']);
    if (one instanceof errors.JWTClaimValidationFailed)
      return TIMES.has(one.claim) && one.reason === 'check_failed'
        ? clock(provider, one.claim, one.payload[one.claim])
        : { reason: 'invalid', what: `claim "${one.claim}" of the token is not right: ${one.message}` };
    if (one instanceof errors.JOSEError) return { reason: 'invalid', what: `the token is not right: ${one.message}` };
  }
  return ofClient(provider, error);
}

interface Answer {
  readonly error: string;
  readonly description: string | undefined;
  readonly status: number;
}

function ofAnswer(provider: OidcProvider, { error, description, status }: Answer): Reading {
  const words = description === undefined ? '' : `: ${printable(description)}`;
  const said = `the provider answered "${printable(error)}"${words}`;
  const reason = Object.hasOwn(BY_ERROR, error) ? (BY_ERROR[error] as ProblemReason) : 'invalid';
  if (reason === 'scope') {
    const scopes = provider.scopes.join(' ');
    const remedy = `define the scope at the provider, or leave it out of "scopes" of "providers.${provider.id}"`;
    return { reason, what: `${said}; asked for "${scopes}": ${remedy}` };
  }
  // Keycloak: a page of its own was open for too long while somebody signed in in another tab.
  if (description === 'authentication_expired') return { reason: 'invalid', what: said };
  const refused = status === 0 ? refusedRequest(provider, error) : refusedClient(provider, { error, description });
  if (refused !== null) return { reason: 'registration', what: `${said}; ${refused.remedy}`, setting: refused.setting };
  // A code that was used, is too old, or is none.
  if (error === 'invalid_grant') return { reason: 'invalid', what: `${said}; the code was not accepted` };
  return { reason: status >= 500 || status === 429 ? 'unavailable' : reason, what: said };
}

/** What to change where a provider refuses the first step of a sign-in (RFC 6749 section 4.1.2.1); null: not known. */
export function remedyOfRequest({ clientId }: OidcProvider, error: string): string | null {
  if (error === 'unauthorized_client' || error === 'unsupported_response_type')
    return `let the client "${clientId}" use the authorization code flow there (Keycloak: "Standard flow")`;
  return error === 'invalid_request'
    ? `the client "${clientId}" there has to take "response_type=code" with PKCE by S256, sent by the browser and not pushed (PAR)`
    : null;
}

interface Refused {
  readonly setting: Registration;
  readonly remedy: string;
}

function refusedRequest(provider: OidcProvider, error: string): Refused | null {
  const remedy = remedyOfRequest(provider, error);
  return remedy === null ? null : { setting: 'flow', remedy };
}

/** The same of the token endpoint (section 5.2). */
function refusedClient(
  { id, clientId }: OidcProvider,
  { error, description = '' }: Omit<Answer, 'status'>,
): Refused | null {
  if (error !== 'invalid_client' && error !== 'unauthorized_client') return null;
  if (!description.includes('client_assertion'))
    return { setting: 'client', remedy: `check "client_id" and "client_secret" of "providers.${id}"` };
  const remedy = `have the client "${clientId}" show its secret there (Keycloak: "Client Authenticator" is "Client Id and Secret")`;
  return { setting: 'proof', remedy };
}

function outageOf(error: unknown, provider: OidcProvider): Reading | null {
  if (!(error instanceof Error)) return null;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error.name === 'TimeoutError' || error.name === 'AbortError' || UNREACHED.test(code)) {
    const what = code === '' || code.startsWith('OAUTH') ? 'no answer in time' : code;
    const reading = {
      reason: 'unavailable',
      what: `cannot reach "${provider.internalUrl ?? provider.issuer}": ${what}`,
    } as const;
    // No such name: it may be down, and is more often written otherwise.
    return code === 'ENOTFOUND' ? { ...reading, setting: 'address' } : reading;
  }
  if (code.startsWith('HPE_') || (code === 'EPROTO' && NO_TLS.test(error.message))) {
    const what = `"${provider.internalUrl ?? provider.issuer}" speaks otherwise: "http" and "https" do not fit its port`;
    const key = provider.internalUrl === null ? 'issuer' : 'internal_url';
    const remedy = `check scheme and port of "${key}" of "providers.${provider.id}"`;
    return { reason: 'unavailable', what: `${what}; ${remedy}`, setting: 'address' };
  }
  if (TLS_CODES.test(code) || code.startsWith('ERR_SSL')) {
    const remedy = `name its CA by "ca" of "providers.${provider.id}"`;
    return {
      reason: 'unavailable',
      what: `cannot trust "${provider.internalUrl ?? provider.issuer}": ${code}; ${remedy}`,
      setting: 'address',
    };
  }
  return null;
}

function clock(provider: OidcProvider, claim: string, value: unknown): Reading {
  const time = typeof value === 'number' ? `, ${new Date(value * 1_000).toISOString()}` : '';
  const remedy = `set the clocks, or raise "clock_tolerance" of "providers.${provider.id}"`;
  return { reason: 'clock', what: `by this machine's clock the token is not valid now ("${claim}"${time}); ${remedy}` };
}

/** What such a claim would have to be; what it was may be about somebody. */
const WANTED: Readonly<Record<string, (provider: OidcProvider) => string>> = {
  iss: ({ issuer }) => `"iss" has to be "${issuer}"`,
  aud: ({ clientId }) => `"aud" has to be "${clientId}", the client of this gateway`,
  azp: ({ clientId }) => `"azp" has to be "${clientId}", the client of this gateway`,
  nonce: () => '"nonce" has to be the one of this sign-in: the token was made for another one',
};

/** openid-client wraps what it finds: the words that help are in the causes. */
function ofClient(provider: OidcProvider, error: unknown): Reading {
  const words: string[] = [];
  for (const one of chainOf(error)) {
    if (one instanceof Response) {
      return ofResponse(provider, one);
    }
    if (one instanceof Error && one.message !== '') words.push(printable(one.message));
    const claim = claimOf(one);
    if (claim === 'auth_time')
      return { reason: 'interaction', what: 'the provider did not ask the person again, although "max_age" wants it' };
    const claims = claimsOf(one);
    if (claims !== null && claims['auth_time'] === undefined && words.some((word) => word.includes('"auth_time"')))
      return noAuthTime(provider);
    if (claim !== null && TIMES.has(claim) && codeOf(error) === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED')
      return clock(provider, claim, claimsOf(one)?.[claim]);
    if (claim !== null) words.push(WANTED[claim]?.(provider) ?? `"${claim}"`);
  }
  const reason = error instanceof ClientError || words.length > 0 ? 'invalid' : 'unavailable';
  return { reason, what: words.slice(0, 4).join(': ') };
}

/** Core section 2 wants it where `max_age` was asked for; Entra ID leaves it out as it comes, others know neither. */
function noAuthTime({ id }: OidcProvider): Reading {
  const what = `the ID token does not say when the person signed in ("auth_time"), which "max_age" of "providers.${id}" needs`;
  const remedy =
    'have the provider send that claim (Entra ID: "Token configuration", an optional claim), or leave "max_age" out';
  return { reason: 'registration', what: `${what}; ${remedy}`, setting: 'auth-time' };
}

/** No answer of the protocol: a page of a proxy in between, of maintenance, or an address that is none. */
function ofResponse(provider: OidcProvider, { status, headers }: Response): Reading {
  const type = printable(headers.get('content-type')?.split(';', 1)[0] ?? 'no type');
  const isRefusal = status >= 400 && status < 500 && status !== 404 && status !== 429;
  const what = `"${provider.issuer}" answered ${status} (${type}), which the protocol does not know there`;
  const remedy = `check "issuer" of "providers.${provider.id}": its description is below it at "/.well-known/openid-configuration"`;
  // A proxy before it says so as well while it is down: whoever comes is told to come again.
  if (status === 404) return { reason: 'unavailable', what: `${what}; ${remedy}`, setting: 'address' };
  return { reason: isRefusal ? 'registration' : 'unavailable', what };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function claimOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('claim' in error)) return null;
  return typeof error.claim === 'string' ? error.claim : null;
}

function claimsOf(error: unknown): Record<string, unknown> | null {
  if (typeof error !== 'object' || error === null || !('claims' in error)) return null;
  return typeof error.claims === 'object' ? (error.claims as Record<string, unknown>) : null;
}

export function* chainOf(error: unknown): Generator {
  let one = error;
  for (let depth = 0; depth < 6 && one !== undefined && one !== null; depth++) {
    yield one;
    one = typeof one === 'object' && 'cause' in one ? one.cause : undefined;
  }
}

/** What comes from outside is shortened, and moves no cursor. */
export function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
