/**
 * An edge worker: the thread that accepts connections and serves requests. Joins the rooms below it and
 * holds the one reference that a reload swaps. Knows the store only by asking the control thread.
 */
import { keepCompiled } from '../core/compile-cache.ts';
import { once } from 'node:events';
import { parentPort } from 'node:worker_threads';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { openChannel } from '../core/channel.ts';
import { systemClock } from '../core/clock.ts';
import { createIpSet } from '../core/ip-address.ts';
import { createLogger } from '../core/log.ts';
import { TurnPace } from '../core/turn-pace.ts';
import { createCertificateStore } from '../certs/certificate-store.ts';
import { EMPTY_CERTIFICATE_SET } from '../certs/certificate-set.ts';
import type { CertificateSet } from '../certs/certificate-set.ts';
import { bearerIssuersOf, createBearerIssuers } from '../gate/bearer-issuers.ts';
import { createGate } from '../gate/gate.ts';
import { noteEveryMs } from '../gate/use-report.ts';
import { createAccessLog } from '../observe/access-log.ts';
import { Metrics } from '../observe/metrics.ts';
import { acceptRequestId, createRequestIds } from '../observe/request-id.ts';
import { compileTableLazily } from '../route/compile.ts';
import { actionsOf } from '../route/table.ts';
import { serviceTokenPrefix } from '../session/service-token.ts';
import { createOwnCookieTest, sessionCookieName } from '../session/token.ts';
import { createUpstreams } from '../upstream/forward.ts';
import { createFindClient } from '../wire/client-address.ts';
import { withoutCookies } from '../wire/cookies.ts';
import { IntervalTicker } from '../wire/ticker.ts';
import { createAssertions } from './assertion.ts';
import { ChallengeBoard } from './challenge-board.ts';
import { createCircleLog } from './circle-log.ts';
import { createCodecs } from './codecs.ts';
import { createFinish } from './finish.ts';
import { STRANGERS_MS_A_TURN, Transport } from './listener.ts';
import { createIdentityHeaders } from './identity-headers.ts';
import { Listeners } from './listeners.ts';
import { createHandshakeCheck } from './handshake-policy.ts';
import { createLongLived } from './long-lived.ts';
import { PassedTokens } from './passed-tokens.ts';
import { createServe } from './serve.ts';
import { RefusalLog } from './refusal-log.ts';
import { SharedCounts } from './shared-counts.ts';
import { SnapshotJoiner } from './snapshot-parts.ts';
import type { SnapshotPart } from './snapshot-parts.ts';
import { createSite, signInHostOf } from './site.ts';
import type { ControlMethods, PoolMethods, WorkerBoot, WorkerMethods, WorkerSnapshot } from './worker-protocol.ts';
import type { FindClient } from '../wire/client-address.ts';
import type { GateSettings } from '../gate/gate.ts';
import type { Document } from '../config/document.ts';
import type { IdentityHeaders } from '../config/document/identity-headers.ts';
import type { SigningKey } from '../session/assertion-keys.ts';
import type { MetricsSnapshot } from '../observe/metrics.ts';
import type { ConnectionFacts } from '../wire/exchange.ts';
import type { Http1Refusal } from '../wire/http1-settings.ts';
import type { TransportSettings } from './listener.ts';
import type { Site } from './site.ts';
import type { CompiledHost } from '../route/table.ts';

const HEARTBEAT_MISSED_MS = 1_000;
const TICK_MS = 250;
/** With a collection in between, a turn stays below 5 ms. */
const SLICE_MS = 1.5;
/** A WebSocket has no end of its own: at the end it may go on for so long, to bring home what is under way. */
const ENDLESS_GRACE_MS = 1_000;
/** Heads and small answers are cut out of it: with 8 KiB a new one was needed every five requests. */
Buffer.poolSize = 32_768;
const HOSTS_AT_ONCE = 20;
/** Part of the connection limit that may be in a handshake at once, and the least in a worker. */
const HANDSHAKE_SHARE = 4;
const MIN_HANDSHAKES = 64;

if (parentPort === null) throw new Error('Cannot run: an edge worker is started by the control thread');
const [boot] = (await once(parentPort, 'message')) as [WorkerBoot];

