/** Hosts, and their routes by path. */
import type { Action } from './actions.ts';
import type { IdentityHeaders } from './identity-headers.ts';
import type { RouteLimits } from './limits.ts';
import type { Path } from './path.ts';
import type { Rule, ShadowRules, StepUp } from './rules.ts';
import type { ClientAuth, HostTls, Hsts } from './tls.ts';

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

export interface HeaderEdits {
  /**
   * Name as written -> value. In a request's value `{user.name}`, `{service.name}`, `{token.name}`, `{map.NAME}`,
   * `{client.ip}` and `{request.id}` are filled in; other braces, and those of an answer, are literal.
   */
  readonly add: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly remove: readonly string[];
}
