/**
 * Tokens for Google's APIs in the name of an administrator: by the key of a service account that may act for
 * the domain (RFC 7523), or by what the machine runs as, which then has such an account sign for it.
 */
import { createPrivateKey } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { readTextAtMost } from '../../core/read-at-most.ts';
import type { Clock } from '../../core/clock.ts';
import type { ProviderHttp } from '../provider-http.ts';
import { isMap, type Claims } from '../oauth/json.ts';
import { Outage, Refusal } from '../oauth/failures.ts';
import { byExternalAccount, externalPrincipal } from './external-account.ts';
import { askApiFor } from '../oauth/api.ts';
import { createTokenEndpoint, type ClientAuth, type TokenSet } from '../oauth/token-endpoint.ts';

export interface GoogleAddresses {
  readonly directory: string;
  readonly iam: string;
  readonly metadata: string;
  readonly token: string;
}

export const GOOGLE_ADDRESSES: GoogleAddresses = {
  directory: 'https://admin.googleapis.com',
  iam: 'https://iamcredentials.googleapis.com',
  metadata: 'http://metadata.google.internal',
  token: 'https://oauth2.googleapis.com/token',
};

/** Who asks, and in whose name. */
export interface GoogleAccount {
  /** The key file of a service account, as text; null: what the machine runs as. */
  readonly readKey: (() => Promise<string>) | null;
  readonly adminEmail: string | null;
  /** The service account that signs for default credentials; null: their own. */
  readonly targetPrincipal: string | null;
}

export interface CredentialsDeps {
  readonly http: ProviderHttp;
  readonly clock: Clock;
  readonly addresses: GoogleAddresses;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A token for the scope, in the administrator's name. */
export type ActAsAdministrator = (scope: string) => Promise<TokenSet>;

const CLOUD = 'https://www.googleapis.com/auth/cloud-platform';
const METADATA = { 'metadata-flavor': 'Google' };
const NO_PROOF: ClientAuth = () => ({ headers: {}, form: {} });

export function actAsAdministrator(settings: GoogleAccount, deps: CredentialsDeps): ActAsAdministrator {
  const { readKey, adminEmail } = settings;
  if (readKey === null) return (scope) => byDefaultCredentials(settings, deps, scope);
  return async (scope) => {
    const text = await readKey().catch((error: unknown) => {
      throw new Outage('the key file of the service account cannot be read', error);
    });
    return byServiceAccount(deps, parseCredentials(text), { scope, subject: adminEmail });
  };
}

interface Wanted {
  readonly scope: string;
  /** Null: the account itself. */
  readonly subject: string | null;
}

async function byServiceAccount(deps: CredentialsDeps, file: Claims, wanted: Wanted): Promise<TokenSet> {
  const { client_email: email, private_key: key, private_key_id: id, token_uri: uri } = file;
  if (typeof email !== 'string' || typeof key !== 'string')
    throw new Refusal('the key file of the service account lacks "client_email" or "private_key"');
  const url = typeof uri === 'string' ? uri : deps.addresses.token;
  const assertion = await new SignJWT(claimsOf(deps, { ...wanted, issuer: email, audience: url }))
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(typeof id === 'string' ? { kid: id } : {}) })
    .sign(createPrivateKey(key));
  return exchange(deps, url, assertion);
}

function claimsOf(
  { clock }: CredentialsDeps,
  { issuer, audience, scope, subject }: Wanted & { readonly issuer: string; readonly audience: string },
): Record<string, unknown> {
  const now = Math.floor(clock.now() / 1_000);
  return {
    iss: issuer,
    aud: audience,
    scope,
    iat: now,
    exp: now + 3_600,
    ...(subject === null ? {} : { sub: subject }),
  };
}

function exchange({ http, clock }: CredentialsDeps, url: string, assertion: string): Promise<TokenSet> {
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion };
  return createTokenEndpoint(http, clock).ask({ url, form, ways: [NO_PROOF] });
}

