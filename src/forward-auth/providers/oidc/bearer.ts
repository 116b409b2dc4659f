/**
 * JWTs that machines bring (`skip-jwt-bearer-tokens`): first as tokens of the provider for this client, then
 * of each `extra-jwt-issuer`. A token that was bound to a key, or that only ends sessions, is no bearer.
 */
import { decodeJwt } from 'jose';
import type { AuthSession } from '../../auth-session.ts';
import type { ProviderAnswer } from '../../ports.ts';
import { createClaimReader } from '../claims.ts';
import { answerOf } from '../failures.ts';
import { bearerSession, checkBearer } from './bearer-session.ts';
import { createExtraIssuer, type ExtraIssuer } from './extra-issuer.ts';
import type { OidcParts } from './parts.ts';
import { readPersona } from './session.ts';
import { verifyToken } from './verify.ts';

export interface BearerDesk {
  readonly verify: (token: string) => Promise<ProviderAnswer<AuthSession> | null>;
}

/** As oauth2-proxy recognises one. */
const JWT = /^ey[A-Za-z0-9_-]*\.ey[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$/;
const MAX_LENGTH = 16_384;

export function createBearerDesk(parts: OidcParts): BearerDesk {
  const { bearer } = parts.deps;
  const extra = bearer.accepts ? bearer.extraIssuers.map((one) => createExtraIssuer(parts, one)) : [];
  return {
    async verify(token) {
      if (!bearer.accepts || token.length > MAX_LENGTH || !JWT.test(token)) return null;
      const own = await answerOf(parts.name, () => ofProvider(parts, token));
      if (own.kind === 'ok' || extra.length === 0) return own;
      return (await ofExtra(extra, token)) ?? own;
    },
  };
}

async function ofProvider(parts: OidcParts, token: string): Promise<AuthSession> {
  const { settings, kind, deps } = parts;
  const metadata = await parts.metadata.get();
  const claims = await verifyToken(parts, metadata, token);
  checkBearer(claims, deps.clock.now());
  // The profile is not asked: a machine's token is all there is.
  const persona = await readPersona(
    settings,
    createClaimReader(claims, () => Promise.resolve({})),
  );
  const session = bearerSession(deps.clock, persona, claims, token);
  return kind.enrich?.({ parts, metadata, session, claims, step: 'bearer' }) ?? session;
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