/** All that a reload swaps. */
interface Current {
  readonly site: Site;
  readonly findClient: FindClient;
  readonly gate: GateSettings;
  readonly transport: TransportSettings;
  /** Lets the upstreams of this document go. */
  readonly release: () => Promise<void>;
}

let held: Current | null = null;
let { assertionKey } = boot;
let lastBeat = performance.now();
let linesDropped = 0;

const log = createLogger({
  level: boot.logLevel,
  format: boot.logFormat,
  destination: 1,
  base: { worker: boot.index },
});
const accessLog = createAccessLog({ format: boot.logFormat, destination: 1 });
const metrics = new Metrics();
const nextId = createRequestIds();
const ticker = new IntervalTicker({ onDefect });
const certificates = createCertificateStore(EMPTY_CERTIFICATE_SET);
const handshakes = createHandshakeCheck(certificates);
const challenges = new ChallengeBoard();
const isOwnCookieName = createOwnCookieTest(boot.instance);
const strangers = new TurnPace({ budgetMs: STRANGERS_MS_A_TURN });

const control = openChannel<ControlMethods & PoolMethods>(parentPort, {
  openListeners: (listen) => listeners.open(listen),
  keepListeners: (listen) => listeners.keep(listen),
  stage,
  apply,
  replaceCertificates,
  addCertificate: certificates.add,
  replaceTicketKeys: (keys: Uint8Array) => transport.setTicketKeys(Buffer.from(keys)),
  replaceAssertionKey: (key: SigningKey) => {
    assertionKey = key;
  },
  showChallenge: (answer) => challenges.show(answer),
  hideChallenge: (id) => challenges.hide(id),
  sessionsChanged,
  heartbeat: () => {
    lastBeat = performance.now();
  },
  metrics: takeMetrics,
  drain,
} satisfies WorkerMethods);

const gate = createGate({
  find: (key) => control.call('findSession', key),
  findToken: (key) => control.call('findToken', key),
  verifyBearer: (provider, token) => control.call('verifyBearer', provider, token),
  tokenPrefix: serviceTokenPrefix(boot.instance),
  verifyPassword: (service, password, peer) => control.call('verifyPassword', service, password, peer),
  clock: systemClock,
  settings: () => current().gate,
  // The coarse clock is never behind: too early at worst, and asked by every request.
  isConfirmed: () => ticker.now - lastBeat < HEARTBEAT_MISSED_MS,
  reportUse: (seen) => control.send('touchSessions', seen),
  reportTokenUse: (seen) => control.send('touchTokens', seen),
});
const passedTokens = new PassedTokens({ find: (wish) => control.call('findTokens', wish), clock: systemClock });
const longLived = createLongLived({ gate, site: currentSite, isMisdirected: handshakes.isMisdirected });
const upstreams = createUpstreams({
  clock: systemClock,
  log: { info: (message, facts) => log.info(facts, message), warn: (message, facts) => log.warn(facts, message) },
  instanceId: boot.instance,
});
const serve = createServe({
  site: currentSite,
  challenges,
  circles: createCircleLog(
    (line) => log.warn(line, 'Visitors who must sign in may be sent to HTTPS in circles'),
    () => performance.now(),
  ),
  gate,
  control: {
    handleInternal: (request) => paced(() => control.call('handleInternal', request)),
    beginSignIn: (request) => paced(() => control.call('beginSignIn', request)),
  },
  clientFacts: (exchange) => current().findClient(exchange.connection, exchange.request.headers),
  nextRequestId: (exchange, trusted) =>
    (trusted ? acceptRequestId(exchange.request.headers.get('x-request-id')) : null) ?? nextId(),
  isMisdirected: handshakes.isMisdirected,
  upstreams,
  longLived,
  passedTokens,
  identityHeaders: createIdentityHeaders({ sign: createAssertions({ key: () => assertionKey, issuer, now }), now }),
  isOwnCookieName,
  removeCookies: (value) => withoutCookies(value, isOwnCookieName),
  finish: createFinish(
    { accessLog, metrics, log, longLived },
    () => boot.logLevel === 'info' || boot.logLevel === 'debug',
  ),
});
const serveConnection = createCodecs({ site: currentSite, serve, ticker, onRefused, onDefect });
const transport = new Transport({
  settings: () => current().transport,
  certificates,
  challengeFor: (serverName) => challenges.contextFor(serverName),
  demand: (name) => (isOnDemand(name) ? control.call('demandCertificate', name) : null),
  ticketKeys: Buffer.from(boot.ticketKeys),
  pace: strangers,
  serve: serveConnection,
  counts: new SharedCounts(boot.counts, boot.part),
  onCount: (counter, label) => metrics.count(counter, label),
  onRefused: (refusal) => refusals.add(refusal, performance.now()),
});

