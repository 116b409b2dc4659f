/**
 * The document as the rest of the house sees it: validated, substituted, defaults filled in, units
 * parsed. Plain data, so that it can be copied to workers. `at` keeps where an entry stands in the
 * text, for diagnostics of the rooms that compile it further.
 */
import type { DnsProviderSettings } from '../certs/dns/provider-type.ts';

export type Path = readonly (string | number)[];

export interface Document {
  readonly version: 1;
  readonly listen: Listen;
  /** Edge worker threads; 0 means by cores. */
  readonly workers: number;
  /** Re-read the file when it changes. */
  readonly watch: boolean;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly format: 'json' | 'pretty' | 'auto' };
  readonly providers: readonly Provider[];
  readonly signIn: {
    readonly url: string | null;
    readonly branding: Branding;
    /** Provider to go to at once; null: people choose where there are several. */
    readonly provider: string | null;
    /** Who is shown, on the page that refuses them, which rule did. */
    readonly showRuleTo: readonly Rule[];
  };
  readonly session: SessionSettings;
  readonly services: readonly Service[];
  /** {map.NAME}: principal text -> value, per map. */
  readonly maps: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** CIDRs whose X-Forwarded-* is believed; presets are already expanded. */
  readonly trustedProxies: readonly string[];
  readonly limits: GlobalLimits;
  readonly tls: GlobalTls;
  /** Accounts at DNS providers, for DNS-01. */
  readonly dns: readonly DnsProviderSettings[];
  /** Null: no certificate is ordered. Never copied to workers: it holds secrets. */
  readonly acme: Acme | null;
  readonly hosts: readonly Host[];
  /** Every other host. */
  readonly fallback: Host | null;
  readonly tests: readonly PolicyTest[];
}

/** How Postern's own pages look. */
export interface Branding {
  readonly name: string;
  /** A `data:` URL. */
  readonly logo: string | null;
  /** "#rrggbb" in lower case. */
  readonly color: string | null;
}

export interface ListenAddress {
  /** null: all addresses. */
  readonly host: string | null;
  readonly port: number;
  /** False: plain HTTP that is served, not redirected (another TLS terminator is in front). */
  readonly tls: boolean;
  readonly at: Path;
}

export interface Listen {
  /** Plain listeners that answer 308 to HTTPS, except for hosts with `tls: off` and ACME challenges. */
  readonly http: readonly ListenAddress[];
  readonly https: readonly ListenAddress[];
  readonly health: ListenAddress | null;
  /** What visitors type. Default: the first https listener's port. */
  readonly publicHttpsPort: number;
  /** CIDRs from which a PROXY header is mandatory; refused from all others. */
  readonly proxyProtocol: readonly string[];
}

export type Provider = LocalProvider | OidcProvider | GithubProvider;

interface AnyProvider {
  readonly id: string;
  /** Domains whose verified addresses count; "*" for all. */
  readonly emailDomains: readonly string[];
  readonly at: Path;
}

/** Whoever administers accounts vouches for their addresses. */
export interface LocalProvider extends AnyProvider {
  readonly type: 'local';
}

export interface OidcProvider extends AnyProvider {
  readonly type: 'oidc';
  /** The word under `type:` in the document: "oidc", or a preset such as "keycloak". */
  readonly preset: string;
  /** On the chooser's button. */
  readonly label: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | null;
  readonly clientAuth: 'auto' | 'basic' | 'post';
  readonly scopes: readonly string[];
  readonly userClaims: readonly string[];
  readonly groupsClaims: readonly string[];
  readonly rolesClaims: readonly string[];
  readonly readsAccessToken: boolean;
  /** Where groups are asked for that did not fit into a token; null: nowhere. */
  readonly overageUrl: string | null;
  readonly trustEmail: boolean;
  readonly hostedDomain: string | null;
  /** Google's directory, for groups; null: it is not asked. */
  readonly directory: DirectorySettings | null;
  readonly prompt: string | null;
  readonly switchPrompt: string;
  readonly acrValues: readonly string[];
  /** What in an ID token says that the person has shown a second factor. `acr` is asked for where a route needs one. */
  readonly secondFactor: { readonly acr: readonly string[]; readonly amr: readonly string[] };
  readonly maxAgeSeconds: number | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly clockToleranceMs: number;
  readonly recheckMs: number;
  readonly logout: boolean;
  /** Origin that takes the issuer's place for requests of Postern itself. */
  readonly internalUrl: string | null;
  readonly caPem: string | null;
  /** Whether and for whom its tokens count as `Authorization: Bearer`; null: never. */
  readonly bearer: BearerSettings | null;
}

