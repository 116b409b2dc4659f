/** A session for one request, of a JWT that a machine brought. */
import type { Clock } from '../../../core/clock.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { Claims } from '../claims.ts';
import { Refusal } from '../failures.ts';
import { sessionOf, type Persona } from './session.ts';

/** `cnf`: bound to a key that nobody has shown (RFC 7800); `events`: it only ends sessions (RFC 8417). */
const FOREIGN_CLAIMS = ['cnf', 'events'];

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