const refusals = new RefusalLog((line) =>
  log.warn(line, line.count === undefined ? 'Connection refused' : 'More connections refused'),
);
const listeners = new Listeners(transport, boot.inheritedSockets);

// Some exchange is lost, nobody knows which: what runs is answered, and another worker takes over.
process.on('uncaughtException', (error) => {
  metrics.count('errors', 'INTERNAL');
  log.error({ code: 'INTERNAL', err: error }, 'Edge worker met a defect: another takes its place');
  control.send('metDefect');
});

/** Own pages, sign-in above all: many may ask in one turn, and their answers come in one. Apps do not wait for them. */
async function paced<T>(ask: () => Promise<T>): Promise<T> {
  await strangers.turn();
  const answer = await ask();
  await strangers.turn();
  return answer;
}

/** Whether a certificate may be made or ordered for a name that nothing is there for. */
function isOnDemand(name: string): boolean {
  if (certificates.isOnVisit(name)) return true;
  const tls = currentSite().table.findHost(name)?.config.tls;
  return tls?.kind === 'acme' && tls.onDemand;
}

/** Those that were let in by what is not asked any more end, and their clients come back by a new handshake. */
function leaveOutdated(): boolean {
  return transport.drainWhere(handshakes.isOutdated);
}

function replaceCertificates(set: CertificateSet): void {
  certificates.replace(set);
  if (leaveOutdated()) void gate.redecide();
}

function current(): Current {
  if (held === null) throw new Error('Cannot serve: no document was applied yet');
  return held;
}

function currentSite(): Site {
  return current().site;
}

function issuer(): string | null {
  return current().site.document.signIn.url;
}

function now(): number {
  return systemClock.now();
}

/** Parts of a snapshot that is on its way; those of one that never came whole are let go by the next. */
let staged = { revision: '', joiner: new SnapshotJoiner() };

function stage(revision: string, part: SnapshotPart): void {
  if (staged.revision !== revision) staged = { revision, joiner: new SnapshotJoiner() };
  staged.joiner.add(part);
}

async function apply(rest: WorkerSnapshot, stays: boolean): Promise<void> {
  const snapshot = staged.revision === rest.revision ? staged.joiner.finish(rest) : rest;
  staged = { revision: '', joiner: new SnapshotJoiner() };
  const { document } = snapshot;
  const table = await compileTableLazily(document, SLICE_MS);
  const hosts = table.fallback === null ? table.hosts : [...table.hosts, table.fallback];
  const { release, identityHeaders } = await retainSliced(hosts);
  const before = held;
  const next: Current = {
    site: createSite(snapshot.revision, document, { table, identityHeaders }),
    findClient: createFindClient(document.trustedProxies),
    gate: settingsForGate(document),
    transport: transportSettings(document, snapshot.workers),
    release,
  };
  certificates.replace(snapshot.certificates);
  held = next;
  leaveOutdated();
  // A route may have stopped asking.
  passedTokens.clear();
  await gate.redecide();
  await before?.release();
  if (before === null) setInterval(tick, TICK_MS).unref();
  if (stays) await listeners.open(document.listen);
  await listeners.keep(document.listen);
}

/** Keeps the apps of all hosts, some at a time; answers how to let them go, some at a time, and what apps are told. */
async function retainSliced(hosts: readonly CompiledHost[]): Promise<{
  readonly release: () => Promise<void>;
  readonly identityHeaders: ReadonlySet<IdentityHeaders>;
}> {
  const releases: (() => void)[] = [];
  const identityHeaders = new Set<IdentityHeaders>();
  for (let from = 0; from < hosts.length; from += HOSTS_AT_ONCE) {
    const some = hosts.slice(from, from + HOSTS_AT_ONCE);
    const actions = some.flatMap(({ config }) => [...actionsOf(config)]);
    releases.push(upstreams.retain(actions.filter((action) => action.kind === 'proxy')));
    for (const { config } of some) for (const route of config.routes) identityHeaders.add(route.identityHeaders);
    await setImmediate();
  }
  const release = async (): Promise<void> => {
    for (const letGo of releases) {
      letGo();
      await setImmediate();
    }
  };
  return { release, identityHeaders };
}

