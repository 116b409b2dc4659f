/**
 * `postern forward-auth` in one thread: from settings to listeners. Opens in the order in which things depend
 * on each other, and ends the other way round. A provider that does not answer is no reason not to start:
 * it is asked again, and `/ready` says so meanwhile.
 */
import { systemClock } from '../core/clock.ts';
import { setServingFlags } from '../core/v8-flags.ts';
import { openKeeper } from '../forward-auth/keepers/open-keeper.ts';
import { ServingMetrics } from '../forward-auth/serving/metrics.ts';
import { acceptRequestId, createRequestIds } from '../observe/request-id.ts';
import { createUpstreams } from '../upstream/forward.ts';
import { Endless } from '../wire/endless.ts';
import { IntervalTicker } from '../wire/ticker.ts';
import { makeDataFolder } from '../store/data-folder.ts';
import { openControlSocket } from './control-socket.ts';
import { rememberSessionPlace } from './session-place.ts';
import { openFrontLog } from './front/front-log.ts';
import { openListeners } from './front/front-listeners.ts';
import { openFrontServing } from './front/front-serving.ts';
import { createSessionOperations } from './front/session-operations.ts';
import type { OwnedLogger } from '../core/log.ts';
import type { ForwardAuthEvents } from '../forward-auth/serving/forward-auth.ts';
import type { Settings } from '../forward-auth/settings.ts';
import type { FrontLog } from './front/front-log.ts';
import type { OpenFront } from './front/front-listeners.ts';

export interface ForwardAuthOptions {
  readonly settings: Settings;
  /** Null: sessions of the embedded store live in memory. */
  readonly dataDir: string | null;
  readonly version: string;
  readonly isTerminal: boolean;
  /** Called where it cannot go on. */
  readonly onFatal: (error: unknown) => void;
}

export interface ForwardAuth {
  readonly log: OwnedLogger;
  /** Ports that are listened on, for whoever asked for port 0; null without that listener. */
  readonly ports: OpenFront['ports'];
  /** Serves by these settings from the next request on; listeners and sessions stay. Rejects where it cannot. */
  readonly reload: (settings: Settings) => Promise<void>;
  /** Answers what runs, then ends. */
  readonly close: () => Promise<void>;
}

type Closers = (() => unknown)[];

/** `docker stop` kills after ten seconds. */
const DRAIN_MS = 8_000;
/** What has no end of its own may go on for so long, to bring home what is under way. */
const ENDLESS_GRACE_MS = 1_000;
const TICK_MS = 250;

/** Rejects with one PosternError where something is in the way; then nothing is left open. */
export async function startForwardAuth(options: ForwardAuthOptions): Promise<ForwardAuth> {
  setServingFlags();
  const closers: Closers = [];
  try {
    return await start(options, closers);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

// oxlint-disable-next-line max-lines-per-function -- one list, in the order in which things depend on each other
async function start({ settings, dataDir }: ForwardAuthOptions, closers: Closers): Promise<ForwardAuth> {
  const frontLog = openFrontLog(settings.logging, settings.paths);
  closers.push(() => frontLog.close());
  const { log } = frontLog;
  const metrics = new ServingMetrics();
  const keeper = await openKeeper(settings, { clock: systemClock, log, dataDir });
  closers.push(() => keeper.close());
  const onDefect = (error: unknown): void => log.error({ code: 'INTERNAL', err: error }, 'Request failed');
  const ticker = new IntervalTicker({ onDefect });
  closers.push(() => ticker.close());
  const upstreams = createUpstreams({
    clock: systemClock,
    ticker,
    log: { info: (message, facts) => log.info(facts, message), warn: (message, facts) => log.warn(facts, message) },
  });
  closers.push(() => upstreams.close());
  const nextId = createRequestIds();
  let isEnding = false;
  const endless = new Endless<object>();
  const front = openFrontServing(settings, {
    keeper,
    frontLog,
    metrics,
    upstreams,
    endless,
    clock: systemClock,
    nextRequestId: (said) => acceptRequestId(said) ?? nextId(),
    isEnding: () => isEnding,
    events: createEvents(frontLog, metrics),
  });
  closers.push(() => front.close());
  const live = setInterval(() => front.tick(performance.now()), TICK_MS);
  closers.push(() => clearInterval(live));
  if (dataDir !== null) {
    // With sessions in Redis nobody has made it yet.
    makeDataFolder(dataDir);
    rememberSessionPlace(dataDir, settings.store.kind);
    const socket = await openControlSocket(dataDir, createSessionOperations(keeper.desk));
    closers.push(() => socket.close());
  }
  const families = (): ReturnType<typeof metrics.families> => metrics.families();
  const open = await openListeners({ settings, serve: front.serve, families, ticker, log, onDefect });
  closers.push(async () => {
    const ending = endless.end(ENDLESS_GRACE_MS);
    await open.drain(DRAIN_MS);
    clearInterval(ending);
  });
  return {
    log,
    ports: open.ports,
    reload: async (next) => front.replace(next),
    async close() {
      isEnding = true;
      await closeAll(closers);
    },
  };
}

function createEvents(frontLog: FrontLog, metrics: ServingMetrics): ForwardAuthEvents {
  const { log } = frontLog;
  return {
    onBegin: () => metrics.begin(),
    onEnd(request, outcome) {
      const { exchange, decision } = request;
      const durationMs = performance.now() - exchange.startedAt;
      metrics.end(exchange.request.method, outcome.status, durationMs);
      if (decision !== null) metrics.decision(decision);
      frontLog.request(request, outcome, durationMs);
      const failure = request.report?.error ?? null;
      if (failure !== null) log.warn({ code: failure.code, requestId: request.id, err: failure }, 'Request failed');
    },
    onDefect: (request, error) => log.error({ code: 'INTERNAL', requestId: request.id, err: error }, 'Request failed'),
    onRefresh(outcome, message, request) {
      metrics.refresh(outcome);
      const facts = { requestId: request.id, outcome };
      if (outcome === 'refreshed') log.debug(facts, message);
      else if (outcome === 'refused') log.info(facts, `Session ended: ${message}`);
      else log.warn({ ...facts, code: 'PROVIDER_UNAVAILABLE' }, `Session could not be renewed and goes on: ${message}`);
    },
    onUnknownMethod: once(() =>
      log.warn(
        {},
        'A rule of skip-auth-route names a method, and the front proxy does not say it: it does not hold; let the proxy set X-Forwarded-Method',
      ),
    ),
    onBearerRefused: (request, message) =>
      log.info({ code: 'CREDENTIAL_REFUSED', requestId: request.id }, `Bearer token refused: ${message}`),
  };
}

function once(tell: () => void): () => void {
  let isTold = false;
  return () => {
    if (!isTold) tell();
    isTold = true;
  };
}

/** The other way round, once. */
async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close();
}
