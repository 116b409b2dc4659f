/**
 * Microsoft Entra ID (the v2.0 endpoint). Tokens of an app for many tenants are issued in the name of each: the
 * tenant in `iss` must be one that is let in. Groups that did not fit into the token are asked of Graph, at
 * sign-in and at every refresh, or they would vanish an hour later.
 */
import { readTextAtMost } from '../../../core/read-at-most.ts';
import { isOverage } from '../../../sign-in/oidc/person.ts';
import { readOverage } from '../../../sign-in/oidc/overage.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { ProviderSettings } from '../../settings.ts';
import { textsOf } from '../claims.ts';
import type { Claims } from '../../../sign-in/oauth/json.ts';
import type { AuthProviderDeps } from '../deps.ts';
import { NotAdmitted, Outage, Refusal } from '../../../sign-in/oauth/failures.ts';
import type { Metadata } from '../oidc/metadata.ts';
import type { Enrichment, OidcKind } from '../oidc/parts.ts';
import { assertionAuth, type ClientAuth } from '../../../sign-in/oauth/token-endpoint.ts';

const TENANT = '{tenantid}';
const GRAPH = 'https://graph.microsoft.com/v1.0/me/transitiveMemberOf';

/** `graph` is another for tests. */
export function entraKind(graph: string = GRAPH): OidcKind {
  return {
    name: 'Microsoft Entra ID',
    scope: 'openid email profile',
    asksForGroups: true,
    needsEmail: true,
    isIssuer,
    switchPrompt: 'select_account',
    issuerRule: checkTenant,
    clientAuth: federatedAuth,
    caution,
    enrich: (enrichment) => addOverage(graph, enrichment),
  };
}

function caution({ oidc, entraId }: ProviderSettings): string | null {
  if (!oidc.skipIssuerVerification || entraId.allowedTenants.length > 0) return null;
  return 'People of every tenant may sign in, with whatever address their tenant gives them: name those you mean by "entra-id-allowed-tenant"';
}

/** The description for all tenants has a gap where the tenant goes; only with a list of tenants it is no open door. */
function isIssuer({ oidc, entraId }: ProviderSettings, found: string): boolean {
  const issuer = (oidc.issuer ?? '').replace(/\/$/, '');
  if (!found.includes(TENANT)) return issuer === found.replace(/\/$/, '');
  return entraId.allowedTenants.length > 0 && found === `${new URL(issuer).origin}/${TENANT}/v2.0`;
}

function checkTenant({ oidc, entraId }: ProviderSettings, metadata: Metadata, claims: Claims): void {
  const { iss, tid } = claims;
  const tenant = tenantOf(oidc.issuer ?? '', iss);
  if (tenant === null) throw new Refusal('"iss" of a token is no tenant of Microsoft Entra ID');
  if (tid !== undefined && tid !== tenant) throw new Refusal('"tid" and "iss" of a token are of two tenants');
  const isForMany = oidc.skipIssuerVerification || metadata.issuer.includes(TENANT);
  if (!isForMany && iss !== metadata.issuer) throw new Refusal(`a token is not of the issuer "${metadata.issuer}"`);
  const { allowedTenants } = entraId;
  if (allowedTenants.length > 0 && !allowedTenants.includes(tenant))
    throw new NotAdmitted(`the tenant "${tenant}" is not among "entra-id-allowed-tenant"`);
}

/** "https://login.microsoftonline.com/TENANT/v2.0", of the cloud that the issuer is in. */
function tenantOf(issuer: string, iss: unknown): string | null {
  if (typeof iss !== 'string') return null;
  const prefix = `${new URL(issuer).origin}/`;
  if (!iss.startsWith(prefix)) return null;
  return /^([A-Za-z0-9-]+)\/v2\.0$/.exec(iss.slice(prefix.length))?.[1] ?? null;
}

/** Workload identity: a token of the cluster in place of a secret. It is renewed in its file. */
function federatedAuth({ clientId, entraId }: ProviderSettings, { environment }: AuthProviderDeps): ClientAuth | null {
  if (!entraId.federatedToken) return null;
  return assertionAuth(clientId, async () => {
    const file = (environment ?? process.env)['AZURE_FEDERATED_TOKEN_FILE'];
    if (file === undefined || file === '') throw new Refusal('"AZURE_FEDERATED_TOKEN_FILE" is not set');
    const text = await readTextAtMost(file).catch((error: unknown) => {
      throw new Outage(`the file of "AZURE_FEDERATED_TOKEN_FILE" cannot be read`, error);
    });
    return text.trim();
  });
}

async function addOverage(graph: string, { parts, session, claims, step }: Enrichment): Promise<AuthSession> {
  if (!isOverage(claims)) return session;
  // A token that a machine brought is for us, not for Graph.
  const read = step === 'bearer' ? null : await readOverage(parts.http, graph, session.accessToken);
  if (read === null) {
    parts.deps.log.warn(
      { provider: parts.settings.kind },
      'Groups of a person are missing: there are too many for a token, and Microsoft Graph may not be asked; add "User.Read" to "scope"',
    );
    return session;
  }
  return { ...session, groups: [...new Set([...session.groups, ...textsOf(read['groups'])])] };
}
