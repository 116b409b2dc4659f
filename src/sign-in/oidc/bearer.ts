/**
 * Access tokens as credentials (RFC 6750, RFC 9068): signature by the issuer's published keys, issuer,
 * audience, times, the party that asked for it. What is no access token for a bearer is refused: ID
 * tokens, refresh and logout tokens, tokens bound to a key that nobody has shown (`cnf`). Headers that
 * name a key (`jku`, `x5u`, `jwk`) are not looked at.
 */
import { errors } from 'jose';
import type { BearerSettings, OidcProvider } from '../../config/document/providers.ts';
import type { VerifiedBearer } from '../provider.ts';
import type { Claims } from './claims.ts';
import type { ProviderKeys } from './keys.ts';
import type { Person } from '../../core/person.ts';
import { isHosted, isSubject, notHosted, personFrom } from './person.ts';

/** `typ` of the header (RFC 9068 section 2.1), and of the claims (Keycloak). */
const HEADER_TYPES: ReadonlySet<string> = new Set(['', 'jwt', 'at+jwt', 'application/at+jwt']);
const CLAIM_TYPES: ReadonlySet<string> = new Set(['', 'bearer']);
/** They stand in ID tokens or logout tokens, never in what is meant for an API. */
const FOREIGN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events', 'cnf'];

export async function verifyBearer(
  provider: OidcProvider,
  bearer: BearerSettings,
  keys: ProviderKeys,
  token: string,
): Promise<VerifiedBearer> {
  const { clockToleranceMs } = provider;
  if (!isCanonical(token)) return { kind: 'refused', message: 'the signature is not written in its one way' };
  try {
    const { header, claims } = await keys.verify(token, {
      audience: bearer.audiences,
      clockToleranceMs,
      isOfStranger: true,
    });
    const problem = problemOf(bearer, header.typ, claims) ?? strangerIn(provider, claims);
    if (problem !== null) return { kind: 'refused', message: problem };
    const { person: known } = personFrom(provider, String(claims.sub), [claims]);
    const person = { ...known, ...proofIn(claims) };
    const expiresAt = Number(claims.exp) * 1_000 + clockToleranceMs;
    return { kind: 'bearer', person, expiresAt, kid: header.kid ?? null };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // What jose says is about the token; everything else is about getting at the keys.
    return error instanceof errors.JOSEError ? { kind: 'refused', message } : { kind: 'unavailable', message };
  }
}

/** RFC 9470 section 5: how and when the person signed in for whom the token was made. */
function proofIn({ acr, auth_time: at }: Claims): Pick<Person, 'acr' | 'authenticatedAt'> {
  const authenticatedAt = typeof at === 'number' && Number.isSafeInteger(at * 1_000) ? at * 1_000 : null;
  return { acr: typeof acr === 'string' ? acr : null, authenticatedAt };
}

/** Unused bits of the last character must be zero, or one signature would have several spellings (RFC 4648 section 3.5). */
function isCanonical(token: string): boolean {
  const signature = token.slice(token.lastIndexOf('.') + 1);
  return Buffer.from(signature, 'base64url').toString('base64url') === signature;
}

/** Whoever has a project at Google gets tokens of its accounts for any audience: the domain holds for these as at sign-in. */
function strangerIn(provider: OidcProvider, claims: Claims): string | null {
  return isHosted(provider, claims) ? null : notHosted(provider);
}

function problemOf(bearer: BearerSettings, headerType: string | undefined, claims: Claims): string | null {
  const { sub, exp, aud, typ } = claims;
  if (!HEADER_TYPES.has((headerType ?? '').toLowerCase())) return `"typ" of the header is "${headerType}"`;
  if (typ !== undefined && !(typeof typ === 'string' && CLAIM_TYPES.has(typ.toLowerCase())))
    return `"typ" says that it is no access token`;
  const foreign = FOREIGN_CLAIMS.find((claim) => Object.hasOwn(claims, claim));
  if (foreign !== undefined) return `it has "${foreign}", which no access token for a bearer has`;
  if (!isSubject(sub)) return '"sub" is missing, too long, or has control characters';
  if (typeof exp !== 'number' || !Number.isSafeInteger(exp * 1_000)) return '"exp" is missing';
  const party = claims['azp'] ?? claims['client_id'] ?? claims['appid'];
  if (Array.isArray(aud) && aud.length > 1 && party === undefined) return '"aud" is a list, but "azp" is missing';
  if (bearer.parties === null) return null;
  return typeof party === 'string' && bearer.parties.includes(party) ? null : '"azp" is none of those that may ask';
}
