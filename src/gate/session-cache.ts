/**
 * The sessions that a worker knows. Changes are pushed by the control thread, so while its heartbeat
 * is heard an entry holds; each is asked for again now and then all the same. When nobody confirms it,
 * an entry serves for `staleForMs` at most. Look-ups of one key are one; a change that arrives while
 * one is under way makes it start again.
 */
import type { Clock } from '../core/clock.ts';
import type { Decision } from '../policy/facts.ts';
import type { Identity } from '../core/person.ts';
import type { FindSession, SessionAnswer, SessionChange, SessionView } from './ports.ts';

/** An entry in use is asked for again so often. */
const RECONFIRM_MS = 20_000;
/** After `unavailable` the next look-up of that key waits so long. */
const RETRY_MS = 500;
const LOOK_UP_TIMEOUT_MS = 1_500;
const MAX_ENTRIES = 100_000;
const MAX_FLIGHTS = 2_000;
const MAX_DECISIONS = 64;

export interface SessionCacheDeps {
  readonly find: FindSession;
  readonly clock: Clock;
  /** False: the control thread has not been heard for a second. */
  readonly isConfirmed: () => boolean;
  readonly limits: () => { readonly staleForMs: number; readonly idleMs: number };
  readonly maxEntries?: number;
  /** The store says that the session is no more. */
  readonly onAbsent: (key: string) => void;
}

export interface CachedSession {
  view: SessionView;
  identity: Identity;
  /** When the store last vouched for it. */
  confirmedAt: number;
  usedAt: number;
  /** The store did not answer when it was asked last. */
  isDoubtful: boolean;
  retryAt: number;
  /** Decisions of policies that depend on the identity alone, by policy id. */
  readonly decisions: Map<string, Decision>;
  epoch: number;
}

export type CacheAnswer = CachedSession | 'absent' | 'unavailable';

export interface SessionCache {
  /** The answer, at once where it is known. */
  find(key: string): CacheAnswer | Promise<CacheAnswer>;
  /** What is held, confirmed or not. */
  peek(key: string): CachedSession | null;
  apply(change: SessionChange): void;
  /** The rules have changed: every precomputed decision is void. */
  forgetDecisions(): void;
  remember(entry: CachedSession, policyId: string, decision: Decision): void;
  recall(entry: CachedSession, policyId: string): Decision | undefined;
}

interface Flight {
  promise: Promise<CacheAnswer>;
  /** A change for this key arrived after the question was sent. */
  isTainted: boolean;
}

