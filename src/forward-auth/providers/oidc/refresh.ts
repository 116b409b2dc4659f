/**
 * New tokens by the refresh token (RFC 6749 section 6, OpenID Connect Core section 12), and with them what
 * the provider says of the person now: who was taken out of a group loses it here. An ID token may be left
 * out of the answer; then the profile is asked.
 */
import { decodeJwt } from 'jose';
import type { AuthSession } from '../../auth-session.ts';
import { createClaimReader } from '../claims.ts';
import type { Claims } from '../../../sign-in/oauth/json.ts';
import { Refusal } from '../../../sign-in/oauth/failures.ts';
import type { TokenSet } from '../../../sign-in/oauth/token-endpoint.ts';
import type { Metadata } from './metadata.ts';
import type { OidcParts } from './parts.ts';
import { readPersona, sessionOf } from './session.ts';
import { readProfile } from './userinfo.ts';
import { verifyIdToken } from './verify.ts';

export async function refreshSession(parts: OidcParts, session: AuthSession): Promise<AuthSession | null> {
  if (session.refreshToken === '') return null;
  const metadata = await parts.metadata.get();
  const tokens = await parts.tokens.ask({
    url: metadata.tokenUrl,
    ways: parts.ways(metadata),
    form: { grant_type: 'refresh_token', refresh_token: session.refreshToken },
  });
  const before = claimsOf(session.idToken);
  const { fresh, claims } =
    tokens.idToken === null
      ? await withoutIdToken(parts, metadata, { session, before, tokens })
      : await byIdToken(parts, metadata, { session, before, tokens });
  const merged: AuthSession = {
    ...fresh,
    // Without rotation the old one stays good.
    refreshToken: tokens.refreshToken ?? session.refreshToken,
    idToken: tokens.idToken ?? session.idToken,
    nonce: session.nonce,
    providerSession: session.providerSession,
    via: session.via,
  };
  const enrich = parts.kind.enrich;
  return enrich === undefined ? merged : enrich({ parts, metadata, session: merged, claims, step: 'refresh' });
}

interface Renewal {
  readonly session: AuthSession;
  /** Of the ID token that the session had. */
  readonly before: Claims;
  readonly tokens: TokenSet;
}

interface Renewed {
  readonly fresh: AuthSession;
  readonly claims: Claims;
}

async function byIdToken(parts: OidcParts, metadata: Metadata, { session, before, tokens }: Renewal): Promise<Renewed> {
  const claims = await verifyIdToken(parts, metadata, tokens.idToken ?? '');
  // Core section 12.2: the same person and, where it is there, the nonce of the sign-in.
  const subject = before['sub'] ?? claims['sub'];
  if (claims['sub'] !== subject) throw new Refusal('the provider answered for another person');
  const { nonce } = claims;
  if (nonce !== undefined && session.nonce !== '' && nonce !== session.nonce)
    throw new Refusal('"nonce" of the new ID token is not the one of the sign-in');
  const reader = createClaimReader(claims, () => readProfile(parts, metadata, tokens.accessToken, String(subject)));
  const persona = await readPersona(parts.settings, reader);
  return { fresh: sessionOf(parts.deps.clock, persona, tokens), claims };
}

/** The profile is newer than the claims of the first ID token, so it comes first. */
async function withoutIdToken(
  parts: OidcParts,
  metadata: Metadata,
  { session, before, tokens }: Renewal,
): Promise<Renewed> {
  const subject = typeof before['sub'] === 'string' ? before['sub'] : session.user;
  const profile = await readProfile(parts, metadata, tokens.accessToken, subject);
  const bare = sessionOf(parts.deps.clock, session, tokens);
  if (Object.keys(profile).length === 0) return { fresh: bare, claims: before };
  const persona = await readPersona(
    parts.settings,
    createClaimReader(profile, () => Promise.resolve(before)),
  );
  const user = session.user;
  return {
    fresh: { ...bare, ...persona, user, email: persona.email === '' ? session.email : persona.email },
    claims: before,
  };
}

/** Of a token that was verified when it came. */
export function claimsOf(idToken: string): Claims {
  if (idToken === '') return {};
  try {
    return decodeJwt(idToken);
  } catch {
    return {};
  }
}
