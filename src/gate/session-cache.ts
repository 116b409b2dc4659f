/**
 * The sessions, or the bearers of tokens, that a worker knows. Changes are pushed by the control thread, so while its heartbeat
 * is heard an entry holds; each is asked for again now and then all the same. When nobody confirms it,
 * an entry serves for `staleForMs` at most. Look-ups of one key are one; a change that arrives while
 * one is under way makes it start again.
 */
import { inTime } from '../core/patience.ts';
import type { Clock } from '../core/clock.ts';
import type { Decision } from '../policy/facts.ts';
import type { Identity } from '../core/person.ts';
import { KnownIdentities } from './known-identity.ts';
import type { KnownIdentity } from './known-identity.ts';
import type { Answer, CredentialView, SessionChange, SessionView } from './ports.ts';

/** An entry in use is asked for again so often, though the heartbeat vouches for it: nothing is believed for ever. */
const RECONFIRM_MS = 300_000;
/** After `unavailable` the next look-up of that key waits so long. */
const RETRY_MS = 500;
/** For the answer about an entry, which serves until it comes. */
const DOUBT_MS = 1_500;
/** For that about whom nothing is known here: they would be told to come again, which a machine that is busy answers no sooner. */
const UNKNOWN_MS = 5_000;
const MAX_ENTRIES = 100_000;
const MAX_FLIGHTS = 2_000;

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
  /** Shared with every other entry of the same person. */
  identity: Identity;
  known: KnownIdentity;
  /** When the store last vouched for it. */
  confirmedAt: number;
  usedAt: number;
  /** When its use was noted for the store. */
  notedAt: number;
  /** The store did not answer when it was asked last. */
  isDoubtful: boolean;
  retryAt: number;
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
  readonly #identities = new KnownIdentities();
  #epoch = 0;
  #lookups = { cached: 0, found: 0, absent: 0, unavailable: 0 };
  #lastHeardAt = 0;

  constructor(deps: SessionCacheDeps<V>) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What became of look-ups since this was asked last. */
  takeLookups(): Record<'cached' | 'found' | 'absent' | 'unavailable', number> {
    const taken = this.#lookups;
    this.#lookups = { cached: 0, found: 0, absent: 0, unavailable: 0 };
    return taken;
  }

  /** Grows when the rules change. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The answer, at once where it is known. */
  find(key: string, now: number = this.#deps.clock.now()): CacheAnswer<V> | Promise<CacheAnswer<V>> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return this.#lookUp(key);
    if (this.#isAlive(entry, now) && !entry.isDoubtful && this.#deps.isConfirmed()) {
      this.#lastHeardAt = now;
      this.#lookups.cached++;
      // A clock that was set back is no reason to ask later.
      if (Math.abs(now - entry.confirmedAt) >= RECONFIRM_MS) void this.#lookUp(key);
      return entry;
    }
    return now < entry.retryAt ? this.#stale(key) : this.#lookUp(key);
  }

  /** What is held, confirmed or not. */
  peek(key: string): CachedSession<V> | null {
    return this.#entries.get(key) ?? null;
  }

  apply(change: Exclude<SessionChange, { kind: 'tokens' }>): void {
    for (const key of change.keys) {
      const flight = this.#flights.get(key);
      if (flight !== undefined) flight.isTainted = true;
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      if (change.kind === 'revoked') this.#forget(key);
      else if ('person' in entry.view) this.#renew(entry, { ...entry.view, person: change.person });
    }
  }

  /** The rules have changed: every precomputed decision is void. */
  forgetDecisions(): void {
    this.#epoch++;
  }

  recall(entry: CachedSession<V>, policyId: string): Decision | undefined {
    return entry.known.recall(policyId, this.#epoch);
  }

  remember(entry: CachedSession<V>, policyId: string, decision: Decision): void {
    entry.known.remember(policyId, this.#epoch, decision);
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
      const mostMs = this.#entries.has(key) ? DOUBT_MS : UNKNOWN_MS;
      // The control thread may be stuck: no answer in time is no answer.
      const answer = await inTime<Answer<V>>(this.#deps.find(key), mostMs, { kind: 'unavailable' });
      // It may be older than the change: ask again.
      if (flight.isTainted && answer.kind === 'found') continue;
      return this.#settle(key, answer);
    }
  }

  #settle(key: string, answer: Answer<V>): CacheAnswer<V> {
    this.#lookups[answer.kind]++;
    if (answer.kind === 'found') return this.#put(key, answer.session);
    if (answer.kind === 'absent') {
      this.#forget(key);
      this.#deps.onAbsent(key);
      return 'absent';
    }
    this.#doubt(key);
    return this.#stale(key);
  }

  #put(key: string, view: V): CacheAnswer<V> {
    const now = this.#deps.clock.now();
    if (view.key !== key || now >= view.expiresAt) return 'absent';
    const entry = this.#entries.get(key) ?? createEntry(view, this.#identities.hold(view));
    this.#renew(entry, view);
    entry.confirmedAt = now;
    entry.isDoubtful = false;
    entry.retryAt = 0;
    // What nobody uses is not confirmed again, stays in front, and goes first.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > (this.#deps.maxEntries ?? MAX_ENTRIES)) {
      this.#forget(this.#entries.keys().next().value as string);
    }
    return entry;
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined && this.#entries.delete(key)) this.#identities.release(entry.known);
  }

  #renew(entry: CachedSession<V>, view: V): void {
    const before = entry.known;
    entry.known = this.#identities.hold(view);
    this.#identities.release(before);
    entry.identity = entry.known.identity;
    entry.view = withIdentity(view, entry.identity);
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

function createEntry<V extends CredentialView>(view: V, known: KnownIdentity): CachedSession<V> {
  return {
    view,
    identity: known.identity,
    known,
    confirmedAt: 0,
    usedAt: view.lastSeenAt,
    // The store knows as much already.
    notedAt: view.lastSeenAt,
    isDoubtful: false,
    retryAt: 0,
  };
}

/** What hangs on the very object (headers made for it) stays of use, and its copy is let go. */
function withIdentity<V extends CredentialView>(view: V, identity: Identity): V {
  if ('person' in view) return identity.kind === 'person' ? { ...view, person: identity.person } : view;
  return { ...view, identity };
}
