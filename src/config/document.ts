/**
 * The document as the rest of the house sees it: validated, substituted, defaults filled in, units
 * parsed. Plain data, so that it can be copied to workers.
 */
import type { DnsProviderSettings } from '../certs/dns/provider-type.ts';
import type { Acme } from './document/acme.ts';
import type { Host } from './document/hosts.ts';
import type { GlobalLimits } from './document/limits.ts';
import type { Path } from './document/path.ts';
import type { Provider } from './document/providers.ts';
import type { Rule } from './document/rules.ts';
import type { GlobalTls } from './document/tls.ts';

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
    /** Whether what stands after "#" of an address is kept over a provider's own pages. */
    readonly keepsFragment: boolean;
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

export interface SessionSettings {
  readonly lifetimeMs: number;
  readonly idleMs: number;
  readonly staleForMs: number;
  /** Sign-ins of one person at a time. */
  readonly mostPerPerson: number;
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

export interface PolicyTest {
  /** "anonymous", "alice", "local:user:alice", "service:promtail". */
  readonly as: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly ip: string | null;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As rules name one: "cn=machine-7"; null: none was shown. */
  readonly clientCertificate: string | null;
  readonly expect: 'allow' | 'deny' | 'sign-in' | 'challenge';
  readonly at: Path;
}
