/**
 * GitHub, GitHub Enterprise Server, and Gitea or Forgejo by their addresses: who it is, the primary verified
 * address, organisations and teams as groups `org` and `org:team-slug`, the rights to a repository.
 */
import type { ProviderHttp } from '../../../sign-in/provider-http.ts';
import { createGithubApi, GithubError, type GithubApi } from '../../../sign-in/github/api.ts';
import { isMap, isUsable } from '../../../sign-in/oauth/json.ts';
import { NotAdmitted, Outage, Refusal } from '../../../sign-in/oauth/failures.ts';
import { askApi } from '../../../sign-in/oauth/api.ts';
import type { Persona } from '../oidc/session.ts';
import type { Inquiry, PlainKind } from '../plain/kind.ts';
import { refusalOf, type GithubSettings } from './restrictions.ts';

export const GITHUB: PlainKind = {
  name: 'GitHub',
  scope: 'user:email read:org',
  urls: {
    login: 'https://github.com/login/oauth/authorize',
    redeem: 'https://github.com/login/oauth/access_token',
    profile: '',
    validate: 'https://api.github.com/',
  },
  takesPkce: true,
  read: readAccount,
  // A repository is asked for at sign-in and refresh; the rest stands in the groups.
  authorizes: ({ github }) => {
    const isRestricted = github.org !== null || github.teams.length > 0 || github.users.length > 0;
    if (!isRestricted) return () => true;
    return ({ user, groups }) => refusalOf(github, { login: user, groups }) === null;
  },
};

/** The same protocol under another name: all its addresses are the operator's. */
export const GITEA: PlainKind = {
  ...GITHUB,
  name: 'Gitea',
  urls: { login: '', redeem: '', profile: '', validate: '' },
};

/** `validate-url` is the API's address: up to "/api/v3", or as it is. */
export function apiBase(validateUrl: string): string {
  const { origin, pathname } = new URL(validateUrl);
  const versioned = /^\/api\/v\d+/.exec(pathname)?.[0];
  return origin + (versioned ?? pathname.replace(/\/+$/, ''));
}

async function readAccount(inquiry: Inquiry): Promise<Persona> {
  const { settings, http, urls, accessToken } = inquiry;
  const base = apiBase(urls.validate);
  const api = createGithubApi(http, base, { pagesByNumber: true });
  try {
    return await readFrom(api, accessToken, (login, groups) =>
      checkAccount(inquiry, api, { base, login, groups, github: settings.github }),
    );
  } catch (error) {
    if (!(error instanceof GithubError)) throw error;
    const isOutage = error.kind === 'limited' || error.kind === 'unavailable';
    throw isOutage ? new Outage(error.message, error) : new Refusal(error.message);
  }
}

type Check = (login: string, groups: readonly string[]) => Promise<void>;

async function readFrom(api: GithubApi, token: string, check: Check): Promise<Persona> {
  const user = await api.user(token);
  const [organisations, teams] = await Promise.all([api.organisations(token), api.teams(token)]);
  const groups = [
    ...organisations.map(({ login }) => login),
    ...teams.all.map((team) => team.replace('/', ':')),
  ].filter(isUsable);
  if (!isUsable(user.login)) throw new Refusal('the login of the person is none');
  await check(user.login, groups);
  const emails = await api.emails(token);
  return {
    user: user.login,
    email: emails.find((one) => one.primary && one.verified)?.email ?? '',
    groups: [...new Set(groups)],
    preferredUsername: '',
    claims: {},
  };
}

interface Checked {
  readonly base: string;
  readonly login: string;
  readonly groups: readonly string[];
  readonly github: GithubSettings;
}

async function checkAccount(inquiry: Inquiry, api: GithubApi, checked: Checked): Promise<void> {
  const { github, login, groups } = checked;
  const refusal = refusalOf(github, { login, groups });
  if (refusal !== null) throw await explained(api, inquiry.accessToken, github.org, refusal);
  if (github.repo === null || github.users.includes(login)) return;
  const isIn = await (github.token === null
    ? mayUse(inquiry, checked.base, github.repo)
    : collaborates(inquiry.http, checked, github.token));
  if (!isIn) throw new NotAdmitted(`"${login}" has no access to the repository "${github.repo}"`);
}

/** An organisation may keep its members to itself, which looks like no membership. */
async function explained(api: GithubApi, token: string, org: string | null, refusal: Refusal): Promise<Refusal> {
  if (org === null) return refusal;
  const { kind } = await api.membership(token, org).catch(() => ({ kind: 'none' }) as const);
  if (kind === 'app-not-approved')
    return new NotAdmitted(`${refusal.message}: it restricts third-party apps, and an owner has to approve this one`);
  if (kind === 'sso-required')
    return new NotAdmitted(
      `${refusal.message}: it wants its single sign-on, for which the person has to authorise this app`,
    );
  return refusal;
}

/** Everybody may read a public repository, so only pushing counts there. */
async function mayUse({ http, accessToken }: Inquiry, base: string, repo: string): Promise<boolean> {
  const response = await askApi(http, { url: `${base}/repos/${segments(repo)}`, accessToken });
  if (response.status !== 200) return false;
  const body: unknown = await response.json().catch(() => null);
  if (!isMap(body) || !isMap(body['permissions'])) return false;
  const { push, pull } = body['permissions'];
  return push === true || (body['private'] === true && pull === true);
}

/** With a token of the operator, who may ask about others. */
async function collaborates(http: ProviderHttp, { base, login, github }: Checked, token: string): Promise<boolean> {
  const url = `${base}/repos/${segments(github.repo ?? '')}/collaborators/${encodeURIComponent(login)}`;
  const response = await askApi(http, { url, accessToken: token });
  if (response.status === 204) return true;
  if (response.status === 404) return false;
  throw new Refusal(
    `"github-token" may not ask who collaborates on "${github.repo}": GitHub answered ${response.status}`,
  );
}

function segments(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
