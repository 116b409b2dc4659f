/** What a route does with a request: hands it to an app, or answers it itself. */
import type { Path } from './path.ts';
import type { Rule } from './rules.ts';

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
  /**
   * Of a socket whose path had values of users: the folder before the first of them. What is below may be theirs, and no
   * link there is followed. No document says it.
   */
  readonly ownBelow?: string;
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