export interface DirectorySettings {
  /** In whose name the directory is asked. */
  readonly admin: string;
  /** The key file of a service account, as text; null: what the machine runs as. */
  readonly serviceAccount: string | null;
  /** The service account that signs for what the machine runs as; null: its own. */
  readonly principal: string | null;
}

export interface BearerSettings {
  /** One of these must be in `aud`. */
  readonly audiences: readonly string[];
  /** Clients that may have asked for the token (`azp`); null: any. */
  readonly parties: readonly string[] | null;
}

export interface GithubProvider extends AnyProvider {
  readonly type: 'github';
  readonly label: string;
  /** "https://github.com", or the base of an Enterprise Server. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scopes: readonly string[];
  readonly recheckMs: number;
  readonly caPem: string | null;
}

export interface SessionSettings {
  readonly lifetimeMs: number;
  readonly idleMs: number;
  readonly staleForMs: number;
  readonly insecureHttp: boolean;
  /** ".example.com": one cookie for the domain instead of hand-offs. */
  readonly cookieDomain: string | null;
}

export interface Service {
  readonly name: string;
  /** bcrypt ($2a$, $2b$, $2y$) or argon2id PHC strings. */
  readonly passwordHashes: readonly string[];
  readonly at: Path;
}

export interface GlobalLimits {
  readonly headerBytes: number;
  readonly headerCount: number;
  readonly targetBytes: number;
  readonly headTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly connectionsPerAddress: number;
  /** The same for 127.0.0.0/8 and ::1: Infinity unless the document sets a number. */
  readonly connectionsPerLoopback: number;
  readonly connections: number;
  readonly http2Streams: number;
  readonly tlsHandshakeMs: number;
  readonly drainMs: number;
}

/** Limits that a route may set for itself. Milliseconds and bytes; Infinity: unlimited. */
export interface RouteLimits {
  readonly maxBodyBytes: number;
  /** Longest silence of the client while it sends a body. */
  readonly bodyIdleMs: number;
  /** Slowest sending that is borne, bytes a second over any 10 s of a body. */
  readonly minBodyRate: number;
  /** Longest that a client may take no byte of an answer. */
  readonly writeIdleMs: number;
  readonly connectMs: number;
  readonly firstByteMs: number;
  /** Longest silence of the app in the middle of an answer. */
  readonly upstreamIdleMs: number;
  /** The same for event streams (SSE) and gRPC: Infinity unless the document sets upstream_idle_timeout. */
  readonly streamIdleMs: number;
  /** Longest silence of both ends of a tunnel; Infinity: it lives as long as both want. */
  readonly tunnelIdleMs: number;
}

export interface GlobalTls {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** For hosts that say nothing themselves. `automatic`: where it cannot lock anybody out. */
  readonly hsts: Hsts | 'automatic' | null;
  /** Of the sign-in host. */
  readonly signInHsts: Hsts | null;
  /** Certificates for whatever names they cover. */
  readonly certificates: readonly CertificateFiles[];
  readonly deployTo: readonly DeployTo[];
}

/** Strict-Transport-Security (RFC 6797). */
export interface Hsts {
  readonly maxAgeMs: number;
  readonly includeSubdomains: boolean;
  readonly preload: boolean;
}

export type KeyType = 'p256' | 'p384' | 'rsa2048' | 'rsa4096';

/** Files of another program that get a host's certificate. */
export interface DeployTo {
  readonly name: string;
  readonly certificate: string;
  /** Null: in the same file, behind the chain. */
  readonly key: string | null;
  /** Null: the ECDSA one where there are two. */
  readonly keyType: 'ecdsa' | 'rsa' | null;
  readonly mode: number;
  readonly run: readonly string[];
  readonly timeoutMs: number;
}

export interface Acme {
  readonly email: string | null;
  readonly policy: AcmePolicy;
  /** Whom to ask about names on demand, and how many in an hour; null: not said. */
  readonly onDemand: { readonly ask: string | null; readonly perHour: number } | null;
  /** By host name, for those that say something of their own; "*" for `default`. */
  readonly hosts: Readonly<Record<string, AcmePolicy>>;
  /** Names that share a certificate. */
  readonly certificates: readonly { readonly names: readonly string[]; readonly at: Path }[];
}

