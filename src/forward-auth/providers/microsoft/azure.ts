/**
 * The older kind for Microsoft's directory, v1.0 and v2.0 endpoints alike, as far as ID tokens go: an address
 * that is not in the token is asked of Graph, and with v2.0 the groups too, by the field that names them.
 */
import { readOverage } from '../../../sign-in/oidc/overage.ts';
import { isOverage } from '../../../sign-in/oidc/person.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { ProviderSettings } from '../../settings.ts';
import { textsOf } from '../claims.ts';
import { textOf, type Claims } from '../../../sign-in/oauth/json.ts';
import { Refusal } from '../../../sign-in/oauth/failures.ts';
import { askApiFor } from '../../../sign-in/oauth/api.ts';
import type { Metadata } from '../oidc/metadata.ts';
import type { Enrichment, OidcKind } from '../oidc/parts.ts';

/** `graph` is another for tests. */
export function azureKind(graph: string = 'https://graph.microsoft.com'): OidcKind {
  const withResource = (settings: ProviderSettings): Readonly<Record<string, string>> =>
    settings.resource === null || isVersion2(settings.oidc.issuer ?? '') ? {} : { resource: settings.resource };
  return {
    name: 'Azure',
    scope: 'openid',
    asksForGroups: false,
    needsEmail: true,
    finalScope: (settings, scope) => finalScope(settings, scope, graph),
    loginExtra: withResource,
    redeemExtra: withResource,
    enrich: (enrichment) => enrich(graph, enrichment),
  };
}

function isVersion2(address: string): boolean {
  return address.includes('v2.0');
}

/** v2.0 has no `resource`: what may be asked of Graph is a scope, and "groups" is none. */
function finalScope({ oidc }: ProviderSettings, scope: string, graph: string): string {
  if (!isVersion2(oidc.issuer ?? '')) return scope;
  const all = `${graph}/.default`;
  const scopes = scope.split(' ').filter((one) => one !== 'groups' && one !== all);
  return [...scopes, all].join(' ');
}

async function enrich(graph: string, enrichment: Enrichment): Promise<AuthSession> {
  const { session, step } = enrichment;
  if (step === 'bearer') return session;
  const email = session.email === '' ? await emailOf(graph, enrichment) : session.email;
  const groups = await groupsOf(graph, enrichment);
  return { ...session, email, groups: [...new Set([...session.groups, ...groups])] };
}

async function emailOf(graph: string, { parts, session }: Enrichment): Promise<string> {
  const me = await askApiFor(parts.http, { url: `${graph}/v1.0/me`, accessToken: session.accessToken });
  const others: unknown = Array.isArray(me['otherMails']) ? (me['otherMails'] as unknown[])[0] : undefined;
  const found = textOf(me['mail']) ?? textOf(others) ?? textOf(me['userPrincipalName']);
  if (found === null) throw new Refusal('neither the token nor Microsoft Graph has an address');
  return found;
}

async function groupsOf(graph: string, { parts, metadata, session, claims }: Enrichment): Promise<readonly string[]> {
  if (!asksGraph(metadata, claims)) return [];
  const field = parts.settings.entraId.graphGroupField;
  const address = `${graph}/v1.0/me/transitiveMemberOf`;
  const read = await readOverage(parts.http, address, session.accessToken, { field, isSecurityOnly: true });
  // Without them a rule for a group would be judged by half of what is to be known.
  if (read === null) throw new Refusal('Microsoft Graph does not say the groups; give the app "Group.Read.All"');
  return textsOf(read['groups']);
}

function asksGraph(metadata: Metadata, claims: Claims): boolean {
  return isVersion2(metadata.loginUrl) || isOverage(claims);
}
