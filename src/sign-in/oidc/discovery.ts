/**
 * The provider's own description of itself (OpenID Connect Discovery 1.0), fetched when the gateway starts
 * or at the first sign-in, and kept. A provider that is down at the start is asked again and again; one
 * that goes down later is used as it was described last.
 */
import * as client from 'openid-client';
import type { Clock } from '../../core/clock.ts';
import type { OidcProvider } from '../../config/document.ts';
import type { ProviderHttp } from '../provider-http.ts';

const FRESH_MS = 60 * 60_000;
const CONFIRMED_MS = 5_000;
/** A visitor who comes right after a failure gets the same answer, and the provider is left in peace. */
const FAILURE_HOLDS_MS = 1_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export interface Discovery {
  /** Rejects with what stands in the way where the provider was never reached. */
  readonly get: () => Promise<client.Configuration>;
  /** The same, but asked for a moment ago: whoever is sent to a provider must not find it dead. */
  readonly confirm: () => Promise<client.Configuration>;
  /** What was found last, without asking. */
  readonly known: () => client.Configuration | null;
  readonly close: () => void;
}

export interface DiscoveryDeps {
  readonly provider: OidcProvider;
  readonly http: ProviderHttp;
  readonly clock: Clock;
  /** Told when it fails for the first time, and when it works again. */
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

export function createDiscovery(deps: DiscoveryDeps): Discovery {
  const { clock } = deps;
  let held: { readonly configuration: client.Configuration; readonly at: number } | null = null;
  let failure: { readonly error: unknown; readonly at: number } | null = null;
  let asking: Promise<client.Configuration> | null = null;
  let retry: NodeJS.Timeout | null = null;
  let retryMs = FIRST_RETRY_MS;
  let isClosed = false;

  const ask = (): Promise<client.Configuration> => {
    asking ??= discover(deps)
      .then((configuration) => {
        held = { configuration, at: clock.now() };
        failure = null;
        retryMs = FIRST_RETRY_MS;
        deps.onSuccess();
        return configuration;
      })
      .catch((error: unknown) => {
        failure = { error, at: clock.now() };
        deps.onFailure(error);
        askLater();
        throw error;
      })
      .finally(() => (asking = null));
    return asking;
  };

  const askLater = (): void => {
    if (isClosed || retry !== null) return;
    retry = setTimeout(() => {
      retry = null;
      if (!isClosed) void ask().catch(() => undefined);
    }, retryMs).unref();
    retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
  };

  return {
    known: () => held?.configuration ?? null,
    async confirm() {
      if (held !== null && clock.now() - held.at < CONFIRMED_MS) return held.configuration;
      if (failure !== null && clock.now() - failure.at < FAILURE_HOLDS_MS) throw failure.error;
      return ask();
    },
    async get() {
      if (held !== null) {
        // The old one serves while the new one is fetched.
        const isDue = clock.now() - held.at >= FRESH_MS && asking === null && retry === null;
        if (isDue) void ask().catch(() => undefined);
        return held.configuration;
      }
      if (failure !== null && clock.now() - failure.at < FAILURE_HOLDS_MS) throw failure.error;
      return ask();
    },
    close() {
      isClosed = true;
      if (retry !== null) clearTimeout(retry);
    },
  };
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
  const settings = {
    [client.clockTolerance]: Math.ceil(provider.clockToleranceMs / 1_000),
    ...(provider.clientSecret === null ? {} : { client_secret: provider.clientSecret }),
  };
  const configuration = new client.Configuration(metadata, provider.clientId, settings, authFor(provider, metadata));
  configuration[client.customFetch] = http.fetch;
  configuration.timeout = 10;
  if (issuer.protocol === 'http:') allowPlain(configuration);
  return configuration;
}

/** openid-client puts what was found into the cause. */
function mismatchOf(provider: OidcProvider, error: unknown): IssuerMismatchError | null {
  const cause =
    error instanceof Error ? (error.cause as { attribute?: unknown; body?: { issuer?: unknown } }) : undefined;
  const found = cause?.attribute === 'issuer' ? cause.body?.issuer : undefined;
  return typeof found === 'string' ? new IssuerMismatchError(provider.issuer, found.slice(0, 200)) : null;
}

function optionsFor(issuer: URL, http: ProviderHttp): client.DiscoveryRequestOptions {
  return {
    [client.customFetch]: http.fetch,
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
