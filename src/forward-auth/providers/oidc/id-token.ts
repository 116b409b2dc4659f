/**
 * JWTs of an issuer (OpenID Connect Core section 3.1.3.7): signature by its keys, issuer, audience by the
 * claims that the settings name, times. Keys come from its JWKS, or from files of the operator.
 */
import { createPublicKey } from 'node:crypto';
import { errors, jwtVerify, type JSONWebKeySet } from 'jose';
import { readAtMost } from '../../../core/read-at-most.ts';
import type { Clock } from '../../../core/clock.ts';
import { createProviderKeys, type ProviderKeys } from '../../../sign-in/oidc/keys.ts';
import { claimAt } from '../claims.ts';
import { isUsable, type Claims } from '../../../sign-in/oauth/json.ts';
import { Refusal } from '../../../sign-in/oauth/failures.ts';

/** Between the provider's clock and ours. */
export const CLOCK_TOLERANCE_MS = 60_000;

export interface Audience {
  /** The first of these that a token has decides. */
  readonly claims: readonly string[];
  readonly allowed: readonly string[];
}

export interface TokenRules {
  readonly audience: Audience | null;
  readonly algorithms: readonly string[];
  /** Null: the caller looks at `iss`. */
  readonly issuer: string | null;
  /** A profile is no token that lasts. */
  readonly mayLackExpiry?: boolean;
  /** A logout token: anybody may have sent it, and who means it sends it once. */
  readonly isLogout?: boolean;
}

export type VerifyJwt = (token: string, rules: TokenRules) => Promise<Claims>;

/** By the keys that an issuer publishes; `name` is for messages. */
export function verifyByJwks(name: string, clock: Clock, fetchKeys: () => Promise<Claims>): VerifyJwt {
  const keys: ProviderKeys = createProviderKeys({
    issuer: name,
    clock,
    fetchKeys: async () => (await fetchKeys()) as unknown as JSONWebKeySet,
  });
  return async (token, rules) => {
    const { claims } = await keys.verify(token, {
      audience: null,
      clockToleranceMs: CLOCK_TOLERANCE_MS,
      algorithms: rules.algorithms,
      skipsIssuer: true,
      ...(rules.isLogout === true ? { isOfStranger: true, comesOnce: true } : {}),
    });
    checkClaims(claims, rules);
    return claims;
  };
}

/** `oidc-public-key-file`: whichever of them fits. */
export function verifyByFiles(files: readonly string[], clock: Clock): VerifyJwt {
  const keys = files.map((file) => createPublicKey(readAtMost(file)));
  return async (token, rules) => {
    for (const key of keys) {
      const claims = await jwtVerify(token, key, {
        algorithms: [...rules.algorithms],
        clockTolerance: CLOCK_TOLERANCE_MS / 1_000,
        currentDate: new Date(clock.now()),
      }).then(
        ({ payload }) => payload,
        // Another key may fit: of its kind, or the one that signed.
        (error: unknown) => {
          const isOther = error instanceof errors.JWSSignatureVerificationFailed || error instanceof TypeError;
          if (isOther) return null;
          throw error;
        },
      );
      if (claims === null) continue;
      checkClaims(claims, rules);
      return claims;
    }
    throw new Refusal('a token is signed by none of "oidc-public-key-file"');
  };
}

function checkClaims(claims: Claims, { audience, issuer, mayLackExpiry }: TokenRules): void {
  if (mayLackExpiry !== true && typeof claims['exp'] !== 'number') throw new Refusal('a token has no "exp"');
  const { sub } = claims;
  if (issuer !== null && claims['iss'] !== issuer) throw new Refusal(`a token is not of the issuer "${issuer}"`);
  if (sub !== undefined && (typeof sub !== 'string' || !isUsable(sub)))
    throw new Refusal('a token has no usable "sub"');
  if (audience !== null) checkAudience(claims, audience);
}

function checkAudience(claims: Claims, { claims: names, allowed }: Audience): void {
  const name = names.find((one) => claimAt(claims, one) !== undefined);
  const quoted = names.map((one) => `"${one}"`).join(', ');
  if (name === undefined) throw new Refusal(`a token has none of the audience claims ${quoted}`);
  const value = claimAt(claims, name);
  const audiences: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (audiences.some((one) => typeof one === 'string' && allowed.includes(one))) return;
  throw new Refusal(
    `"${name}" of a token names none of ${allowed.map((one) => `"${one}"`).join(', ')}; have the provider add the client there (Keycloak: an audience mapper), or name what it says by "oidc-extra-audience"`,
  );
}
