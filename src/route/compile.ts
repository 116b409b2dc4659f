/**
 * Compiles a document into a routing table: whole, or host by host as each is first asked for.
 * Collects the problems that need more than one entry of the document to be seen: hosts and routes that
 * shadow each other, sign-in without HTTPS, maps nobody can be found in.
 */
import { problem, type Diagnostic } from '../core/diagnostic.ts';
import { runAtOnce, runInTurns, type Work } from '../core/turns.ts';
import type { Document } from '../config/document.ts';
import type { Host, Route } from '../config/document/hosts.ts';
import { compilePolicy } from '../policy/compile.ts';
import { RouteCompiler } from './compile-route.ts';
import { HostRoutes } from './host-routes.ts';
import { printHsts } from './hsts.ts';
import { compileMaps } from './maps.ts';
import { createTable, type TableParts } from './match.ts';
import type { CompiledHost, CompiledRoute, RoutingTable } from './table.ts';

export interface TableResult {
  readonly table: RoutingTable;
  readonly diagnostics: readonly Diagnostic[];
}

export function compileTable(document: Document): TableResult {
  return runAtOnce(compileAll(document));
}

/** The same, but gives way to the event loop after every `turnMs` of work. */
export async function compileTableInTurns(document: Document, turnMs: number): Promise<TableResult> {
  return runInTurns(compileAll(document), turnMs);
}

function* compileAll(given: Document): Work<TableResult> {
  const diagnostics: Diagnostic[] = [];
  const { maps, named } = compileMaps(given, diagnostics);
  const document = { ...given, maps };
  const compiler = new RouteCompiler(document, diagnostics);
  yield* compiler.findSharedApps();
  const signInHost = signInHostOf(document);
  const hosts = new Map<string, CompiledHost>();
  for (const host of document.hosts) {
    checkHost(host, { known: hosts, signInHost }, diagnostics);
    const compiled = compileHost(host, compiler, diagnostics);
    checkSignIn(compiled, document, diagnostics);
    if (!hosts.has(host.name)) hosts.set(host.name, compiled);
    yield;
  }
  const fallback = document.fallback === null ? null : compileHost(document.fallback, compiler, diagnostics);
  if (fallback !== null) checkSignIn(fallback, document, diagnostics);
  const table = tableOf(document, { hosts, fallback, named }, diagnostics);
  return { table, diagnostics: withoutRepeats(diagnostics) };
}

/**
 * The table of a document that is known to be good: a host is compiled when it is first asked for, so that
 * neither a start nor a swap costs a worker anything for the thousands that nobody visits. Gives way to the
 * event loop after every `turnMs` of work. Answers as `compileTable` does.
 */
export async function compileTableLazily(document: Document, turnMs: number): Promise<RoutingTable> {
  return runInTurns(compileLazily(document), turnMs);
}

function* compileLazily(given: Document): Work<RoutingTable> {
  const { maps, named } = compileMaps(given, []);
  const document = { ...given, maps };
  const compiler = new RouteCompiler(document, []);
  yield* compiler.findSharedApps();
  const hosts = new Map<string, CompiledHost>();
  for (const [index, host] of document.hosts.entries()) {
    if (!hosts.has(host.name)) hosts.set(host.name, new LazyHost(host, compiler));
    if (index % HOSTS_AT_ONCE === 0) yield;
  }
  const fallback = document.fallback === null ? null : new LazyHost(document.fallback, compiler);
  return tableOf(document, { hosts, fallback, named }, []);
}

/** Hosts between two looks at the clock. */
const HOSTS_AT_ONCE = 50;

class LazyHost implements CompiledHost {
  readonly name: string;
  readonly config: Host;
  #compiler: RouteCompiler | null;
  #whole: CompiledHost | null = null;

  constructor(config: Host, compiler: RouteCompiler) {
    this.name = config.name;
    this.config = config;
    this.#compiler = compiler;
  }