/** The machine's own identity may not act for a domain, but it may ask an account to sign that it does. */
async function byDefaultCredentials(
  { adminEmail, targetPrincipal }: GoogleAccount,
  deps: CredentialsDeps,
  scope: string,
): Promise<TokenSet> {
  const file = await defaultFile(deps);
  const principal = targetPrincipal ?? (await principalOf(deps, file));
  const { token } = deps.addresses;
  const payload = claimsOf(deps, { scope, subject: adminEmail, issuer: principal, audience: token });
  const signed = await askApiFor(deps.http, {
    url: `${deps.addresses.iam}/v1/projects/-/serviceAccounts/${encodeURIComponent(principal)}:signJwt`,
    accessToken: await ownToken(deps, file),
    body: JSON.stringify({ payload: JSON.stringify(payload), delegates: [] }),
  });
  const { signedJwt } = signed;
  if (typeof signedJwt !== 'string') throw new Refusal('Google signed nothing for the service account');
  return exchange(deps, token, signedJwt);
}

/** Null: the metadata server of the machine says who it is. */
async function defaultFile({ environment }: CredentialsDeps): Promise<Claims | null> {
  const named = environment['GOOGLE_APPLICATION_CREDENTIALS'];
  if (named !== undefined && named !== '') return readJson(named);
  const folder = environment['CLOUDSDK_CONFIG'] ?? join(environment['HOME'] ?? homedir(), '.config', 'gcloud');
  return readJson(join(folder, 'application_default_credentials.json')).catch(() => null);
}

async function ownToken(deps: CredentialsDeps, file: Claims | null): Promise<string> {
  if (file === null) return fromMetadata(deps);
  if (file['type'] === 'service_account')
    return (await byServiceAccount(deps, file, { scope: CLOUD, subject: null })).accessToken;
  if (file['type'] === 'authorized_user') return (await byRefreshToken(deps, file)).accessToken;
  if (file['type'] === 'external_account') return byExternalAccount(deps, file, CLOUD);
  throw new Refusal(
    'the default credentials are neither of a service account, of a user, nor a workload identity; use the key file of a service account',
  );
}

async function fromMetadata(deps: CredentialsDeps): Promise<string> {
  const answer = await askMetadata(deps, 'token');
  const { access_token: token } = JSON.parse(answer) as Claims;
  if (typeof token !== 'string') throw new Refusal('the metadata server gave no token');
  return token;
}

function byRefreshToken({ http, clock, addresses }: CredentialsDeps, file: Claims): Promise<TokenSet> {
  const text = (name: string): string => (typeof file[name] === 'string' ? file[name] : '');
  const form = {
    grant_type: 'refresh_token',
    client_id: text('client_id'),
    client_secret: text('client_secret'),
    refresh_token: text('refresh_token'),
  };
  return createTokenEndpoint(http, clock).ask({ url: addresses.token, form, ways: [NO_PROOF] });
}

async function principalOf(deps: CredentialsDeps, file: Claims | null): Promise<string> {
  if (file === null) return askMetadata(deps, 'email');
  if (typeof file['client_email'] === 'string') return file['client_email'];
  const impersonated = externalPrincipal(file);
  if (impersonated !== null) return impersonated;
  throw new Refusal(
    'the default credentials name no service account; name the one that signs for them ("google-target-principal", or "principal" of "directory")',
  );
}

async function askMetadata({ http, addresses, environment }: CredentialsDeps, what: string): Promise<string> {
  const host = environment['GCE_METADATA_HOST'];
  const base = host === undefined || host === '' ? addresses.metadata : `http://${host}`;
  const url = `${base}/computeMetadata/v1/instance/service-accounts/default/${what}`;
  const response = await http.fetch(url, { headers: METADATA });
  if (response.status !== 200) throw new Outage(`the metadata server answered ${response.status}`);
  return (await response.text()).trim();
}

async function readJson(path: string): Promise<Claims> {
  const text = await readTextAtMost(path).catch((error: unknown) => {
    throw new Outage('the file of Google credentials cannot be read', error);
  });
  return parseCredentials(text);
}

function parseCredentials(text: string): Claims {
  try {
    const value: unknown = JSON.parse(text);
    if (isMap(value)) return value;
  } catch {
    // Its words could hold the key.
  }
  throw new Refusal('the Google credentials are no JSON object');
}
