/**
 * Everything that `postern forward-auth` and `postern guard` are told, checked and in one form, however
 * it was said: oauth2-proxy's variables, flags, TOML or structured ("alpha") YAML, or Postern's own flags.
 * Whoever serves reads this and nothing else. Durations are milliseconds, 0 where the original's 0 means never.
 */
import type { CompiledRegExp } from './regular-expression.ts';

export interface Settings {
  readonly paths: PathSettings;
  readonly server: ServerSettings;
  readonly metrics: MetricsSettings;
  readonly trust: TrustSettings;
  readonly redirects: RedirectSettings;
  readonly admission: AdmissionSettings;
  readonly skip: SkipSettings;
  readonly cookie: CookieSettings;
  readonly store: StoreSettings;
  readonly bearer: BearerSettings;
  readonly htpasswd: HtpasswdSettings | null;
  readonly provider: ProviderSettings;
  readonly upstreams: readonly UpstreamSettings[];
  /** Headers that an upstream receives in proxy mode, in order. */
  readonly requestHeaders: readonly HeaderInjection[];
  /** Headers of the answer to an allowed request: for nginx, Traefik, Caddy, Envoy to copy. */
  readonly responseHeaders: readonly HeaderInjection[];
  readonly pages: PageSettings;
  readonly logging: LoggingSettings;
  /** Where the original's answer and a better one are both safe: the operator's choice. */
  readonly compat: CompatSettings;
}

/** Each begins with "/" and has no slash at its end. */
export interface PathSettings {
  /** `proxy-prefix`, "/oauth2". */
  readonly prefix: string;
  readonly ping: string;
  /** Where set, `/ping` answers only this User-Agent. */
  readonly pingUserAgent: string | null;
  /** `gcp-healthchecks`: pings at two more paths, and to Google's User-Agent (or the one above) alone. */
  readonly pingsOfGoogle?: boolean;
  readonly ready: string;
  /** Whether `/robots.txt` is ours, as in the original; false: the application's. Without it: ours. */
  readonly hasRobots?: boolean;
}

export interface ServerSettings {
  /** "127.0.0.1:4180", ":80", "unix:/run/x.sock" or "unix:/run/x.sock,mode=660", "fd:3"; null: no plain listener. */
  readonly http: string | null;
  readonly https: string | null;
  readonly tls: {
    /** "" where it came in the settings themselves; `certificate` and `key` hold it either way. */
    readonly certificateFile: string;
    readonly keyFile: string;
    /** PEM, as it is now. */
    readonly certificate: Secret;
    readonly key: Secret;
    readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
    readonly ciphers: readonly string[];
  } | null;
  readonly forceHttps: boolean;
}

export interface MetricsSettings {
  readonly http: string | null;
  readonly https: string | null;
  readonly certificateFile: string | null;
  readonly keyFile: string | null;
  /** PEM, as it is now. */
  readonly tls?: { readonly certificate: Secret; readonly key: Secret } | null;
}

export interface TrustSettings {
  /** `reverse-proxy`: X-Forwarded-Proto, -Host and -Uri count, from peers in `proxies`. */
  readonly reverseProxy: boolean;
  /** CIDRs; null where none were given: then loopback and private addresses are trusted, not the world. */
  readonly proxies: readonly string[] | null;
  /** Lower-case. */
  readonly realIpHeader: string;
  /** CIDRs that need no sign-in. */
  readonly trustedIps: readonly string[];
  readonly requestIdHeader: string;
}

export interface RedirectSettings {
  /** `redirect-url`; null: from the request. */
  readonly callbackUrl: string | null;
  readonly isRelative: boolean;
  /** As written: "host", ".host", "*.host", each with an optional ":port" or ":*". */
  readonly whitelist: readonly string[];
  readonly encodeState: boolean;
}

export interface AdmissionSettings {
  /** As written, lower-cased; "*" for everybody. */
  readonly emailDomains: readonly string[];
  readonly emailsFile: string | null;
  /** Addresses beside those of the file, lower-case. */
  readonly emails?: readonly string[];
  /** Everybody whom the provider signs in, also without an e-mail address; groups still count. */
  readonly admitsWithoutEmail?: boolean;
  /** `allowed-group` and what providers add to it; empty: any. */
  readonly groups: readonly string[];
}

export interface SkipSettings {
  readonly routes: readonly SkipRoute[];
  readonly preflight: boolean;
  /** Tried on the URI with its query: answered 401 and JSON instead of a page. */
  readonly apiRoutes: readonly CompiledRegExp[];
  readonly providerButton: boolean;
  readonly forceJsonErrors: boolean;
  readonly allowQuerySemicolons: boolean;
}

