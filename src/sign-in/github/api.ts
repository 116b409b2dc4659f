/**
 * The few questions that GitHub's REST API is asked about whoever signed in: who, which verified address,
 * which organisations and teams. Lists are read to the end; no link leads off the API's own origin.
 */
import type { ProviderHttp } from '../provider-http.ts';

const PER_PAGE = 100;
/** Two thousand organisations or teams; what has more is cut off, which is said of teams: nobody asks about each. */
const MOST_PAGES = 20;
const HEADERS = {
  accept: 'application/vnd.github+json',
  'user-agent': 'postern',
  'x-github-api-version': '2022-11-28',
};

export interface GithubUser {
  readonly id: number;
  readonly login: string;
  readonly name: string | null;
}

export interface GithubEmail {
  readonly email: string;
  readonly primary: boolean;
  readonly verified: boolean;
}

export interface GithubOrganisation {
  readonly login: string;
  /** Its number, which nobody else gets; null: not said. */
  readonly id: string | null;
}

export interface Listed<T> {
  readonly all: readonly T[];
  /** There are more. */
  readonly isCut: boolean;
}

export type Membership =
  | { readonly kind: 'member'; readonly id: string | null }
  | { readonly kind: 'none' }
  | Withholding;

/** Why GitHub does not say whether somebody is a member. */
export type Withholding =
  | { readonly kind: 'app-not-approved' | 'sso-required' | 'address-not-allowed' | 'app-not-installed' }
  /** Another reason of the organisation, in GitHub's words. */
  | { readonly kind: 'refused'; readonly said: string };

export class GithubError extends Error {
  readonly kind: 'unauthorised' | 'limited' | 'unavailable' | 'refused' | 'no-permission';
  /** When a limit ends; null: not said. */
  readonly until: number | null;
  /** GitHub's own words; "" where there are none. */
  readonly said: string;

  constructor(kind: GithubError['kind'], message: string, until: number | null = null, said = '') {
    super(message);
    this.name = 'GithubError';
    this.kind = kind;
    this.until = until;
    this.said = said;
  }
}

export interface GithubApi {
  readonly user: (token: string) => Promise<GithubUser>;
  readonly emails: (token: string) => Promise<readonly GithubEmail[]>;
  /** The organisations that the app may know of. */
  readonly organisations: (token: string) => Promise<readonly GithubOrganisation[]>;
  /** "acme/platform". */
  readonly teams: (token: string) => Promise<Listed<string>>;
  /** Of the person who signed in, in one organisation. */
  readonly membership: (token: string, organisation: string) => Promise<Membership>;
}

/** Where the API of a GitHub is: github.com, an Enterprise Server, or Enterprise Cloud with data residency. */
export function apiBaseOf(url: string): string {
  const { origin, hostname, protocol } = new URL(url);
  if (hostname === 'github.com') return 'https://api.github.com';
  return hostname.endsWith('.ghe.com') ? `${protocol}//api.${hostname}` : `${origin}/api/v3`;
}

export interface GithubApiOptions {
  /** Pages by number until one is empty: for those who write no links, or links to another name of theirs. */
  readonly pagesByNumber?: boolean;
}

export function createGithubApi(http: ProviderHttp, base: string, options: GithubApiOptions = {}): GithubApi {
  const ask = async (url: string, token: string): Promise<Response> => {
    const response = await http.fetch(url, { headers: { ...HEADERS, authorization: `Bearer ${token}` } });
    if (response.ok) return response;
    throw await errorOf(response, new URL(url).pathname);
  };

  const list = async <T>(path: string, token: string, read: (item: unknown) => T | null): Promise<Listed<T>> => {
    const all: T[] = [];
    const url = `${base}${path}`;
    let next: string | null = `${url}?per_page=${PER_PAGE}`;
    for (let page = 1; next !== null && page <= MOST_PAGES; page++) {
      const response: Response = await ask(next, token);
      const items: unknown = await response.json();
      if (!Array.isArray(items)) throw new GithubError('refused', `"${path}" answered no list`);
      for (const item of items as unknown[]) {
        const one = read(item);
        if (one !== null) all.push(one);
      }
      const link = response.headers.get('link');
      next = options.pagesByNumber === true ? null : nextPage(link, base);
      // A server behind a proxy may name itself otherwise in its links: there is more, by the name that we know.
      const isByNumber = options.pagesByNumber === true || targetOfNext(link) !== null;
      if (isByNumber) next ??= numberedPage(url, items.length, page + 1);
    }
    return { all, isCut: next !== null };
  };

  return {
    async user(token) {
      const user = readUser(await (await ask(`${base}/user`, token)).json());
      if (user === null) throw new GithubError('refused', '"/user" answered nobody');
      return user;
    },
    emails: async (token) => (await list('/user/emails', token, readEmail)).all,
    organisations: async (token) => (await list('/user/orgs', token, readOrganisation)).all,
    teams: (token) => list('/user/teams', token, teamName),
    membership: (token, organisation) => membership(http, base, token, organisation),
  };
}

function readOrganisation(item: unknown): GithubOrganisation | null {
  const login = organisationName(item);
  return login === null ? null : { login, id: numberOf(item) };
}

function numberOf(item: unknown): string | null {
  const id = isMap(item) ? item['id'] : undefined;
  return typeof id === 'number' && Number.isSafeInteger(id) && id > 0 ? String(id) : null;
}

/** Gitea and Forgejo have names where GitHub has logins and slugs. */
function organisationName(item: unknown): string | null {
  return textOf(item, 'login') ?? textOf(item, 'name');
}

