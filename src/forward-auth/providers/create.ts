/** From settings to the provider that they name. */
import { PosternError } from '../../core/errors.ts';
import type { AuthProvider } from '../ports.ts';
import type { ProviderKind, ProviderSettings } from '../settings.ts';
import type { AuthProviderDeps } from './deps.ts';
import { GITEA, GITHUB } from './github/kind.ts';
import { GITLAB } from './gitlab/gitlab.ts';
import { googleKind } from './google/kind.ts';
import { ADFS } from './microsoft/adfs.ts';
import { azureKind } from './microsoft/azure.ts';
import { entraKind } from './microsoft/entra.ts';
import { CIDAAS } from './oidc/cidaas.ts';
import { KEYCLOAK } from './oidc/keycloak.ts';
import { LOGIN_GOV } from './oidc/login-gov.ts';
import type { OidcKind } from './oidc/parts.ts';
import { PLAIN } from './oidc/plain.ts';
import { createOidcAuthProvider } from './oidc/provider.ts';
import { createNoProvider } from './no-provider.ts';
import type { PlainKind } from './plain/kind.ts';
import { BITBUCKET, DIGITALOCEAN, FACEBOOK, KEYCLOAK_PLAIN, LINKEDIN, NEXTCLOUD, SOURCEHUT } from './plain/kinds.ts';
import { createPlainAuthProvider } from './plain/provider.ts';

type Create = (settings: ProviderSettings, deps: AuthProviderDeps) => AuthProvider;

const oidc =
  (kind: OidcKind): Create =>
  (settings, deps) =>
    createOidcAuthProvider(kind, settings, deps);

const plain =
  (kind: PlainKind): Create =>
  (settings, deps) =>
    createPlainAuthProvider(kind, settings, deps);

const KINDS: Readonly<Record<ProviderKind, Create>> = {
  oidc: oidc(PLAIN),
  'keycloak-oidc': oidc(KEYCLOAK),
  keycloak: plain(KEYCLOAK_PLAIN),
  google: (settings, deps) => createOidcAuthProvider(googleKind(), settings, deps),
  github: plain(GITHUB),
  gitlab: oidc(GITLAB),
  'entra-id': oidc(entraKind()),
  azure: oidc(azureKind()),
  adfs: oidc(ADFS),
  bitbucket: plain(BITBUCKET),
  gitea: plain(GITEA),
  facebook: plain(FACEBOOK),
  linkedin: plain(LINKEDIN),
  digitalocean: plain(DIGITALOCEAN),
  'login.gov': oidc(LOGIN_GOV),
  nextcloud: plain(NEXTCLOUD),
  cidaas: oidc(CIDAAS),
  srht: plain(SOURCEHUT),
  none: createNoProvider,
};

/** Throws where the settings cannot be a provider; one that does not answer is no reason to. */
export function createAuthProvider(settings: ProviderSettings, deps: AuthProviderDeps): AuthProvider {
  const missing = missingIn(settings);
  if (missing !== null) throw new PosternError('CONFIG_INVALID', `Cannot sign in by "${settings.kind}": ${missing}`);
  return KINDS[settings.kind](settings, deps);
}

/** What cannot be honoured, or not without something else: refused, since ignoring it could let everybody in. */
function missingIn({ kind, bitbucket, loginUrl, redeemUrl, validateUrl, profileUrl }: ProviderSettings): string | null {
  if (kind === 'bitbucket' && bitbucket.team !== null)
    return 'Bitbucket ended teams, so "bitbucket-team" cannot be checked; use "bitbucket-repository", or addresses';
  if (kind === 'gitea' || kind === 'nextcloud' || kind === 'keycloak') {
    if (loginUrl === null || redeemUrl === null)
      return 'it has no addresses of its own; set "login-url" and "redeem-url"';
    const hasApi = validateUrl !== null || (kind !== 'gitea' && profileUrl !== null);
    if (!hasApi) return 'it has no addresses of its own; set "validate-url"';
  }
  return null;
}
