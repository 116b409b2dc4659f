/** An ID token that this client asked for: of the issuer, for this client, by the party that this client is. */
import type { Claims } from '../../../sign-in/oauth/json.ts';
import { Refusal } from '../../../sign-in/oauth/failures.ts';
import type { Metadata } from './metadata.ts';
import type { OidcParts } from './parts.ts';

export async function verifyIdToken(parts: OidcParts, metadata: Metadata, token: string): Promise<Claims> {
  const claims = await verifyToken(parts, metadata, token);
  const { azp } = claims;
  // Core section 3.1.3.7, point 5.
  const isOurs = azp === undefined || (typeof azp === 'string' && allowedAudiences(parts).includes(azp));
  if (!isOurs) throw new Refusal('"azp" of the ID token is another client');
  return claims;
}

/** Any token of this provider for this client, ID token or access token. */
export async function verifyToken(parts: OidcParts, metadata: Metadata, token: string): Promise<Claims> {
  const { settings, kind } = parts;
  const rule = kind.issuerRule;
  const claims = await parts.verify(token, {
    audience: { claims: settings.oidc.audienceClaims, allowed: allowedAudiences(parts) },
    algorithms: metadata.algorithms,
    issuer: settings.oidc.skipIssuerVerification || rule !== undefined ? null : metadata.issuer,
  });
  rule?.(settings, metadata, claims);
  if (typeof claims['sub'] !== 'string') throw new Refusal('a token has no "sub"');
  return claims;
}

function allowedAudiences({ settings }: OidcParts): readonly string[] {
  return [settings.clientId, ...settings.oidc.extraAudiences];
}