function tick(): void {
  const at = performance.now();
  longLived.tick(at);
  refusals.tick(at);
  gate.tick();
  passedTokens.tick();
}

function settingsForGate(document: Document): GateSettings {
  const { session, services } = document;
  const domain = session.cookieDomain;
  const versions = new Map(services.map((service) => [service.name, service.passwordHashes.join(' ')]));
  const signInHost = signInHostOf(document);
  return {
    staleForMs: session.staleForMs,
    idleMs: session.idleMs,
    noteMs: noteEveryMs(session.idleMs, shortestRecheck(document)),
    cookieName: sessionCookieName(boot.instance, { secure: true, domain: null }),
    plainCookieName: sessionCookieName(boot.instance, { secure: false, domain: null }),
    shared: domain === null || signInHost === null ? null : sharedCookie(signInHost, domain),
    bearers: createBearerIssuers(bearerIssuersOf(document.providers)),
    serviceVersion: (service) => versions.get(service) ?? null,
  };
}

function sharedCookie(signInHost: string, domain: string): NonNullable<GateSettings['shared']> {
  return { signInHost, domain, cookieName: sessionCookieName(boot.instance, { secure: true, domain }) };
}

/** Infinity where nobody is asked again. */
function shortestRecheck({ providers }: Document): number {
  return Math.min(...providers.map((one) => ('recheckMs' in one ? one.recheckMs : Infinity)), Infinity);
}

function transportSettings({ limits, listen, tls }: Document, workers: number): TransportSettings {
  const { connections, connectionsPerAddress, connectionsPerLoopback } = limits;
  return {
    connections,
    connectionsPerAddress,
    connectionsPerLoopback,
    handshakes: Math.max(MIN_HANDSHAKES, Math.floor(connections / HANDSHAKE_SHARE / workers)),
    proxyPeers: createIpSet(listen.proxyProtocol),
    handshakeMs: limits.tlsHandshakeMs,
    minVersion: tls.minVersion,
    http2: true,
  };
}

/** A request that broke HTTP never became one: it has a line of its own. */
function onRefused(refusal: Http1Refusal, facts: ConnectionFacts): string {
  const requestId = nextId();
  metrics.count('errors', 'BAD_REQUEST');
  metrics.request(null, refusal.status, 0);
  log.info(
    { code: 'BAD_REQUEST', requestId, rule: refusal.rule, status: refusal.status, ip: facts.peerAddress },
    'Request refused',
  );
  return requestId;
}

function onDefect(error: unknown): void {
  metrics.count('errors', 'INTERNAL');
  log.error({ code: 'INTERNAL', err: error }, 'Request failed');
}

function takeMetrics(): MetricsSnapshot {
  const { open } = transport.stats;
  metrics.set('openConnections', open);
  metrics.set('openRequests', longLived.size);
  metrics.set('openTunnels', longLived.tunnels);
  let upstreamConnections = 0;
  for (const stats of upstreams.stats()) upstreamConnections += stats.connections;
  metrics.set('upstreamConnections', upstreamConnections);
  metrics.set('cachedSessions', gate.cachedSessions);
  for (const [result, count] of Object.entries(gate.takeLookups())) metrics.count('sessionLookups', result, count);
  const dropped = accessLog.dropped();
  metrics.add('logLinesDropped', dropped - linesDropped);
  linesDropped = dropped;
  return metrics.snapshot();
}

async function sessionsChanged(changes: Parameters<WorkerMethods['sessionsChanged']>[0]): Promise<void> {
  for (const change of changes) {
    if (change.kind !== 'person') passedTokens.drop(change.keys);
    gate.applyChange(change);
  }
}

async function drain(deadlineMs: number): Promise<void> {
  const ending = longLived.endAll(Math.min(ENDLESS_GRACE_MS, deadlineMs));
  await transport.drain(deadlineMs);
  clearInterval(ending);
  await upstreams.close();
  refusals.flush();
  await Promise.all([accessLog.close(), log.close()]);
}

keepCompiled();
