/** The sign-in rig with real OpenID provider code against twins, and a browser that visits them. */
import { createRig, type Browser, type Page, type Rig, type RigOptions } from '../_rig.ts';
import type { OidcProvider } from '../../config/document/providers.ts';
import type { Provider, Providers } from '../provider.ts';
import { startTwin, type Twin } from './_twin.ts';
import { createOidcProvider, type OpenIdProvider } from './provider.ts';

export interface OidcRig extends Rig {
  readonly twin: Twin;
  readonly provider: OpenIdProvider;
  readonly logged: string[];
}

export function settingsFor(twin: Twin, over: Partial<OidcProvider> = {}): OidcProvider {
  return {
    id: 'keycloak',
    type: 'oidc',
    preset: 'oidc',
    label: 'Twin',
    issuer: twin.issuer,
    clientId: twin.clientId,
    clientSecret: twin.clientSecret,
    clientAuth: 'auto',
    scopes: ['openid', 'profile', 'email'],
    userClaims: ['preferred_username'],
    groupsClaims: ['groups'],
    rolesClaims: ['realm_access.roles', 'resource_access.*.roles'],
    readsAccessToken: true,
    overageUrl: null,
    emailDomains: ['example.com'],
    trustEmail: false,
    hostedDomains: [],
    directory: null,
    prompt: null,
    switchPrompt: 'login',
    acrValues: [],
    secondFactor: { acr: [], amr: ['mfa'] },
    maxAgeSeconds: null,
    parameters: {},
    clockToleranceMs: 60_000,
    recheckMs: 300_000,
    logout: true,
    internalUrl: null,
    caPem: null,
    bearer: null,
    at: [],
    ...over,
  };
}

export interface OidcRigOptions {
  readonly settings?: Partial<OidcProvider>;
  readonly rig?: RigOptions;
  readonly others?: readonly Provider[];
  /** The same provider once more, under another name. */
  readonly again?: Partial<OidcProvider>;
  readonly twin?: Parameters<typeof startTwin>[0];
  /** The provider is down when the gateway starts. */
  readonly isDown?: boolean;
  readonly prepare?: (twin: Twin) => void;
  /** Groups that do not fit into a token are asked of the twin. */
  readonly graph?: boolean;
  /** Google's APIs are the twin's. */
  readonly namedGroups?: readonly string[];
  /** Another issuer in the document than the twin's own. */
  readonly namesIssuer?: (twin: Twin) => string;
}

export async function withOidc(work: (rig: OidcRig) => Promise<void>, options: OidcRigOptions = {}): Promise<void> {
  const twin = await startTwin(options.twin);
  options.prepare?.(twin);
  if (options.isDown === true) await twin.stop();
  const logged: string[] = [];
  // Tokens of the twin carry real times, so the provider has a real clock; sessions keep the rig's.
  const clock = { now: () => Date.now() };
  const log = (_: string, message: string): unknown => logged.push(message);
  const named = options.namesIssuer === undefined ? {} : { issuer: options.namesIssuer(twin) };
  const provider = createOidcProvider(
    settingsFor(twin, {
      ...options.settings,
      ...named,
      ...(options.graph === true ? { overageUrl: `${twin.issuer}/graph` } : {}),
    }),
    {
      clock,
      log,
      namedGroups: () => options.namedGroups ?? [],
      googleAddresses: {
        directory: twin.issuer,
        iam: twin.issuer,
        metadata: twin.issuer,
        token: `${twin.issuer}/grant`,
      },
    },
  );
  provider.warm();
  const again =
    options.again === undefined ? [] : [createOidcProvider(settingsFor(twin, options.again), { clock, log })];
  const all = [provider, ...again, ...(options.others ?? [])];
  const providers: Providers = { find: (id) => all.find((one) => one.id === id) ?? null, list: () => all };
  const rig = createRig({ hasLocalAccounts: false, providers: () => providers, ...options.rig });
  try {
    await work({ ...rig, twin, provider, logged });
  } finally {
    for (const one of all) one.close();
    rig.close();
    await twin.stop();
  }
}

/** Follows redirects of Postern up to the provider, and answers the provider's address. */
export async function departure(browser: Browser, url: string): Promise<string> {
  let page = await browser.send(url);
  for (let hops = 0; hops < 6; hops++) {
    const location = page.headers.get('location');
    if (location === null) throw new Error(`Cannot depart: ${page.status} at ${page.url}: ${page.text}`);
    if (!location.startsWith('https://') && !location.startsWith('/')) return location;
    page = await browser.send(location.startsWith('/') ? new URL(page.url).origin + location : location);
  }
  throw new Error(`Cannot depart: no way to the provider, last at ${page.url}`);
}

/** The whole way: off to the provider, and back to where the person wanted to go. */
export async function signInBy(browser: Browser, twin: Twin, url: string): Promise<Page> {
  return browser.open(twin.visit(await departure(browser, url)));
}
