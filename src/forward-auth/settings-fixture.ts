/** Settings for tests: the original's defaults, with what a test is about in their place. */
import type { Settings } from './settings.ts';

export type DeepPartial<T> = T extends readonly (infer U)[]
  ? readonly U[]
  : T extends (...args: never[]) => unknown
    ? T
    : T extends object
      ? { readonly [K in keyof T]?: DeepPartial<T[K]> }
      : T;

const DEFAULTS: Settings = {
  paths: { prefix: '/oauth2', ping: '/ping', pingUserAgent: null, ready: '/ready' },
  server: { http: '127.0.0.1:0', https: null, tls: null, forceHttps: false },
  metrics: { http: null, https: null, certificateFile: null, keyFile: null },
  trust: {
    reverseProxy: false,
    proxies: null,
    realIpHeader: 'x-real-ip',
    trustedIps: [],
    requestIdHeader: 'x-request-id',
  },
  redirects: { callbackUrl: null, isRelative: false, whitelist: [], encodeState: false },
  admission: { emailDomains: ['*'], emailsFile: null, groups: [] },
  skip: {
    routes: [],
    preflight: false,
    apiRoutes: [],
    providerButton: false,
    forceJsonErrors: false,
    allowQuerySemicolons: false,
  },
  cookie: {
    name: '_oauth2_proxy',
    secret: { read: () => Buffer.from('0123456789abcdef0123456789abcdef') },
    domains: [],
    path: '/',
    expireMs: 604_800_000,
    refreshMs: 0,
    secure: false,
    httpOnly: true,
    sameSite: '',
    csrfPerRequest: false,
    csrfPerRequestLimit: 0,
    csrfExpireMs: 900_000,
    csrfSameSite: '',
  },
  store: { kind: 'server' },
  bearer: { accepts: false, fallsBack: true, extraIssuers: [] },
  htpasswd: null,
  provider: {
    kind: 'oidc',
    displayName: null,
    clientId: 'client',
    clientSecret: { read: () => Buffer.from('client-secret') },
    caFiles: [],
    useSystemTrust: false,
    skipTlsVerify: false,
    loginUrl: null,
    redeemUrl: null,
    profileUrl: null,
    validateUrl: null,
    backendLogoutUrl: null,
    scope: null,
    loginParameters: [],
    responseMode: null,
    resource: null,
    codeChallengeMethod: null,
    skipClaimsFromProfileUrl: false,
    additionalClaims: [],
    oidc: {
      // Nobody listens there.
      issuer: 'http://127.0.0.1:9/',
      allowUnverifiedEmail: false,
      skipIssuerVerification: false,
      skipNonce: true,
      skipDiscovery: false,
      jwksUrl: null,
      publicKeyFiles: [],
      emailClaim: 'email',
      groupsClaim: 'groups',
      userIdClaim: null,
      audienceClaims: ['aud'],
      extraAudiences: [],
      signingAlgorithms: [],
    },
    roles: [],
    github: { org: null, teams: [], repo: null, token: null, users: [] },
    gitlab: { groups: [], projects: [] },
    google: {
      groups: [],
      adminEmail: null,
      serviceAccountFile: null,
      useDefaultCredentials: false,
      targetPrincipal: null,
      useOrganizationId: false,
      adminApiUserScope: null,
    },
    entraId: { tenant: 'common', allowedTenants: [], federatedToken: false, graphGroupField: 'id' },
    bitbucket: { team: null, repository: null },
    loginGov: { jwtKey: null, pubjwkUrl: null },
  },
  upstreams: [],
  requestHeaders: [],
  responseHeaders: [],
  pages: { templatesFolder: null, logo: null, banner: null, footer: null, showsDebug: false },
  logging: {
    auth: true,
    requests: true,
    standard: true,
    excludedPaths: [],
    silencesPing: false,
    file: null,
    authFormat: null,
    requestFormat: null,
    standardFormat: null,
  },
  compat: { deniedStatus: 401 },
};

/** Later changes win. */
export function settingsWith(...changes: readonly DeepPartial<Settings>[]): Settings {
  return changes.reduce<unknown>(merge, DEFAULTS) as Settings;
}

function merge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isPlain(base) || !isPlain(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = merge(base[key], value);
  return merged;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
