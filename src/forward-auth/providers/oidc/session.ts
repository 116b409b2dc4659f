/** From the claims of a person to a session, as oauth2-proxy names its parts. */
import type { Clock } from '../../../core/clock.ts';
import { NO_SESSION, type AuthSession } from '../../auth-session.ts';
import type { ProviderSettings } from '../../settings.ts';
import { isTrue, textsOf, type ClaimReader } from '../claims.ts';
import { textOf } from '../../../sign-in/oauth/json.ts';
import { NotAdmitted, Refusal } from '../../../sign-in/oauth/failures.ts';
import type { TokenSet } from '../../../sign-in/oauth/token-endpoint.ts';

/** What the claims say; tokens and times come beside them. */
export type Persona = Pick<AuthSession, 'user' | 'email' | 'groups' | 'preferredUsername' | 'claims'>;

export async function readPersona(settings: ProviderSettings, reader: ClaimReader): Promise<Persona> {
  const { oidc, additionalClaims } = settings;
  const emailClaim = emailClaimOf(settings);
  const email = await reader.get(emailClaim);
  const claims: Record<string, unknown> = {};
  for (const name of additionalClaims) {
    const value = await reader.get(name);
    if (value !== undefined) claims[name] = value;
  }
  const persona: Persona = {
    user: textOf(await reader.get('sub')) ?? '',
    email: textOf(email) ?? '',
    groups: textsOf(await reader.get(oidc.groupsClaim)),
    preferredUsername: textOf(await reader.get('preferred_username')) ?? '',
    claims,
  };
  if (email !== undefined && persona.email === '') throw new Refusal(`claim "${emailClaim}" holds no single address`);
  if (emailClaim === 'email' && !oidc.allowUnverifiedEmail) await checkVerified(reader);
  return persona;
}

/** `user-id-claim` is the older name for where the address is. */
function emailClaimOf({ oidc }: ProviderSettings): string {
  const older = oidc.userIdClaim;
  return oidc.emailClaim === 'email' && older !== null && older !== '' ? older : oidc.emailClaim;
}

/** Only what is there and says no, as in the original: many providers leave it out. */
async function checkVerified(reader: ClaimReader): Promise<void> {
  const verified = await reader.get('email_verified');
  if (verified === undefined || isTrue(verified)) return;
  throw new NotAdmitted(
    'the address of the person is not verified ("email_verified" is false); "insecure-oidc-allow-unverified-email" would take it',
  );
}

export function sessionOf(clock: Clock, persona: Persona, tokens: TokenSet): AuthSession {
  return {
    ...NO_SESSION,
    ...persona,
    createdAt: clock.now(),
    expiresOn: tokens.expiresOn,
    accessToken: tokens.accessToken,
    idToken: tokens.idToken ?? '',
    refreshToken: tokens.refreshToken ?? '',
  };
}
