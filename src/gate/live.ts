/**
 * Exchanges that live on after they were let in: tunnels, streams, long requests. Each is decided
 * again when its session, its person or the document changes, and closed when it is no longer
 * allowed. Traffic on it counts as use of its session.
 */
import type { Clock } from '../core/clock.ts';
import type { Identity, Person } from '../core/person.ts';
import type { CompiledPolicy } from '../policy/compile.ts';
import type { Exchange } from '../wire/exchange.ts';
import { identityOf } from './known-identity.ts';
import type { CredentialView, BearerView, SessionView } from './ports.ts';
import type { SessionCache } from './session-cache.ts';
import type { UseReport } from './use-report.ts';

/** Decisions in one go before the event loop gets its turn. */
const SLICE = 500;
/** How often the cache is asked for a token that nobody sends again: it is verified anew when the cache thinks it is time. */
const LOOK_MS = 60_000;

export type CloseReason =
  | 'session-ended'
  | 'session-expired'
  | 'token-ended'
  | 'token-expired'
  | 'not-allowed'
  | 'sign-in-too-old'
  | 'route-gone'
  | 'credential-changed';

/** What the decision was made on. */
export interface LiveJudged {
  readonly identity: Identity;
  readonly session: SessionView | null;
  readonly bearer: BearerView | null;
  readonly ip: string | null;
  readonly epoch: number;
}

export interface LiveExchange {
  readonly judged: LiveJudged;
  readonly exchange: Pick<Exchange, 'request' | 'connection'>;
  /** The policy that the running document has for it; null where its host or route is gone. */
  readonly findPolicy: () => Pick<CompiledPolicy, 'decide' | 'maxAgeMs'> | null;
  /** Bytes that the client has sent on it so far: growing, it is use of the session. What the app says by itself is not. */
  readonly bytesHeard: () => number;
  /** Called at most once; then the exchange is no longer tracked. */
  readonly close: (reason: CloseReason) => void;
}

export interface LiveHandle {
  end(): void;
}

export interface LiveRegistryDeps {
  readonly clock: Clock;
  readonly serviceVersion: (service: string) => string | null;
  readonly cache: Pick<SessionCache, 'peek' | 'find' | 'epoch'>;
  readonly bearers: Pick<SessionCache<BearerView>, 'peek' | 'find'>;
  readonly use: UseReport;
  readonly tokenUse: UseReport;
  readonly noteMs: () => number;
}

interface Tracked {
  readonly live: LiveExchange;
  /** What it rides on. */
  readonly held: CredentialView | null;
  identity: Identity;
  /** Of the service's hashes when it was let in. */
  readonly version: string | null;
  /** When the sign-in is too old for the route; Infinity where that does not count. */
  staleAt: number;
  /** When its use was noted for the store, and what had been heard by then. */
  notedAt: number;
  notedBytes: number;
  lookedAt: number;
  isOver: boolean;
}

export class LiveRegistry {
  readonly #deps: LiveRegistryDeps;
  readonly #all = new Set<Tracked>();
  readonly #bySession = new Map<string, Set<Tracked>>();

  constructor(deps: LiveRegistryDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#all.size;
  }

