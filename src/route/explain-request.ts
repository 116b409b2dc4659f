/**
 * Answers what would happen to a request: which host, which route, which decision and why. The same
 * tables and the same canonical spelling as for a real request; nothing is sent anywhere.
 */
import { assertNever } from '../core/assert-never.ts';
import type { Identity } from '../core/person.ts';
import { describeDecision, formatTraces, tracesToJson } from '../policy/explain.ts';
import type { Decision, Facts, RuleTrace } from '../policy/facts.ts';
import type { ClientCertificate } from '../wire/exchange.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { HttpSyntaxError } from '../wire/http-syntax-error.ts';
import { parseRequestTarget } from '../wire/request-target.ts';
import { findPlace, type Place } from './place.ts';
import type { CompiledHost, CompiledRoute, RoutingTable, ServerAddress } from './table.ts';

export interface AskedRequest {
  /** Absolute: "https://app.example.com/path?query". */
  readonly url: string;
  readonly method: string;
  readonly identity: Identity;
  readonly ip: string | null;
  readonly clientCertificate?: ClientCertificate | null;
  readonly headers?: HeaderBlock;
  /** Left out: no sign-in counts as recent. */
  readonly now?: number;
}

export type Explanation =
  | { readonly kind: 'bad-request'; readonly reason: string }
  | { readonly kind: 'sign-in-host'; readonly host: string }
  | { readonly kind: 'own-path'; readonly host: string; readonly path: string }
  | { readonly kind: 'no-host'; readonly host: string }
  | { readonly kind: 'no-route'; readonly host: CompiledHost; readonly path: string }
  | {
      readonly kind: 'route';
      readonly host: CompiledHost;
      readonly route: CompiledRoute;
      readonly path: string;
      /** Null: the request is refused as ambiguous. */
      readonly targetPath: string | null;
      readonly decision: Decision;
      /** What the rules on trial would decide; null where there are none. */
      readonly shadow: Decision | null;
      /** Of a route that leads each to a place of their own, for who is let in; null: to none. Left out: the same for all. */
      readonly place?: Place | null;
      readonly traces: readonly RuleTrace[];
    };

/** Taken before routes and rules are looked at. */
const OWN_PATHS = '/.postern';

export function explainRequest(table: RoutingTable, asked: AskedRequest): Explanation {
  const target = readTarget(asked);
  if (target.kind === 'bad-request') return target;
  const { name, path, query, hasEncodedSlash } = target;
  if (name === table.signInHost) return { kind: 'sign-in-host', host: name };
  const host = table.findHost(name);
  if (host === null) return { kind: 'no-host', host: name };
  if (path === OWN_PATHS || path.startsWith(`${OWN_PATHS}/`)) return { kind: 'own-path', host: name, path };
  const route = table.findRoute(host, path, asked.method, asked.headers ?? new HeaderBlock());
  if (route === null) return { kind: 'no-route', host, path };
  if (hasEncodedSlash && route.config.encodedSlash === 'reject') {
    return {
      kind: 'bad-request',
      reason: 'the path holds an encoded slash; "encoded_slash: keep" on the route lets it pass',
    };
  }
  const facts: Facts = {
    identity: asked.identity,
    ip: asked.ip,
    clientCertificate: asked.clientCertificate ?? null,
    request: { method: asked.method, host: name, path, query },
    ...(asked.now === undefined ? {} : { now: asked.now }),
  };
  const { policy } = route;
  const shadow = route.shadow?.decide(facts) ?? null;
  const judged = { decision: policy.decide(facts), shadow, traces: policy.explain(facts) };
  const explained = { kind: 'route', host, route, path, targetPath: route.targetPath(path), ...judged } as const;
  if (!route.isPersonal || judged.decision.kind !== 'allow') return explained;
  const template = { identity: asked.identity, ip: asked.ip, requestId: '', path, query };
  return { ...explained, place: findPlace(route, facts, template) };
}

/** What the visitor gets: whom the rules let in, but no app is meant for, gets a page that says so. */
export function leadsNowhere(explanation: Explanation): boolean {
  return explanation.kind === 'route' && explanation.place === null;
}

interface Target {
  readonly kind: 'target';
  readonly name: string;
  readonly path: string;
  readonly query: string;
  readonly hasEncodedSlash: boolean;
}

function readTarget({ url, method }: AskedRequest): Target | { readonly kind: 'bad-request'; readonly reason: string } {
  try {
    const target = parseRequestTarget(method, url);
    if (target.authority === null)
      return { kind: 'bad-request', reason: `"${url}" is not a URL such as "https://app.example.com/path"` };
    const { path, query, hasEncodedSlash } = target;
    return { kind: 'target', name: target.authority.host, path, query, hasEncodedSlash };
  } catch (error) {
    if (!(error instanceof HttpSyntaxError)) throw error;
    return { kind: 'bad-request', reason: `"${url}" is not a valid request: ${error.message}` };
  }
}

/** What `postern explain` prints. */
export function formatExplanation(explanation: Explanation): string {
  switch (explanation.kind) {
    case 'bad-request':
      return `Refused with 400: ${explanation.reason}\n`;
    case 'sign-in-host':
      return `Host "${explanation.host}" is the sign-in host: it serves Postern's own pages\n`;
    case 'own-path':
      return `Path "${explanation.path}" is Postern's own on every host: no route and no rule is asked\n`;
    case 'no-host':
      return `No host "${explanation.host}" in the document, and no default\n`;
    case 'no-route':
      return `Host   ${explanation.host.name}\nNo route takes "${explanation.path}" with this method and these header fields, or only one past a stricter route\n`;
    case 'route': {
      const { host, route, targetPath, decision, shadow, traces } = explanation;
      const sent =
        targetPath === null ? 'refused with 400: the path is ambiguous after strip_prefix and rewrite' : targetPath;
      const app = explanation.place === undefined ? '' : `App    ${describePlace(explanation.place)}\n`;
      const place = `Host   ${host.name}\nRoute  ${route.label}\nPath   ${explanation.path} -> ${sent}\n${app}`;
      const trial = shadow === null ? '' : `On trial: ${describeDecision(shadow)}\n`;
      return `${place}Rules\n${formatTraces(traces)}${describeDecision(decision)}\n${trial}`;
    }
    default:
      return assertNever(explanation);
  }
}

function describePlace(place: Place | null): string {
  if (place === null) return 'none for this visitor: a page that says so, with 403';
  const { route, addresses } = place;
  const what = addresses.length === 0 ? route.config.action.kind : addresses.map(printAddress).join(', ');
  return `${what} (${route.label})`;
}

function printAddress({ scheme, host, port }: ServerAddress): string {
  return scheme === 'unix' ? `unix:${host}` : `${scheme}://${host}:${port}`;
}

/** The same as plain data. */
export function explanationToJson(explanation: Explanation): unknown {
  switch (explanation.kind) {
    case 'bad-request':
    case 'sign-in-host':
    case 'own-path':
    case 'no-host':
      return explanation;
    case 'no-route':
      return { kind: explanation.kind, host: explanation.host.name, path: explanation.path };
    case 'route': {
      const { kind, host, route, path, targetPath, decision, shadow, traces, place } = explanation;
      const rules = tracesToJson(traces);
      const trial = shadow === null ? {} : { shadow };
      const app = place === undefined ? {} : { app: place === null ? null : describePlace(place) };
      return { kind, host: host.name, route: route.label, path, targetPath, ...app, decision, ...trial, rules };
    }
    default:
      return assertNever(explanation);
  }
}
