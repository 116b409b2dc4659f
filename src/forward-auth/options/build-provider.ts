/** The provider: its kind, client, endpoints and restrictions. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { suggest } from '../../config/did-you-mean.ts';
import { buildOidc } from './build-oidc.ts';
import { isOfReading, openFileSecret, readMoreThanOnce, unreadable } from './build-secret.ts';
import { expression } from './build-people.ts';
import { OPTIONS } from './option-table.ts';
import { fixedSecret } from './secret.ts';
import type { BuildContext } from './context.ts';
import type { LoginParameter, ProviderKind, ProviderSettings, Secret } from '../settings.ts';
import type { LoginParameterInput } from './structured.ts';
import type { Told } from './told.ts';

/** As they are written -> what they are here. */
const KINDS: ReadonlyMap<string, ProviderKind> = new Map<string, ProviderKind>([
  ['oidc', 'oidc'],
  ['keycloak-oidc', 'keycloak-oidc'],
  ['keycloak', 'keycloak'],
  ['google', 'google'],
  ['github', 'github'],
  ['gitlab', 'gitlab'],
  ['entra-id', 'entra-id'],
  ['azure', 'azure'],
  ['adfs', 'adfs'],
  ['bitbucket', 'bitbucket'],
  ['gitea', 'gitea'],
  ['facebook', 'facebook'],
  ['linkedin', 'linkedin'],
  ['digitalocean', 'digitalocean'],
  ['login.gov', 'login.gov'],
  ['nextcloud', 'nextcloud'],
  ['cidaas', 'cidaas'],
  ['sourcehut', 'srht'],
]);

export function buildProvider(context: BuildContext): ProviderSettings {
  const { told, structured } = context;
  const kind = kindOf(told);
  checkRestrictions(told, kind);
  if (told.text('client_id') === null)
    told.fault('client_id', 'is not given', 'register Postern at the provider, and write the client id that it gives');
  return {
    kind,
    displayName: told.text('provider_display_name'),
    clientId: told.string('client_id'),
    clientSecret: clientSecret(context, kind),
    ...trustOf(told),
    ...endpointsOf(told),
    scope: told.text('scope'),
    loginParameters: loginParameters(context, structured.loginParameters),
    responseMode: told.text('auth_request_response_mode'),
    resource: told.text('resource'),
    codeChallengeMethod: codeChallengeMethod(told),
    skipClaimsFromProfileUrl: told.bool('skip_claims_from_profile_url'),
    additionalClaims: structured.additionalClaims,
    skipsScope: structured.adfsSkipsScope,
    oidc: buildOidc(context, kind),
    roles: told.list('allowed_roles').filter((role) => role !== ''),
    ...restrictionsOf(told, kind),
    entraId: {
      tenant: told.string('azure_tenant'),
      allowedTenants: told.list('entra_id_allowed_tenants'),
      federatedToken: federatedToken(context, kind),
      graphGroupField: graphGroupField(told),
    },
    loginGov: { jwtKey: loginGovKey(context, kind), pubjwkUrl: urlOption(told, 'pubjwk_url') },
  };
}

function kindOf(told: Told): ProviderKind {
  const name = told.string('provider');
  const kind = KINDS.get(name);
  if (kind !== undefined) return kind;
  const near = suggest(name, KINDS.keys());
  const remedy = near === null ? `write one of ${[...KINDS.keys()].join(', ')}` : `did you mean ${near}?`;
  told.fault('provider', `is ${told.quoted('provider')}, no kind that is known`, remedy);
  return 'oidc';
}

/** A restriction that the provider never looks at would let everybody in: in the original it does. */
function checkRestrictions(told: Told, kind: ProviderKind): void {
  for (const { key, flag, providers, isRestriction } of OPTIONS) {
    if (!isRestriction || providers === null || providers.includes(kind) || !told.isGiven(key)) continue;
    if (flag === 'google-group' && key === 'google_group') continue;
    const message = `restricts nobody with the provider "${told.string('provider')}"`;
    told.fault(key, message, `take it out, or use provider ${providers.join(' or ')}`);
  }
}

function clientSecret(context: BuildContext, kind: ProviderKind): Secret | null {
  const { told } = context;
  const value = told.text('client_secret');
  if (value !== null) return fixedSecret(value);
  const file = told.text('client_secret_file');
  if (file !== null) {
    const said = { option: 'client_secret_file', source: told.sourceOf('client_secret_file') };
    return openFileSecret(context, file, said);
  }
  const isFree = kind === 'login.gov' || (kind === 'entra-id' && told.bool('entra_id_federated_token_auth'));
  if (!isFree)
    told.fault('client_secret', 'is not given', 'write the secret that the provider gives, or client_secret_file');
  return null;
}

