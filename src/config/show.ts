/**
 * Prints the document as it is in effect: defaults written out, presets expanded, in the language of
 * the document. Password hashes and whatever came from a variable are masked.
 */
import { stringify } from 'yaml';
import { providerTypes } from '../certs/dns/provider-types.ts';
import type { SettingValue } from '../certs/dns/provider-keys.ts';
import type { DnsProviderSettings } from '../certs/dns/provider-type.ts';
import { assertNever } from '../core/assert-never.ts';
import { formatDuration } from '../core/durations.ts';
import { isSecretName } from '../core/redact.ts';
import { formatSize } from '../core/sizes.ts';
import type {
  AcmePolicy,
  Action,
  Choice,
  Document,
  HeaderEdits,
  IdentityHeaders,
  Host,
  HostTls,
  Hsts,
  Listen,
  ListenAddress,
  Provider,
  ProxyAction,
  Route,
  RouteLimits,
  Rule,
  ShadowRules,
  StepUp,
  UpstreamServer,
  DeployTo,
} from './document.ts';
import type { Secret } from './load.ts';
import { maskSecrets } from './print-diagnostics.ts';
import { shownAcme, shownHostAcme } from './show-acme.ts';

type Shown = string | number | boolean | readonly Shown[] | { readonly [key: string]: Shown | undefined };

/** Also what was written plainly: the output is for tickets and terminals. */
const SECRET = '(secret)';

export function showDocument(document: Document, secrets: readonly Secret[]): string {
  return stringify(mask(shownDocument(document), secrets), { lineWidth: 0, aliasDuplicateObjects: false });
}

function mask(shown: Shown, secrets: readonly Secret[]): Shown {
  if (typeof shown === 'string') return maskSecrets(shown, secrets);
  if (typeof shown === 'number') {
    const masked = maskSecrets(String(shown), secrets);
    return masked === String(shown) ? shown : masked;
  }
  if (typeof shown === 'boolean') return shown;
  if (Array.isArray(shown)) return (shown as readonly Shown[]).map((one) => mask(one, secrets));
  const entries = Object.entries(shown as Readonly<Record<string, Shown | undefined>>);
  return Object.fromEntries(
    entries.flatMap(([key, value]) => {
      if (value === undefined) return [];
      return [[key, FIELDS.has(key) ? maskFields(value, secrets) : mask(value, secrets)]];
    }),
  );
}

/** Maps of header fields. */
const FIELDS: ReadonlySet<string> = new Set(['add_headers', 'headers']);
const TEMPLATE = /^(?:[A-Za-z]+ )?\{[^{}]+\}$/;

/** A credential that stands in the document itself is one all the same. */
function maskFields(fields: Shown, secrets: readonly Secret[]): Shown {
  const masked = mask(fields, secrets);
  if (typeof masked !== 'object' || Array.isArray(masked)) return masked;
  const before = fields as Readonly<Record<string, Shown | undefined>>;
  return Object.fromEntries(
    Object.entries(masked).map(([name, value]) => {
      const isPlain = typeof value === 'string' && value === before[name] && !TEMPLATE.test(value);
      return [name, isPlain && isSecretName(name) ? SECRET : value];
    }),
  );
}

function shownDocument(document: Document): Shown {
  const { limits, session, tls } = document;
  return {
    version: 1,
    listen: shownListen(document.listen),
    workers: document.workers === 0 ? 'auto' : document.workers,
    watch: document.watch,
    log: { ...document.log },
    providers: Object.fromEntries(document.providers.map((provider) => [provider.id, shownProvider(provider)])),
    sign_in: shownSignIn(document.signIn),
    session: {
      lifetime: formatDuration(session.lifetimeMs),
      idle: formatDuration(session.idleMs),
      stale_for: formatDuration(session.staleForMs),
      insecure_http: session.insecureHttp,
      cookie_domain: session.cookieDomain ?? undefined,
    },
    services: Object.fromEntries(
      document.services.map(({ name, passwordHashes }) => [name, { password: passwordHashes.map(maskHash) }]),
    ),
    maps: document.maps,
    trusted_proxies: document.trustedProxies,
    limits: {
      header_bytes: formatSize(limits.headerBytes),
      header_count: limits.headerCount,
      target_bytes: formatSize(limits.targetBytes),
      head_timeout: formatDuration(limits.headTimeoutMs),
      keep_alive: formatDuration(limits.keepAliveMs),
      // Loopback is exempt only while the number is the default one, so that one is not written out.
      connections_per_address:
        limits.connectionsPerAddress === limits.connectionsPerLoopback
          ? shownCount(limits.connectionsPerAddress)
          : undefined,
      connections: shownCount(limits.connections),
      http2_streams: limits.http2Streams,
      handshake_timeout: formatDuration(limits.tlsHandshakeMs),
      drain: formatDuration(limits.drainMs),
    },
    tls: {
      min_version: tls.minVersion === 'TLSv1.3' ? '1.3' : '1.2',
      certificates: tls.certificates.map(({ certificate, key }) => ({ certificate, key })),
      hsts: shownHsts(tls.hsts),
      deploy_to: tls.deployTo.map(shownDeployTo),
    },
    dns: shownDns(document.dns),
    acme: document.acme === null ? undefined : (shownAcme(document.acme) as Shown),
    hosts: Object.fromEntries(document.hosts.map((host) => [host.name, shownHost(host, document.acme)])),
    default: document.fallback === null ? undefined : shownHost(document.fallback, document.acme),
    tests: document.tests.map(({ as, groups, roles, ip, method, url, expect }) => ({
      as,
      groups,
      roles: roles.length === 0 ? undefined : roles,
      ip: ip ?? undefined,
      method,
      url,
      expect,
    })),
  };
}