  track(live: LiveExchange): LiveHandle {
    const { identity, session, bearer } = live.judged;
    const held = session ?? bearer;
    const version = identity.kind === 'service' ? this.#deps.serviceVersion(identity.name) : null;
    const tracked: Tracked = {
      live,
      held,
      identity,
      version,
      staleAt: Infinity,
      notedAt: 0,
      notedBytes: -1,
      lookedAt: this.#deps.clock.now(),
      isOver: false,
    };
    tracked.staleAt = staleAtOf(identity, live.findPolicy());
    this.#all.add(tracked);
    if (held !== null) this.#peersOf(held.key).add(tracked);
    this.#catchUp(tracked);
    return { end: () => this.#forget(tracked) };
  }

  closeSessions(keys: readonly string[]): void {
    for (const key of keys) for (const tracked of this.#copyOf(key)) this.#close(tracked, endOf(tracked, 'ended'));
  }

  changePerson(keys: readonly string[], person: Person): void {
    for (const key of keys) for (const tracked of this.#copyOf(key)) this.#change(tracked, { kind: 'person', person });
  }

  /** In slices: ten thousand decisions must not hold up what the worker serves. */
  async redecide(): Promise<void> {
    const batch = [...this.#all];
    for (let from = 0; from < batch.length; from += SLICE) {
      for (const tracked of batch.slice(from, from + SLICE)) this.#decideAgain(tracked);
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  tick(now: number): void {
    const noteMs = this.#deps.noteMs();
    for (const tracked of this.#all) {
      const { held } = tracked;
      if (held === null) continue;
      if (now >= held.expiresAt) this.#close(tracked, endOf(tracked, 'expired'));
      else if (now >= tracked.staleAt) this.#decideAgain(tracked);
      else if (Math.abs(now - tracked.notedAt) >= noteMs) this.#noteUse(tracked, held, now);
      if (!('person' in held) && Math.abs(now - tracked.lookedAt) >= LOOK_MS) this.#look(tracked, held, now);
    }
  }

  /** A provider may have taken its key away; `absent` closes it. */
  #look(tracked: Tracked, { key }: BearerView, now: number): void {
    tracked.lookedAt = now;
    void this.#deps.bearers.find(key, now);
  }

  #noteUse(tracked: Tracked, held: CredentialView, now: number): void {
    const bytes = tracked.live.bytesHeard();
    if (bytes === tracked.notedBytes) return;
    tracked.notedBytes = bytes;
    tracked.notedAt = now;
    if ('person' in held) this.#deps.use.note(held.parent, now);
    else if (held.identity.kind === 'token') this.#deps.tokenUse.note(held.key, now);
  }

  /** What changed between the decision and now was told before this one was in the list. */
  #catchUp(tracked: Tracked): void {
    const { held } = tracked;
    if (tracked.live.judged.epoch !== this.#deps.cache.epoch) queueMicrotask(() => this.#decideAgain(tracked));
    if (held === null) return;
    const cache = 'person' in held ? this.#deps.cache : this.#deps.bearers;
    const known = cache.peek(held.key);
    if (known !== null && isSameWho(known.view, held)) return;
    // Revoked, changed, or only pushed out of the cache: the store knows, and `absent` closes it.
    void Promise.resolve(cache.find(held.key)).then((answer) => {
      if (typeof answer === 'object') this.#change(tracked, answer.identity);
    });
  }

  #change(tracked: Tracked, identity: Identity): void {
    tracked.identity = identity;
    this.#decideAgain(tracked);
  }

  #decideAgain(tracked: Tracked): void {
    if (tracked.isOver) return;
    const policy = tracked.live.findPolicy();
    const reason = reasonToClose(tracked, policy, this.#deps);
    if (reason !== null) this.#close(tracked, reason);
    else tracked.staleAt = staleAtOf(tracked.identity, policy);
  }

  #close(tracked: Tracked, reason: CloseReason): void {
    if (tracked.isOver) return;
    this.#forget(tracked);
    tracked.live.close(reason);
  }

  #forget(tracked: Tracked): void {
    tracked.isOver = true;
    this.#all.delete(tracked);
    const key = tracked.held?.key;
    if (key === undefined) return;
    const peers = this.#bySession.get(key);
    peers?.delete(tracked);
    if (peers?.size === 0) this.#bySession.delete(key);
  }

  #peersOf(key: string): Set<Tracked> {
    const peers = this.#bySession.get(key) ?? new Set<Tracked>();
    this.#bySession.set(key, peers);
    return peers;
  }

  /** Closing takes them out of the set that is walked. */
  #copyOf(key: string): readonly Tracked[] {
    return [...(this.#bySession.get(key) ?? [])];
  }
}

/** The very object: what a change brings is another one. */
function isSameWho(a: CredentialView, b: CredentialView): boolean {
  return 'person' in a && 'person' in b ? a.person === b.person : identityOf(a) === identityOf(b);
}

function endOf({ held }: Tracked, how: 'ended' | 'expired'): CloseReason {
  return held !== null && !('person' in held) ? `token-${how}` : `session-${how}`;
}

type Policy = NonNullable<ReturnType<LiveExchange['findPolicy']>>;

/** What was opened while the sign-in was recent does not outlive that. */
function staleAtOf(identity: Identity, policy: Policy | null): number {
  const maxAgeMs = policy?.maxAgeMs ?? null;
  if (maxAgeMs === null || identity.kind !== 'person') return Infinity;
  return (identity.person.authenticatedAt ?? 0) + maxAgeMs;
}

/** Null: it may go on. What cannot be decided may not. */
function reasonToClose(tracked: Tracked, policy: Policy | null, deps: LiveRegistryDeps): CloseReason | null {
  const { live, held, identity, version } = tracked;
  const { ip } = live.judged;
  const now = deps.clock.now();
  if (held !== null && now >= held.expiresAt) return endOf(tracked, 'expired');
  if (identity.kind === 'service' && deps.serviceVersion(identity.name) !== version) return 'credential-changed';
  if (policy === null) return 'route-gone';
  const { request, connection } = live.exchange;
  try {
    const decision = policy.decide({ identity, ip, clientCertificate: connection.clientCertificate, request, now });
    if (decision.kind === 'sign-in' && (decision.needs?.maxAgeMs ?? null) !== null) return 'sign-in-too-old';
    return decision.kind === 'allow' ? null : 'not-allowed';
  } catch {
    return 'not-allowed';
  }
}