export interface SkipRoute {
  /** Null: any. */
  readonly method: string | null;
  readonly isNegated: boolean;
  readonly pattern: CompiledRegExp;
}

export interface CookieSettings {
  readonly name: string;
  /** As configured: signs. Never logged. */
  readonly secret: Secret;
  readonly domains: readonly string[];
  readonly path: string;
  readonly expireMs: number;
  /** 0: never. */
  readonly refreshMs: number;
  readonly secure: boolean;
  readonly httpOnly: boolean;
  readonly sameSite: '' | 'lax' | 'strict' | 'none';
  readonly csrfPerRequest: boolean;
  /** 0: no limit by the person; ours bounds it anyway. */
  readonly csrfPerRequestLimit: number;
  readonly csrfExpireMs: number;
  readonly csrfSameSite: '' | 'lax' | 'strict' | 'none';
}

/** A secret given by itself or by a file that is read again when it changes. */
export interface Secret {
  readonly read: () => Buffer;
}

export type StoreSettings =
  /** Kept by Postern in `--data`, or in memory: the cookie is an opaque id. */
  | { readonly kind: 'server' }
  /** Sealed into the cookie with `cookie.secret`: for replicas that share nothing but the secret. */
  | { readonly kind: 'stateless'; readonly isMinimal: boolean }
  | { readonly kind: 'redis'; readonly redis: RedisSettings };

export interface RedisSettings {
  readonly url: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly sentinel: {
    readonly masterName: string;
    readonly urls: readonly string[];
    readonly password: string | null;
  } | null;
  readonly clusterUrls: readonly string[] | null;
  readonly caFile: string | null;
  readonly skipTlsVerify: boolean;
}

export interface BearerSettings {
  /** `skip-jwt-bearer-tokens`. */
  readonly accepts: boolean;
  /** False: a token that does not hold is 403 instead of a sign-in. */
  readonly fallsBack: boolean;
  readonly extraIssuers: readonly { readonly issuer: string; readonly audience: string }[];
}

export interface HtpasswdSettings {
  readonly file: string;
  readonly groups: readonly string[];
  readonly showsForm: boolean;
  /** The name of Basic credentials is the e-mail address as well, for those who go by that (`prefer-email-to-user`). */
  readonly namesAreEmails: boolean;
}

export type ProviderKind =
  | 'oidc'
  | 'keycloak-oidc'
  | 'keycloak'
  | 'google'
  | 'github'
  | 'gitlab'
  | 'entra-id'
  | 'azure'
  | 'adfs'
  | 'bitbucket'
  | 'gitea'
  | 'facebook'
  | 'linkedin'
  | 'digitalocean'
  | 'login.gov'
  | 'nextcloud'
  | 'cidaas'
  | 'srht'
  /** There is none: people come by the password file alone. */
  | 'none';

export interface ProviderSettings {
  readonly kind: ProviderKind;
  /** On the button; the kind's own name where not set. */
  readonly displayName: string | null;
  readonly clientId: string;
  readonly clientSecret: Secret | null;
  readonly caFiles: readonly string[];
  readonly useSystemTrust: boolean;
  readonly skipTlsVerify: boolean;
  readonly loginUrl: string | null;
  readonly redeemUrl: string | null;
  readonly profileUrl: string | null;
  readonly validateUrl: string | null;
  readonly backendLogoutUrl: string | null;
  /** Null: what the kind asks for by itself. */
  readonly scope: string | null;
  readonly loginParameters: readonly LoginParameter[];
  readonly responseMode: string | null;
  readonly resource: string | null;
  /** Null: S256 wherever the provider announces it (the original: never unless told). */
  readonly codeChallengeMethod: 'S256' | 'plain' | 'none' | null;
  readonly skipClaimsFromProfileUrl: boolean;
  readonly additionalClaims: readonly string[];
  /** False: people without an e-mail address may come too, by other rules. Without it as the kind does. */
  readonly needsEmail?: boolean;
  /** `ADFSConfig.skipScope`: no scope parameter when signing in. */
  readonly skipsScope?: boolean;
  readonly oidc: OidcSettings;
  /** `allowed-role` of keycloak-oidc. */
  readonly roles: readonly string[];
  readonly github: {
    readonly org: string | null;
    readonly teams: readonly string[];
    readonly repo: string | null;
    readonly token: string | null;
    readonly users: readonly string[];
  };
  readonly gitlab: {
    readonly groups: readonly string[];
    readonly projects: readonly { readonly path: string; readonly level: number }[];
  };
  readonly google: {
    readonly groups: readonly string[];
    readonly adminEmail: string | null;
    readonly serviceAccountFile: string | null;
    readonly useDefaultCredentials: boolean;
    readonly targetPrincipal: string | null;
    readonly useOrganizationId: boolean;
    readonly adminApiUserScope: string | null;
  };
  readonly entraId: {
    /** `azure-tenant`, "common" by default. */
    readonly tenant: string;
    readonly allowedTenants: readonly string[];
    readonly federatedToken: boolean;
    readonly graphGroupField: 'id' | 'displayName';
  };
  readonly bitbucket: { readonly team: string | null; readonly repository: string | null };
  readonly loginGov: { readonly jwtKey: Secret | null; readonly pubjwkUrl: string | null };
}