function teamName(item: unknown): string | null {
  const organisation = isMap(item) ? organisationName(item['organization']) : null;
  const name = textOf(item, 'slug') ?? textOf(item, 'name');
  return name === null || organisation === null ? null : `${organisation}/${name}`;
}

function numberedPage(url: string, found: number, page: number): string | null {
  return found === 0 ? null : `${url}?per_page=${PER_PAGE}&page=${page}`;
}

async function membership(http: ProviderHttp, base: string, token: string, organisation: string): Promise<Membership> {
  const url = `${base}/user/memberships/orgs/${encodeURIComponent(organisation)}`;
  const response = await http.fetch(url, { headers: { ...HEADERS, authorization: `Bearer ${token}` } });
  if (response.ok) {
    const body: unknown = await response.json();
    if (!isMap(body) || body['state'] !== 'active') return { kind: 'none' };
    return { kind: 'member', id: numberOf(body['organization']) };
  }
  if (response.status === 404) return { kind: 'none' };
  if (response.status === 403 && response.headers.has('x-github-sso')) return { kind: 'sso-required' };
  const error = await errorOf(response, '/user/memberships/orgs');
  if (response.status !== 403 || error.kind !== 'refused') throw error;
  return whyWithheld(error.said);
}

/** What one organisation keeps from us says nothing of the person, nor of other organisations. */
function whyWithheld(said: string): Withholding {
  if (/OAuth App access restrictions|third-party/i.test(said)) return { kind: 'app-not-approved' };
  if (/IP allow list/i.test(said)) return { kind: 'address-not-allowed' };
  return /not accessible by integration/i.test(said) ? { kind: 'app-not-installed' } : { kind: 'refused', said };
}

/** Secondary limits may come as 403 without a field that says so; GitHub asks for a minute then. */
const SECONDARY_LIMIT = /rate limit|abuse detection/i;
const SECONDARY_WAIT_MS = 60_000;

/** GitHub answers limits with 403 or 429, and says by its fields when they end. */
async function errorOf(response: Response, path: string): Promise<GithubError> {
  const { status, headers } = response;
  if (status === 401)
    return new GithubError('unauthorised', `"${path}" answered 401: the token was revoked or has expired`);
  const until = limitEnd(headers);
  const body: unknown = await response.json().catch(() => null);
  const said = isMap(body) && typeof body['message'] === 'string' ? printable(body['message']) : '';
  if (status === 429 || (status === 403 && (until !== null || SECONDARY_LIMIT.test(said))))
    return new GithubError(
      'limited',
      `"${path}" answered ${status}: the rate limit is used up`,
      until ?? Date.now() + SECONDARY_WAIT_MS,
    );
  if (status >= 500) return new GithubError('unavailable', `"${path}" answered ${status}`);
  // A suspended account cannot even ask who it is.
  const kind = status === 403 && path.endsWith('/user') ? 'unauthorised' : 'refused';
  const what = `"${path}" answered ${status}${said === '' ? '' : `: ${said}`}`;
  const remedy = PERMISSIONS[path.slice(path.lastIndexOf('/user/'))];
  if (remedy === undefined || (status !== 403 && status !== 404)) return new GithubError(kind, what, null, said);
  return new GithubError('no-permission', `${what}; ${remedy}`);
}

/** GitHub answers 403 or 404 where an app may not ask. */
const OF_MEMBERS =
  'the app needs the scope "read:org", which "scopes" has to hold, or as a GitHub App the organisation permission "Members: read"';
const PERMISSIONS: Readonly<Record<string, string>> = {
  '/user/emails':
    'the app needs the scope "user:email", or as a GitHub App the account permission "Email addresses: read"',
  '/user/orgs': OF_MEMBERS,
  '/user/teams': OF_MEMBERS,
};

function limitEnd(headers: Headers): number | null {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  if (Number.isFinite(seconds)) return Date.now() + seconds * 1_000;
  if (headers.get('x-ratelimit-remaining') !== '0') return null;
  const reset = Number(headers.get('x-ratelimit-reset') ?? Number.NaN);
  return Number.isFinite(reset) ? reset * 1_000 : Date.now() + 60_000;
}

/** RFC 8288. A link to elsewhere would send the token there. */
export function nextPage(link: string | null, base: string): string | null {
  const target = targetOfNext(link);
  if (target === null || !URL.canParse(target) || !`${target}/`.startsWith(`${base}/`)) return null;
  return new URL(target).origin === new URL(base).origin ? target : null;
}

/** Wherever it leads; null: this page is the last. */
function targetOfNext(link: string | null): string | null {
  for (const part of (link ?? '').split(',')) {
    const [, target = '', parameters = ''] = /^\s*<([^>]*)>\s*;(.*)$/.exec(part) ?? [];
    if (/\brel="?next"?/.test(parameters)) return target;
  }
  return null;
}

function readUser(value: unknown): GithubUser | null {
  if (!isMap(value)) return null;
  const { id, login, name } = value;
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id <= 0 || typeof login !== 'string') return null;
  return { id, login, name: typeof name === 'string' && name !== '' ? name : null };
}

function readEmail(value: unknown): GithubEmail | null {
  if (!isMap(value) || typeof value['email'] !== 'string') return null;
  return { email: value['email'], primary: value['primary'] === true, verified: value['verified'] === true };
}

function textOf(value: unknown, key: string): string | null {
  const text = isMap(value) ? value[key] : undefined;
  return typeof text === 'string' && text !== '' ? text : null;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