export function createSessionCache(deps: SessionCacheDeps): SessionCache {
  const { clock } = deps;
  const entries = new Map<string, CachedSession>();
  const flights = new Map<string, Flight>();
  const maxEntries = deps.maxEntries ?? MAX_ENTRIES;
  let epoch = 0;
  let lastHeardAt = 0;

  function find(key: string): CacheAnswer | Promise<CacheAnswer> {
    const entry = entries.get(key);
    if (entry === undefined) return lookUp(key);
    const now = clock.now();
    if (isAlive(entry, now) && !entry.isDoubtful && deps.isConfirmed()) {
      lastHeardAt = now;
      if (now - entry.confirmedAt >= RECONFIRM_MS && now >= entry.retryAt) void lookUp(key);
      return entry;
    }
    return now < entry.retryAt ? stale(key) : lookUp(key);
  }

  /** Expired or idle here: only the store knows whether another worker has seen it since. */
  function isAlive(entry: CachedSession, now: number): boolean {
    return now < entry.view.expiresAt && now - Math.max(entry.usedAt, entry.view.lastSeenAt) < deps.limits().idleMs;
  }

  /** What nobody confirms: served for a while, then nobody is let in, and nobody is logged out. */
  function stale(key: string): CacheAnswer {
    const entry = entries.get(key);
    if (entry === undefined) return 'unavailable';
    const now = clock.now();
    return isAlive(entry, now) && now - entry.confirmedAt <= deps.limits().staleForMs ? entry : 'unavailable';
  }

  function lookUp(key: string): Promise<CacheAnswer> {
    const flying = flights.get(key);
    if (flying !== undefined) return flying.promise;
    if (flights.size >= MAX_FLIGHTS) return Promise.resolve(stale(key));
    const flight: Flight = { promise: Promise.resolve('unavailable'), isTainted: false };
    flights.set(key, flight);
    flight.promise = ask(key, flight).finally(() => flights.delete(key));
    return flight.promise;
  }

  async function ask(key: string, flight: Flight): Promise<CacheAnswer> {
    for (;;) {
      flight.isTainted = false;
      const answer = await withTimeout(deps.find, key);
      // It may be older than the change: ask again.
      if (flight.isTainted && answer.kind === 'found') continue;
      return settle(key, answer);
    }
  }

  function settle(key: string, answer: SessionAnswer): CacheAnswer {
    if (answer.kind === 'found') return put(key, answer.session);
    if (answer.kind === 'absent') {
      entries.delete(key);
      deps.onAbsent(key);
      return 'absent';
    }
    doubt(key);
    return stale(key);
  }

  function put(key: string, view: SessionView): CacheAnswer {
    const now = clock.now();
    if (view.key !== key || now >= view.expiresAt) return 'absent';
    const old = entries.get(key);
    const entry = old ?? createEntry(view, epoch);
    if (old !== undefined && !isSamePerson(old.view, view)) renew(old, view);
    entry.view = view;
    entry.confirmedAt = now;
    entry.isDoubtful = false;
    entry.retryAt = 0;
    // The order of insertion is the order of confirmation: what is not used goes first.
    entries.delete(key);
    entries.set(key, entry);
    if (entries.size > maxEntries) entries.delete(entries.keys().next().value as string);
    return entry;
  }

  function doubt(key: string): void {
    const entry = entries.get(key);
    if (entry === undefined) return;
    const now = clock.now();
    // The pushed changes vouched for it for as long as the heartbeat was heard.
    if (!entry.isDoubtful && !deps.isConfirmed()) entry.confirmedAt = Math.max(entry.confirmedAt, lastHeardAt);
    entry.isDoubtful = true;
    entry.retryAt = now + RETRY_MS;
  }

  return {
    find,
    peek: (key) => entries.get(key) ?? null,
    apply(change) {
      for (const key of change.keys) {
        const flight = flights.get(key);
        if (flight !== undefined) flight.isTainted = true;
        const entry = entries.get(key);
        if (entry === undefined) continue;
        if (change.kind === 'revoked') entries.delete(key);
        else renew(entry, { ...entry.view, person: change.person });
      }
    },
    forgetDecisions() {
      epoch++;
    },
    recall(entry, policyId) {
      return entry.epoch === epoch ? entry.decisions.get(policyId) : undefined;
    },
    remember(entry, policyId, decision) {
      if (entry.epoch !== epoch || entry.decisions.size >= MAX_DECISIONS) {
        entry.decisions.clear();
        entry.epoch = epoch;
      }
      entry.decisions.set(policyId, decision);
    },
  };
}

function createEntry(view: SessionView, epoch: number): CachedSession {
  return {
    view,
    identity: { kind: 'person', person: view.person },
    confirmedAt: 0,
    usedAt: view.lastSeenAt,
    isDoubtful: false,
    retryAt: 0,
    decisions: new Map(),
    epoch,
  };
}

function renew(entry: CachedSession, view: SessionView): void {
  entry.view = view;
  entry.identity = { kind: 'person', person: view.person };
  entry.decisions.clear();
}

/** Views are plain data out of one store, so the order of their fields is the same. */
function isSamePerson(a: SessionView, b: SessionView): boolean {
  return a.person === b.person || JSON.stringify(a.person) === JSON.stringify(b.person);
}

/** The control thread may be stuck: no answer in time is no answer. */
async function withTimeout(find: FindSession, key: string): Promise<SessionAnswer> {
  const { promise, resolve } = Promise.withResolvers<SessionAnswer>();
  const timer = setTimeout(() => resolve({ kind: 'unavailable' }), LOOK_UP_TIMEOUT_MS);
  find(key).then(resolve, () => resolve({ kind: 'unavailable' }));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