function shownDns(providers: readonly DnsProviderSettings[]): Shown | undefined {
  if (providers.length === 0) return undefined;
  return Object.fromEntries(providers.map((one) => [one.name, shownDnsProvider(one)]));
}

function shownDnsProvider(settings: DnsProviderSettings): Shown {
  const { type, values, resolvers, propagationTimeoutMs, propagationDelayMs } = settings;
  const keys = providerTypes().find((one) => one.type === type)?.keys ?? {};
  const shown = Object.entries(values).map(([key, value]) => [key, shownSetting(value, keys[key]?.isSecret ?? true)]);
  return {
    type,
    ...Object.fromEntries(shown),
    resolvers: resolvers.length === 0 ? undefined : resolvers,
    propagation_timeout: formatDuration(propagationTimeoutMs),
    propagation_delay: propagationDelayMs === null ? undefined : formatDuration(propagationDelayMs),
  };
}

function shownSetting(value: SettingValue, isSecret: boolean): Shown | undefined {
  if (typeof value === 'number') return formatDuration(value);
  if (!isSecret || value === undefined) return value;
  return typeof value === 'string' ? SECRET : Object.fromEntries(Object.keys(value).map((name) => [name, SECRET]));
}

function shownSignIn(signIn: Document['signIn']): Shown {
  return {
    provider: signIn.provider ?? undefined,
    url: signIn.url ?? undefined,
    name: signIn.branding.name,
    logo: signIn.branding.logo === null ? undefined : '(an image)',
    color: signIn.branding.color ?? undefined,
    show_rule_to: signIn.showRuleTo.length === 0 ? undefined : shownRules(signIn.showRuleTo),
  };
}

function shownProvider(provider: Provider): Shown {
  if (provider.type === 'local') return { type: 'local' };
  const common = {
    name: provider.label,
    client_id: provider.clientId,
    client_secret: provider.clientSecret === null ? undefined : '(secret)',
    scopes: provider.scopes,
    email_domains: provider.emailDomains,
    recheck: formatDuration(provider.recheckMs),
    ca: provider.caPem === null ? undefined : '(certificates)',
  };
  if (provider.type === 'github') return { type: 'github', url: provider.url, ...common };
  return {
    type: provider.preset,
    issuer: provider.issuer,
    ...common,
    client_auth: provider.clientAuth === 'auto' ? undefined : provider.clientAuth,
    user_claim: provider.userClaims,
    groups_claim: provider.groupsClaims,
    roles_claim: provider.rolesClaims,
    trust_email: provider.trustEmail,
    hosted_domain: provider.hostedDomain ?? undefined,
    directory:
      provider.directory === null
        ? undefined
        : {
            admin: provider.directory.admin,
            service_account: provider.directory.serviceAccount === null ? undefined : '(secret)',
            principal: provider.directory.principal ?? undefined,
          },
    prompt: provider.prompt ?? undefined,
    acr_values: provider.acrValues.length === 0 ? undefined : provider.acrValues,
    second_factor: { acr: provider.secondFactor.acr, amr: provider.secondFactor.amr },
    max_age: provider.maxAgeSeconds === null ? undefined : formatDuration(provider.maxAgeSeconds * 1_000),
    clock_tolerance: formatDuration(provider.clockToleranceMs),
    logout: provider.logout,
    bearer:
      provider.bearer === null
        ? undefined
        : { audience: provider.bearer.audiences, azp: provider.bearer.parties ?? undefined },
    internal_url: provider.internalUrl ?? undefined,
  };
}