/** A parameter of the address that signs in: a default, and what a person's own query may say instead. */
export interface LoginParameter {
  readonly name: string;
  readonly default: readonly string[];
  /** Empty: nobody may change it. */
  readonly allow: readonly ({ readonly value: string } | { readonly pattern: CompiledRegExp })[];
}

export interface OidcSettings {
  readonly issuer: string | null;
  readonly allowUnverifiedEmail: boolean;
  readonly skipIssuerVerification: boolean;
  readonly skipNonce: boolean;
  readonly skipDiscovery: boolean;
  readonly jwksUrl: string | null;
  readonly publicKeyFiles: readonly string[];
  readonly emailClaim: string;
  readonly groupsClaim: string;
  /** `user-id-claim`, where it has a meaning. */
  readonly userIdClaim: string | null;
  readonly audienceClaims: readonly string[];
  readonly extraAudiences: readonly string[];
  readonly signingAlgorithms: readonly string[];
}

export interface UpstreamSettings {
  readonly id: string;
  /** "/" and what comes before the longest match; with `rewriteTarget` a regular expression. */
  readonly path: string;
  readonly rewrite: { readonly pattern: CompiledRegExp; readonly target: string } | null;
  readonly target:
    | { readonly kind: 'http'; readonly url: string }
    | { readonly kind: 'unix'; readonly socket: string }
    | { readonly kind: 'file'; readonly folder: string }
    | { readonly kind: 'static'; readonly status: number };
  readonly skipTlsVerify: boolean;
  readonly passHostHeader: boolean;
  readonly websockets: boolean;
  readonly timeoutMs: number;
  readonly flushMs: number;
  readonly keepAlive: boolean;
}

export interface HeaderInjection {
  readonly name: string;
  /** Client values stay and ours are added; by default a client's are removed. */
  readonly keepsRequestValue: boolean;
  /** Client fields of the same name in other spellings (`_`, `.`) are left alone. */
  readonly skipsNormalisation: boolean;
  readonly values: readonly HeaderValue[];
}

export type HeaderValue =
  | { readonly kind: 'fixed'; readonly value: Secret }
  | {
      readonly kind: 'claim';
      readonly claim: string;
      /** "Bearer " and such. */
      readonly prefix: string;
      /** Where set: "Basic " and base64 of "claim:password". */
      readonly basicPassword: Secret | null;
    };

export interface PageSettings {
  readonly templatesFolder: string | null;
  /** A file, a URL, or "-" for none; null: Postern's own. */
  readonly logo: string | null;
  /** Plain text or HTML of the operator; null: the original's default text; "-" for none. */
  readonly banner: string | null;
  readonly footer: string | null;
  readonly showsDebug: boolean;
}

export interface LoggingSettings {
  readonly auth: boolean;
  readonly requests: boolean;
  readonly standard: boolean;
  readonly excludedPaths: readonly string[];
  readonly silencesPing: boolean;
  /** Times of the original's templates in UTC; JSON always is. */
  readonly isUtc?: boolean;
  /** Null: standard output. */
  readonly file: {
    readonly path: string;
    readonly maxMegabytes: number;
    readonly maxDays: number;
    readonly backups: number;
  } | null;
  /** Lines as JSON (Postern's own) unless the operator gave the original's templates. */
  readonly authFormat: string | null;
  readonly requestFormat: string | null;
  readonly standardFormat: string | null;
}

export interface CompatSettings {
  /** What `/oauth2/auth` says of somebody signed in whom the settings keep out: 401, as the original, or 403. */
  readonly deniedStatus: 401 | 403;
}
