/** Puts together what the app side needs to know of a permitted request. Templates are resolved here. */
import type { ProxyAction, UpstreamServer } from '../config/document/actions.ts';
import type { HeaderEdits } from '../config/document/hosts.ts';
import type { CompiledHeader, CompiledRoute } from '../route/table.ts';
import type { TemplateContext } from '../route/template.ts';
import { folderOf } from '../upstream/own-socket.ts';
import type { ForwardPlan } from '../upstream/plan.ts';
import { templateContextOf } from './place.ts';
import type { IdentityHeaders, MakeIdentityHeaders } from './identity-headers.ts';
import { replacesAuthorization, withTokens } from './passed-tokens.ts';
import type { PassedHeaders } from './passed-tokens.ts';
import type { Judged } from '../gate/gate.ts';
import type { RequestContext } from './request-context.ts';
import { ANONYMOUS } from '../policy/facts.ts';

const NOBODY: IdentityHeaders = [];

export interface PlanDeps {
  readonly identityHeaders: MakeIdentityHeaders;
  readonly removeCookies: (value: string) => string | null;
  readonly isOwnCookieName: (name: string) => boolean;
}

export interface RouteTarget {
  readonly route: CompiledRoute;
  readonly path: string;
  /** Of the visitor's provider, where the route asks for them; null: none. */
  readonly tokens: PassedHeaders | null;
}

/** Null: an address of the upstream cannot be decided for this visitor. */
export function createForwardPlan(
  context: RequestContext,
  { route, path, tokens }: RouteTarget,
  deps: PlanDeps,
): ForwardPlan | null {
  const { action } = route.config;
  const resolved = action.kind === 'proxy' ? resolveServers(route, action, context) : null;
  return resolved === null ? null : planWith(resolved, context, { route, path, tokens }, deps);
}

export function planWith(
  action: ProxyAction,
  context: RequestContext,
  { route, path, tokens }: RouteTarget,
  deps: PlanDeps,
): ForwardPlan {
  const { config } = route;
  const { request } = context.exchange;
  return {
    action,
    limits: config.limits,
    path,
    query: request.query,
    hostHeader: context.authority,
    clientIp: context.ip,
    scheme: context.scheme,
    publicPort: context.publicPort,
    requestId: context.id,
    identityHeaders: withTokens(identityHeadersOf(context, route, deps), tokens),
    strip: context.site.strip,
    requestHeaders: resolveHeaders(config.requestHeaders, route.requestHeaders, context),
    responseHeaders: config.responseHeaders,
    removeCookies: deps.removeCookies,
    removeAuthorization:
      (context.judged?.removeAuthorization ?? false) || replacesAuthorization(config.identityHeaders),
    isOwnCookieName: deps.isOwnCookieName,
    upgradeAllowed: request.upgrade !== null && request.upgrade !== 'h2c' && config.upgrades.includes(request.upgrade),
    who: context.judged === null ? null : whoOf(context.judged),
    fromTrustedProxy: context.fromTrustedProxy,
  };
}

function whoOf({ session, bearer, identity }: Judged): string | null {
  return session?.parent ?? bearer?.key ?? (identity.kind === 'service' ? `service:${identity.name}` : null);
}

function identityHeadersOf(context: RequestContext, route: CompiledRoute, deps: PlanDeps): IdentityHeaders {
  const { judged } = context;
  if (judged === null) return NOBODY;
  const { identity, session, bearer } = judged;
  const expiresAt = session?.expiresAt ?? bearer?.expiresAt ?? Number.POSITIVE_INFINITY;
  const isQualified = identity.kind === 'person' && identity.person.provider !== route.plainNamesOf;
  return deps.identityHeaders(route.config.identityHeaders, {
    identity,
    origin: context.origin,
    expiresAt,
    isQualified,
    providers: context.site.table.providers,
  });
}

/** The action itself where no server has a template: it is a key of caches. */
function resolveServers(route: CompiledRoute, action: ProxyAction, context: RequestContext): ProxyAction | null {
  let facts: TemplateContext | null = null;
  let servers: UpstreamServer[] | null = null;
  for (const server of route.servers) {
    if (server.fixed !== null) continue;
    facts ??= templateContext(context);
    const address = server.resolve(facts);
    if (address === null) return null;
    servers ??= [];
    const { config } = server;
    const own = config.scheme === 'unix' ? { ownBelow: folderOf(config.host) } : {};
    servers.push({ ...config, host: address.host, port: address.port, isTemplate: false, ...own });
  }
  if (servers === null) return action;
  const fixed = route.servers.filter((server) => server.fixed !== null).map((server) => server.config);
  return { ...action, servers: [...fixed, ...servers] };
}

/** A header whose template cannot be decided is removed, never sent half-filled. */
function resolveHeaders(edits: HeaderEdits, compiled: readonly CompiledHeader[], context: RequestContext): HeaderEdits {
  if (compiled.every((header) => header.fixed !== null)) return edits;
  const facts = templateContext(context);
  const add: Record<string, string> = {};
  const remove = [...edits.remove];
  for (const header of compiled) {
    const value = header.fixed ?? header.render(facts);
    if (value === null) remove.push(header.name);
    else add[header.name] = value;
  }
  return { add, remove };
}

export function templateContext(context: RequestContext): TemplateContext {
  return templateContextOf(context, context.judged?.identity ?? ANONYMOUS);
}
