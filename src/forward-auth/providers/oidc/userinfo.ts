/**
 * What the profile address says (OpenID Connect Core section 5.3): JSON, or a JWT signed by the provider. It
 * counts only for the person of the ID token.
 */
import { isMap, type Claims } from '../../../sign-in/oauth/json.ts';
import { Outage, Refusal } from '../../../sign-in/oauth/failures.ts';
import type { Metadata } from './metadata.ts';
import type { OidcParts } from './parts.ts';

export async function readProfile(
  parts: OidcParts,
  metadata: Metadata,
  accessToken: string,
  subject: string,
): Promise<Claims> {
  const { settings, http, kind } = parts;
  if (kind.hasProfile === false) return {};
  if (settings.skipClaimsFromProfileUrl || metadata.profileUrl === null || accessToken === '') return {};
  const response = await http.fetch(metadata.profileUrl, {
    headers: { authorization: `Bearer ${accessToken}`, accept: 'application/json' },
  });
  const { status } = response;
  if (status >= 500 || status === 429) throw new Outage(`the profile address answered ${status}`);
  if (status !== 200) throw new Refusal(`the profile address answered ${status}`);
  const type = (response.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const text = await response.text();
  const claims = type === 'application/jwt' ? await readSigned(parts, metadata, text.trim()) : parseObject(text);
  // Core section 5.3.2: else one person's token would bring another's groups.
  if (claims['sub'] !== undefined && claims['sub'] !== subject)
    throw new Refusal('the profile address answered for another person');
  return claims;
}

function parseObject(text: string): Claims {
  try {
    const value: unknown = JSON.parse(text);
    if (isMap(value)) return value;
  } catch {
    // Said below.
  }
  throw new Refusal('the profile address answered no JSON object');
}

/** Core section 5.3.2 wants `iss` and `aud`, but some leave them out; times hold where there are any. */
async function readSigned(parts: OidcParts, metadata: Metadata, token: string): Promise<Claims> {
  const claims = await parts.verify(token, {
    audience: null,
    algorithms: metadata.algorithms,
    issuer: null,
    mayLackExpiry: true,
  });
  const { iss, aud } = claims;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const isOurs = aud === undefined || audiences.includes(parts.settings.clientId);
  const isTheirs = iss === undefined || parts.settings.oidc.skipIssuerVerification || iss === metadata.issuer;
  if (!isOurs || !isTheirs) throw new Refusal('the profile is signed for somebody else');
  return claims;
}
