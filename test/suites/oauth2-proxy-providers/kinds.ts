/** Each kind of provider that the real oauth2-proxy can be pointed at a twin with: settings, and what the twin says. */
import type { ApiAnswer, ApiRequest, Twin } from '../../../src/sign-in/oidc/_twin.ts';
import type { TwinAccount } from '../../../src/sign-in/github/_twin.ts';

export interface OidcCase {
  readonly name: string;
  readonly provider: string;
  readonly env?: (twin: Twin) => Readonly<Record<string, string>>;
  readonly prepare?: (twin: Twin) => void;
  /** True: the addresses are set, and nothing is discovered. */
  readonly isPlain?: boolean;
  /** What is meant to differ, by name of what is seen. */
  readonly differs?: Readonly<Record<string, string>>;
}

export interface GithubCase {
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly account?: Partial<TwinAccount>;
  readonly isGitea?: boolean;
  readonly differs?: Readonly<Record<string, string>>;
}

const json =
  (answers: Readonly<Record<string, unknown>>): ((request: ApiRequest) => ApiAnswer | null) =>
  ({ path, token, query }) => {
    if (token === '' && !query.has('access_token')) return { status: 401, body: {} };
    return Object.hasOwn(answers, path) ? { status: 200, body: answers[path] } : null;
  };

const GROUPS = { groups: ['/developers', 'ops'], preferred_username: 'alice' };
const ROLES = { realm_access: { roles: ['reviewer'] }, resource_access: { account: { roles: ['view'] } } };
const REFUSED = 'a person whom a restriction keeps out gets 403 and the page to change accounts, not 500';

function claims(over: object): (twin: Twin) => void {
  return (twin) => {
    twin.claims = { ...twin.claims, ...over };
    twin.scopes = [...twin.scopes, 'groups', 'read_api', 'roles', 'offline_access'];
  };
}

