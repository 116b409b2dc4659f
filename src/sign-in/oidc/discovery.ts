/**
 * The provider's own description of itself (OpenID Connect Discovery 1.0), fetched when the gateway starts
 * or at the first sign-in, and kept. A provider that is down at the start is asked again and again; one
 * that goes down later is used as it was described last.
 */
import * as client from 'openid-client';
import type { Clock } from '../../core/clock.ts';
import type { OidcProvider } from '../../config/document/providers.ts';
import type { ProviderHttp } from '../provider-http.ts';
import { createKept, type Kept } from './kept.ts';

export type Discovery = Kept<client.Configuration>;

export interface DiscoveryDeps {
  readonly provider: OidcProvider;
  readonly http: Pick<ProviderHttp, 'fetch' | 'fetchFirst'>;
  readonly clock: Clock;
  /** Told when it fails, and when it works. */
  readonly onFailure: (error: unknown) => void;
  readonly onSuccess: () => void;
}

/** The issuer that answered is another than the document names. */
export class IssuerMismatchError extends Error {
  constructor(wanted: string, found: string) {
    super(`Provider names itself "${found}", but the document says "${wanted}"; write "issuer: ${found}"`);
    this.name = 'IssuerMismatchError';
  }
}

/** openid-client asks nothing else over plain HTTP, and does not fetch the keys itself. */
export class PlainKeysError extends Error {
  constructor(uri: string) {
    super(
      `Provider says that its keys are at "${uri.slice(0, 200)}": over plain HTTP they could be anybody's; have it name "jwks_uri" by https`,
    );
    this.name = 'PlainKeysError';
  }
}

export function createDiscovery(deps: DiscoveryDeps): Discovery {
  return createKept({ ...deps, fetch: () => discover(deps) });
}

const described = new WeakMap<client.Configuration, Readonly<client.ServerMetadata>>();

/** What the provider says of itself. openid-client makes a deep copy each time it is asked. */
export function metadataOf(configuration: client.Configuration): Readonly<client.ServerMetadata> {
  const known = described.get(configuration) ?? configuration.serverMetadata();
  described.set(configuration, known);
  return known;
}

async function discover({ provider, http }: DiscoveryDeps): Promise<client.Configuration> {
  const issuer = new URL(provider.issuer);
  const found = await client
    .discovery(issuer, provider.clientId, undefined, client.None(), optionsFor(issuer, http))
    .catch((error: unknown) => {
      throw mismatchOf(provider, error) ?? error;
    });
  // Plain data: what openid-client adds to it are functions, which it cannot take back.
  const metadata = JSON.parse(JSON.stringify(found.serverMetadata())) as client.ServerMetadata;
  // openid-client lets some well-known hosts name themselves otherwise: we do not.
  if (new URL(metadata.issuer).href !== issuer.href) throw new IssuerMismatchError(provider.issuer, metadata.issuer);
  const { jwks_uri: keys } = metadata;
  if (keys !== undefined && !isProtected(keys, issuer, provider.internalUrl)) throw new PlainKeysError(keys);
  const settings = {
    [client.clockTolerance]: Math.ceil(provider.clockToleranceMs / 1_000),
    ...(provider.clientSecret === null ? {} : { client_secret: provider.clientSecret }),
  };
  const configuration = new client.Configuration(metadata, provider.clientId, settings, authFor(provider, metadata));
  configuration[client.customFetch] = http.fetch;
  // `http` has limits of its own, which differ by what is asked.
  configuration.timeout = 90;
  if (issuer.protocol === 'http:') allowPlain(configuration);
  return configuration;
}

/** As safe on its way as the discovery document was. */
function isProtected(uri: string, issuer: URL, internalUrl: string | null): boolean {
  if (issuer.protocol === 'http:') return true;
  const { protocol, origin } = URL.canParse(uri) ? new URL(uri) : { protocol: '', origin: '' };
  return protocol === 'https:' || origin === internalUrl;
}

/** openid-client puts what was found into the cause. */
function mismatchOf(provider: OidcProvider, error: unknown): IssuerMismatchError | null {
  const cause =
    error instanceof Error ? (error.cause as { attribute?: unknown; body?: { issuer?: unknown } }) : undefined;
  const found = cause?.attribute === 'issuer' ? cause.body?.issuer : undefined;
  return typeof found === 'string' ? new IssuerMismatchError(provider.issuer, found.slice(0, 200)) : null;
}

function optionsFor(issuer: URL, http: DiscoveryDeps['http']): client.DiscoveryRequestOptions {
  return {
    [client.customFetch]: http.fetchFirst,
    timeout: 10,
    ...(issuer.protocol === 'http:' ? { execute: [allowPlain] } : {}),
  };
}

/** The document may name a plain issuer on loopback, or with `session.insecure_http`; its schema checks that. */
// oxlint-disable-next-line typescript/no-deprecated -- deprecated to make it stand out
const allowPlain = client.allowInsecureRequests;

/** RFC 6749 section 2.3.1 prefers Basic, and is the default where a provider says nothing (Discovery section 3). */
function authFor(provider: OidcProvider, metadata: client.ServerMetadata): client.ClientAuth {
  const { clientSecret, clientAuth } = provider;
  if (clientSecret === null) return client.None();
  const offered = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const isBasic = clientAuth === 'auto' ? offered.includes('client_secret_basic') : clientAuth === 'basic';
  return isBasic ? client.ClientSecretBasic(clientSecret) : client.ClientSecretPost(clientSecret);
}
