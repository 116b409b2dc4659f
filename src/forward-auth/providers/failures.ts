/**
 * What goes wrong with a provider, as the two things that the flow tells apart: it says no, or it cannot be
 * asked. Messages are for the log and say what to change; none holds a token, a code, a secret or a claim.
 */
import { errors } from 'jose';
import { chainOf, printable, TLS_CODES, UNREACHED } from '../../sign-in/oidc/problems.ts';
import { KeysUnavailableError } from '../../sign-in/oidc/keys.ts';
import { OAuthError, Outage, Refusal } from '../../sign-in/oauth/failures.ts';
import type { ProviderAnswer } from '../ports.ts';

export type Failed = Exclude<ProviderAnswer<never>, { readonly kind: 'ok' }>;

/** Runs `work` and makes an answer of however it ends. */
export async function answerOf<T>(name: string, work: () => Promise<T>): Promise<ProviderAnswer<T>> {
  try {
    return { kind: 'ok', value: await work() };
  } catch (error) {
    return explainFailure(name, error);
  }
}

export function explainFailure(name: string, error: unknown): Failed {
  if (error instanceof Refusal)
    return { ...refused(name, error.message), ...(error.isNotAdmitted ? { isNotAdmitted: true } : {}) };
  if (error instanceof OAuthError) return ofOAuthError(name, error);
  for (const one of chainOf(error)) {
    if (one instanceof Outage || one instanceof KeysUnavailableError) return unavailable(name, one.message);
    const outage = outageOf(one);
    if (outage !== null) return unavailable(name, outage);
    if (one instanceof errors.JWTExpired)
      return refused(name, 'a token has expired by this clock ("exp"); set the clocks');
    if (one instanceof errors.JWTClaimValidationFailed)
      return refused(name, `claim "${one.claim}" of a token is not right: ${printable(one.message)}`);
    if (one instanceof errors.JOSEError) return refused(name, `a token is not right: ${printable(one.message)}`);
  }
  // What nobody thought of is no reason to let anybody in, and its words may hold anything.
  const what = error instanceof Error ? error.name : typeof error;
  return unavailable(name, `its answer could not be read (${what})`);
}

const refused = (name: string, what: string): Extract<Failed, { kind: 'refused' }> => ({
  kind: 'refused',
  message: `${name}: ${what}`,
});
const unavailable = (name: string, what: string): Failed => ({ kind: 'unavailable', message: `${name}: ${what}` });

const REMEDIES: Readonly<Record<string, string>> = {
  invalid_client: 'check "client-id" and "client-secret"',
  unauthorized_client: 'check "client-id" and "client-secret", and that the client may use the authorization code flow',
  invalid_grant: 'the code or the refresh token was used before, has expired, or is none',
  invalid_scope: 'set "scope" to what the provider knows, or define the scope there',
  redirect_uri_mismatch: 'register the redirect address with the provider, or set "redirect-url"',
  incorrect_client_credentials: 'check "client-id" and "client-secret"',
  bad_verification_code: 'the code was used before, has expired, or is none',
};
const PASSING: ReadonlySet<string> = new Set(['temporarily_unavailable', 'server_error', 'slow_down']);

function ofOAuthError(name: string, { error, description }: OAuthError): Failed {
  const words = description === null ? '' : `: ${printable(description)}`;
  const remedy = Object.hasOwn(REMEDIES, error) ? `; ${REMEDIES[error]}` : '';
  const what = `the provider answered "${printable(error)}"${words}${remedy}`;
  return PASSING.has(error) ? unavailable(name, what) : refused(name, what);
}

/** Of an error that the person brought back from the provider (RFC 6749 section 4.1.2.1). */
export function explainCallbackError(scope: string, error: string, description: string | null): string {
  const words = description === null || description === '' ? '' : `: ${printable(description)}`;
  const said = `The provider answered "${printable(error)}"${words}`;
  if (error !== 'invalid_scope') return said;
  const groups = scope.split(' ').includes('groups')
    ? '; "groups" is asked for because groups are restricted, and the provider has no such scope'
    : '';
  return `${said}; asked for "${scope}"${groups}. Set "scope" to what the provider knows, such as "openid email profile", or define the scope there`;
}

function outageOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'no answer in time';
  if (UNREACHED.test(code)) return `cannot be reached: ${code}`;
  if (TLS_CODES.test(code) || code.startsWith('ERR_SSL'))
    return `its certificate is not trusted: ${code}; name its authority by "provider-ca-file"`;
  return error instanceof RangeError ? printable(error.message) : null;
}