export const OIDC_CASES: readonly OidcCase[] = [
  { name: 'oidc', provider: 'oidc', prepare: claims(GROUPS) },
  {
    name: 'oidc with a group that alice is in',
    provider: 'oidc',
    env: () => ({ OAUTH2_PROXY_ALLOWED_GROUPS: 'ops' }),
    prepare: claims(GROUPS),
  },
  {
    name: 'oidc with a group that alice is not in',
    provider: 'oidc',
    env: () => ({ OAUTH2_PROXY_ALLOWED_GROUPS: 'admins' }),
    prepare: claims(GROUPS),
  },
  {
    name: 'oidc with other claims',
    provider: 'oidc',
    env: () => ({ OAUTH2_PROXY_OIDC_EMAIL_CLAIM: 'upn', OAUTH2_PROXY_OIDC_GROUPS_CLAIM: 'realm.roles' }),
    prepare: claims({ upn: 'a@corp.com', realm: { roles: [{ b: 1, a: '<' }, 7, 'x'] } }),
  },
  {
    name: 'oidc with the older name of the address claim',
    provider: 'oidc',
    env: () => ({ OAUTH2_PROXY_USER_ID_CLAIM: 'upn' }),
    prepare: claims({ upn: 'a@corp.com' }),
  },
  {
    name: 'oidc with claims of the profile',
    provider: 'oidc',
    prepare(twin) {
      twin.claims = { sub: 'sub-1' };
      twin.userinfo = { email: 'p@example.com', groups: 'one', preferred_username: 'p' };
    },
  },
  {
    name: 'oidc with a profile that is signed',
    provider: 'oidc',
    prepare(twin) {
      twin.claims = { sub: 'sub-1' };
      twin.userinfo = { email: 'p@example.com', groups: ['one'] };
      twin.signedUserinfo = {};
    },
  },
  {
    name: 'oidc with an address that is not verified',
    provider: 'oidc',
    prepare: claims({ email_verified: false }),
    differs: { status: REFUSED },
  },
  {
    name: 'oidc with an address that is not verified, and may be',
    provider: 'oidc',
    env: () => ({ OAUTH2_PROXY_INSECURE_OIDC_ALLOW_UNVERIFIED_EMAIL: 'true' }),
    prepare: claims({ email_verified: false }),
  },
  { name: 'oidc without an address', provider: 'oidc', prepare: (twin) => void (twin.claims = { sub: 'sub-1' }) },
  {
    name: 'oidc with another audience',
    provider: 'oidc',
    prepare: (twin) => void (twin.tamper = (parts) => ({ ...parts, claims: { ...parts.claims, aud: 'api' } })),
  },
  {
    name: 'oidc with another audience that is allowed',
    provider: 'oidc',
    env: () => ({ OAUTH2_PROXY_OIDC_EXTRA_AUDIENCES: 'api' }),
    prepare: (twin) => void (twin.tamper = (parts) => ({ ...parts, claims: { ...parts.claims, aud: ['x', 'api'] } })),
  },
  {
    name: 'oidc with prompt, acr values and no discovery',
    provider: 'oidc',
    env: (twin) => ({
      OAUTH2_PROXY_PROMPT: 'login',
      OAUTH2_PROXY_ACR_VALUES: 'silver',
      OAUTH2_PROXY_SKIP_OIDC_DISCOVERY: 'true',
      OAUTH2_PROXY_LOGIN_URL: `${twin.issuer}/authorize?x=1`,
      OAUTH2_PROXY_REDEEM_URL: `${twin.issuer}/token`,
      OAUTH2_PROXY_OIDC_JWKS_URL: `${twin.issuer}/keys`,
    }),
  },
  {
    name: 'keycloak-oidc',
    provider: 'keycloak-oidc',
    env: () => ({ OAUTH2_PROXY_ALLOWED_ROLES: 'reviewer' }),
    prepare(twin) {
      claims(GROUPS)(twin);
      twin.accessClaims = ROLES;
    },
  },
  {
    name: 'keycloak-oidc with a role of a client that is missing',
    provider: 'keycloak-oidc',
    env: () => ({ OAUTH2_PROXY_ALLOWED_ROLES: 'account:manage' }),
    prepare(twin) {
      twin.accessClaims = ROLES;
    },
  },
  ...['acme', 'other'].map((group): OidcCase => ({
    name: `gitlab with the group ${group}`,
    provider: 'gitlab',
    env: () => ({ OAUTH2_PROXY_GITLAB_GROUPS: group }),
    prepare: gitlab,
  })),
  ...['acme/app=30', 'acme/app=40', 'acme/old', 'acme/none', 'acme/by-group=40'].map((project): OidcCase => ({
    name: `gitlab with the project ${project}`,
    provider: 'gitlab',
    env: () => ({ OAUTH2_PROXY_GITLAB_PROJECTS: project }),
    prepare: gitlab,
  })),
  {
    name: 'adfs with a resource and without an address',
    provider: 'adfs',
    env: () => ({ OAUTH2_PROXY_RESOURCE: 'https://app.example' }),
    prepare(twin) {
      twin.claims = { sub: 'sub-1', upn: 'alice@corp.local' };
      twin.scopes = ['https://app.example/openid', 'email', 'profile'];
    },
  },
  {
    name: 'cidaas',
    provider: 'cidaas',
    prepare(twin) {
      claims({})(twin);
      twin.userinfo = { groups: [{ groupId: 'g1', roles: ['a', 'b'] }], roles: ['SUPER'] };
    },
  },
  {
    name: 'facebook',
    provider: 'facebook',
    isPlain: true,
    prepare: (twin) => void (twin.api = json({ '/me': { email: 'a@example.com' }, '/validate': {} })),
  },
  {
    name: 'linkedin',
    provider: 'linkedin',
    isPlain: true,
    prepare(twin) {
      const elements = [{ 'handle~': { emailAddress: 'a@example.com' } }];
      twin.api = json({ '/me': { elements }, '/validate': {} });
    },
  },
  {
    name: 'digitalocean',
    provider: 'digitalocean',
    isPlain: true,
    prepare: (twin) => void (twin.api = json({ '/me': { account: { email: 'a@example.com' } }, '/validate': {} })),
  },
  {
    name: 'nextcloud',
    provider: 'nextcloud',
    isPlain: true,
    env: () => ({ OAUTH2_PROXY_ALLOWED_GROUPS: 'staff' }),
    prepare(twin) {
      const data = { id: 'alice', email: 'a@example.com', groups: ['staff'] };
      twin.api = json({ '/me': { ocs: { data } }, '/validate': {} });
    },
  },
  {
    name: 'sourcehut',
    provider: 'sourcehut',
    isPlain: true,
    prepare(twin) {
      twin.api = json({ '/me': { data: { me: { username: 'alice', email: 'a@example.com' } } }, '/validate': {} });
    },
  },
  ...['/admin', '/other'].map((group): OidcCase => ({
    name: `keycloak with the group ${group}`,
    provider: 'keycloak',
    isPlain: true,
    env: () => ({ OAUTH2_PROXY_KEYCLOAK_GROUPS: group }),
    prepare(twin) {
      twin.api = json({
        '/me': { email: 'a@example.com', preferred_username: 'alice', groups: ['/admin'] },
        '/validate': {},
      });
    },
  })),
  ...['acme/app', 'acme/other'].map((repository): OidcCase => ({
    name: `bitbucket with the repository ${repository}`,
    provider: 'bitbucket',
    isPlain: true,
    env: () => ({ OAUTH2_PROXY_BITBUCKET_REPOSITORY: repository }),
    prepare(twin) {
      twin.api = json({
        '/validate': { values: [{ email: 'a@example.com', is_primary: true, is_confirmed: true }] },
        '/2.0/repositories/acme': { values: [{ full_name: 'acme/app' }] },
      });
    },
  })),
  {
    name: 'google',
    provider: 'google',
    isPlain: true,
    env: (twin) => ({ OAUTH2_PROXY_OIDC_JWKS_URL: `${twin.issuer}/keys` }),
    prepare(twin) {
      twin.claims = { ...twin.claims, iss: 'https://accounts.google.com' };
      twin.api = json({ '/validate': {} });
    },
    differs: { 'login.scope': '"openid" is asked for besides, so that there is an ID token with a nonce' },
  },
];

