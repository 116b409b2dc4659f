/**
 * Logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.6): signature, issuer, audience, times, the event,
 * no nonce, a subject or a session. An ID token is no logout token. That one counts once is the caller's part.
 */
import type { LogoutCall } from '../../ports.ts';
import type { Claims } from '../../../sign-in/oauth/json.ts';
import { Refusal } from '../../../sign-in/oauth/failures.ts';
import { CLOCK_TOLERANCE_MS } from './id-token.ts';
import type { OidcParts } from './parts.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** From signing to arrival; `exp` is optional in older providers. */
const MAX_AGE_MS = 5 * 60_000;

export async function readLogoutToken(parts: OidcParts, token: string): Promise<LogoutCall> {
  const { settings, kind, deps } = parts;
  const metadata = await parts.metadata.get();
  const rule = kind.issuerRule;
  const claims = await parts.verify(token, {
    audience: { claims: ['aud'], allowed: [settings.clientId] },
    algorithms: metadata.algorithms,
    issuer: settings.oidc.skipIssuerVerification || rule !== undefined ? null : metadata.issuer,
    mayLackExpiry: true,
    isLogout: true,
  });
  rule?.(settings, metadata, claims);
  checkTimes(claims, deps.clock.now());
  const { sub, sid, jti, nonce } = claims;
  if (typeof jti !== 'string' || jti === '') throw new Refusal('a logout token has no "jti"');
  if (nonce !== undefined) throw new Refusal('a logout token has a "nonce", which only an ID token may have');
  if (!isLogoutEvent(claims['events'])) throw new Refusal('a token does not hold the logout event');
  const subject = typeof sub === 'string' && sub !== '' ? sub : null;
  const providerSession = typeof sid === 'string' && sid !== '' ? sid : null;
  if (subject === null && providerSession === null) throw new Refusal('a logout token has neither "sub" nor "sid"');
  return { subject, providerSession, issuedAt: Number(claims['iat']) * 1_000, id: jti };
}

function checkTimes({ iat }: Claims, now: number): void {
  if (typeof iat !== 'number') throw new Refusal('a logout token has no "iat"');
  const age = now - iat * 1_000;
  if (age < -CLOCK_TOLERANCE_MS) throw new Refusal('"iat" of a logout token is in the future');
  if (age > MAX_AGE_MS + CLOCK_TOLERANCE_MS) throw new Refusal('a logout token is too old');
}

function isLogoutEvent(events: unknown): boolean {
  if (typeof events !== 'object' || events === null) return false;
  const event = (events as Record<string, unknown>)[EVENT];
  return typeof event === 'object' && event !== null;
}
