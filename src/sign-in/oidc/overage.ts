/**
 * Groups of a person who is in too many for a token: Entra ID leaves them out and Microsoft Graph is asked
 * instead, with the person's own access token. Read to the end, never beyond the API's own origin. What
 * it refuses is no group: rules then match nobody more. One that does not answer, or limits us, says nothing, and is asked again.
 */
import { Outage } from '../oauth/failures.ts';
import type { ProviderHttp } from '../provider-http.ts';
import type { Claims } from './claims.ts';

const PER_PAGE = 999;
/** More names than are kept of anybody. */
const MOST_PAGES = 11;

export interface OverageOptions {
  /** What names a group. */
  readonly field?: 'id' | 'displayName';
  /** Only groups that can carry rights, and no roles of the directory. */
  readonly isSecurityOnly?: boolean;
}

/** The groups as a claim, marked as Entra marks what is not all; null where the API does not allow it. */
export async function readOverage(
  http: ProviderHttp,
  address: string,
  accessToken: string,
  { field = 'id', isSecurityOnly = false }: OverageOptions = {},
): Promise<Claims | null> {
  const start = new URL(address);
  start.search = new URLSearchParams({
    $select: field,
    $top: String(PER_PAGE),
    // Groups alone, and a filter, need a count, whoever wants it or not (advanced queries of Graph).
    $count: 'true',
    ...(isSecurityOnly ? { $filter: 'securityEnabled eq true' } : {}),
  }).toString();
  const groups: string[] = [];
  let next: URL | null = start;
  let hasMore = false;
  for (let page = 0; next !== null && page < MOST_PAGES; page++) {
    const headers = {
      authorization: `Bearer ${accessToken}`,
      accept: 'application/json',
      consistencylevel: 'eventual',
    };
    const response: Response = await http.fetch(next.href, { headers }).catch((error: unknown) => {
      const remedy = 'let this machine reach it, or choose "Groups assigned to the application" for the groups claim';
      throw new Outage(`${silent(start)}: ${codeOf(error)}; ${remedy}`, error);
    });
    if (response.status === 429 || response.status >= 500)
      throw new Outage(`${silent(start)}: it answered ${response.status}`);
    if (response.status !== 200) return null;
    const body: unknown = await response.json();
    if (!isMap(body) || !Array.isArray(body['value'])) return null;
    for (const item of body['value'] as unknown[]) {
      const name = isMap(item) ? item[field] : undefined;
      if (typeof name === 'string') groups.push(name);
    }
    hasMore = body['@odata.nextLink'] !== undefined;
    next = nextOf(body['@odata.nextLink'], start);
  }
  // Where it goes on, or leads elsewhere, the rest is not known.
  return { groups, ...(hasMore ? { hasgroups: true } : {}) };
}

/** It is no word about the provider, which has answered. */
function silent({ origin }: URL): string {
  return `"${origin}" does not say the groups of a person who is in too many for a token (overage)`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no answer in time';
}

/** A link to elsewhere would send the token there. */
function nextOf(link: unknown, start: URL): URL | null {
  const url = typeof link === 'string' && URL.canParse(link) ? new URL(link) : null;
  return url !== null && url.origin === start.origin && url.pathname === start.pathname ? url : null;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