function maskHash(hash: string): string {
  return hash.startsWith('$argon2id$') ? '(argon2id hash)' : '(bcrypt hash)';
}

function shownCount(count: number): Shown {
  return Number.isFinite(count) ? count : 'unlimited';
}

function shownListen(listen: Listen): Shown {
  return {
    http: listen.http.length === 0 ? 'off' : listen.http.map(shownAddress),
    https: listen.https.length === 0 ? 'off' : listen.https.map(shownAddress),
    health: listen.health === null ? 'off' : hostAndPort(listen.health),
    public_https_port: listen.publicHttpsPort === 0 ? undefined : listen.publicHttpsPort,
    proxy_protocol: listen.proxyProtocol,
  };
}

function shownAddress(address: ListenAddress): Shown {
  return address.tls ? hostAndPort(address) : { address: hostAndPort(address), tls: 'off' };
}

function hostAndPort({ host, port }: ListenAddress): string {
  return `${host?.includes(':') === true ? `[${host}]` : (host ?? '')}:${port}`;
}

function shownHost(host: Host, acme: Document['acme']): Shown {
  const paths: Record<string, Shown[]> = {};
  for (const route of host.routes) (paths[route.path] ??= []).push(shownRoute(route));
  return {
    tls: shownTls(host, acme?.hosts[host.name]),
    hsts: host.tls.kind === 'off' ? undefined : shownHsts(host.hsts),
    deny: host.deny.length === 0 ? undefined : shownRules(host.deny),
    paths: Object.fromEntries(
      Object.entries(paths).map(([path, routes]) => [path, routes.length === 1 ? (routes[0] as Shown) : routes]),
    ),
  };
}

function shownHsts(hsts: Hsts | 'automatic' | null): Shown {
  if (hsts === null || hsts === 'automatic') return hsts ?? 'off';
  const { maxAgeMs, includeSubdomains, preload } = hsts;
  return { max_age: formatDuration(maxAgeMs), include_subdomains: includeSubdomains, preload };
}

function shownTls({ tls, clientAuth }: Host, own: AcmePolicy | undefined): Shown {
  if (clientAuth === null && tls.kind !== 'files' && own === undefined) return tls.kind;
  return {
    ...(own === undefined ? shownFiles(tls) : { acme: shownHostAcme(own) as Shown }),
    client_ca: clientAuth?.caFile,
    client_certificates: clientAuth?.mode,
  };
}

function shownFiles(tls: HostTls): Readonly<Record<string, string>> {
  return tls.kind === 'files' ? { certificate: tls.files.certificate, key: tls.files.key } : { mode: tls.kind };
}

function shownRules(rules: readonly Rule[]): Shown {
  return rules.map(({ rule }) => rule as Shown);
}

function shownRoute(route: Route): Shown {
  return {
    methods: route.methods.length === 0 ? undefined : route.methods,
    headers:
      Object.keys(route.matchHeaders).length === 0
        ? undefined
        : Object.fromEntries(Object.entries(route.matchHeaders).map(([name, value]) => [name, value ?? true])),
    allow: shownRules(route.allow),
    deny: route.deny.length === 0 ? undefined : shownRules(route.deny),
    shadow: shownShadow(route.shadow),
    require: shownRequire(route.require),
    ...shownAction(route.action),
    strip_prefix: route.stripPrefix ?? undefined,
    rewrite: route.rewrite ?? undefined,
    ...shownEdits(route.requestHeaders),
    response: shownEdits(route.responseHeaders),
    ...shownIdentityHeaders(route.identityHeaders),
    encoded_slash: route.encodedSlash,
    origins: route.origins,
    upgrades: route.upgrades.length === 0 ? false : route.upgrades,
    limits: shownLimits(route.limits),
  };
}

function shownIdentityHeaders(headers: IdentityHeaders): { readonly [key: string]: Shown | undefined } {
  const names: Record<string, string[]> = {};
  for (const { name, value } of headers.fields) (names[value] ??= []).push(name);
  for (const { name, token } of headers.tokens) (names[token] ??= []).push(name);
  const isNone = headers.fields.length + headers.tokens.length === 0;
  return {
    identity_headers: isNone ? 'none' : { ...names, groups_encoding: headers.groupsEncoding },
    assertion_audience: headers.audience ?? undefined,
  };
}

