/** The provider of the settings as one of the gateway. A secret is named, never written. */
import { scalar, list } from './text.ts';
import type { ProviderKind, Settings } from '../../settings.ts';
import type { GivenOptions } from '../given.ts';
import type { DocumentRules } from './rules.ts';
import type { Notes } from './text.ts';

export interface ProviderText {
  /** `id: { ... }`, a line each. */
  readonly lines: readonly string[];
  readonly isLocal: boolean;
}

const TYPES: Readonly<Partial<Record<ProviderKind, string>>> = {
  oidc: 'oidc',
  adfs: 'oidc',
  cidaas: 'oidc',
  'login.gov': 'oidc',
  'keycloak-oidc': 'keycloak',
  google: 'google',
  github: 'github',
  gitlab: 'gitlab',
  gitea: 'gitea',
  'entra-id': 'entra-id',
  azure: 'entra-id',
};

export function documentProvider(
  settings: Settings,
  { rules, given, notes }: { readonly rules: DocumentRules; readonly given: GivenOptions; readonly notes: Notes },
): ProviderText {
  const { provider } = settings;
  const type = TYPES[provider.kind];
  const issuer = issuerOf(provider);
  if (type === undefined || (type !== 'github' && type !== 'google' && issuer === null)) {
    notes.add(
      'provider',
      `"${provider.kind}" is no provider of the gateway: local accounts stand in for it ("postern user add")`,
    );
    return { lines: ['  local: { type: local }'], isLocal: true };
  }
  const keys: string[] = [`type: ${type}`, `client_id: ${scalar(provider.clientId)}`];
  if (type === 'github') keys.push(...githubKeys(provider));
  else if (type !== 'google') keys.push(`issuer: ${scalar(issuer ?? '')}`);
  const secret = secretOf(given, notes);
  if (provider.clientSecret !== null && secret !== null) keys.push(`client_secret: ${secret}`);
  if (provider.displayName !== null) keys.push(`name: ${scalar(provider.displayName)}`);
  if (type !== 'github') keys.push(...oidcKeys(settings, rules, notes));
  else if (rules.emailDomains.length > 0) keys.push(`email_domains: ${list(rules.emailDomains)}`);
  const [ca, more] = provider.caFiles;
  if (ca !== undefined) keys.push(`ca: ${scalar(ca)}`);
  if (more !== undefined) notes.add('provider_ca_files', 'one file is taken: put the certificates into one');
  noteRest(settings, notes);
  return { lines: ['  main:', ...keys.map((key) => `    ${key}`)], isLocal: false };
}

function issuerOf({ kind, oidc, entraId, loginUrl, validateUrl }: Settings['provider']): string | null {
  if (oidc.issuer !== null) return oidc.issuer;
  if (kind === 'azure' || kind === 'entra-id') return `https://login.microsoftonline.com/${entraId.tenant}/v2.0`;
  const url = loginUrl ?? validateUrl;
  return kind === 'gitea' && url !== null ? `${new URL(url).origin}/` : null;
}

function githubKeys({ loginUrl }: Settings['provider']): readonly string[] {
  return loginUrl === null ? [] : [`url: ${scalar(new URL(loginUrl).origin)}`];
}

/** As a variable or a file: a document is shown, sent and kept where a secret must not be. */
function secretOf(given: GivenOptions, notes: Notes): string | null {
  const file = given.get('client_secret_file');
  const value = given.get('client_secret');
  if (value === undefined) return file === undefined ? null : JSON.stringify(`\${file:${String(file.value)}}`);
  const variable = ['OAUTH2_PROXY_CLIENT_SECRET', 'POSTERN_CLIENT_SECRET'].find((one) => value.source.startsWith(one));
  const isVariable = variable !== undefined;
  const name = variable ?? 'CLIENT_SECRET';
  if (!isVariable)
    notes.add('client_secret', `came from ${value.source} and is not printed: set the variable ${name} ("--env-file")`);
  return JSON.stringify(`\${${name}}`);
}

function oidcKeys({ provider, bearer }: Settings, rules: DocumentRules, notes: Notes): readonly string[] {
  const { oidc } = provider;
  const keys: string[] = [];
  if (provider.scope !== null)
    keys.push(`scopes: ${list(provider.scope.split(/\s+/).filter((scope) => scope !== ''))}`);
  if (oidc.groupsClaim !== 'groups') keys.push(`groups_claim: ${scalar(oidc.groupsClaim)}`);
  if (rules.emailDomains.length > 0) keys.push(`email_domains: ${list(rules.emailDomains)}`);
  if (oidc.allowUnverifiedEmail) keys.push('trust_email: true');
  for (const {
    name,
    default: [value],
  } of provider.loginParameters) {
    if (value === undefined) continue;
    if (name === 'prompt') keys.push(`prompt: ${scalar(value)}`);
    if (name === 'acr_values') keys.push(`acr_values: ${scalar(value)}`);
  }
  if (bearer.accepts) keys.push(`bearer: { audience: ${scalar(provider.clientId)} }`);
  for (const { issuer } of bearer.extraIssuers)
    notes.add('extra_jwt_issuers', `"${issuer}" would be a provider of its own, with "bearer"`);
  if (oidc.emailClaim !== 'email')
    notes.add('oidc_email_claim', `"${oidc.emailClaim}" has no equal: the claim is "email"`);
  if (oidc.skipDiscovery) notes.add('skip_oidc_discovery', 'the gateway asks for the configuration of the issuer');
  if (oidc.skipIssuerVerification) notes.add('insecure_oidc_skip_issuer_verification', 'the issuer is always compared');
  return keys;
}

function noteRest({ provider }: Settings, notes: Notes): void {
  if (provider.skipTlsVerify) notes.add('ssl_insecure_skip_verify', 'certificates are always checked: write "ca"');
  if (provider.oidc.skipNonce) notes.add('insecure_oidc_skip_nonce', 'the nonce is always checked');
  if (provider.additionalClaims.length > 0) notes.add('additionalClaims', 'have no equal');
  if (provider.backendLogoutUrl !== null)
    notes.add('backend_logout_url', 'signing out ends the session at the provider by itself where it announces how');
}
