/**
 * Which access tokens are meant for us: JWTs that say they are of an issuer of the document and for one of
 * its audiences. Nothing is checked here: a token that lies about it is verified and refused; one that is
 * for somebody else is the app's.
 */
import type { OidcProvider, Provider } from '../config/document/providers.ts';

export interface BearerIssuer {
  readonly provider: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** All that decides whether a token counts, and for whom: tokens that are known were judged by it. */
  readonly settings: string;
}

export interface BearerIssuers {
  /** Changes whenever anything of it does. */
  readonly version: string;
  /** Id of the provider that the token names; null: it is none for us. */
  readonly providerOf: (token: string) => string | null;
}

/** Longer ones are of no use in a header field. */
const MOST_CHARACTERS = 8_192;
const JWS = /^eyJ[A-Za-z0-9_-]*\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*$/;

export const NO_BEARER_ISSUERS: BearerIssuers = { version: '', providerOf: () => null };

export function bearerIssuersOf(providers: readonly Provider[]): readonly BearerIssuer[] {
  return providers.flatMap((one) => {
    if (one.type !== 'oidc' || one.bearer === null) return [];
    return [{ provider: one.id, issuer: one.issuer, audiences: one.bearer.audiences, settings: settingsOf(one) }];
  });
}

function settingsOf(provider: OidcProvider): string {
  const { preset, bearer, userClaims, groupsClaims, rolesClaims, emailDomains, trustEmail, hostedDomains } = provider;
  const { secondFactor, clockToleranceMs } = provider;
  const person = [preset, userClaims, groupsClaims, rolesClaims, emailDomains, trustEmail, secondFactor];
  return JSON.stringify([bearer, hostedDomains, clockToleranceMs, person]);
}

export function createBearerIssuers(list: readonly BearerIssuer[]): BearerIssuers {
  if (list.length === 0) return NO_BEARER_ISSUERS;
  return {
    version: JSON.stringify(list),
    providerOf(token) {
      const claims = token.length > MOST_CHARACTERS ? null : readClaims(token);
      if (claims === null) return null;
      const audiences: readonly unknown[] = Array.isArray(claims['aud']) ? claims['aud'] : [claims['aud']];
      const found = list.find(
        (one) => isSameIssuer(claims['iss'], one.issuer) && one.audiences.some((own) => audiences.includes(own)),
      );
      return found?.provider ?? null;
    },
  };
}

/** "https://id.example.com/" and "https://id.example.com" are spellings of one issuer; which is right is checked later. */
function isSameIssuer(claimed: unknown, issuer: string): boolean {
  return typeof claimed === 'string' && claimed.replace(/\/$/, '') === issuer.replace(/\/$/, '');
}

function readClaims(token: string): Readonly<Record<string, unknown>> | null {
  const payload = JWS.exec(token)?.[1];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
