/**
 * The first step of a sign-in, tried without a person: does the provider take our redirect URI and scopes? It is
 * asked twice where it seems to, since some look at neither before somebody has signed in there (GitLab, Gitea,
 * Forgejo): these answer alike to an address that nobody registered, and say nothing about ours.
 */
import * as client from 'openid-client';
import type { OidcProvider } from '../../config/document/providers.ts';
import { Outage } from '../oauth/failures.ts';
import type { Finding } from '../provider.ts';
import type { Parts } from './parts.ts';
import { printable, remedyOfRequest, whatFailed } from './problems.ts';

export interface RequestFinding {
  readonly finding: Finding;
  /** Whether the provider says what is wrong, or that nothing is. */
  readonly isClear: boolean;
}

/** Nobody can have registered it: the name does not exist (RFC 6761). */
const UNREGISTERED = 'https://postern-check.invalid/callback';
/** In a crowd, or down: no word about what was asked. */
const NOT_NOW: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Errors of a provider's own page that are about the client, not about where it leads to. */
const OF_CLIENT = /client/;
const ERROR_WORD = /[a-z]{2,40}(?:_[a-z]{1,40}){1,6}/;

/** As a browser would begin: a provider that does not know the redirect URI must not send anybody there. */
export async function probeRequest(
  parts: Parts,
  configuration: client.Configuration,
  redirectUri: string,
): Promise<RequestFinding> {
  const { provider } = parts;
  try {
    const answer = await ask(parts, configuration, redirectUri);
    const refused = readRefusal(provider, redirectUri, answer);
    if (refused !== null) return refused;
    const other = await ask(parts, configuration, UNREGISTERED);
    const message =
      readRefusal(provider, UNREGISTERED, other) === null
        ? `shows its sign-in page whatever the redirect URI is: see to it that "${redirectUri}" is registered with the client "${provider.clientId}"`
        : 'takes the redirect URI and the scopes';
    return { finding: { ok: true, message }, isClear: true };
  } catch (error) {
    // Nothing was learned of the document, be it right or wrong.
    const why = whatFailed(provider, error);
    const message = `Cannot tell whether "${provider.id}" takes the redirect URI "${redirectUri}": ${why}; nothing is known to be wrong with it, so check once more`;
    return { finding: { ok: false, message }, isClear: true };
  }
}

interface Answer {
  readonly status: number;
  /** Where it leads to. */
  readonly location: URL | null;
}

async function ask(
  { provider, http }: Parts,
  configuration: client.Configuration,
  redirectUri: string,
): Promise<Answer> {
  const url = client.buildAuthorizationUrl(configuration, {
    redirect_uri: redirectUri,
    scope: provider.scopes.join(' '),
    state: 'postern-check',
    nonce: 'postern-check',
    code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
    code_challenge_method: 'S256',
  });
  const { status, headers } = await http.fetch(url.href, { headers: { accept: 'text/html' } });
  if (NOT_NOW.has(status)) throw new Outage(`"${url.origin}${url.pathname}" answered ${status}`);
  return { status, location: URL.parse(headers.get('location') ?? '', url) };
}

/** Null: it goes on to sign somebody in. */
function readRefusal(provider: OidcProvider, redirectUri: string, answer: Answer): RequestFinding | null {
  const { status, location } = answer;
  const error = location?.searchParams.get('error') ?? '';
  if (location !== null && location.href.startsWith(new URL(redirectUri).href) && error !== '')
    return { finding: { ok: false, message: explainError(provider, error, location.searchParams) }, isClear: true };
  const own = error === '' ? googleError(location) : error;
  if (status < 400 && own === null) return null;
  // On a page of its own: it sends nobody to an address that is not registered (RFC 6749 section 4.1.2.1).
  const said = own === null ? String(status) : `"${printable(own).slice(0, 60)}"`;
  const remedy =
    own !== null && OF_CLIENT.test(own)
      ? `check "client_id" of "providers.${provider.id}"`
      : `register the redirect URI "${redirectUri}" with the client "${provider.clientId}"`;
  const message = `Provider "${provider.id}" answered ${said} to the first step of a sign-in; ${remedy}`;
  return { finding: { ok: false, message }, isClear: false };
}

/** Google leads to a page of its own with 302, and packs what is wrong into base64. */
function googleError(location: URL | null): string | null {
  const packed = location?.searchParams.get('authError') ?? '';
  if (packed === '') return null;
  const text = Buffer.from(packed, 'base64').toString('latin1');
  return ERROR_WORD.exec(text)?.[0] ?? ERROR_WORD.exec(packed)?.[0] ?? 'an error';
}

function explainError(provider: OidcProvider, error: string, query: URLSearchParams): string {
  if (error === 'invalid_scope') {
    const remedy = `define the scope there, or leave it out of "scopes" of "providers.${provider.id}"`;
    return `Provider "${provider.id}" refuses a scope of "${provider.scopes.join(' ')}"; ${remedy}`;
  }
  const words = query.get('error_description') ?? '';
  const said = `"${printable(error).slice(0, 60)}"${words === '' ? '' : ` (${printable(words)})`}`;
  const remedy = remedyOfRequest(provider, error) ?? `look at the client "${provider.clientId}" there`;
  return `Provider "${provider.id}" answered ${said} to the first step of a sign-in; ${remedy}`;
}
