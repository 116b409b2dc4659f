/**
 * Google's Directory API (Admin SDK): whether somebody is in a group, nested groups included, which groups
 * somebody is in, and the organisation's own id of a person.
 */
import type { Clock } from '../../core/clock.ts';
import type { ProviderHttp } from '../provider-http.ts';
import { isMap, textOf, type Claims } from '../oauth/json.ts';
import { OAuthError, Outage, Refusal } from '../oauth/failures.ts';
import { askApi } from '../oauth/api.ts';
import type { ActAsAdministrator } from './credentials.ts';

const SCOPE = 'https://www.googleapis.com/auth/';
/** From the least right that suffices on; a domain allows an account only some of them. */
const GROUP_SCOPES = [
  'admin.directory.group.member.readonly',
  'admin.directory.group.readonly',
  'admin.directory.group.member',
  'admin.directory.group',
];
const USER_SCOPES: Readonly<Record<string, string>> = {
  cloud: 'cloud-platform',
  user: 'admin.directory.user',
};
/** At most 200 groups each. */
const MOST_PAGES = 50;
const AHEAD_MS = 60_000;

export interface Directory {
  readonly isMember: (group: string, email: string) => Promise<boolean>;
  readonly groupsOf: (email: string) => Promise<DirectoryGroups>;
  readonly organizationId: (email: string) => Promise<string>;
}

export interface DirectoryGroups {
  readonly names: readonly string[];
  /** False: there are more. */
  readonly areAll: boolean;
}

export interface DirectoryDeps {
  readonly http: ProviderHttp;
  readonly clock: Clock;
  readonly base: string;
  readonly actAs: ActAsAdministrator;
  /** `google-admin-api-user-scope`, where people are read as well; null: they are not. */
  readonly userScope: string | null;
}

export function createDirectory(deps: DirectoryDeps): Directory {
  const token = createTokenKeeper(deps);
  const url = (path: string): string => `${deps.base}/admin/directory/v1/${path}`;
  const ask = async (path: string): Promise<Response> =>
    askApi(deps.http, { url: url(path), accessToken: await token() });
  return {
    isMember: (group, email) => isMember(ask, encodeURIComponent(group), encodeURIComponent(email)),
    groupsOf: (email) => groupsOf(ask, email),
    organizationId: (email) => organizationId(ask, email),
  };
}

type Ask = (path: string) => Promise<Response>;

async function isMember(ask: Ask, group: string, email: string): Promise<boolean> {
  const response = await ask(`groups/${group}/hasMember/${email}`);
  if (response.status === 200) return (await bodyOf(response))['isMember'] === true;
  // No such group.
  if (response.status === 404) return false;
  if (response.status !== 400) throw new Refusal(`Google's directory answered ${response.status} about a group`);
  // People of another domain cannot be asked for so, only by name; and then they may be suspended.
  const member = await ask(`groups/${group}/members/${email}`);
  return member.status === 200 && (await bodyOf(member))['status'] === 'ACTIVE';
}

async function groupsOf(ask: Ask, email: string): Promise<DirectoryGroups> {
  const found: string[] = [];
  let next: string | null = '';
  for (let page = 0; next !== null && page < MOST_PAGES; page++) {
    const query = new URLSearchParams({
      userKey: email,
      maxResults: '200',
      ...(next === '' ? {} : { pageToken: next }),
    });
    const response: Response = await ask(`groups?${query.toString()}`);
    // Somebody whom the directory does not know.
    if (response.status === 404 || response.status === 400) return NO_GROUPS;
    if (response.status !== 200) throw new Refusal(`Google's directory answered ${response.status} about groups`);
    const body: Claims = await bodyOf(response);
    for (const group of Array.isArray(body['groups']) ? (body['groups'] as unknown[]) : []) {
      const address = isMap(group) ? textOf(group['email']) : null;
      if (address !== null) found.push(address);
    }
    next = textOf(body['nextPageToken']);
  }
  return { names: found, areAll: next === null };
}

const NO_GROUPS: DirectoryGroups = { names: [], areAll: true };

async function organizationId(ask: Ask, email: string): Promise<string> {
  const response = await ask(`users/${encodeURIComponent(email)}`);
  if (response.status !== 200) throw new Refusal(`Google's directory answered ${response.status} about a person`);
  const ids = (await bodyOf(response))['externalIds'];
  for (const one of Array.isArray(ids) ? (ids as unknown[]) : []) {
    const value = isMap(one) && one['type'] === 'organization' ? textOf(one['value']) : null;
    if (value !== null) return value;
  }
  throw new Refusal('the person has no organization id in the directory');
}

async function bodyOf(response: Response): Promise<Claims> {
  const body: unknown = await response.json().catch(() => null);
  if (!isMap(body)) throw new Outage("Google's directory answered no JSON object");
  return body;
}

/** One token for all, renewed before it ends. */
function createTokenKeeper({ clock, actAs, userScope }: DirectoryDeps): () => Promise<string> {
  let held: { readonly text: string; readonly until: number } | null = null;
  let asking: Promise<string> | null = null;
  const fresh = async (): Promise<string> => {
    const { accessToken, expiresOn } = await firstAllowed(actAs, userScope);
    held = { text: accessToken, until: (expiresOn ?? clock.now() + 3_600_000) - AHEAD_MS };
    return accessToken;
  };
  return () => {
    if (held !== null && clock.now() < held.until) return Promise.resolve(held.text);
    asking ??= fresh().finally(() => (asking = null));
    return asking;
  };
}

async function firstAllowed(actAs: ActAsAdministrator, userScope: string | null): ReturnType<ActAsAdministrator> {
  const people = userScope === null ? '' : ` ${SCOPE}${USER_SCOPES[userScope] ?? 'admin.directory.user.readonly'}`;
  for (const scope of GROUP_SCOPES) {
    try {
      return await actAs(SCOPE + scope + people);
    } catch (error) {
      if (!(error instanceof OAuthError && error.error === 'unauthorized_client')) throw error;
    }
  }
  throw new Refusal(
    'Google does not let the service account read groups; allow it one of the scopes of the directory, and domain-wide delegation',
  );
}
