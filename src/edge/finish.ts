/** The end of a request: its line in the log, its share of the metrics, no trace left of it here. */
import { performance } from 'node:perf_hooks';
import { nameOfPerson, whoOf } from '../observe/access-log.ts';
import { reasonOf } from './decision-reason.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { AccessLog } from '../observe/access-log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { ExchangeOutcome } from '../wire/exchange.ts';
import type { LongLived } from './long-lived.ts';
import type { RequestContext } from './request-context.ts';

export interface FinishDeps {
  readonly accessLog: AccessLog;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly longLived: LongLived;
}

export type Finish = (context: RequestContext, outcome: ExchangeOutcome) => void;

/** What the log shows for `log.level: warn` and above: failures only. */
const FAILURE = 500;

export function createFinish(deps: FinishDeps, logsAccess: () => boolean): Finish {
  const { accessLog, metrics, log, longLived } = deps;
  const note = (context: RequestContext, outcome: ExchangeOutcome, lateMs: number): void => {
    const { exchange, judged, report, route, refused } = context;
    const durationMs = performance.now() - exchange.startedAt - lateMs;
    const decision = refused?.decision ?? context.outcome ?? judged?.decision.kind ?? null;
    const entry = refused?.judged ?? null;
    const shadow = context.shadow ?? entry?.shadow ?? null;
    const errorCode = context.errorCode ?? report?.errorCode ?? null;
    metrics.request(route === null ? null : route.label, outcome.status, durationMs);
    if (decision !== null) metrics.count('decisions', decision);
    if (shadow !== null) metrics.count('shadowDecisions', shadow.kind);
    // A stream of HTTP/2 does not know what passed through its tunnel; the tunnel does.
    const bytesIn = outcome.bytesIn || (report?.tunnel?.bytesToApp ?? 0);
    const bytesOut = outcome.bytesOut || (report?.tunnel?.bytesToClient ?? 0);
    if (bytesIn > 0) metrics.add('receivedBytes', bytesIn);
    metrics.add('sentBytes', bytesOut);
    if (errorCode !== null) countError(context, metrics, log);
    if (!logsAccess() && outcome.status < FAILURE) return;
    const { request } = exchange;
    accessLog.record({
      time: Date.now() - durationMs - lateMs,
      requestId: context.id,
      ip: context.ip,
      method: request.method,
      host: request.host,
      path: request.path,
      query: request.query,
      version: request.version,
      status: outcome.status,
      bytesIn,
      bytesOut,
      durationMs,
      who: whoCame(context),
      route: route?.label ?? entry?.route ?? null,
      rule: entry?.rule ?? (judged !== null && 'rule' in judged.decision ? judged.decision.rule : null),
      decision,
      reason: reasonOf(context),
      shadow,
      wanted: refused?.wanted ?? null,
      upstream: report?.server ?? null,
      connectMs: report?.connectMs ?? null,
      firstByteMs: report?.firstByteMs ?? null,
      retries: report?.retries ?? 0,
      errorCode,
      tls: exchange.connection.tlsVersion,
      complete: outcome.complete,
    });
  };
  return (context, outcome) => {
    longLived.end(context);
    if (context.trial === null) {
      note(context, outcome, 0);
      return;
    }
    const endedAt = performance.now();
    void context.trial.then(() => note(context, outcome, performance.now() - endedAt));
  };
}

/** Whom a provider names while they are refused has no session. */
function whoCame({ judged, refused }: RequestContext): string {
  if (refused !== null && refused.person !== null) return nameOfPerson(refused.person);
  return judged === null ? '-' : whoOf(judged.identity);
}

/** Whoever likes can have as many of these as he likes: nothing that an operator is to be woken for. */
const OF_CLIENTS: ReadonlySet<ErrorCode> = new Set([
  'BAD_REQUEST',
  'CLIENT_CLOSED',
  'PAYLOAD_TOO_LARGE',
  'REQUEST_TIMEOUT',
]);

/** The page that the visitor saw has the same id; the cause is for the operator alone. */
function countError(context: RequestContext, metrics: Metrics, log: Logger): void {
  const { report, route } = context;
  const code = context.errorCode ?? report?.errorCode ?? 'INTERNAL';
  metrics.count('errors', code);
  if (code.startsWith('UPSTREAM_')) metrics.count('upstreamErrors', code);
  if (report !== null && report.retries > 0) metrics.count('upstreamRetries', route?.label ?? 'none');
  const error = context.error ?? report?.error ?? null;
  if (error === null) return;
  const facts = { code, requestId: context.id, route: route?.label, upstream: report?.server, err: error };
  if (code === 'INTERNAL') log.error(facts, 'Request failed');
  else if (OF_CLIENTS.has(code)) log.info(facts, 'Request failed');
  else log.warn(facts, 'Request failed');
}
