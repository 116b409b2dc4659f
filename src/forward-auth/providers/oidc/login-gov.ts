/**
 * login.gov: an OpenID provider whose clients sign a statement instead of having a secret (private_key_jwt).
 * Without an issuer of the settings its addresses are the known ones, and its keys those of `pubjwk-url`.
 */
import { createPrivateKey, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import type { AuthSession } from '../../auth-session.ts';
import type { ProviderSettings } from '../../settings.ts';
import { isTrue } from '../claims.ts';
import { textOf } from '../../../sign-in/oauth/json.ts';
import type { AuthProviderDeps } from '../deps.ts';
import { NotAdmitted, Refusal } from '../../../sign-in/oauth/failures.ts';
import { assertionAuth, type ClientAuth } from '../../../sign-in/oauth/token-endpoint.ts';
import type { Enrichment, OidcKind } from './parts.ts';
import { readProfile } from './userinfo.ts';

const ASSERTION_MS = 5 * 60_000;

export const LOGIN_GOV: OidcKind = {
  name: 'login.gov',
  scope: 'email openid',
  asksForGroups: false,
  needsEmail: true,
  takesBearers: false,
  endpoints: ({ loginGov }) => ({
    issuer: 'https://secure.login.gov/',
    loginUrl: 'https://secure.login.gov/openid_connect/authorize',
    tokenUrl: 'https://secure.login.gov/api/openid_connect/token',
    profileUrl: 'https://secure.login.gov/api/openid_connect/userinfo',
    jwksUrl: loginGov.pubjwkUrl ?? 'https://secure.login.gov/api/openid_connect/certs',
    challengeMethods: ['S256'],
  }),
  loginDefaults: { acr_values: 'http://idmanagement.gov/ns/assurance/loa/1' },
  clientAuth: signedAuth,
  enrich: takeVerifiedAddress,
};

function signedAuth({ clientId, loginGov }: ProviderSettings, { clock }: AuthProviderDeps): ClientAuth {
  return assertionAuth(clientId, async (tokenUrl) => {
    if (loginGov.jwtKey === null) throw new Refusal('"jwt-key" is not set');
    const now = clock.now();
    return new SignJWT()
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(tokenUrl)
      .setJti(randomUUID())
      .setIssuedAt(new Date(now))
      .setExpirationTime(new Date(now + ASSERTION_MS))
      .sign(createPrivateKey(loginGov.jwtKey.read()));
  });
}

/** Only the profile's word counts, and only with `email_verified`. */
async function takeVerifiedAddress({ parts, metadata, session, claims, step }: Enrichment): Promise<AuthSession> {
  if (step === 'bearer') return session;
  const profile = await readProfile(parts, metadata, session.accessToken, String(claims['sub']));
  const email = textOf(profile['email']);
  if (email === null || !isTrue(profile['email_verified']))
    throw new NotAdmitted('the address of the person is not verified');
  return { ...session, email };
}
