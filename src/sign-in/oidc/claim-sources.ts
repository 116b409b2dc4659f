/**
 * Where what is known of a person comes from: the ID token, and where that does not say enough the access token,
 * userinfo, the list behind an overage, or a directory. What is asked for is only what is missing.
 */
import * as client from 'openid-client';
import type { OidcProvider } from '../../config/document/providers.ts';
import { PROVIDER_PRESETS } from '../../config/presets/providers.ts';
import type { GoogleGroups } from '../google/groups.ts';
import type { Claims } from './claims.ts';
import { metadataOf } from './discovery.ts';
import { readOverage } from './overage.ts';
import type { Parts } from './parts.ts';
import { firstNames, isOverage, lacksRoles, rolesUnknown } from './person.ts';
import { explainProblem, UserinfoRefusal, userinfoRefusalOf, whatFailed } from './problems.ts';
import type { Unsaid } from '../../core/person.ts';

export interface GatherOptions {
  readonly accessToken: string;
  readonly address: string | null;
  /** At a sign-in nothing was known before. At a refresh what was known stays while nobody can be asked. */
  readonly step: 'sign-in' | 'refresh';
}

/** ID token first; the access token where a preset says that roles stand in it; userinfo only for what is missing in both. */
export async function gather(
  parts: Parts,
  configuration: client.Configuration,
  claims: Claims,
  { accessToken, address, step }: GatherOptions,
): Promise<readonly Claims[]> {
  const { provider } = parts;
  const sources: Claims[] = [claims];
  // Also where the ID token says some: its mappers may say those of the realm there, and those of clients here.
  if (provider.readsAccessToken && provider.rolesClaims.length > 0) {
    const own = await readAccessToken(parts, accessToken, claims['sub']);
    if (own !== null) sources.push(own);
  }
  if (provider.overageUrl !== null && sources.some(isOverage)) {
    const groups = await readOverage(parts.http, graphOf(provider.overageUrl, configuration), accessToken);
    if (groups !== null) sources.push(groups);
  }
  // First, so that no claim of a token passes for a group of the directory.
  if (parts.googleGroups !== null) sources.unshift(await directoryGroups(parts.googleGroups, address));
  const hasUserinfo = metadataOf(configuration).userinfo_endpoint !== undefined;
  const missing = hasUserinfo ? missingIn(provider, sources) : [];
  if (missing.length === 0) return sources;
  try {
    sources.push(await askUserinfo(configuration, accessToken, String(claims['sub'])));
  } catch (error) {
    // Many look at no role: nobody is let in by one, and every deny by one counts.
    const areRolesAlone = missing.every((one) => one === 'roles');
    if (!areRolesAlone || !isSilence(provider, error, step)) throw error;
    sources.push(rolesUnknown(`userinfo does not say them, ${whatFailed(provider, error)}`));
  }
  return sources;
}

/** Entra ID's national clouds have a Graph of their own, and say where: at another one their tokens count for nothing. */
function graphOf(address: string, configuration: client.Configuration): string {
  const host = metadataOf(configuration)['msgraph_host'];
  const url = new URL(address);
  if (typeof host === 'string' && /^[a-z0-9.-]+(?::\d+)?$/.test(host)) url.host = host;
  return url.href;
}

/** What is not right (another person's claims, no JSON) is no silence. */
function isSilence(provider: OidcProvider, error: unknown, step: GatherOptions['step']): boolean {
  if (error instanceof UserinfoRefusal) return true;
  return step === 'sign-in' && explainProblem(provider, error).reason === 'unavailable';
}

async function askUserinfo(configuration: client.Configuration, token: string, subject: string): Promise<Claims> {
  try {
    return await client.fetchUserInfo(configuration, token, subject);
  } catch (error) {
    throw userinfoRefusalOf(error) ?? error;
  }
}

/** None to let anybody in by, marked as Entra marks what is not all. Of very many the first are known. */
const UNKNOWN_GROUPS: Claims = { groups: [], hasgroups: true };

export async function directoryGroups(directory: GoogleGroups, address: string | null): Promise<Claims> {
  const groups = address === null ? null : await directory.of(address);
  if (groups === null) return UNKNOWN_GROUPS;
  return groups.areAll ? { groups: groups.names } : { ...UNKNOWN_GROUPS, groups: groups.names };
}

/** A directory knows people by their address, so it must be theirs. */
export function addressIn({ email, email_verified: isVerified }: Claims): string | null {
  return typeof email === 'string' && isVerified === true ? email : null;
}

function missingIn(provider: OidcProvider, sources: readonly Claims[]): readonly Unsaid[] {
  const has = (name: string): boolean => sources.some((one) => one[name] !== undefined);
  const lacks = (paths: readonly string[]): boolean => paths.length > 0 && firstNames(sources, paths) === null;
  const missing: Unsaid[] = [];
  if (provider.userClaims.length > 0 && !has(provider.userClaims[0] as string)) missing.push('name');
  if (provider.scopes.includes('email') && !has('email')) missing.push('email');
  if (lacks(provider.groupsClaims)) missing.push('groups');
  if (mayHaveRoles(provider) && lacksRoles(provider, sources)) missing.push('roles');
  return missing;
}

/** A claim that the document names may be anywhere; where a preset's is, the preset knows. */
function mayHaveRoles({ preset, rolesClaims }: OidcProvider): boolean {
  const known = PROVIDER_PRESETS[preset];
  return known === undefined || known.userinfoHasRoles || rolesClaims.join() !== known.rolesClaims.join();
}

/** Null where it is no JWT of this issuer for this person: an access token is opaque to clients by right. */
async function readAccessToken({ provider, keys }: Parts, token: string, subject: unknown): Promise<Claims | null> {
  if (token.split('.').length !== 3) return null;
  try {
    const { claims } = await keys.verify(token, { audience: null, clockToleranceMs: provider.clockToleranceMs });
    return claims.sub === subject && claims['azp'] === provider.clientId ? rolesOnly(provider, claims) : null;
  } catch {
    return null;
  }
}

/** Nothing else of an access token is about the person for us. */
function rolesOnly(provider: OidcProvider, claims: Claims): Claims {
  const heads = new Set(provider.rolesClaims.map((path) => path.split('.', 1)[0]));
  return Object.fromEntries(Object.entries(claims).filter(([name]) => heads.has(name)));
}