function trustOf(told: Told): Pick<ProviderSettings, 'caFiles' | 'useSystemTrust' | 'skipTlsVerify'> {
  const caFiles = told.list('provider_ca_files');
  for (const file of caFiles) checkCertificates(told, file);
  const skipTlsVerify = told.bool('ssl_insecure_skip_verify');
  if (skipTlsVerify) {
    const message = 'takes anybody on the way for the provider';
    told.warn('ssl_insecure_skip_verify', message, 'name its certificate authority with provider_ca_files instead');
  }
  return { caFiles, useSystemTrust: caFiles.length === 0 || told.bool('use_system_trust_store'), skipTlsVerify };
}

function checkCertificates(told: Told, file: string): void {
  try {
    void new X509Certificate(readMoreThanOnce(file));
  } catch (error) {
    const what = isOfReading(error) ? unreadable(error) : 'holds no certificate';
    const message = `holds "${file}", which ${what}`;
    told.fault('provider_ca_files', message, 'give certificates in PEM form');
  }
}

type Endpoints = Pick<ProviderSettings, 'loginUrl' | 'redeemUrl' | 'profileUrl' | 'validateUrl' | 'backendLogoutUrl'>;

function endpointsOf(told: Told): Endpoints {
  return {
    loginUrl: urlOption(told, 'login_url'),
    redeemUrl: urlOption(told, 'redeem_url'),
    profileUrl: urlOption(told, 'profile_url'),
    validateUrl: urlOption(told, 'validate_url'),
    backendLogoutUrl: urlOption(told, 'backend_logout_url'),
  };
}