function gitlab(twin: Twin): void {
  claims({})(twin);
  twin.userinfo = { nickname: 'al', email: 'a@example.com', email_verified: true, groups: ['acme', 'acme/sub'] };
  twin.api = json({
    '/oauth/userinfo': { sub: twin.claims['sub'], ...twin.userinfo },
    '/api/v4/projects/acme%2Fapp': { archived: false, permissions: { project_access: { access_level: 30 } } },
    '/api/v4/projects/acme%2Fold': { archived: true, permissions: { project_access: { access_level: 30 } } },
    '/api/v4/projects/acme%2Fnone': { permissions: { project_access: null, group_access: null } },
    '/api/v4/projects/acme%2Fby-group': { permissions: { project_access: null, group_access: { access_level: 40 } } },
  });
}

const github = (variables: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [`OAUTH2_PROXY_GITHUB_${name}`, value]));

export const GITHUB_CASES: readonly GithubCase[] = [
  { name: 'github' },
  { name: 'github with its organisation', env: github({ ORG: 'Acme' }) },
  { name: 'github with its organisation in another case', env: github({ ORG: 'acme' }), differs: { status: REFUSED } },
  { name: 'github with a team of the organisation', env: github({ ORG: 'acme', TEAM: 'x,Platform' }) },
  {
    name: 'github with a team that alice is not in',
    env: github({ ORG: 'Acme', TEAM: 'x' }),
    differs: { status: REFUSED },
  },
  { name: 'github with a team of any organisation', env: github({ TEAM: 'lab:core' }) },
  { name: 'github with a person by name', env: github({ ORG: 'other', USERS: 'Alice' }) },
  { name: 'github with other people by name', env: github({ USERS: 'Bob' }), differs: { status: REFUSED } },
  { name: 'github with a repository that is private', env: github({ REPO: 'acme/secret' }) },
  {
    name: 'github with a repository that all may read',
    env: github({ REPO: 'acme/open' }),
    differs: { status: REFUSED },
  },
  { name: 'github with a collaborator', env: github({ REPO: 'acme/open', TOKEN: 'ghp_operator' }) },
  {
    name: 'github without a verified address',
    account: { emails: [{ email: 'a@example.com', primary: true, verified: false }] },
  },
  { name: 'github that is a Gitea', isGitea: true, env: github({ ORG: 'Acme' }) },
];
