/** Documents for tests and benches of this room: every default filled in, rules and paths as given. */
import { DEFAULT_IDENTITY_HEADERS } from '../config/normalise/identity-headers.ts';
import type { Document } from '../config/document.ts';
import type { UpstreamServer } from '../config/document/actions.ts';
import type { Host, Route } from '../config/document/hosts.ts';
import type { Rule, RuleText } from '../config/document/rules.ts';

const LIMITS: Route['limits'] = {
  maxBodyBytes: 10_485_760,
  bodyIdleMs: 30_000,
  minBodyRate: 500,
  writeIdleMs: 60_000,
  connectMs: 5_000,
  firstByteMs: 60_000,
  upstreamIdleMs: 60_000,
  streamIdleMs: Infinity,
  tunnelIdleMs: Infinity,
};

export function rules(...texts: RuleText[]): Rule[] {
  return texts.map((rule, index) => ({ rule, at: ['allow', index] }));
}

export function serverOf(
  host: string,
  port: number | string,
  scheme: UpstreamServer['scheme'] = 'http',
): UpstreamServer {
  return { scheme, host, port, isTemplate: `${host}${port}`.includes('{'), weight: 1, at: ['to'] };
}

export function proxyTo(...servers: UpstreamServer[]): Route['action'] {
  return {
    kind: 'proxy',
    servers,
    balance: 'round-robin',
    hostHeader: 'keep',
    tls: { verify: true, caFile: null, caPem: null, serverName: null, certificatePem: null, keyPem: null },
    health: null,
    maxFails: 3,
    failMs: 10_000,
    maxConnections: 256,
    at: ['to'],
  };
}

export function routeOf(path: string, allow: readonly RuleText[], changes: Partial<Route> = {}): Route {
  return {
    path,
    methods: [],
    matchHeaders: {},
    allow: rules(...allow),
    deny: [],
    require: null,
    action: proxyTo(serverOf('127.0.0.1', 9001)),
    stripPrefix: null,
    rewrite: null,
    requestHeaders: { add: {}, remove: [] },
    responseHeaders: { add: {}, remove: [] },
    shadow: null,
    identityHeaders: DEFAULT_IDENTITY_HEADERS,
    encodedSlash: 'reject',
    signInProvider: null,
    origins: [],
    upgrades: ['websocket'],
    limits: LIMITS,
    at: ['paths', path],
    ...changes,
  };
}

export function hostOf(name: string, routes: readonly Route[], changes: Partial<Host> = {}): Host {
  return {
    name,
    tls: { kind: 'automatic' },
    clientAuth: null,
    hsts: null,
    deny: [],
    routes,
    at: ['hosts', name],
    ...changes,
  };
}

export function documentOf(hosts: readonly Host[], changes: Partial<Document> = {}): Document {
  return {
    version: 1,
    listen: { http: [], https: [], health: null, publicHttpsPort: 443, proxyProtocol: [] },
    workers: 1,
    watch: false,
    log: { level: 'info', format: 'auto' },
    dns: [],
    providers: [{ id: 'local', type: 'local', emailDomains: ['*'], at: ['providers', 'local'] }],
    signIn: {
      url: 'https://auth.example.com',
      branding: { name: 'Postern', logo: null, color: null },
      provider: null,
      keepsFragment: false,
      showRuleTo: [],
    },
    session: {
      lifetimeMs: 43_200_000,
      idleMs: 7_200_000,
      mostPerPerson: 1_000,
      staleForMs: 60_000,
      insecureHttp: false,
      cookieDomain: null,
    },
    services: [{ name: 'promtail', passwordHashes: [], at: ['services', 'promtail'] }],
    maps: {},
    trustedProxies: [],
    limits: {
      headerBytes: 32_768,
      headerCount: 200,
      targetBytes: 8_192,
      headTimeoutMs: 10_000,
      keepAliveMs: 75_000,
      connectionsPerAddress: 100,
      connectionsPerLoopback: 10_000,
      connections: 10_000,
      http2Streams: 100,
      tlsHandshakeMs: 10_000,
      drainMs: 30_000,
    },
    acme: null,
    tls: { minVersion: 'TLSv1.2', certificates: [], hsts: null, signInHsts: null, deployTo: [] },
    hosts,
    fallback: null,
    tests: [],
    ...changes,
  };
}