export interface AcmePolicy {
  /** The first is the one to use; the others step in while it fails. */
  readonly cas: readonly AcmeCa[];
  readonly fallbackAfter: number;
  /** One, or an ECDSA kind before an RSA kind: two certificates for the same names. */
  readonly keyTypes: readonly KeyType[];
  /** Best first. */
  readonly challenges: readonly ('http-01' | 'tls-alpn-01' | 'dns-01' | 'dns-account-01' | 'dns-persist-01')[];
  /** Entry of `dns` for dns-01; null: there is none. */
  readonly dns: string | null;
  /** Not before somebody asks for the name in a handshake. */
  readonly onDemand: boolean;
}

export interface AcmeCa {
  /** "Let's Encrypt", or the host of its directory. */
  readonly name: string;
  readonly directory: string;
  readonly eab: { readonly keyId: string; readonly hmacKey: string } | null;
  readonly profile: string | null;
  readonly preferredChain: string | null;
  /** PEM of roots to trust besides the usual ones, and where it was read. */
  readonly rootsFile: string | null;
  readonly rootsPem: string | null;
}

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  readonly at: Path;
}

export type HostTls =
  | { readonly kind: 'automatic' }
  /** Ordered from a CA; what differs for this host stands in Acme.hosts. */
  | { readonly kind: 'acme'; readonly onDemand: boolean }
  | { readonly kind: 'off' }
  | { readonly kind: 'local' }
  | { readonly kind: 'files'; readonly files: CertificateFiles };

/** Client certificates for a host: which CA, and whether a connection without one is refused. */
export interface ClientAuth {
  readonly caFile: string;
  readonly mode: 'request' | 'require';
  readonly at: Path;
}

export interface Host {
  /** "app.example.com", "*.example.com"; "*" for the fallback. Lower-case A-labels. */
  readonly name: string;
  readonly tls: HostTls;
  readonly clientAuth: ClientAuth | null;
  /** Null: not sent. */
  readonly hsts: Hsts | null;
  /** Comes before every route's `allow`. */
  readonly deny: readonly Rule[];
  readonly routes: readonly Route[];
  readonly at: Path;
}

/** `"signed-in"`, `{ all: [...] }`, `{ when: "CEL" }`; parsed by policy. */
export type Rule = { readonly rule: RuleText; readonly at: Path };
export type RuleText = string | { readonly all: readonly RuleText[] } | { readonly when: string };

export interface Route {
  /** "/*" for a host without `paths`; "/x", "/x/*". */
  readonly path: string;
  /** Upper-case; empty: any. */
  readonly methods: readonly string[];
  /** Lower-case name -> exact value, or null for "is there". All must match. */
  readonly matchHeaders: Readonly<Record<string, string | null>>;
  readonly allow: readonly Rule[];
  readonly deny: readonly Rule[];
  /** What persons whom the rules let in must have shown as well. */
  readonly require: StepUp | null;
  /** Rules on trial; null where there are none. */
  readonly shadow: ShadowRules | null;
  readonly action: Action;
  readonly stripPrefix: string | null;
  /** New path with {path} as the canonical path after strip_prefix, or null. */
  readonly rewrite: string | null;
  readonly requestHeaders: HeaderEdits;
  readonly responseHeaders: HeaderEdits;
  readonly identityHeaders: IdentityHeaders;
  readonly encodedSlash: 'reject' | 'keep';
  /** Provider that people of this route sign in with; null: as the document says. */
  readonly signInProvider: string | null;
  /** Origins that may open WebSockets with a session, besides the host itself. "*" for any. */
  readonly origins: readonly string[];
  /** Lower-case Upgrade tokens that pass, "websocket" by default. Never "h2c". */
  readonly upgrades: readonly string[];
  readonly limits: RouteLimits;
  readonly at: Path;
}

export interface StepUp {
  readonly secondFactor: boolean;
  /** One of these levels of the provider; empty: none is asked for. */
  readonly acr: readonly string[];
  /** How old a sign-in may be; null: as old as its session. */
  readonly maxAgeMs: number | null;
}