  get routes(): readonly CompiledRoute[] {
    return (this.#whole ?? this.#compile()).routes;
  }

  get match(): HostRoutes {
    return (this.#whole ?? this.#compile()).match;
  }

  get hsts(): string | null {
    return (this.#whole ?? this.#compile()).hsts;
  }

  #compile(): CompiledHost {
    this.#whole ??= compileHost(this.config, this.#compiler as RouteCompiler, []);
    this.#compiler = null;
    return this.#whole;
  }
}

function tableOf(
  document: Document,
  { hosts, fallback, named }: Pick<TableParts, 'hosts' | 'fallback'> & { readonly named: readonly string[] },
  diagnostics: Diagnostic[],
): RoutingTable {
  return createTable({
    hosts,
    fallback,
    signInHost: signInHostOf(document),
    providers: document.providers.map(({ id, type, emailDomains }) => ({ id, type, emailDomains })),
    namedUsers: () => namedUsersOf(fallback === null ? [...hosts.values()] : [...hosts.values(), fallback], named),
    mayKnowRules: compileMayKnow(document, diagnostics),
  });
}

/** Nobody where the document names nobody. */
function compileMayKnow(document: Document, diagnostics: Diagnostic[]): RoutingTable['mayKnowRules'] {
  const { showRuleTo } = document.signIn;
  if (showRuleTo.length === 0) return () => false;
  const services = document.services.map(({ name }) => name);
  const rules = { allow: showRuleTo, routeDeny: [], hostDeny: [], providers: document.providers, services };
  const { policy, diagnostics: found } = compilePolicy(rules);
  diagnostics.push(...found);
  return (facts) => policy.decide(facts).kind === 'allow';
}

/** By rules, those on trial and of choices too, and by the keys of maps. */
function namedUsersOf(hosts: readonly CompiledHost[], byMap: readonly string[]): ReadonlySet<string> {
  return new Set([...hosts.flatMap((host) => host.routes.flatMap(namedByRoute)), ...byMap]);
}

function namedByRoute({ policy, shadow, choices }: CompiledRoute): readonly string[] {
  return [policy, ...(shadow === null ? [] : [shadow]), ...choices].flatMap(({ namedUsers }) => namedUsers);
}

/** A rule of a host is compiled with each of its routes; what is wrong with it is said once. */
function withoutRepeats(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ path, message }) => {
    const key = JSON.stringify([path, message]);
    return !seen.has(key) && seen.add(key);
  });
}

function compileHost(host: Host, compiler: RouteCompiler, diagnostics: Diagnostic[]): CompiledHost {
  const match = new HostRoutes();
  const routes: CompiledRoute[] = [];
  const seen = new Map<string, { count: number; isClosed: boolean }>();
  for (const route of host.routes) {
    const before = seen.get(route.path) ?? { count: 0, isClosed: false };
    const id = `${host.name} ${route.path}${before.count === 0 ? '' : ` #${before.count + 1}`}`;
    if (before.isClosed) {
      const message = `Route "${route.path}" is never reached: a route before it with the same path takes every request`;
      diagnostics.push(problem(route.at, message, 'Put the route with methods or headers first, or remove one'));
    }
    const compiled = compiler.compile(host, route, id);
    seen.set(route.path, { count: before.count + 1, isClosed: before.isClosed || isUnconditional(route) });
    if (compiled === null) continue;
    compiler.warnOfTokens(compiled.route);
    compiler.warnOfStepUp(compiled.route);
    compiler.warnOfMachineNames(compiled.route);
    routes.push(compiled.route);
    match.add(compiled.pattern, compiled.route);
  }
  return { name: host.name, config: host, routes, match, hsts: printHsts(host.hsts) };
}

function isUnconditional(route: Route): boolean {
  return route.methods.length === 0 && Object.keys(route.matchHeaders).length === 0;
}

const HOST_NAME = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;
const IPV6_LITERAL = /^\[[0-9a-f:.]+\]$/;

function checkHost(
  host: Host,
  against: { known: ReadonlyMap<string, CompiledHost>; signInHost: string | null },
  diagnostics: Diagnostic[],
): void {
  if (against.known.has(host.name))
    diagnostics.push(problem(host.at, `Host "${host.name}" is there twice`, 'Merge the two'));
  if (host.name === against.signInHost) {
    const message = `Host "${host.name}" is the sign-in host, which serves only Postern's own pages`;
    diagnostics.push(problem(host.at, message, 'Use another name for the app, or for "sign_in.url"'));
  }
  if (HOST_NAME.test(host.name) || IPV6_LITERAL.test(host.name)) return;
  const remedy = 'Write a name such as "app.example.com" or "*.example.com", without port and path';
  diagnostics.push(problem(host.at, `Host "${host.name}" is not a host name`, remedy));
}

/** A session cookie over plain HTTP can be read on the way: only behind a listed TLS terminator, or when asked for. */
function checkSignIn(host: CompiledHost, document: Document, diagnostics: Diagnostic[]): void {
  if (host.config.tls.kind !== 'off' || document.session.insecureHttp || document.trustedProxies.length > 0) return;
  if (!host.routes.some(({ policy }) => policy.couldSignIn)) return;
  const message = `Host "${host.name}" has "tls: off" but rules that need a sign-in, and no trusted proxy is listed that could add HTTPS`;
  const remedy = 'List the TLS terminator under "trusted_proxies", or set "session.insecure_http: true"';
  diagnostics.push(problem(host.config.at, message, remedy));
}

function signInHostOf(document: Document): string | null {
  const { url } = document.signIn;
  if (url === null || !URL.canParse(url)) return null;
  return new URL(url).hostname.replace(/\.$/, '');
}