export function urlOption(told: Told, key: string): string | null {
  const text = told.text(key);
  if (text === null || (/^https?:\/\//i.test(text) && URL.canParse(text))) return text;
  told.fault(key, `is ${told.quoted(key)}, no URL`, 'begin it with https://');
  return null;
}

function codeChallengeMethod(told: Told): ProviderSettings['codeChallengeMethod'] {
  const key = told.text('code_challenge_method') === null ? 'force_code_challenge_method' : 'code_challenge_method';
  const text = told.text(key);
  if (text === null || text === 'S256') return text;
  if (text === 'plain') {
    told.warn(key, 'is "plain", which protects from nobody who sees the address', 'write S256');
    return text;
  }
  told.fault(key, `is ${told.quoted(key)}`, 'write S256');
  return 'S256';
}

function loginParameters(context: BuildContext, inputs: readonly LoginParameterInput[]): readonly LoginParameter[] {
  const seen = new Set<string>();
  return inputs.map((input) => {
    const fault = (message: string, remedy: string): void =>
      context.findings.add({ severity: 'error', option: input.option, source: input.source, message, remedy });
    if (input.name === '') fault('has no name', 'write name: prompt');
    if (seen.has(input.name)) fault(`gives "${input.name}" twice`, 'keep one of them');
    seen.add(input.name);
    const allow = input.allow.flatMap(({ value, pattern }): LoginParameter['allow'] => {
      if ((value === null) === (pattern === null)) {
        fault(`has a rule for "${input.name}" without exactly one of value and pattern`, 'write one of them');
        return [];
      }
      if (value !== null) return [{ value }];
      const compiled = expression(context.told, input.option, pattern ?? '');
      return compiled === null ? [] : [{ pattern: compiled }];
    });
    return { name: input.name, default: input.default, allow };
  });
}

function restrictionsOf(
  told: Told,
  kind: ProviderKind,
): Pick<ProviderSettings, 'github' | 'gitlab' | 'google' | 'bitbucket'> {
  return {
    github: githubOf(told, kind),
    gitlab: { groups: told.list('gitlab_groups'), projects: gitlabProjects(told) },
    google: googleOf(told, kind),
    bitbucket: { team: told.text('bitbucket_team'), repository: told.text('bitbucket_repository') },
  };
}

function githubOf(told: Told, kind: ProviderKind): ProviderSettings['github'] {
  const org = told.text('github_org');
  const teams = told
    .string('github_team')
    .split(',')
    .map((team) => team.trim())
    .filter((team) => team !== '');
  const repo = told.text('github_repo');
  const isTold = kind === 'github' && told.text('github_team') !== null;
  if (isTold && org === null && teams.some((team) => !/^[^:]+:[^:]+$/.test(team)))
    told.fault(
      'github_team',
      `is ${told.quoted('github_team')}, without an organisation`,
      'give github_org, or write ORG:TEAM',
    );
  if (isTold && teams.length === 0) told.fault('github_team', 'names no team', 'write TEAM, or take it out');
  if (repo !== null && !/^[^/\s]+\/[^/\s]+$/.test(repo))
    told.fault('github_repo', `is ${told.quoted('github_repo')}`, 'write OWNER/NAME');
  return { org, teams, repo, token: told.text('github_token'), users: told.list('github_users') };
}

const GITLAB_LEVELS: ReadonlySet<number> = new Set([10, 20, 30, 40]);

function gitlabProjects(told: Told): ProviderSettings['gitlab']['projects'] {
  return told.list('gitlab_projects').flatMap((entry) => {
    const [path = '', levelText] = entry.split(/=(.*)/s);
    const level = levelText === undefined ? 20 : Number(levelText);
    if (path !== '' && GITLAB_LEVELS.has(level)) return [{ path, level }];
    const message = `holds ${told.quoted('gitlab_projects', entry)}, not GROUP/PROJECT=LEVEL`;
    told.fault(
      'gitlab_projects',
      message,
      'write a level of 10 (guest), 20 (reporter), 30 (developer) or 40 (maintainer)',
    );
    return [];
  });
}

function googleOf(told: Told, kind: ProviderKind): ProviderSettings['google'] {
  const key = told.isGiven('google_group') ? 'google_group' : 'google_groups';
  const adminEmail = told.text('google_admin_email');
  const serviceAccountFile = told.text('google_service_account_json');
  const useDefaultCredentials = told.bool('google_use_application_default_credentials');
  if (kind === 'google') checkGoogle(told, key);
  return {
    groups: told.list(key),
    adminEmail,
    serviceAccountFile,
    useDefaultCredentials,
    targetPrincipal: told.text('google_target_principal'),
    useOrganizationId: told.bool('google_use_organization_id'),
    adminApiUserScope: told.text('google_admin_api_user_scope'),
  };
}

/** Groups are asked for by an account of the directory: without one they would restrict nobody. */
function checkGoogle(told: Told, groupsKey: string): void {
  const hasAdmin = told.text('google_admin_email') !== null;
  const file = told.text('google_service_account_json');
  const usesDefault = told.bool('google_use_application_default_credentials');
  const hasAny = hasAdmin || file !== null || usesDefault;
  if (!hasAny && told.list(groupsKey).length > 0) {
    const remedy = 'give google_admin_email and google_service_account_json, or take the groups out';
    told.fault(groupsKey, 'restricts nobody without an account that may ask for groups', remedy);
  }
  if (!hasAny) return;
  if (!hasAdmin) told.fault('google_admin_email', 'is not given', 'name an administrator of the directory');
  if (!usesDefault && file === null)
    told.fault('google_service_account_json', 'is not given', 'give a key file of the service account');
  if (usesDefault && file !== null)
    told.fault('google_service_account_json', 'is given beside google_use_application_default_credentials', 'keep one');
  if (file === null) return;
  try {
    JSON.parse(readMoreThanOnce(file).toString('utf8'));
  } catch (error) {
    const what = error instanceof SyntaxError ? 'is no JSON' : unreadable(error);
    told.fault('google_service_account_json', `is "${file}", which ${what}`, 'give the key file as Google made it');
  }
}

function federatedToken({ told, variables }: BuildContext, kind: ProviderKind): boolean {
  const isOn = told.bool('entra_id_federated_token_auth');
  if (!isOn || kind !== 'entra-id') return isOn;
  const file = variables.get('AZURE_FEDERATED_TOKEN_FILE') ?? '';
  const key = 'entra_id_federated_token_auth';
  if (file === '') {
    told.fault(key, 'needs the variable AZURE_FEDERATED_TOKEN_FILE', 'set up the workload identity of the pod');
    return isOn;
  }
  try {
    readMoreThanOnce(file);
  } catch (error) {
    told.fault(key, `needs the file "${file}", which ${unreadable(error)}`, 'check the workload identity of the pod');
  }
  return isOn;
}

function graphGroupField(told: Told): 'id' | 'displayName' {
  const field = told.text('azure_graph_group_field') ?? 'id';
  if (field === 'id' || field === 'displayName') return field;
  told.fault('azure_graph_group_field', `is ${told.quoted('azure_graph_group_field')}`, 'write id or displayName');
  return 'id';
}

function loginGovKey(context: BuildContext, kind: ProviderKind): Secret | null {
  const { told } = context;
  const [value, file] = [told.text('jwt_key'), told.text('jwt_key_file')];
  if (value !== null && file !== null) told.fault('jwt_key', 'is given beside jwt_key_file', 'keep one of them');
  if (value === null && file === null) {
    if (kind === 'login.gov')
      told.fault('jwt_key_file', 'is not given', 'give the private key that login.gov knows you by');
    return null;
  }
  const key = value === null ? 'jwt_key_file' : 'jwt_key';
  const said = { option: key, source: told.sourceOf(key) };
  const secret = value === null ? openFileSecret(context, file ?? '', said) : fixedSecret(value);
  try {
    if (secret !== null) createPrivateKey(secret.read());
  } catch {
    told.fault(key, 'holds no private key that can be read', 'give an RSA key in PEM form, without a passphrase');
  }
  return secret;
}
