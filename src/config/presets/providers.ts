/**
 * What is known of identity providers, as data: a preset fills in the keys that a document leaves out.
 * Whatever a preset says can be written in the document instead, as `type: oidc` with the same keys.
 */

export interface ProviderPreset {
  /** On the button of the chooser, where the document gives no name. */
  readonly title: string;
  /** Where there is one issuer for everybody; else the document names it. */
  readonly issuer: string | null;
  readonly issuerExample: string;
  readonly scopes: readonly string[];
  /** The claim that becomes the person's name, the first that is there. */
  readonly userClaims: readonly string[];
  readonly groupsClaims: readonly string[];
  readonly rolesClaims: readonly string[];
  /** Roles stand in the access token, too, which is then a JWT of the same issuer; what one does not say another may. */
  readonly readsAccessToken: boolean;
  /** Where an ID token lacks the roles of the preset, userinfo may have them: worth asking. */
  readonly userinfoHasRoles: boolean;
  /** `prompt` for "use another account". */
  readonly switchPrompt: 'select_account' | 'login';
  /** Where groups are asked for that did not fit into a token; null: nowhere. */
  readonly overageUrl: string | null;
  /** Further parameters of the authorization request. */
  readonly parameters: Readonly<Record<string, string>>;
  /** People rename themselves, and somebody else may take the old name: it stays with whoever came with it first. */
  readonly pinsNames: boolean;
  /** `email_verified` says that somebody has seen the address; else anybody may have written it. */
  readonly verifiesEmail: boolean;
  /** What makes the provider say the groups, in its own words; null: in ours. */
  readonly groupsRemedy: string | null;
  /** The same of roles, where the provider says some of everybody as it comes; null: many have none. */
  readonly rolesRemedy: string | null;
  /** For docs/reference/providers.md. */
  readonly quirks: readonly string[];
}

const PLAIN: ProviderPreset = {
  title: 'OpenID Connect',
  issuer: null,
  issuerExample: 'https://id.example.com',
  scopes: ['openid', 'profile', 'email'],
  userClaims: ['preferred_username', 'email'],
  groupsClaims: ['groups'],
  rolesClaims: ['roles'],
  readsAccessToken: false,
  userinfoHasRoles: true,
  switchPrompt: 'login',
  overageUrl: null,
  parameters: {},
  pinsNames: false,
  verifiesEmail: true,
  groupsRemedy: null,
  rolesRemedy: null,
  quirks: [
    'The scope `groups` is not asked for: a provider that does not define it refuses the whole sign-in.',
    'Roles that stand in userinfo alone (`roles_claim`) are asked of it. Where it refuses or fails and nothing else is to be had there, people come in without roles: no rule by a role lets them in, every `deny` by one refuses them, and the log says so. It is asked again half a minute later, where there is a refresh token. If more is missing, the sign-in fails.',
  ],
};

const RENAMES =
  'People may change their user name, and others take the old one: a name stays with the account that came with it first, known by it where a rule names it, until `postern user unpin ID:NAME`.';

