/**
 * The sessions, or the bearers of tokens, that a worker knows. Changes are pushed by the control thread, so while its heartbeat
 * is heard an entry holds; each is asked for again now and then all the same. When nobody confirms it,
 * an entry serves for `staleForMs` at most. Look-ups of one key are one; a change that arrives while
 * one is under way makes it start again.
 */
import type { Clock } from '../core/clock.ts';
import type { Decision } from '../policy/facts.ts';
import type { Identity } from '../core/person.ts';
import type { Answer, CredentialView, SessionChange, SessionView } from './ports.ts';

/** An entry in use is asked for again so often, though the heartbeat vouches for it: nothing is believed for ever. */
const RECONFIRM_MS = 300_000;
/** After `unavailable` the next look-up of that key waits so long. */
const RETRY_MS = 500;
const LOOK_UP_TIMEOUT_MS = 1_500;
const MAX_ENTRIES = 100_000;
const MAX_FLIGHTS = 2_000;
const MAX_DECISIONS = 64;

export interface SessionCacheDeps<V extends CredentialView> {
  readonly find: (key: string) => Promise<Answer<V>>;
  readonly clock: Clock;
  /** False: the control thread has not been heard for a second. */
  readonly isConfirmed: () => boolean;
  readonly limits: () => { readonly staleForMs: number; readonly idleMs: number };
  readonly maxEntries?: number;
  /** The store says that it is no more. */
  readonly onAbsent: (key: string) => void;
}

export interface CachedSession<V extends CredentialView = SessionView> {
  view: V;
  identity: Identity;
  /** When the store last vouched for it. */
  confirmedAt: number;
  usedAt: number;
  /** When its use was noted for the store. */
  notedAt: number;
  /** The store did not answer when it was asked last. */
  isDoubtful: boolean;
  retryAt: number;
  /** Decisions of policies that depend on the identity alone, by policy id. */
  readonly decisions: Map<string, Decision>;
  epoch: number;
}

export type CacheAnswer<V extends CredentialView = SessionView> = CachedSession<V> | 'absent' | 'unavailable';

interface Flight<V extends CredentialView> {
  promise: Promise<CacheAnswer<V>>;
  /** A change for this key arrived after the question was sent. */
  isTainted: boolean;
}

export class SessionCache<V extends CredentialView = SessionView> {
  readonly #deps: SessionCacheDeps<V>;
  /** In the order of confirmation. */
  readonly #entries = new Map<string, CachedSession<V>>();
  readonly #flights = new Map<string, Flight<V>>();
  #epoch = 0;
  #lastHeardAt = 0;

  constructor(deps: SessionCacheDeps<V>) {
    this.#deps = deps;
  }

