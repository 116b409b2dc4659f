/**
 * Requests that are under way. A short one costs an entry in a set; one that is still there after a
 * moment is handed to the gate, which decides it again whenever something changes. What changed in the
 * moment before is caught up by the gate at that point.
 */
import { PosternError } from '../core/errors.ts';
import type { Gate } from '../gate/gate.ts';
import type { LiveHandle } from '../gate/live.ts';
import { Roster } from '../core/roster.ts';
import { Endless } from '../wire/endless.ts';
import type { Exchange } from '../wire/exchange.ts';
import { GOING_AWAY, POLICY_VIOLATION } from '../wire/websocket-frames.ts';
import { placeOf } from './place.ts';
import type { RequestContext } from './request-context.ts';
import type { Site } from './site.ts';

/** With a tick of 250 ms every change reaches an open exchange within a second. */
const SHORT_MS = 200;
const ENDING = new PosternError('CLIENT_CLOSED', 'The gateway ends');

/** A connection that was handed over after an upgrade. */
export interface OpenTunnel {
  /** By a close frame with this code, where it is a WebSocket. */
  readonly end: (code: number) => void;
  /** What the client has sent so far. */
  readonly bytesToApp: number;
}

interface UnderWay {
  live: LiveHandle | null;
  /** How to close it in its own way: a tunnel; null: break the exchange. */
  tunnel: OpenTunnel | null;
}

export interface LongLived {
  readonly size: number;
  readonly tunnels: number;
  readonly begin: (context: RequestContext) => void;
  readonly setTunnel: (context: RequestContext, tunnel: OpenTunnel) => void;
  readonly end: (context: RequestContext) => void;
  readonly tick: (now: number) => void;
  /** What it answers is an event stream. */
  readonly setStream: (context: RequestContext) => void;
  /** Postern ends: so do tunnels and event streams. Clear what it answers. */
  readonly endAll: (graceMs: number) => NodeJS.Timeout;
}

export interface LongLivedDeps {
  readonly gate: Gate;
  readonly site: () => Site;
  /** True where another handshake would be asked of whoever sends this now. */
  readonly isMisdirected: (exchange: Exchange) => boolean;
}

export function createLongLived({ gate, site, isMisdirected }: LongLivedDeps): LongLived {
  /** Those that the gate does not watch yet. */
  const young = new Roster<RequestContext>();
  const all = new Map<RequestContext, UnderWay>();
  const endless = new Endless<RequestContext>();

  const watch = (context: RequestContext): void => {
    const entry: UnderWay = all.get(context) ?? { live: null, tunnel: null };
    all.set(context, entry);
    const { judged } = context;
    if (judged === null) return;
    entry.live = gate.track({
      judged,
      exchange: context.exchange,
      findPolicy: () => (isMisdirected(context.exchange) ? NOBODY : findPolicy(context, site())),
      bytesHeard: () => entry.tunnel?.bytesToApp ?? 0,
      close(reason) {
        context.outcome = reason;
        if (entry.tunnel !== null) entry.tunnel.end(POLICY_VIOLATION);
        else context.exchange.abort(new PosternError('ACCESS_DENIED', `Closed: ${reason}`));
      },
    });
  };
  return {
    get size() {
      return young.size + all.size;
    },
    get tunnels() {
      let count = 0;
      for (const entry of all.values()) if (entry.tunnel !== null) count++;
      return count;
    },
    begin: (context) => young.add(context),
    setStream(context) {
      if (context.isOver) return;
      endless.addStream(context, () => context.exchange.abort(ENDING));
    },
    setTunnel(context, tunnel) {
      // Its client closed in the very moment in which the app agreed: nobody would end it here any more.
      if (context.isOver) return;
      endless.addTunnel(context, () => tunnel.end(GOING_AWAY));
      const entry = all.get(context);
      if (entry === undefined) all.set(context, { live: null, tunnel });
      else entry.tunnel = tunnel;
    },
    end(context) {
      endless.delete(context);
      if (young.remove(context) && !all.has(context)) return;
      all.get(context)?.live?.end();
      all.delete(context);
    },
    endAll: (graceMs) => endless.end(graceMs),
    tick(now) {
      const current = site();
      let isOutdated = false;
      for (const context of young.take(({ exchange }) => now - exchange.startedAt >= SHORT_MS)) {
        watch(context);
        if (context.site !== current || isMisdirected(context.exchange)) isOutdated = true;
      }
      if (isOutdated) void gate.redecide();
    },
  };
}

/** Of a connection that was let in by client certificates that count no more, or by none where one is asked for now. */
const NOBODY: NonNullable<ReturnType<Parameters<Gate['track']>[0]['findPolicy']>> = {
  maxAgeMs: null,
  decide: () => ({
    kind: 'deny',
    rule: 'client-certificate',
    reason: 'the handshake asked for other client certificates',
  }),
};

/** The policy that the running document has for a request that is under way; null where it has none. */
function findPolicy(context: RequestContext, site: Site): ReturnType<Parameters<Gate['track']>[0]['findPolicy']> {
  const { request } = context.exchange;
  const host = site.table.findHost(request.host);
  if (host === null) return null;
  const route = site.table.findRoute(host, request.path, request.method, request.headers);
  if (route === null || (!route.isPersonal && context.place === null)) return route?.policy ?? null;
  return {
    maxAgeMs: route.policy.maxAgeMs,
    decide(facts) {
      const decision = route.policy.decide(facts);
      if (decision.kind !== 'allow' || placeOf(route, facts, context) === context.place) return decision;
      return { kind: 'deny', rule: decision.rule, reason: 'another app is meant for this visitor now' };
    },
  };
}
