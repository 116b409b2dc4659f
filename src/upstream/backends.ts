/**
 * All targets that requests went to, each with its connections, over every configuration that is alive.
 * What a live configuration names is kept from the first request on, or the first check; what only a template led to is kept while it is recent, up
 * to a bound. The rest drains: requests under way end, nothing new is kept.
 */
import { ActiveCheck } from './active-health.ts';
import type { Member } from './balance.ts';
import { Http2Pool } from './http2-pool.ts';
import { Pool } from './pool.ts';
import type { PoolWaiter } from './wait-queue.ts';
import type { Resolver } from './resolve.ts';
import { createTarget, targetKey } from './target.ts';
import type { Target } from './target.ts';
import type { Ticker } from '../wire/ticker.ts';
import type { HealthCheck, ProxyAction, UpstreamServer } from '../config/document/actions.ts';

/** What connections are asked of: a pool of HTTP/1.1 connections, or of HTTP/2 sessions. */
export interface Carrier {
  acquire(waiter: PoolWaiter): void;
  cancel(waiter: PoolWaiter): void;
}

export interface Backend {
  readonly target: Target;
  readonly http1: Pool;
  readonly http2: Http2Pool;
  isDraining: boolean;
  readonly checks: Map<string, { readonly check: ActiveCheck; references: number }>;
}

export interface BackendMember extends Member {
  readonly backend: Backend;
}

export interface Group {
  readonly action: ProxyAction;
  readonly members: readonly BackendMember[];
}

export interface BackendsDeps {
  readonly resolver: Resolver;
  readonly ticker: Ticker;
  readonly onHealth: (server: string, isDown: boolean, error: string | null) => void;
}

const MAX_ON_DEMAND = 1_000;

export class Backends {
  readonly #deps: BackendsDeps;
  readonly #live = new Map<string, Backend>();
  /** By key, how often live configurations name it. Thousands of apps that nobody visits cost a number each. */
  readonly #held = new Map<string, number>();
  readonly #draining = new Set<Backend>();
  /** Keys without references, the least recently used first. */
  readonly #onDemand = new Set<string>();
  #groups = new WeakMap<ProxyAction, Group>();
  #turn = 0;

  constructor(deps: BackendsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#live.size;
  }

  /** The servers of an action; the same object each time, for it holds the turns of the balance. */
  groupOf(action: ProxyAction): Group {
    const known = this.#groups.get(action);
    if (known !== undefined && !known.members.some(isStale)) return known;
    // Where servers are templates each request has a group of its own: the first turn goes round.
    this.#turn++;
    const members = action.servers.map((server, at) => {
      const credit = ((at + this.#turn) % action.servers.length) / 1_000_000;
      return this.#memberOf(action, server, credit);
    });
    const group = { action, members };
    this.#groups.set(action, group);
    return group;
  }

  /** Keeps what the actions name, with active checks, until the answer is called. */
  retain(actions: Iterable<ProxyAction>): () => void {
    const held: { readonly key: string; readonly checkKey: string | null }[] = [];
    for (const action of actions) {
      for (const server of action.servers) {
        if (server.isTemplate) continue;
        const key = targetKey(server, action.tls);
        this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
        this.#onDemand.delete(key);
        const checkKey =
          action.health === null ? null : this.#holdCheck(this.#backendOf(server, action.tls), action.health);
        held.push({ key, checkKey });
      }
      // Built again with the checks.
      this.#groups.delete(action);
    }
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      for (const { key, checkKey } of held) this.#release(key, checkKey);
    };
  }

  tick(now: number): void {
    for (const backend of this.#live.values()) tickBackend(backend, now);
    for (const backend of this.#draining) {
      tickBackend(backend, now);
      if (backend.http1.isUnused && backend.http2.isUnused) this.#forget(backend);
    }
  }

  destroy(): void {
    for (const backend of [...this.#live.values(), ...this.#draining]) {
      for (const { check } of backend.checks.values()) check.close();
      backend.http1.destroy();
      backend.http2.destroy();
    }
    this.#live.clear();
    this.#held.clear();
    this.#draining.clear();
    this.#groups = new WeakMap();
  }

  /** How many servers are known and how many of their connections are open, for metrics. */
  *stats(): IterableIterator<{ server: string; connections: number; idle: number; inFlight: number }> {
    for (const { target, http1, http2 } of this.#live.values()) {
      const connections = http1.size + http2.size;
      yield { server: target.label, connections, idle: http1.idleCount, inFlight: target.inFlight };
    }
  }

  #memberOf(action: ProxyAction, server: UpstreamServer, credit: number): BackendMember {
    const backend = this.#backendOf(server, action.tls);
    const { health } = action;
    const check = health === null ? null : (backend.checks.get(JSON.stringify(health))?.check ?? null);
    return { backend, target: backend.target, weight: Math.max(1, server.weight), check, credit };
  }

  #backendOf(server: UpstreamServer, tls: ProxyAction['tls']): Backend {
    const key = targetKey(server, tls);
    let backend = this.#live.get(key);
    if (backend === undefined) {
      backend = this.#create(createTarget(server, tls));
      this.#live.set(key, backend);
    }
    if (!this.#held.has(key)) this.#touch(key);
    return backend;
  }

  #create(target: Target): Backend {
    const { resolver, ticker } = this.#deps;
    const http1 = new Pool(target, resolver, ticker);
    const http2 = new Http2Pool(target, resolver, ticker);
    return { target, http1, http2, isDraining: false, checks: new Map() };
  }

  #touch(key: string): void {
    this.#onDemand.delete(key);
    this.#onDemand.add(key);
    if (this.#onDemand.size <= MAX_ON_DEMAND) return;
    for (const oldest of this.#onDemand) {
      const backend = this.#live.get(oldest);
      if (backend !== undefined) this.#drain(backend);
      return;
    }
  }

  #holdCheck(backend: Backend, settings: HealthCheck): string {
    const key = JSON.stringify(settings);
    const held = backend.checks.get(key);
    if (held !== undefined) {
      held.references++;
      return key;
    }
    const { target } = backend;
    const onChange = (isDown: boolean, error: string | null): void => this.#deps.onHealth(target.label, isDown, error);
    const carrier = target.scheme === 'h2c' ? backend.http2 : backend.http1;
    const check = new ActiveCheck({ settings, authority: target.authority, carrier, onChange });
    backend.checks.set(key, { check, references: 1 });
    return key;
  }

  #release(key: string, checkKey: string | null): void {
    const backend = this.#live.get(key);
    const check = checkKey === null ? undefined : backend?.checks.get(checkKey);
    if (check !== undefined && --check.references === 0) {
      check.check.close();
      backend?.checks.delete(checkKey as string);
    }
    const left = (this.#held.get(key) ?? 1) - 1;
    if (left > 0) {
      this.#held.set(key, left);
      return;
    }
    this.#held.delete(key);
    if (backend !== undefined) this.#drain(backend);
  }

  #drain(backend: Backend): void {
    const { key } = backend.target;
    this.#onDemand.delete(key);
    if (this.#live.get(key) === backend) this.#live.delete(key);
    backend.isDraining = true;
    this.#draining.add(backend);
    backend.http1.drain();
    backend.http2.drain();
  }

  #forget(backend: Backend): void {
    this.#draining.delete(backend);
    backend.http1.destroy();
    backend.http2.destroy();
  }
}

function isStale(member: BackendMember): boolean {
  return member.backend.isDraining;
}

function tickBackend(backend: Backend, now: number): void {
  backend.http1.tick(now);
  backend.http2.tick(now);
}
