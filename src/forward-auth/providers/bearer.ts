/**
 * JWTs that machines bring (`skip-jwt-bearer-tokens`): first as tokens of the provider for this client, where
 * its kind has such, then of the `extra-jwt-issuer` that a token names.
 */
import { decodeJwt } from 'jose';
import type { ProviderHttp } from '../../sign-in/provider-http.ts';
import type { AuthSession } from '../auth-session.ts';
import type { AuthProvider, ProviderAnswer } from '../ports.ts';
import type { ProviderSettings } from '../settings.ts';
import type { AuthProviderDeps } from './deps.ts';
import { createExtraIssuer, type ExtraIssuer } from './extra-issuer.ts';
import { answerOf } from './failures.ts';

export interface BearerParts {
  readonly name: string;
  readonly settings: ProviderSettings;
  readonly deps: AuthProviderDeps;
  readonly http: ProviderHttp;
}

/** As oauth2-proxy recognises one. */
const JWT = /^ey[A-Za-z0-9_-]*\.ey[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$/;
const MAX_LENGTH = 16_384;

export function createBearerDesk(
  parts: BearerParts,
  ofProvider: ((token: string) => Promise<AuthSession>) | null,
): AuthProvider['verifyBearer'] {
  const { bearer } = parts.deps;
  const extra = bearer.accepts ? bearer.extraIssuers.map((one) => createExtraIssuer(parts, one)) : [];
  return async (token) => {
    if (!bearer.accepts || token.length > MAX_LENGTH || !JWT.test(token)) return null;
    const own = ofProvider === null ? null : await answerOf(parts.name, () => ofProvider(token));
    if (own?.kind === 'ok' || extra.length === 0) return own;
    return (await ofExtra(extra, token)) ?? own;
  };
}

/** By its issuer, so that one that is down does not decide about tokens of another. */
async function ofExtra(issuers: readonly ExtraIssuer[], token: string): Promise<ProviderAnswer<AuthSession> | null> {
  const named = issuerOf(token);
  let last: ProviderAnswer<AuthSession> | null = null;
  for (const one of issuers) {
    if (one.issuer !== named) continue;
    last = await one.verify(token);
    if (last.kind === 'ok') return last;
  }
  return last;
}

function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}
