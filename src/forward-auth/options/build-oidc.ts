/** OpenID Connect: issuer, keys, claims. */
import { createPublicKey } from 'node:crypto';
import { isOfReading, readMoreThanOnce, unreadable } from './build-secret.ts';
import type { BuildContext } from './context.ts';
import type { OidcSettings, ProviderKind } from '../settings.ts';
import type { Told } from './told.ts';

/** Kinds whose id tokens are verified against an issuer that must be named. */
const NEED_ISSUER: Readonly<Partial<Record<ProviderKind, string>>> = {
  oidc: 'https://id.example.com',
  'keycloak-oidc': 'https://id.example.com/realms/NAME',
  gitlab: 'https://gitlab.com',
  'entra-id': 'https://login.microsoftonline.com/TENANT/v2.0',
  azure: 'https://login.microsoftonline.com/TENANT/v2.0',
  adfs: 'https://adfs.example.com/adfs',
  cidaas: 'https://NAME.cidaas.de',
};
const WELL_KNOWN = '/.well-known/openid-configuration';
const ALGORITHMS: ReadonlySet<string> = new Set(
  ['RS', 'ES', 'PS', 'HS'].flatMap((family) => ['256', '384', '512'].map((size) => family + size)).concat('EdDSA'),
);

export function buildOidc({ told }: BuildContext, kind: ProviderKind): OidcSettings {
  const issuer = issuerOf(told, kind);
  const skipDiscovery = told.bool('skip_oidc_discovery');
  const jwksUrl = told.text('oidc_jwks_url');
  const publicKeyFiles = told.list('oidc_public_key_files');
  if (NEED_ISSUER[kind] !== undefined) checkKeys(told, skipDiscovery);
  for (const file of publicKeyFiles) checkPublicKey(told, file);
  return {
    issuer,
    allowUnverifiedEmail: told.bool('insecure_oidc_allow_unverified_email'),
    skipIssuerVerification: told.bool('insecure_oidc_skip_issuer_verification'),
    skipNonce: skipNonce(told),
    skipDiscovery,
    jwksUrl,
    publicKeyFiles,
    emailClaim: emailClaim(told),
    groupsClaim: told.string('oidc_groups_claim') || 'groups',
    userIdClaim: null,
    audienceClaims: orDefault(told.list('oidc_audience_claims'), 'aud'),
    extraAudiences: told.list('oidc_extra_audiences'),
    signingAlgorithms: signingAlgorithms(told),
  };
}

function issuerOf(told: Told, kind: ProviderKind): string | null {
  const issuer = told.text('oidc_issuer_url');
  const example = NEED_ISSUER[kind];
  if (issuer === null) {
    if (example !== undefined) told.fault('oidc_issuer_url', 'is not given', `write the issuer, such as ${example}`);
    return null;
  }
  if (!/^https?:\/\//.test(issuer) || !URL.canParse(issuer)) {
    told.fault(
      'oidc_issuer_url',
      `is ${told.quoted('oidc_issuer_url')}, no URL`,
      `write it as ${example ?? 'https://...'}`,
    );
  } else if (issuer.endsWith(WELL_KNOWN)) {
    told.fault(
      'oidc_issuer_url',
      'is the address of its configuration',
      `write "${issuer.slice(0, -WELL_KNOWN.length)}"`,
    );
  }
  return issuer;
}

function checkKeys(told: Told, skipsDiscovery: boolean): void {
  const hasJwks = told.text('oidc_jwks_url') !== null;
  const hasFiles = told.list('oidc_public_key_files').length > 0;
  if (hasJwks && hasFiles) told.fault('oidc_jwks_url', 'is given beside oidc_public_key_files', 'keep one of them');
  if (!skipsDiscovery) return;
  if (!hasJwks && !hasFiles)
    told.fault('oidc_jwks_url', 'is needed with skip_oidc_discovery', 'give it, or oidc_public_key_files');
  for (const key of ['login_url', 'redeem_url']) {
    if (told.text(key) === null)
      told.fault(key, 'is needed with skip_oidc_discovery', 'give the endpoint of the provider');
  }
}

function checkPublicKey(told: Told, file: string): void {
  const key = 'oidc_public_key_files';
  try {
    createPublicKey(readMoreThanOnce(file));
  } catch (error) {
    const what = isOfReading(error) ? unreadable(error) : 'holds no public key';
    told.fault(key, `holds "${file}", which ${what}`, 'give public keys in PEM form');
  }
}

/** The original skips unless told otherwise; ours checks unless told otherwise. */
function skipNonce(told: Told): boolean {
  const skips = told.isGiven('insecure_oidc_skip_nonce') && told.bool('insecure_oidc_skip_nonce');
  if (skips) {
    const message = 'lets an id token of another sign-in count for this one';
    told.warn('insecure_oidc_skip_nonce', message, 'take it out: the nonce is checked by itself');
  }
  return skips;
}

function emailClaim(told: Told): string {
  const claim = told.string('oidc_email_claim') || 'email';
  const older = told.string('user_id_claim') || 'email';
  return claim === 'email' ? older : claim;
}

function orDefault(list: readonly string[], fallback: string): readonly string[] {
  return list.length === 0 ? [fallback] : list;
}

function signingAlgorithms(told: Told): readonly string[] {
  const key = 'oidc_enabled_signing_algs';
  return told.list(key).filter((name) => {
    if (ALGORITHMS.has(name)) return true;
    told.fault(
      key,
      `holds ${told.quoted(key, name)}, no algorithm that is known`,
      'write RS256, ES256 or another of theirs',
    );
    return false;
  });
}
