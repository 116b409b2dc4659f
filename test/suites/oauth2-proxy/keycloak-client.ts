/**
 * Registers the client of the local provider at a real Keycloak: groups as full paths, itself as audience,
 * and a role of its own, "operator", that alice has.
 */
import { startKeycloak } from '../../support/keycloak.ts';
import type { Keycloak } from '../../support/keycloak.ts';
import { CLIENT_ID, CLIENT_SECRET } from './provider.ts';

export async function startKeycloakWithClient(): Promise<Keycloak> {
  const nowhere = 'https://app.example.com';
  const keycloak = await startKeycloak({ signInUrl: nowhere, backChannelUrl: nowhere });
  const everywhere = { 'id.token.claim': 'true', 'access.token.claim': 'true', 'userinfo.token.claim': 'true' };
  const mapper = (name: string, protocolMapper: string, config: Record<string, string>): unknown => ({
    name,
    protocol: 'openid-connect',
    protocolMapper,
    config: { ...everywhere, ...config },
  });
  await keycloak.admin('POST', '/clients', {
    clientId: CLIENT_ID,
    secret: CLIENT_SECRET,
    publicClient: false,
    redirectUris: [`${nowhere}/oauth2/callback`],
    attributes: { 'post.logout.redirect.uris': `${nowhere}/*` },
    protocolMappers: [
      mapper('groups', 'oidc-group-membership-mapper', { 'claim.name': 'groups', 'full.path': 'true' }),
      mapper('audience', 'oidc-audience-mapper', { 'included.client.audience': CLIENT_ID }),
    ],
  });
  await giveRole(keycloak, 'operator', 'alice');
  return keycloak;
}

type Found = readonly { readonly id: string }[];

async function giveRole(keycloak: Keycloak, name: string, person: string): Promise<void> {
  const [client] = (await keycloak.admin('GET', `/clients?clientId=${CLIENT_ID}`)) as Found;
  const [user] = (await keycloak.admin('GET', `/users?username=${person}&exact=true`)) as Found;
  await keycloak.admin('POST', `/clients/${client?.id}/roles`, { name });
  const role = await keycloak.admin('GET', `/clients/${client?.id}/roles/${name}`);
  await keycloak.admin('POST', `/users/${user?.id}/role-mappings/clients/${client?.id}`, [role]);
}
