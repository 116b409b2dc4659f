/** A session for one request, of a JWT that a machine brought: an ID token or access token for this client. */
import type { Clock } from '../../../core/clock.ts';
import type { AuthSession } from '../../auth-session.ts';
import { createClaimReader } from '../claims.ts';
import type { Claims } from '../../../sign-in/oauth/json.ts';
import { Refusal } from '../../../sign-in/oauth/failures.ts';
import type { OidcParts } from './parts.ts';
import { readPersona, sessionOf, type Persona } from './session.ts';
import { verifyToken } from './verify.ts';

/** `cnf`: bound to a key that nobody has shown (RFC 7800); `events`: it only ends sessions (RFC 8417). */
const FOREIGN_CLAIMS = ['cnf', 'events'];

export async function bearerOf(parts: OidcParts, token: string): Promise<AuthSession> {
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

/** A machine renews its token in time: there is no tolerance for one that has expired. */
export function checkBearer(claims: Claims, now: number): void {
  if (Number(claims['exp']) * 1_000 <= now) throw new Refusal('a token has expired ("exp")');
  const foreign = FOREIGN_CLAIMS.find((name) => Object.hasOwn(claims, name));
  if (foreign !== undefined) throw new Refusal(`a token has "${foreign}", which no token for a bearer has`);
}

/** Machines often have no address: their subject takes its place, as in the original. */
export function bearerSession(clock: Clock, persona: Persona, claims: Claims, token: string): AuthSession {
  const email = persona.email === '' ? persona.user : persona.email;
  const expiresOn = Number(claims['exp']) * 1_000;
  const tokens = { accessToken: token, idToken: token, refreshToken: null, expiresOn };
  return { ...sessionOf(clock, { ...persona, email }, tokens), via: 'bearer' };
}