  /** Grows when the rules change. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The answer, at once where it is known. */
  find(key: string): CacheAnswer<V> | Promise<CacheAnswer<V>> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return this.#lookUp(key);
    const now = this.#deps.clock.now();
    if (this.#isAlive(entry, now) && !entry.isDoubtful && this.#deps.isConfirmed()) {
      this.#lastHeardAt = now;
      if (now - entry.confirmedAt >= RECONFIRM_MS) void this.#lookUp(key);
      return entry;
    }
    return now < entry.retryAt ? this.#stale(key) : this.#lookUp(key);
  }

  /** What is held, confirmed or not. */
  peek(key: string): CachedSession<V> | null {
    return this.#entries.get(key) ?? null;
  }

  apply(change: SessionChange): void {
    for (const key of change.keys) {
      const flight = this.#flights.get(key);
      if (flight !== undefined) flight.isTainted = true;
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      if (change.kind === 'revoked') this.#entries.delete(key);
      else if ('person' in entry.view) renew(entry, { ...entry.view, person: change.person });
    }
  }

  /** The rules have changed: every precomputed decision is void. */
  forgetDecisions(): void {
    this.#epoch++;
  }

  recall(entry: CachedSession<V>, policyId: string): Decision | undefined {
    return entry.epoch === this.#epoch ? entry.decisions.get(policyId) : undefined;
  }

  remember(entry: CachedSession<V>, policyId: string, decision: Decision): void {
    if (entry.epoch !== this.#epoch || entry.decisions.size >= MAX_DECISIONS) {
      entry.decisions.clear();
      entry.epoch = this.#epoch;
    }
    entry.decisions.set(policyId, decision);
  }

  /** Expired or idle here: only the store knows whether another worker has seen it since. */
  #isAlive(entry: CachedSession<V>, now: number): boolean {
    const idleMs = now - Math.max(entry.usedAt, entry.view.lastSeenAt);
    return now < entry.view.expiresAt && idleMs < this.#deps.limits().idleMs;
  }

  /** What nobody confirms: served for a while, then nobody is let in, and nobody is logged out. */
  #stale(key: string): CacheAnswer<V> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return 'unavailable';
    const now = this.#deps.clock.now();
    const isFresh = now - entry.confirmedAt <= this.#deps.limits().staleForMs;
    return isFresh && this.#isAlive(entry, now) ? entry : 'unavailable';
  }

  #lookUp(key: string): Promise<CacheAnswer<V>> {
    const flying = this.#flights.get(key);
    if (flying !== undefined) return flying.promise;
    if (this.#flights.size >= MAX_FLIGHTS) return Promise.resolve(this.#stale(key));
    const flight: Flight<V> = { promise: Promise.resolve('unavailable'), isTainted: false };
    this.#flights.set(key, flight);
    flight.promise = this.#ask(key, flight).finally(() => this.#flights.delete(key));
    return flight.promise;
  }

  async #ask(key: string, flight: Flight<V>): Promise<CacheAnswer<V>> {
    for (;;) {
      flight.isTainted = false;
      const answer = await findInTime(this.#deps.find, key);
      // It may be older than the change: ask again.
      if (flight.isTainted && answer.kind === 'found') continue;
      return this.#settle(key, answer);
    }
  }

  #settle(key: string, answer: Answer<V>): CacheAnswer<V> {
    if (answer.kind === 'found') return this.#put(key, answer.session);
    if (answer.kind === 'absent') {
      this.#entries.delete(key);
      this.#deps.onAbsent(key);
      return 'absent';
    }
    this.#doubt(key);
    return this.#stale(key);
  }

  #put(key: string, view: V): CacheAnswer<V> {
    const now = this.#deps.clock.now();
    if (view.key !== key || now >= view.expiresAt) return 'absent';
    const entry = this.#entries.get(key) ?? createEntry(view, this.#epoch);
    if (isSameIdentity(entry.view, view)) entry.view = withIdentityOf(view, entry.view);
    else renew(entry, view);
    entry.confirmedAt = now;
    entry.isDoubtful = false;
    entry.retryAt = 0;
    // What nobody uses is not confirmed again, stays in front, and goes first.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > (this.#deps.maxEntries ?? MAX_ENTRIES)) {
      this.#entries.delete(this.#entries.keys().next().value as string);
    }
    return entry;
  }

  #doubt(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    // The pushed changes vouched for it for as long as the heartbeat was heard.
    if (!entry.isDoubtful && !this.#deps.isConfirmed())
      entry.confirmedAt = Math.max(entry.confirmedAt, this.#lastHeardAt);
    entry.isDoubtful = true;
    entry.retryAt = this.#deps.clock.now() + RETRY_MS;
  }
}

function createEntry<V extends CredentialView>(view: V, epoch: number): CachedSession<V> {
  return {
    view,
    identity: identityOf(view),
    confirmedAt: 0,
    usedAt: view.lastSeenAt,
    notedAt: 0,
    isDoubtful: false,
    retryAt: 0,
    decisions: new Map(),
    epoch,
  };
}

function renew<V extends CredentialView>(entry: CachedSession<V>, view: V): void {
  entry.view = view;
  entry.identity = identityOf(view);
  entry.decisions.clear();
}

/** Views are plain data out of one store, so the order of their fields is the same. */
function isSameIdentity(a: CredentialView, b: CredentialView): boolean {
  const [one, other] = [whoOf(a), whoOf(b)];
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

/** What hangs on the very object (headers made for it) stays of use. */
function withIdentityOf<V extends CredentialView>(view: V, known: V): V {
  if ('person' in view && 'person' in known) return { ...view, person: known.person };
  return 'identity' in view && 'identity' in known ? { ...view, identity: known.identity } : view;
}

function whoOf(view: CredentialView): object {
  return 'person' in view ? view.person : view.identity;
}

export function identityOf(view: CredentialView): Identity {
  return 'person' in view ? { kind: 'person', person: view.person } : view.identity;
}

/** The control thread may be stuck: no answer in time is no answer. */
async function findInTime<V extends CredentialView>(
  find: SessionCacheDeps<V>['find'],
  key: string,
): Promise<Answer<V>> {
  const { promise, resolve } = Promise.withResolvers<Answer<V>>();
  const timer = setTimeout(() => resolve({ kind: 'unavailable' }), LOOK_UP_TIMEOUT_MS);
  find(key).then(resolve, () => resolve({ kind: 'unavailable' }));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
