/**
 * Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.6): signature, issuer, audience, times,
 * the event, no nonce, a subject or a session. An ID token is no logout token. Used once is the caller's part.
 */
import { decodeJwt } from 'jose';
import type { Clock } from '../../core/clock.ts';
import type { OidcProvider } from '../../config/document/providers.ts';
import type { LogoutToken } from '../provider.ts';
import { KeysUnavailableError, type ProviderKeys } from './keys.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** From signing to arrival; `exp` is optional in older providers. */
const MAX_AGE_MS = 5 * 60_000;

export function isMeantBy(provider: OidcProvider, token: string): boolean {
  try {
    const { iss, aud } = decodeJwt(token);
    const audiences = Array.isArray(aud) ? aud : [aud];
    const isIssuer = iss === provider.issuer || iss === `${provider.issuer}/` || `${iss}/` === provider.issuer;
    return isIssuer && audiences.includes(provider.clientId);
  } catch {
    return false;
  }
}

export async function readLogoutToken(
  provider: OidcProvider,
  keys: ProviderKeys,
  clock: Clock,
  token: string,
): Promise<LogoutToken> {
  const refuse = (message: string): LogoutToken => ({ kind: 'refused', message });
  try {
    const { clientId, clockToleranceMs } = provider;
    const { claims } = await keys.verify(token, {
      audience: clientId,
      clockToleranceMs,
      isOfStranger: true,
      comesOnce: true,
    });
    const { sub, sid, iat, jti, nonce, events } = claims;
    if (typeof iat !== 'number') return refuse('"iat" is missing');
    const age = clock.now() - iat * 1_000;
    if (age < -clockToleranceMs) return refuse(inFuture(provider, -age));
    if (age > MAX_AGE_MS + clockToleranceMs) return refuse('the token is too old');
    if (typeof jti !== 'string' || jti === '') return refuse('"jti" is missing');
    if (nonce !== undefined) return refuse('it has a "nonce", which only an ID token may have');
    if (!isLogoutEvent(events)) return refuse('"events" does not hold the logout event');
    const subject = nameIn(sub);
    const providerSession = nameIn(sid);
    if (subject === null && providerSession === null) return refuse('it has neither "sub" nor "sid"');
    return { kind: 'logout', subject, providerSession, issuedAt: iat * 1_000, id: jti };
  } catch (error) {
    if (error instanceof KeysUnavailableError) return { kind: 'unavailable', message: error.message };
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/** A `sub` or a `sid`. An empty one is nobody's: it would end whoever else has none. */
export function nameIn(claim: unknown): string | null {
  return typeof claim === 'string' && claim !== '' ? claim : null;
}

/** Signed a moment ago by whoever may: so it is the clocks. */
function inFuture({ id }: OidcProvider, ms: number): string {
  const remedy = `set the clocks, or raise "clock_tolerance" of "providers.${id}"`;
  return `"iat" is ${Math.round(ms / 1_000)} s in the future by this machine's clock; ${remedy}`;
}

function isLogoutEvent(events: unknown): boolean {
  if (typeof events !== 'object' || events === null) return false;
  const event = (events as Record<string, unknown>)[EVENT];
  return typeof event === 'object' && event !== null;
}
