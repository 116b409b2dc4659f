/**
 * An `extra-jwt-issuer`: another issuer whose JWTs count for machines, with its audience. Its keys are found
 * by discovery, or at `/.well-known/jwks.json` where there is none; when a token needs them, and never at
 * the price of a start.
 */
import { SIGNING_ALGORITHMS } from '../../sign-in/oidc/keys.ts';
import type { ProviderHttp } from '../../sign-in/provider-http.ts';
import type { AuthSession } from '../auth-session.ts';
import type { ProviderAnswer } from '../ports.ts';
import { isTrue, textsOf } from './claims.ts';
import { textOf, type Claims } from '../../sign-in/oauth/json.ts';
import { answerOf } from './failures.ts';
import { Outage, Refusal } from '../../sign-in/oauth/failures.ts';
import { bearerSession, checkBearer } from './oidc/bearer-session.ts';
import { verifyByJwks } from './oidc/id-token.ts';
import { discoveryUrl, fetchJson } from './oidc/metadata.ts';
import type { BearerParts } from './bearer.ts';
import type { Persona } from './oidc/session.ts';

export interface ExtraIssuer {
  readonly issuer: string;
  readonly verify: (token: string) => Promise<ProviderAnswer<AuthSession>>;
}

export function createExtraIssuer(
  { settings, deps, http }: BearerParts,
  { issuer, audience }: { readonly issuer: string; readonly audience: string },
): ExtraIssuer {
  const verify = verifyByJwks(issuer, deps.clock, () => findKeys(http, issuer));
  const rules = {
    audience: { claims: settings.oidc.audienceClaims, allowed: [audience, ...settings.oidc.extraAudiences] },
    algorithms: SIGNING_ALGORITHMS,
    issuer,
  };
  return {
    issuer,
    verify: (token) =>
      answerOf(issuer, async () => {
        const claims = await verify(token, rules);
        checkBearer(claims, deps.clock.now());
        return bearerSession(deps.clock, personaOf(claims), claims, token);
      }),
  };
}

async function findKeys(http: ProviderHttp, issuer: string): Promise<Claims> {
  const described = await fetchJson(http, discoveryUrl(issuer)).catch((error: unknown) => {
    if (error instanceof Outage) return null;
    throw error;
  });
  const uri = described?.['jwks_uri'];
  if (described?.['issuer'] === issuer && typeof uri === 'string') return fetchJson(http, uri);
  return fetchJson(http, `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`);
}

/** The claims have fixed names here, whatever the settings say of the provider's own. */
function personaOf(claims: Claims): Persona {
  const verified = claims['email_verified'];
  if (verified !== undefined && !isTrue(verified)) throw new Refusal('"email_verified" of a token is false');
  const user = textOf(claims['sub']) ?? '';
  if (user === '') throw new Refusal('a token has no "sub"');
  return {
    user,
    email: textOf(claims['email']) ?? '',
    groups: textsOf(claims['groups']),
    preferredUsername: textOf(claims['preferred_username']) ?? '',
    claims: {},
  };
}
