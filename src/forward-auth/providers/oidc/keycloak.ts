/**
 * Keycloak: roles stand in its access token, and count as groups: `role:x` of the realm, `role:client:x` of
 * a client. They are read only of a token that this realm signed, for this client and person.
 */
import type { AuthSession } from '../../auth-session.ts';
import { isMap, isUsable, type Claims } from '../../../sign-in/oauth/json.ts';
import { Refusal } from '../../../sign-in/oauth/failures.ts';
import type { Enrichment, OidcKind, OidcParts } from './parts.ts';
import type { Metadata } from './metadata.ts';

const PREFIX = 'role:';
const JWT = /^[^.]+\.[^.]+\.[^.]+$/;

export const KEYCLOAK: OidcKind = {
  name: 'Keycloak OIDC',
  scope: 'openid email profile',
  asksForGroups: true,
  needsEmail: true,
  allowedGroups: ({ roles }) => roles.map((role) => PREFIX + role),
  enrich: addRoles,
};

async function addRoles({ parts, metadata, session, claims, step }: Enrichment): Promise<AuthSession> {
  const access = step === 'bearer' ? claims : await readAccessToken(parts, metadata, { session, claims });
  // A group of that spelling would pass for a role.
  const groups = session.groups.filter((group) => !group.startsWith(PREFIX));
  return { ...session, groups: [...groups, ...rolesOf(access)] };
}

async function readAccessToken(
  parts: OidcParts,
  metadata: Metadata,
  { session, claims }: { readonly session: AuthSession; readonly claims: Claims },
): Promise<Claims> {
  // Opaque or lightweight tokens have no roles: then a rule for a role matches nobody.
  if (!JWT.test(session.accessToken)) return {};
  const access = await parts.verify(session.accessToken, {
    audience: null,
    algorithms: metadata.algorithms,
    issuer: parts.settings.oidc.skipIssuerVerification ? null : metadata.issuer,
  });
  const { sub, azp } = access;
  if (sub !== undefined && claims['sub'] !== undefined && sub !== claims['sub'])
    throw new Refusal('the access token is of another person');
  if (azp !== undefined && azp !== parts.settings.clientId)
    throw new Refusal('"azp" of the access token is another client');
  return access;
}

export function rolesOf(access: Claims): readonly string[] {
  const roles = rolesIn(access['realm_access']);
  const clients = access['resource_access'];
  for (const [client, entry] of Object.entries(isMap(clients) ? clients : {}))
    roles.push(...rolesIn(entry).map((role) => `${client}:${role}`));
  return [...new Set(roles.map((role) => PREFIX + role))].filter(isUsable);
}

function rolesIn(value: unknown): string[] {
  const roles = isMap(value) ? value['roles'] : undefined;
  return Array.isArray(roles) ? roles.filter((one) => typeof one === 'string') : [];
}
