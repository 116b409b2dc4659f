/** Fields of the structured file that say the same as an option: path of the field -> key of the option. */
export interface FieldTable {
  readonly [field: string]: string | FieldTable;
}

export const PROVIDER_FIELDS: FieldTable = {
  clientID: 'client_id',
  clientSecret: 'client_secret',
  clientSecretFile: 'client_secret_file',
  provider: 'provider',
  name: 'provider_display_name',
  caFiles: 'provider_ca_files',
  useSystemTrustStore: 'use_system_trust_store',
  loginURL: 'login_url',
  authRequestResponseMode: 'auth_request_response_mode',
  redeemURL: 'redeem_url',
  profileURL: 'profile_url',
  skipClaimsFromProfileURL: 'skip_claims_from_profile_url',
  resource: 'resource',
  validateURL: 'validate_url',
  scope: 'scope',
  allowedGroups: 'allowed_groups',
  code_challenge_method: 'code_challenge_method',
  backendLogoutURL: 'backend_logout_url',
  keycloakConfig: { groups: 'keycloak_groups', roles: 'allowed_roles' },
  azureConfig: { tenant: 'azure_tenant', graphGroupField: 'azure_graph_group_field' },
  microsoftEntraIDConfig: {
    allowedTenants: 'entra_id_allowed_tenants',
    federatedTokenAuth: 'entra_id_federated_token_auth',
  },
  bitbucketConfig: { team: 'bitbucket_team', repository: 'bitbucket_repository' },
  githubConfig: {
    org: 'github_org',
    team: 'github_team',
    repo: 'github_repo',
    token: 'github_token',
    users: 'github_users',
  },
  gitlabConfig: { group: 'gitlab_groups', projects: 'gitlab_projects' },
  googleConfig: {
    group: 'google_groups',
    adminEmail: 'google_admin_email',
    serviceAccountJson: 'google_service_account_json',
    useApplicationDefaultCredentials: 'google_use_application_default_credentials',
    targetPrincipal: 'google_target_principal',
    useOrganizationID: 'google_use_organization_id',
    adminAPIUserScope: 'google_admin_api_user_scope',
  },
  oidcConfig: {
    issuerURL: 'oidc_issuer_url',
    insecureAllowUnverifiedEmail: 'insecure_oidc_allow_unverified_email',
    insecureSkipIssuerVerification: 'insecure_oidc_skip_issuer_verification',
    insecureSkipNonce: 'insecure_oidc_skip_nonce',
    skipDiscovery: 'skip_oidc_discovery',
    jwksURL: 'oidc_jwks_url',
    publicKeyFiles: 'oidc_public_key_files',
    emailClaim: 'oidc_email_claim',
    groupsClaim: 'oidc_groups_claim',
    userIDClaim: 'user_id_claim',
    audienceClaims: 'oidc_audience_claims',
    extraAudiences: 'oidc_extra_audiences',
    enabledSigningAlgs: 'oidc_enabled_signing_algs',
  },
  loginGovConfig: { jwtKey: 'jwt_key', jwtKeyFile: 'jwt_key_file', pubjwkURL: 'pubjwk_url' },
};

const SERVER_KEYS: readonly string[] = [
  'http_address',
  'https_address',
  'tls_cert_file',
  'tls_key_file',
  'tls_min_version',
  'tls_cipher_suites',
  'metrics_address',
  'metrics_secure_address',
  'metrics_tls_cert_file',
  'metrics_tls_key_file',
];
const APP_KEYS: readonly string[] = [
  'flush_interval',
  'pass_host_header',
  'proxy_websockets',
  'ssl_upstream_insecure_skip_verify',
  'upstreams',
  'upstream_timeout',
  'disable_keep_alives',
  'pass_basic_auth',
  'pass_access_token',
  'pass_user_headers',
  'pass_authorization_header',
  'set_basic_auth',
  'set_xauthrequest',
  'set_authorization_header',
  'prefer_email_to_user',
  'basic_auth_password',
  'skip_auth_strip_headers',
];
const PARAMETER_KEYS: readonly string[] = [
  'prompt',
  'approval_prompt',
  'acr_values',
  'google_group',
  'force_code_challenge_method',
];

function keysOf(table: FieldTable): readonly string[] {
  return Object.values(table).flatMap((entry) => (typeof entry === 'string' ? [entry] : keysOf(entry)));
}

/** Options that the structured file takes the place of: beside it they are no options any more. */
export const STRUCTURED_KEYS: ReadonlySet<string> = new Set([
  ...SERVER_KEYS,
  ...APP_KEYS,
  ...PARAMETER_KEYS,
  ...keysOf(PROVIDER_FIELDS),
]);
