/** What a token endpoint gave, as it is kept with a session, and when it is to be asked again. */
import { decodeJwt } from 'jose';
import type * as client from 'openid-client';
import type { Clock } from '../../core/clock.ts';
import type { OidcProvider } from '../../config/document/providers.ts';
import type { Finished, ProviderGrant } from '../provider.ts';
import type { Parts } from './parts.ts';

/** Before the access token is too old, so that no request of an app comes with an old one. */
const AHEAD_MS = 30_000;
const LEAST_REFRESH_MS = 10_000;

type Tokens = Pick<client.TokenEndpointResponse, 'access_token' | 'refresh_token' | 'expires_in'>;

export function grantOf(
  clock: Clock,
  tokens: Tokens,
  idToken: string | null,
  before: ProviderGrant | null,
): ProviderGrant {
  const seconds = tokens.expires_in;
  const { idTokenExpiresAt = null } = before ?? {};
  return {
    accessToken: tokens.access_token,
    // Without rotation the old one stays good (RFC 6749 section 6).
    refreshToken: tokens.refresh_token ?? before?.refreshToken ?? null,
    idToken: idToken ?? before?.idToken ?? null,
    idTokenExpiresAt: idToken === null ? idTokenExpiresAt : clock.now() + lifetimeOf(idToken, clock),
    expiresAt: seconds === undefined ? null : clock.now() + seconds * 1_000,
  };
}

/** By its own times, so that a provider's clock that is off does not count. It was verified a moment ago. */
function lifetimeOf(idToken: string, clock: Clock): number {
  const { exp = 0, iat = clock.now() / 1_000 } = decodeJwt(idToken);
  return Math.max(0, (exp - iat) * 1_000);
}

export function refreshAtOf({ provider, clock, googleGroups }: Parts, grant: ProviderGrant): number | null {
  // Groups of a directory are asked for without it.
  if (grant.refreshToken === null) return googleGroups === null ? null : clock.now() + provider.recheckMs;
  const byToken = grant.expiresAt === null ? Number.POSITIVE_INFINITY : grant.expiresAt - AHEAD_MS;
  return Math.max(clock.now() + LEAST_REFRESH_MS, Math.min(byToken, clock.now() + provider.recheckMs));
}

/** Said once: whoever took a group away at the provider waits for it to count here. */
export function createRenewalNote({ id, groupsClaims, rolesClaims }: OidcProvider): (finished: Finished) => Finished {
  let isSaid = groupsClaims.length + rolesClaims.length === 0;
  const what = `"${id}" gave no refresh token, so groups and roles of people who are in are not looked at again until they sign in anew`;
  const remedy =
    'let the client have refresh tokens there (often by the scope "offline_access" in "scopes"), or shorten "session.lifetime"';
  return (finished) => {
    if (isSaid || finished.kind !== 'known' || finished.refreshAt !== null) return finished;
    isSaid = true;
    return { ...finished, notes: [...finished.notes, `${what}; ${remedy}`] };
  };
}
