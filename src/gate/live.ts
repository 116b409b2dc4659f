/**
 * Exchanges that live on after they were let in: tunnels, streams, long requests. Each is decided
 * again when its session, its person or the document changes, and closed when it is no longer
 * allowed. Traffic on it counts as use of its session.
 */
import type { Clock } from '../core/clock.ts';
import type { Identity, Person } from '../core/person.ts';
import type { CompiledPolicy } from '../policy/compile.ts';
import type { Facts } from '../policy/facts.ts';
import type { SessionView } from './ports.ts';
import type { SessionCache } from './session-cache.ts';
import type { UseReport } from './use-report.ts';

/** Decisions in one go before the event loop gets its turn. */
const SLICE = 500;

export type CloseReason = 'session-ended' | 'session-expired' | 'not-allowed' | 'route-gone' | 'credential-changed';

export interface LiveExchange {
  readonly identity: Identity;
  readonly session: SessionView | null;
  readonly ip: string | null;
  readonly clientCertificate: Facts['clientCertificate'];
  readonly request: NonNullable<Facts['request']>;
  /** The policy that the running document has for it; null where its host or route is gone. */
  readonly findPolicy: () => Pick<CompiledPolicy, 'decide'> | null;
  /** Called at most once; then the exchange is no longer tracked. */
  readonly close: (reason: CloseReason) => void;
}

export interface LiveHandle {
  /** Bytes went by. Cheap: call it for each chunk. */
  used(): void;
  end(): void;
}

export interface LiveRegistryDeps {
  readonly clock: Clock;
  readonly serviceVersion: (service: string) => string | null;
  readonly cache: Pick<SessionCache, 'peek' | 'find'>;
  readonly use: UseReport;
}

export interface LiveRegistry {
  readonly size: number;
  track(live: LiveExchange): LiveHandle;
  closeSessions(keys: readonly string[]): void;
  changePerson(keys: readonly string[], person: Person): void;
  redecide(): Promise<void>;
  tick(now: number): void;
}

interface Tracked {
  readonly live: LiveExchange;
  identity: Identity;
  /** Of the service's hashes when it was let in. */
  readonly version: string | null;
  isUsed: boolean;
  isOver: boolean;
}

export function createLiveRegistry(deps: LiveRegistryDeps): LiveRegistry {
  const all = new Set<Tracked>();
  const bySession = new Map<string, Set<Tracked>>();

  function track(live: LiveExchange): LiveHandle {
    const { identity } = live;
    const version = identity.kind === 'service' ? deps.serviceVersion(identity.name) : null;
    const tracked: Tracked = { live, identity, version, isUsed: true, isOver: false };
    all.add(tracked);
    if (live.session !== null) {
      addTo(bySession, live.session.key, tracked);
      catchUp(tracked, live.session);
    }
    return {
      used() {
        tracked.isUsed = true;
      },
      end: () => forget(tracked),
    };
  }

  /** What changed between the decision and now was told before this one was in the list. */
  function catchUp(tracked: Tracked, session: SessionView): void {
    const held = deps.cache.peek(session.key);
    if (held === null) {
      // Revoked, or only pushed out of the cache: the store knows, and `absent` closes it.
      void deps.cache.find(session.key);
    } else if (held.view.person !== session.person) {
      tracked.identity = held.identity;
      queueMicrotask(() => decideAgain(tracked));
    }
  }

  function forget(tracked: Tracked): void {
    tracked.isOver = true;
    all.delete(tracked);
    const key = tracked.live.session?.key;
    if (key === undefined) return;
    const peers = bySession.get(key);
    peers?.delete(tracked);
    if (peers?.size === 0) bySession.delete(key);
  }

  function close(tracked: Tracked, reason: CloseReason): void {
    if (tracked.isOver) return;
    forget(tracked);
    tracked.live.close(reason);
  }

  function decideAgain(tracked: Tracked): void {
    if (tracked.isOver) return;
    const reason = reasonToClose(tracked, deps);
    if (reason !== null) close(tracked, reason);
  }

  return {
    track,
    get size() {
      return all.size;
    },
    closeSessions(keys) {
      for (const key of keys) for (const tracked of [...(bySession.get(key) ?? [])]) close(tracked, 'session-ended');
    },
    changePerson(keys, person) {
      for (const key of keys) {
        for (const tracked of [...(bySession.get(key) ?? [])]) {
          tracked.identity = { kind: 'person', person };
          decideAgain(tracked);
        }
      }
    },
    async redecide() {
      const batch = [...all];
      for (let from = 0; from < batch.length; from += SLICE) {
        for (const tracked of batch.slice(from, from + SLICE)) decideAgain(tracked);
        await new Promise<void>((resolve) => {
          setImmediate(resolve);
        });
      }
    },
    tick(now) {
      for (const tracked of all) {
        const { session } = tracked.live;
        if (session === null) continue;
        if (now >= session.expiresAt) close(tracked, 'session-expired');
        else if (tracked.isUsed) {
          tracked.isUsed = false;
          deps.use.note(session.key, now);
        }
      }
    },
  };
}

/** Null: it may go on. A rule that cannot be decided is not a reason to stay. */
function reasonToClose(tracked: Tracked, deps: LiveRegistryDeps): CloseReason | null {
  const { live, identity, version } = tracked;
  if (live.session !== null && deps.clock.now() >= live.session.expiresAt) return 'session-expired';
  if (identity.kind === 'service' && deps.serviceVersion(identity.name) !== version) return 'credential-changed';
  const policy = live.findPolicy();
  if (policy === null) return 'route-gone';
  const { ip, clientCertificate, request } = live;
  try {
    return policy.decide({ identity, ip, clientCertificate, request }).kind === 'allow' ? null : 'not-allowed';
  } catch {
    return 'not-allowed';
  }
}

function addTo(index: Map<string, Set<Tracked>>, key: string, tracked: Tracked): void {
  const peers = index.get(key);
  if (peers === undefined) index.set(key, new Set([tracked]));
  else peers.add(tracked);
}
