/**
 * The app side of the engine, as the edge uses it: one object a worker, which outlives configurations.
 * `forward` does everything between a permitted exchange and its answer; `retain` keeps the pools and
 * health of a configuration alive until it is replaced.
 */
import { randomBytes } from 'node:crypto';
import { Backends } from './backends.ts';
import { ForwardJob } from './forward-job.ts';
import type { ForwardDeps } from './forward-job.ts';
import type { ForwardPlan, ForwardReport } from './plan.ts';
import { Resolver } from './resolve.ts';
import type { Lookup } from './resolve.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import type { Clock } from '../core/clock.ts';
import type { Exchange } from '../wire/exchange.ts';
import { createTicker } from '../wire/ticker.ts';
import type { Ticker } from '../wire/ticker.ts';

export interface UpstreamsLog {
  readonly warn: (message: string, facts: Readonly<Record<string, unknown>>) => void;
  readonly info: (message: string, facts: Readonly<Record<string, unknown>>) => void;
}

export interface UpstreamsDeps {
  readonly clock: Clock;
  readonly log: UpstreamsLog;
  /** How names become addresses; by default the system's resolver. */
  readonly lookup?: Lookup;
  /** The worker's; an own one by default. */
  readonly ticker?: Ticker;
  /** The same in all workers of one gateway, so that a loop over workers is seen. */
  readonly instanceId?: string;
}

export interface UpstreamStats {
  readonly server: string;
  readonly connections: number;
  readonly idle: number;
  readonly inFlight: number;
}

export interface Upstreams {
  /**
   * Answers the exchange from an app. Set `exchange.onClose` before: it is chained, not replaced.
   * Calls `report.onFailure` where the caller has to answer.
   */
  forward(exchange: Exchange, plan: ForwardPlan, report: ForwardReport): void;
  /** Keeps pools, health and active checks of a configuration's actions; call what it answers to let go. */
  retain(actions: Iterable<ProxyAction>): () => void;
  /** How this gateway names itself in Via (RFC 9110 section 7.6.3). */
  readonly viaName: string;
  stats(): IterableIterator<UpstreamStats>;
  close(): Promise<void>;
}

export function createUpstreams(deps: UpstreamsDeps): Upstreams {
  const { clock, log } = deps;
  const ticker = deps.ticker ?? createTicker();
  const backends = new Backends({
    ticker,
    resolver: new Resolver(clock, deps.lookup),
    onHealth: (server, isDown, error) => {
      if (isDown) log.warn('Server is down', { server, error });
      else log.info('Server is up', { server });
    },
  });
  const viaName = `postern-${deps.instanceId ?? randomBytes(6).toString('hex')}`;
  const jobDeps: ForwardDeps = { clock, backends, ticker, viaName };
  ticker.add(backends);
  return {
    viaName,
    forward: (exchange, plan, report) => new ForwardJob(jobDeps, exchange, plan, report).start(),
    retain: (actions) => backends.retain(actions),
    stats: () => backends.stats(),
    close: () => {
      ticker.remove(backends);
      backends.destroy();
      return Promise.resolve();
    },
  };
}