/** Judged and logged, not enforced. */
export interface ShadowRules {
  /** In place of the route's; null: the same. */
  readonly allow: readonly Rule[] | null;
  /** Besides the route's. */
  readonly deny: readonly Rule[];
}

/** What an app learns about who comes, and under which names. */
export interface IdentityHeaders {
  readonly fields: readonly IdentityField[];
  /** `repeated`: a field for each group. */
  readonly groupsEncoding: 'comma' | 'json' | 'repeated';
  /** `aud` of the signed assertion; null: the origin of the host. */
  readonly audience: string | null;
  /** Tokens of the provider that the app asks for; empty for nearly every route. */
  readonly tokens: readonly TokenField[];
}

/** A token of the person's provider, passed on. In `Authorization` it comes behind "Bearer ". */
export interface TokenField {
  readonly name: string;
  readonly token: TokenKind;
}

export type TokenKind = 'access_token' | 'id_token';

export interface IdentityField {
  readonly name: string;
  readonly value: IdentityValue;
}

export type IdentityValue =
  | 'user'
  | 'preferred_username'
  | 'name'
  | 'email'
  | 'groups'
  | 'roles'
  | 'subject'
  | 'provider'
  | 'assertion';

export interface HeaderEdits {
  /**
   * Name as written -> value. In a request's value `{user.name}`, `{service.name}`, `{token.name}`, `{map.NAME}`,
   * `{client.ip}` and `{request.id}` are filled in; other braces, and those of an answer, are literal.
   */
  readonly add: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly remove: readonly string[];
}

export type Action =
  | ProxyAction
  | { readonly kind: 'files'; readonly root: string }
  /** `{path}` (after strip_prefix) and `{query}` (with its "?") are filled in. */
  | { readonly kind: 'redirect'; readonly to: string; readonly status: 301 | 302 | 303 | 307 | 308 }
  | {
      readonly kind: 'respond';
      readonly status: number;
      readonly body: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'whoami' }
  /** The first that is meant for who comes; none: a page that says so. */
  | { readonly kind: 'choose'; readonly choices: readonly Choice[] };

export interface Choice {
  /** Null: for everybody who is left. */
  readonly when: readonly Rule[] | null;
  readonly action: Exclude<Action, { readonly kind: 'choose' }>;
  readonly at: Path;
}

export interface ProxyAction {
  readonly kind: 'proxy';
  readonly servers: readonly UpstreamServer[];
  readonly balance: 'round-robin' | 'least-connections' | 'first' | 'ip-hash';
  /** Host field sent to the app: the visitor's, the server's own, or a fixed one. */
  readonly hostHeader: 'keep' | 'upstream' | { readonly fixed: string };
  readonly tls: UpstreamTls;
  readonly health: HealthCheck | null;
  /** Passive: this many connection failures within failMs put a server aside for failMs. */
  readonly maxFails: number;
  readonly failMs: number;
  readonly maxConnections: number;
  readonly at: Path;
}

export interface UpstreamServer {
  readonly scheme: 'http' | 'https' | 'h2c' | 'unix';
  /** Host name, IP, or template such as "ide-{user.name}"; the socket path for unix. */
  readonly host: string;
  /** A number, or a template such as "{map.port}". Ignored for unix. */
  readonly port: number | string;
  /** True where host, port or socket path hold a {template}. */
  readonly isTemplate: boolean;
  readonly weight: number;
  /** A connection serves one request; left out: as many as come. No document says it. */
  readonly servesOnce?: true;
  readonly at: Path;
}

export interface UpstreamTls {
  readonly verify: boolean;
  readonly caFile: string | null;
  /** PEM of caFile, read at load, so that workers need no disk. */
  readonly caPem: string | null;
  readonly serverName: string | null;
  readonly certificatePem: string | null;
  readonly keyPem: string | null;
}

export interface HealthCheck {
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Statuses that count as healthy, e.g. [200, 399]. */
  readonly expect: readonly [from: number, to: number];
  readonly passes: number;
  readonly fails: number;
}

export interface PolicyTest {
  /** "anonymous", "alice", "local:user:alice", "service:promtail". */
  readonly as: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly ip: string | null;
  readonly method: string;
  readonly url: string;
  readonly expect: 'allow' | 'deny' | 'sign-in' | 'challenge';
  readonly at: Path;
}
