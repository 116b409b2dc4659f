/**
 * Where an OpenID provider's endpoints are: from its own description (OpenID Connect Discovery 1.0), or
 * from the settings where they say to skip it. What is described wins over what is set, as in the original.
 */
import type { ProviderHttp } from '../../../sign-in/provider-http.ts';
import { SIGNING_ALGORITHMS } from '../../../sign-in/oidc/keys.ts';
import type { ProviderSettings } from '../../settings.ts';
import { isMap, type Claims } from '../../../sign-in/oauth/json.ts';
import { Outage, Refusal } from '../../../sign-in/oauth/failures.ts';

export interface Metadata {
  readonly issuer: string;
  readonly loginUrl: string;
  readonly tokenUrl: string;
  /** Null: keys are in files. */
  readonly jwksUrl: string | null;
  readonly profileUrl: string | null;
  /** Of the client at the token endpoint; null: not said. */
  readonly authMethods: readonly string[] | null;
  readonly challengeMethods: readonly string[];
  /** Those of ID tokens that count. */
  readonly algorithms: readonly string[];
  /** RFC 9207: the callback always says who answers. */
  readonly namesItself: boolean;
}

/** "https://id/realms/main/" and "https://id/realms/main" are one issuer. */
export function isNamed({ oidc }: ProviderSettings, found: string): boolean {
  return (oidc.issuer ?? '').replace(/\/$/, '') === found.replace(/\/$/, '');
}

export function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
}

export async function discover(
  http: ProviderHttp,
  settings: ProviderSettings,
  isIssuer: (settings: ProviderSettings, found: string) => boolean = isNamed,
): Promise<Metadata> {
  const { oidc } = settings;
  const issuer = oidc.issuer ?? '';
  const found = await fetchJson(http, discoveryUrl(issuer));
  const named = textAt(found, 'issuer');
  if (!oidc.skipIssuerVerification && !isIssuer(settings, named))
    throw new Outage(
      `it names itself "${named.slice(0, 200)}", but "oidc-issuer-url" is "${issuer}"; set that to the name`,
    );
  return {
    issuer: oidc.skipIssuerVerification ? issuer : named,
    loginUrl: urlAt(found, 'authorization_endpoint'),
    tokenUrl: urlAt(found, 'token_endpoint'),
    jwksUrl: urlAt(found, 'jwks_uri'),
    profileUrl: found['userinfo_endpoint'] === undefined ? null : urlAt(found, 'userinfo_endpoint'),
    authMethods: listAt(found, 'token_endpoint_auth_methods_supported'),
    challengeMethods: listAt(found, 'code_challenge_methods_supported') ?? [],
    algorithms: algorithmsOf(settings, listAt(found, 'id_token_signing_alg_values_supported')),
    namesItself: found['authorization_response_iss_parameter_supported'] === true,
  };
}

/** For `skip-oidc-discovery`, and for kinds whose endpoints never change. */
export function fixedMetadata(settings: ProviderSettings, defaults: Partial<Metadata> = {}): Metadata {
  const { oidc } = settings;
  return {
    issuer: oidc.issuer ?? defaults.issuer ?? '',
    loginUrl: settings.loginUrl ?? defaults.loginUrl ?? '',
    tokenUrl: settings.redeemUrl ?? defaults.tokenUrl ?? '',
    jwksUrl: oidc.jwksUrl ?? defaults.jwksUrl ?? null,
    profileUrl: settings.profileUrl ?? defaults.profileUrl ?? null,
    authMethods: defaults.authMethods ?? null,
    challengeMethods: defaults.challengeMethods ?? [],
    algorithms: algorithmsOf(settings, null),
    namesItself: false,
  };
}

export async function fetchJson(http: ProviderHttp, url: string): Promise<Claims> {
  const response = await http.fetch(url, { headers: { accept: 'application/json' } });
  const { status } = response;
  if (status >= 300 && status < 400)
    throw new Outage(`"${url}" answered ${status}, a redirect, which is not followed; set the address it leads to`);
  if (status !== 200) throw new Outage(`"${url}" answered ${status}`);
  const body: unknown = await response.json().catch(() => null);
  if (!isMap(body)) throw new Outage(`"${url}" answered no JSON object`);
  return body;
}

/** Signatures by a shared secret or by none never count, whatever is announced or set. */
function algorithmsOf({ oidc }: ProviderSettings, announced: readonly string[] | null): readonly string[] {
  const wanted = oidc.signingAlgorithms.length > 0 ? oidc.signingAlgorithms : SIGNING_ALGORITHMS;
  const taken = wanted.filter(
    (one) =>
      SIGNING_ALGORITHMS.includes(one) && (announced === null || announced.length === 0 || announced.includes(one)),
  );
  if (taken.length > 0) return taken;
  throw new Refusal(
    `signs by ${(announced ?? []).join(', ').slice(0, 200)}, of which none is in "oidc-enabled-signing-alg" and safe to take`,
  );
}

function textAt(body: Claims, name: string): string {
  const value = body[name];
  if (typeof value !== 'string' || value === '') throw new Outage(`its description has no "${name}"`);
  return value;
}

function urlAt(body: Claims, name: string): string {
  const value = textAt(body, name);
  const isWeb = URL.canParse(value) && ['https:', 'http:'].includes(new URL(value).protocol);
  if (!isWeb) throw new Outage(`its description has a "${name}" that is no address`);
  return value;
}

function listAt(body: Claims, name: string): readonly string[] | null {
  const value = body[name];
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : null;
}
