/**
 * What can be tried of a provider without a person: that it is there and names itself as the document does,
 * that it has keys, knows the client and its secret, and takes our redirect URI and scopes.
 */
import * as client from 'openid-client';
import type { GoogleGroups } from '../google/groups.ts';
import { OAuthError, Outage, Refusal } from '../oauth/failures.ts';
import type { Finding } from '../provider.ts';
import type { OidcProvider } from '../../config/document/providers.ts';
import { groupsRemedy, namesOf } from './person.ts';
import type { Parts } from './parts.ts';
import { probeRequest } from './probe-request.ts';
import { explainProblem } from './problems.ts';

export async function probeProvider(parts: Parts, redirectUri: string): Promise<readonly Finding[]> {
  const { provider, discovery } = parts;
  let configuration: client.Configuration;
  try {
    configuration = await discovery.get();
  } catch (error) {
    return [{ ok: false, message: explainProblem(provider, error).message }];
  }
  const known = await probeClient(parts, configuration, redirectUri);
  const request = await probeRequest(parts, configuration, redirectUri);
  return [
    { ok: true, message: `"${provider.issuer}" answers, and names itself so` },
    await probeKeys(parts, configuration),
    known,
    // A client that is not known there has no redirect URI either: the one cause is said once.
    ...(known.ok || request.isClear ? [request.finding] : []),
    ...probeClaims(provider, configuration),
    ...probeClock(parts),
    ...(parts.googleGroups === null ? [] : [await probeDirectory(parts, parts.googleGroups)]),
  ];
}

/** Only a person's token shows its claims, and a provider may list too few of them (Discovery section 3): no failure, but a word. */
function probeClaims(provider: OidcProvider, configuration: client.Configuration): readonly Finding[] {
  const listed = configuration.serverMetadata().claims_supported;
  const { groupsClaims } = provider;
  if (groupsClaims.length === 0 || !Array.isArray(listed) || listed.length === 0) return [];
  if (groupsClaims.some((path) => listed.includes(path) || listed.includes(path.split('.', 1)[0] ?? ''))) return [];
  const what = `does not list the claim ${namesOf(provider)}, which "group:" needs`;
  return [{ ok: true, message: `${what}: if it is missing at a sign-in, ${groupsRemedy(provider)}` }];
}

/** By `Date` of its answers, which not every provider sends: what says nothing is no finding. */
function probeClock({ clockWatch }: Parts): readonly Finding[] {
  const apart = clockWatch.problem();
  if (apart !== null) return [{ ok: false, message: apart }];
  return clockWatch.hasHeard() ? [{ ok: true, message: "its clock agrees with this machine's" }] : [];
}

/** The administrator's own groups: whether the account may ask is all that is to be known. */
async function probeDirectory({ provider }: Parts, groups: GoogleGroups): Promise<Finding> {
  try {
    await groups.check();
    return { ok: true, message: 'its directory says the groups' };
  } catch (error) {
    if (error instanceof Refusal || error instanceof OAuthError || error instanceof Outage)
      return { ok: false, message: `Directory of "${provider.id}" does not say the groups: ${error.message}` };
    return { ok: false, message: explainProblem(provider, error).message };
  }
}

async function probeKeys({ provider, http }: Parts, configuration: client.Configuration): Promise<Finding> {
  const { jwks_uri: uri } = configuration.serverMetadata();
  try {
    const response = await http.fetch(uri ?? '', { headers: { accept: 'application/json' } });
    const { keys } = (await response.json()) as { keys?: unknown };
    if (Array.isArray(keys) && keys.length > 0) return { ok: true, message: `signs with ${keys.length} keys` };
    return { ok: false, message: `Provider "${provider.id}" has no keys at "${uri}"` };
  } catch (error) {
    return { ok: false, message: explainProblem(provider, error).message };
  }
}

/** A code that is none: the client and its secret are looked at first (RFC 6749 section 3.2.1). */
async function probeClient(
  { provider }: Parts,
  configuration: client.Configuration,
  redirectUri: string,
): Promise<Finding> {
  const url = new URL(redirectUri);
  url.search = new URLSearchParams({ code: 'postern-check', iss: configuration.serverMetadata().issuer }).toString();
  try {
    await client.authorizationCodeGrant(configuration, url, { pkceCodeVerifier: client.randomPKCECodeVerifier() });
    return { ok: false, message: `Provider "${provider.id}" gave tokens for a code that is none` };
  } catch (error) {
    const problem = explainProblem(provider, error);
    if (problem.reason === 'invalid') return { ok: true, message: 'knows the client and its secret' };
    return { ok: false, message: problem.message };
  }
}