function shownRequire(wanted: StepUp | null): Shown | undefined {
  if (wanted === null) return undefined;
  const { secondFactor, acr, maxAgeMs } = wanted;
  if (secondFactor && acr.length === 0 && maxAgeMs === null) return 'second-factor';
  return {
    second_factor: secondFactor ? true : undefined,
    acr: acr.length === 0 ? undefined : acr,
    max_age: maxAgeMs === null ? undefined : formatDuration(maxAgeMs),
  };
}

function shownShadow(shadow: ShadowRules | null): Shown | undefined {
  if (shadow === null) return undefined;
  const { allow, deny } = shadow;
  return {
    allow: allow === null ? undefined : shownRules(allow),
    deny: deny.length === 0 ? undefined : shownRules(deny),
  };
}

function shownEdits({ add, remove }: HeaderEdits): { readonly [key: string]: Shown | undefined } {
  return {
    add_headers: Object.keys(add).length === 0 ? undefined : add,
    remove_headers: remove.length === 0 ? undefined : remove,
  };
}

function shownAction(action: Action): { readonly [key: string]: Shown | undefined } {
  switch (action.kind) {
    case 'proxy':
      return shownProxy(action);
    case 'files':
      return { to: `files:${action.root}` };
    case 'whoami':
      return { to: 'app:whoami' };
    case 'redirect':
      return { redirect: { to: action.to, status: action.status } };
    case 'choose':
      return {
        routes: action.choices.map(({ when, action: chosen }) => ({
          when: when === null ? undefined : shownRules(when),
          ...shownChoice(chosen),
        })),
        ...settingsOfChoices(action.choices),
      };
    case 'respond':
      return { respond: { status: action.status, body: action.body, headers: action.headers } };
    default:
      return assertNever(action);
  }
}

function shownProxy(action: ProxyAction): { readonly [key: string]: Shown | undefined } {
  const { tls, health } = action;
  return {
    to: action.servers.map((server) => ({ url: serverUrl(server), weight: server.weight })),
    balance: action.balance,
    host_header: typeof action.hostHeader === 'string' ? action.hostHeader : action.hostHeader.fixed,
    upstream_tls: {
      verify: tls.verify,
      ca: tls.caFile ?? undefined,
      server_name: tls.serverName ?? undefined,
      certificate: tls.certificatePem === null ? undefined : '(certificate)',
      key: tls.keyPem === null ? undefined : '(private key)',
    },
    health:
      health === null
        ? 'off'
        : {
            path: health.path,
            interval: formatDuration(health.intervalMs),
            timeout: formatDuration(health.timeoutMs),
            expect: `${health.expect[0]}-${health.expect[1]}`,
            passes: health.passes,
            fails: health.fails,
          },
    max_fails: action.maxFails,
    fail_timeout: formatDuration(action.failMs),
    max_connections: shownCount(action.maxConnections),
  };
}

/** What stands beside `routes` and holds for each of them is shown there. */
function shownChoice(action: Choice['action']): { readonly [key: string]: Shown | undefined } {
  if (action.kind !== 'proxy') return shownAction(action);
  return { to: shownProxy(action)['to'] };
}

function settingsOfChoices(choices: readonly Choice[]): { readonly [key: string]: Shown | undefined } {
  const proxied = choices.find(({ action }) => action.kind === 'proxy')?.action;
  return proxied?.kind === 'proxy' ? { ...shownProxy(proxied), to: undefined } : {};
}

function serverUrl({ scheme, host, port }: UpstreamServer): string {
  return scheme === 'unix' ? `unix:${host}` : `${scheme}://${host}:${port}`;
}

function shownLimits(limits: RouteLimits): Shown {
  return {
    max_body: formatSize(limits.maxBodyBytes),
    body_timeout: formatDuration(limits.bodyIdleMs),
    min_body_rate: formatSize(limits.minBodyRate),
    write_timeout: formatDuration(limits.writeIdleMs),
    connect_timeout: formatDuration(limits.connectMs),
    first_byte_timeout: formatDuration(limits.firstByteMs),
    // Streams are exempt only while this is not written, so it is written only where it was set.
    upstream_idle_timeout:
      limits.streamIdleMs === limits.upstreamIdleMs ? formatDuration(limits.upstreamIdleMs) : undefined,
    tunnel_idle_timeout: formatDuration(limits.tunnelIdleMs),
  };
}

function shownDeployTo({ name, certificate, key, keyType, mode, run, timeoutMs }: DeployTo): Shown {
  const timeout = formatDuration(timeoutMs);
  const which = keyType ?? undefined;
  return { name, certificate, key: key ?? undefined, key_type: which, mode: mode.toString(8), run, timeout };
}