export const PROVIDER_PRESETS: Readonly<Record<string, ProviderPreset>> = {
  oidc: PLAIN,
  keycloak: {
    ...PLAIN,
    title: 'Keycloak',
    issuerExample: 'https://id.example.com/realms/main',
    rolesClaims: ['realm_access.roles', 'resource_access.*.roles'],
    readsAccessToken: true,
    groupsRemedy:
      'add a mapper "Group Membership" with the claim name "groups" to the client ("Client scopes", its dedicated scope)',
    rolesRemedy:
      'give the client the client scope "roles", and have its mappers "realm roles" and "client roles" add to the access token (a lightweight one has none), the ID token or userinfo',
    quirks: [
      'Groups come only with a mapper: client, "Client scopes", its dedicated scope, "Add mapper", "Group Membership", claim `groups`; with "Full group path" they are written `/developers`.',
      'Realm roles are `role:NAME`, roles of a client are `role:CLIENT:NAME`; they are read from the access token, where Keycloak puts them, so no mapper is needed. What stands in the ID token counts besides, and userinfo is asked where one of the two kinds is in neither.',
      'The scope `groups` is refused (`invalid_scope`) unless the realm defines it; the mapper works without it.',
      'Signing out needs "Valid post logout redirect URIs"; `+` stands for the redirect URIs.',
      'Back-channel logout: "Backchannel logout URL" of the client is the one of Postern, with "session required" on.',
    ],
  },
  google: {
    ...PLAIN,
    title: 'Google',
    issuer: 'https://accounts.google.com',
    issuerExample: 'https://accounts.google.com',
    userClaims: ['email'],
    groupsClaims: [],
    rolesClaims: [],
    switchPrompt: 'select_account',
    parameters: { access_type: 'offline' },
    quirks: [
      'Any Google account can sign in; `hosted_domain` admits those of one Workspace domain only, or of a list of them, and lists them for e-mail rules. Without it, an account that somebody made with an address of yours outlives that address.',
      'Google puts no groups into its tokens: use `email:` and `email-domain:` rules, or let `directory` ask for groups of Workspace: a service account with domain-wide delegation for `https://www.googleapis.com/auth/admin.directory.group.readonly`, in the name of an administrator. A group is its address, `group:dev@example.com`.',
      'There is no end-session address: signing out ends the session with Postern, not the one with Google.',
    ],
  },
  'entra-id': {
    ...PLAIN,
    title: 'Microsoft',
    overageUrl: 'https://graph.microsoft.com/v1.0/me/transitiveMemberOf/microsoft.graph.group',
    issuerExample: 'https://login.microsoftonline.com/TENANT-ID/v2.0',
    userClaims: ['preferred_username', 'upn', 'email'],
    rolesClaims: ['roles'],
    userinfoHasRoles: false,
    switchPrompt: 'select_account',
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groupsRemedy: 'choose "Token configuration", "Add groups claim" of the application',
    quirks: [
      'The issuer names one tenant: `common` and `organizations` would let in every tenant and are refused.',
      'Groups are object ids, and come only with "Token configuration", "Add groups claim".',
      'Whoever is in more than 200 groups gets none in the token ("overage"): Postern then asks Microsoft Graph (the one of its own cloud), which needs the delegated permission `User.Read` and consent to it: "Grant admin consent", or `User.Read` among `scopes`, for each person to consent. Where Graph refuses, nobody is in any group and the log says so: let Graph answer, choose "Groups assigned to the application", or use app roles and `role:`.',
      'There is no `email_verified`: e-mail rules need `trust_email: true`, and that the tenant controls the addresses.',
      'The address after signing out is registered as one more redirect URI.',
    ],
  },
  okta: {
    ...PLAIN,
    title: 'Okta',
    issuerExample: 'https://example.okta.com',
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groupsRemedy: 'add a claim "groups" to the authorization server, or ask for the scope "groups" of the org one',
    quirks: [
      'Groups need a claim `groups` on the authorization server, or the scope `groups` on the org one: then write `scopes`.',
      'Refresh needs the grant type "Refresh Token" on the app.',
    ],
  },
  auth0: {
    ...PLAIN,
    title: 'Auth0',
    issuerExample: 'https://example.eu.auth0.com/',
    userClaims: ['email'],
    groupsClaims: [],
    rolesClaims: [],
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    quirks: [
      'The issuer ends with "/".',
      'Signing out there needs "RP-Initiated Logout End Session Endpoint Discovery" of the tenant, off in those from before November 2023.',
      'Groups and roles come by an Action, in a claim whose name is a URL: `roles_claim: https://example.com/roles`.',
      'People can choose their `nickname` themselves where sign-up is open, so `user:` is the verified e-mail address.',
    ],
  },
  authentik: {
    ...PLAIN,
    title: 'authentik',
    issuerExample: 'https://id.example.com/application/o/postern/',
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groupsRemedy: 'give the provider of the application the scope mapping for "profile"',
    quirks: [
      'The issuer ends with "/" and holds the slug of the application.',
      'Groups come with the scope `profile`. Since 2025.10 `email_verified` is false unless a property mapping says otherwise.',
      'The provider of the application needs a "Signing Key": without one it signs with the client secret (HS256), which does not count.',
      'A refresh token comes only where the provider of the application has the scope mapping "offline_access".',
      '"Issuer mode" has to be the one of each provider: the same issuer for all describes itself at another address than it names.',
    ],
  },
  zitadel: {
    ...PLAIN,
    title: 'ZITADEL',
    issuerExample: 'https://example.zitadel.cloud',
    groupsClaims: [],
    rolesClaims: ['urn:zitadel:iam:org:project:roles'],
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    quirks: [
      'Roles are keys of a map and need "Assert Roles on Authentication" on the project.',
      'Refresh needs the grant type "Refresh Token" on the app.',
    ],
  },
  gitlab: {
    ...PLAIN,
    title: 'GitLab',
    issuer: null,
    issuerExample: 'https://gitlab.com',
    userClaims: ['nickname', 'preferred_username'],
    // Not `groups_direct`, which its ID tokens have: whoever is in a group above would be in none of it.
    groupsClaims: ['groups'],
    rolesClaims: [],
    pinsNames: true,
    quirks: [
      'Groups are full paths (`acme/platform`), those above the direct ones included, read from userinfo.',
      RENAMES,
      'There is no end-session address: signing out ends the session with Postern, not the one with GitLab.',
    ],
  },
  gitea: {
    ...PLAIN,
    title: 'Gitea',
    issuerExample: 'https://git.example.com/',
    rolesClaims: [],
    scopes: ['openid', 'profile', 'email', 'groups'],
    pinsNames: true,
    verifiesEmail: false,
    quirks: [
      RENAMES,
      'The issuer ends with "/". Groups are `org` and `org:team`, by the scope `groups`.',
      '`email_verified` is true of every active account, also where people may write any address (`REGISTER_EMAIL_CONFIRM` is off by default), so it does not count: e-mail rules need `trust_email: true`, and that Gitea confirms addresses or an administrator sets them.',
      'It knows no `prompt`: "Use another account" comes back with the same one as long as somebody is signed in there.',
    ],
  },
  forgejo: {
    ...PLAIN,
    title: 'Forgejo',
    issuerExample: 'https://git.example.com/',
    rolesClaims: [],
    scopes: ['openid', 'profile', 'email', 'groups'],
    pinsNames: true,
    verifiesEmail: false,
    quirks: [RENAMES, 'As Gitea.'],
  },
  'pocket-id': {
    ...PLAIN,
    title: 'Pocket ID',
    scopes: ['openid', 'profile', 'email', 'groups'],
    rolesClaims: [],
    // "Enable self-account editing", which is on by default.
    pinsNames: true,
    quirks: [
      'Groups come by the scope `groups`, as the names that Pocket ID calls "name", not "friendly name".',
      RENAMES,
    ],
  },
  dex: {
    ...PLAIN,
    title: 'Dex',
    issuerExample: 'https://dex.example.com',
    rolesClaims: [],
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    // Names of the services behind it (a GitHub login), of which two may give the same.
    pinsNames: true,
    quirks: [
      'What `groups` hold depends on the connector. There is an end-session address only after 2.45, where sessions are enabled (`DEX_SESSIONS_ENABLED=true`).',
      'The subject holds the connector: a person of two connectors is two people, and so are two who are called the same by two connectors. A name stays with the account that came with it first, and another who comes with it is not let in, until `postern user unpin ID:NAME`. So it is with a login that somebody gave up at the service behind a connector.',
    ],
  },
};
