/** What an ID token says of the sign-in itself (OpenID Connect Core section 2: `acr`, `auth_time`). */
import type { OidcProvider } from '../../config/document/providers.ts';
import type { Person } from '../../core/person.ts';
import type { Claims } from './claims.ts';

/** How and when they signed in there. What the provider does not say, or says of the future, is not known. */
export function proofOf(
  { clockToleranceMs }: OidcProvider,
  { acr, auth_time: at, iat }: Claims,
  now: number,
): Required<Pick<Person, 'acr' | 'authenticatedAt'>> {
  const level = typeof acr === 'string' && acr !== '' && acr.length <= 200 ? acr : null;
  if (typeof at !== 'number' || typeof iat !== 'number') return { acr: level, authenticatedAt: null };
  // By its own times, so that a provider's clock that is off does not count.
  const ageMs = (iat - at) * 1_000;
  return { acr: level, authenticatedAt: ageMs >= -clockToleranceMs ? now - Math.max(0, ageMs) : null };
}

/** Milliseconds since 1970, as the provider says it; null where it does not. */
export function authTimeOf({ auth_time: at }: Claims): number | null {
  return typeof at === 'number' ? at * 1_000 : null;
}
