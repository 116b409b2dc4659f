/**
 * Compiles a document into a routing table, at once or in slices that leave the event loop free.
 * Collects the problems that need more than one entry of the document to be seen: hosts and routes that
 * shadow each other, sign-in without HTTPS, maps nobody can be found in.
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { problem, type Diagnostic } from '../core/diagnostic.ts';
import type { Document } from '../config/document.ts';
import type { Host, Route } from '../config/document/hosts.ts';
import { compilePolicy } from '../policy/compile.ts';
import { parsePrincipal } from '../policy/principal.ts';
import { RouteCompiler } from './compile-route.ts';
import { HostRoutes } from './host-routes.ts';
import { printHsts } from './hsts.ts';
import { createTable } from './match.ts';
import type { CompiledHost, CompiledRoute, RoutingTable } from './table.ts';

export interface TableResult {
  readonly table: RoutingTable;
  readonly diagnostics: readonly Diagnostic[];
}

export function compileTable(document: Document): TableResult {
  const steps = compileSteps(document);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same, but gives way to the event loop after every `sliceMs` of work. */
export async function compileTableSliced(document: Document, sliceMs: number): Promise<TableResult> {
  const steps = compileSteps(document);
  let sliceEnd = performance.now() + sliceMs;
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() < sliceEnd) continue;
    await nextTurn();
    sliceEnd = performance.now() + sliceMs;
  }
}

function* compileSteps(document: Document): Generator<undefined, TableResult, undefined> {
  const diagnostics: Diagnostic[] = [];
  const compiler = new RouteCompiler(document, diagnostics);
  const hash = createHash('sha256');
  const signInHost = signInHostOf(document);
  const hosts = new Map<string, CompiledHost>();
  checkMaps(document, diagnostics);
  for (const host of document.hosts) {
    checkHost(host, { known: hosts, signInHost }, diagnostics);
    const compiled = compileHost(host, compiler, diagnostics);
    checkSignIn(compiled, document, diagnostics);
    hash.update(contentOf(compiled));
    if (!hosts.has(host.name)) hosts.set(host.name, compiled);
    yield;
  }
  const fallback = document.fallback === null ? null : compileHost(document.fallback, compiler, diagnostics);
  if (fallback !== null) {
    checkSignIn(fallback, document, diagnostics);
    hash.update(contentOf(fallback));
  }
  hash.update(
    JSON.stringify([
      document.maps,
      document.providers.map(({ id, type, emailDomains }) => [id, type, emailDomains]),
      signInHost,
      document.signIn.showRuleTo.map(({ rule }) => rule),
    ]),
  );
  const revision = hash.digest('base64url').slice(0, 16);
  const all = fallback === null ? [...hosts.values()] : [...hosts.values(), fallback];
  const providers = document.providers.map(({ id, type, emailDomains }) => ({ id, type, emailDomains }));
  yield;
  const namedUsers = namedUsersOf(document, all);
  yield;
  const mayKnowRules = compileMayKnow(document, diagnostics);
  const table = createTable({ revision, hosts, fallback, signInHost, providers, namedUsers, mayKnowRules });
  yield;
  return { table, diagnostics: withoutRepeats(diagnostics) };
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

/** By rules, and by the keys of maps. */
function namedUsersOf(document: Document, hosts: readonly CompiledHost[]): ReadonlySet<string> {
  const byRule = hosts.flatMap((host) => host.routes.flatMap((route) => route.policy.namedUsers));
  const byMap = Object.values(document.maps).flatMap((map) => Object.keys(map).filter((key) => key.includes(':user:')));
  return new Set([...byRule, ...byMap]);
}

/** A rule of a host is compiled with each of its routes; what is wrong with it is said once. */
function withoutRepeats(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ path, message }) => {
    const key = JSON.stringify([path, message]);
    return !seen.has(key) && seen.add(key);
  });
}

/** One host's share of the revision. Policies are told by their ids, so order of keys is all that counts. */
function contentOf(host: CompiledHost): string {
  const { tls, clientAuth } = host.config;
  const routes = host.routes.map(({ policy, config }) => [policy.id, { ...config, allow: 0, deny: 0, at: 0 }]);
  return JSON.stringify([host.name, tls, clientAuth, routes]);
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

const MAP_KINDS: readonly string[] = ['user', 'group', 'role', 'service', 'token'];

function checkMaps(document: Document, diagnostics: Diagnostic[]): void {
  const context = { providers: document.providers, services: document.services.map(({ name }) => name) };
  for (const [name, map] of Object.entries(document.maps)) {
    for (const key of Object.keys(map)) {
      const at = ['maps', name, key];
      if (!key.includes(':')) {
        const remedy = `Write "user:${key}", "service:${key}" or "token:${key}"`;
        diagnostics.push(
          problem(at, `Key "${key}" of map "${name}" does not say whether a user or a service is meant`, remedy),
        );
        continue;
      }
      const { principal, diagnostics: found } = parsePrincipal(key, at, context);
      diagnostics.push(...found);
      if (found.length > 0 || MAP_KINDS.includes(principal.kind)) continue;
      const remedy = 'Use keys such as "user:alice", "group:ops" or "token:ci"';
      diagnostics.push(problem(at, `Key "${key}" of map "${name}" is not a person, a group or a machine`, remedy));
    }
  }
}
