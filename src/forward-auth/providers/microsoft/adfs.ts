/** Active Directory Federation Services: the address may be the UPN, and the state is escaped twice, or it loses its query. */
import type { AuthSession } from '../../auth-session.ts';
import type { ProviderSettings } from '../../settings.ts';
import { createClaimReader } from '../claims.ts';
import { textOf } from '../../../sign-in/oauth/json.ts';
import type { Enrichment, OidcKind } from '../oidc/parts.ts';
import { readProfile } from '../oidc/userinfo.ts';

export const ADFS: OidcKind = {
  name: 'ADFS',
  scope: 'openid email profile',
  asksForGroups: false,
  needsEmail: true,
  finalScope: withResource,
  encodeState: (state) => encodeURIComponent(state),
  enrich: fallBackToUpn,
};

function withResource({ resource }: ProviderSettings, scope: string): string {
  if (resource === null || resource === '') return scope;
  const prefix = resource.endsWith('/') ? resource : `${resource}/`;
  return scope.startsWith(prefix) ? scope : prefix + scope;
}

async function fallBackToUpn({ parts, metadata, session, claims }: Enrichment): Promise<AuthSession> {
  if (session.email !== '') return session;
  const subject = typeof claims['sub'] === 'string' ? claims['sub'] : session.user;
  const reader = createClaimReader(claims, () => readProfile(parts, metadata, session.accessToken, subject));
  return { ...session, email: textOf(await reader.get('upn')) ?? '' };
}
