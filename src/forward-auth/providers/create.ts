/** From settings to the provider that they name. */
import { PosternError } from '../../core/errors.ts';
import type { AuthProvider } from '../ports.ts';
import type { ProviderKind, ProviderSettings } from '../settings.ts';
import type { AuthProviderDeps } from './deps.ts';
import { GITEA, GITHUB } from './github/kind.ts';
import { KEYCLOAK } from './oidc/keycloak.ts';
import type { OidcKind } from './oidc/parts.ts';
import { PLAIN } from './oidc/plain.ts';
import { createOidcAuthProvider } from './oidc/provider.ts';
import type { PlainKind } from './plain/kind.ts';
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

const KINDS: Partial<Record<ProviderKind, Create>> = {
  oidc: oidc(PLAIN),
  'keycloak-oidc': oidc(KEYCLOAK),
  github: plain(GITHUB),
  gitea: plain(GITEA),
};

/** Throws where the settings cannot be a provider; one that does not answer is no reason to. */
export function createAuthProvider(settings: ProviderSettings, deps: AuthProviderDeps): AuthProvider {
  const create = KINDS[settings.kind];
  if (create === undefined)
    throw new PosternError('CONFIG_INVALID', `Cannot sign in by "${settings.kind}": choose another "provider"`);
  return create(settings, deps);
}
