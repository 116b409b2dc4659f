/**
 * The routing table: immutable, compiled once for a document, swapped whole at a reload. Finding a host
 * costs the same for one host and for ten thousand; finding a route costs by the depth of the patterns.
 */
import type { Choice, UpstreamServer } from '../config/document/actions.ts';
import type { Host, Route } from '../config/document/hosts.ts';
import type { ProviderRef } from '../policy/principal.ts';
import type { CompiledPolicy } from '../policy/compile.ts';
import type { Facts, Refusal } from '../policy/facts.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import type { HostRoutes } from './host-routes.ts';
import type { Template, TemplateContext } from './template.ts';

export interface RoutingTable {
  readonly hosts: readonly CompiledHost[];
  readonly fallback: CompiledHost | null;
  /** The host that serves Postern's own pages and nothing else: never found by `findHost`. */
  readonly signInHost: string | null;
  readonly providers: readonly ProviderRef[];
  /** "github:user:alice", "github:org:acme": every person and organisation that rules name. */
  readonly namedUsers: ReadonlySet<string>;
  /** Whether somebody who is refused may see which rule did it. */
  readonly mayKnowRules: (facts: Facts) => boolean;
  /**
   * The exact name, else the nearest wildcard ("*.example.com" covers every name below example.com,
   * the longest wins), else the fallback. Takes a host in the spelling of wire/authority.ts.
   */
  readonly findHost: (host: string) => CompiledHost | null;
  /** Whether a name is listed, by a wildcard too, or is the sign-in host; the fallback does not count. */
  readonly isKnownHost: (host: string) => boolean;
  /** Null: no route takes the request, or it only reaches one by a spelling that evades a stricter one. */
  readonly findRoute: (host: CompiledHost, path: string, method: string, headers: HeaderBlock) => CompiledRoute | null;
}

export interface CompiledHost {
  /** As in the document: "app.example.com", "*.example.com", "*" for the fallback. */
  readonly name: string;
  readonly config: Host;
  readonly routes: readonly CompiledRoute[];
  readonly match: HostRoutes;
  /** Value of Strict-Transport-Security over HTTPS; null: none. */
  readonly hsts: string | null;
}

export interface CompiledRoute {
  /** Stable over reloads while the route keeps its place: "grafana.example.com /lokiaws/*". */
  readonly id: string;
  /** What logs and people see; the same text as `id`. */
  readonly label: string;
  readonly host: string;
  readonly config: Route;
  readonly policy: CompiledPolicy;
  /** Of the rules on trial; null where there are none. */
  readonly shadow: CompiledPolicy | null;
  /**
   * The provider whose people its app knows by their names alone; those of others carry theirs. Null: all do, since a name
   * alone does not say who is meant.
   */
  readonly plainNamesOf: string | null;
  /** True where somebody's identity is needed: for the policy, or to fill a template. */
  readonly needsIdentity: boolean;
  /** The path for the app, after strip_prefix and rewrite; null: refuse the request as ambiguous (400). */
  readonly targetPath: (path: string) => string | null;
  /** Of an action that chooses by who comes, in order; empty for others. */
  readonly choices: readonly CompiledChoice[];
  /** True where it depends on who comes which app is asked. */
  readonly isPersonal: boolean;
  /** The servers of a proxy action in the order of the document; empty for other actions. */
  readonly servers: readonly CompiledServer[];
  /** Headers to add to the request. Those of the answer hold no templates: see `config.responseHeaders`. */
  readonly requestHeaders: readonly CompiledHeader[];
  /** Of a redirect action, else null. Takes the canonical path and strips it itself; renders null where the target would leave the site it names. */
  readonly redirectTo: Template | null;
}

export interface CompiledChoice {
  readonly matches: (facts: Facts) => boolean;
  /** Of whom it does not match: what their provider said nothing of. */
  readonly unsaid: (facts: Facts) => Pick<Refusal, 'unsaid' | 'withheld'>;
  /** As of a policy. */
  readonly namedUsers: readonly string[];
  /** The route as it is for those who match. */
  readonly route: CompiledRoute;
}

export interface ServerAddress {
  readonly scheme: UpstreamServer['scheme'];
  /** Host name or IP; the socket path for unix. */
  readonly host: string;
  /** 0 for unix. */
  readonly port: number;
}

export interface CompiledServer {
  readonly config: UpstreamServer;
  /** The address where it is the same for all requests, else null. */
  readonly fixed: ServerAddress | null;
  /** Null: the address cannot be decided for this request; deny it, do not guess. */
  readonly resolve: (context: TemplateContext) => ServerAddress | null;
}

/** A header to set. First remove what the client sent under the name, also where `render` answers null: then there is none. */
export interface CompiledHeader {
  readonly name: string;
  /** The text where it is the same for all requests, else null. */
  readonly fixed: string | null;
  readonly render: Template;
}

/** What the routes of a host may do, whoever comes. */
export function* actionsOf({ routes }: Host): IterableIterator<Choice['action']> {
  for (const { action } of routes) {
    if (action.kind !== 'choose') yield action;
    else for (const choice of action.choices) yield choice.action;
  }
}
