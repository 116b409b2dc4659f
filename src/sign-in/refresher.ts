/**
 * Asks providers again about people who are signed in, before their tokens are too old: groups and roles
 * follow, a session that the provider ended ends here. One question a sign-in at a time, a few a provider.
 * A provider that does not answer signs nobody out: it is asked again later.
 */
import type { Clock } from '../core/clock.ts';
import type { Person } from '../core/person.ts';
import { readGrant, type Provider, type ProviderGrant, type Providers } from './provider.ts';

const BATCH = 64;
const MOST_AT_ONCE = 16;
const FIRST_PAUSE_MS = 5_000;
const LAST_PAUSE_MS = 60_000;
/** So that what waited together does not come together again. */
const SPREAD_MS = 5_000;

export interface RefreshedSessions {
  readonly dueGrants: (limit: number, except: ReadonlySet<string>) => Promise<readonly DueGrant[]>;
  readonly renewGrant: (
    key: string,
    grant: { readonly value: ProviderGrant; readonly refreshAt: number | null },
  ) => Promise<boolean>;
  readonly deferGrant: (key: string, refreshAt: number) => Promise<void>;
  readonly refreshPerson: (person: Person) => Promise<void>;
  readonly revoke: (key: string) => Promise<unknown>;
}

export interface DueGrant {
  readonly key: string;
  readonly person: Person;
  readonly authority: string;
  readonly value: unknown;
}

export interface RefresherDeps {
  readonly sessions: RefreshedSessions;
  readonly providers: Providers;
  readonly clock: Clock;
  readonly admit: (
    provider: Provider,
    person: Person,
  ) => Promise<
    { readonly kind: 'person'; readonly person: Person } | { readonly kind: 'refused'; readonly message: string }
  >;
  readonly log: (level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>) => void;
}

export interface Refresher {
  /** Call it about every second. */
  readonly tick: () => Promise<void>;
  /** Sign-ins that are being asked about, or wait for it. */
  readonly inFlight: () => number;
}

/** What waits for one provider, and how it fares: while it is down nobody waits for it. */
interface Lane {
  readonly waiting: DueGrant[];
  running: number;
  pauseMs: number;
  downUntil: number;
}

export function createRefresher(deps: RefresherDeps): Refresher {
  /** In a lane, or on their way. */
  const taken = new Set<string>();
  const lanes = new Map<string, Lane>();
  let asking: Promise<void> | null = null;
  let hasMore = false;

  const laneOf = (id: string): Lane => {
    let lane = lanes.get(id);
    if (lane === undefined) lanes.set(id, (lane = { waiting: [], running: 0, pauseMs: FIRST_PAUSE_MS, downUntil: 0 }));
    return lane;
  };

  const pump = (lane: Lane): void => {
    while (lane.running < MOST_AT_ONCE) {
      const due = lane.waiting.shift();
      if (due === undefined) break;
      lane.running++;
      settle(deps, due, lane)
        .catch((error: unknown) => deps.log('warn', 'Cannot keep what a provider answered', { err: error }))
        .finally(() => {
          lane.running--;
          taken.delete(due.key);
          pump(lane);
        })
        .catch(() => undefined);
    }
    if (hasMore && lane.waiting.length === 0) void ask();
  };

  const ask = (): Promise<void> => {
    asking ??= (async (): Promise<void> => {
      const due = await deps.sessions.dueGrants(BATCH, taken);
      hasMore = due.length >= BATCH;
      const touched = new Set<Lane>();
      for (const one of due) {
        const lane = laneOf(one.person.provider);
        taken.add(one.key);
        lane.waiting.push(one);
        touched.add(lane);
      }
      for (const lane of touched) pump(lane);
    })().finally(() => (asking = null));
    return asking;
  };

  return { tick: ask, inFlight: () => taken.size };
}

async function settle(deps: RefresherDeps, due: DueGrant, lane: Lane): Promise<void> {
  const provider = deps.providers.find(due.person.provider);
  if (provider === null || provider.authority !== due.authority)
    await deps.sessions.deferGrant(due.key, deps.clock.now() + LAST_PAUSE_MS);
  else if (deps.clock.now() < lane.downUntil) await defer(deps, due.key, lane);
  else await refreshOne(deps, due, provider, lane);
}

function defer({ sessions }: RefresherDeps, key: string, lane: Lane): Promise<void> {
  return sessions.deferGrant(key, lane.downUntil + Math.floor(spreadOf(key) * SPREAD_MS));
}

/** Between 0 and 1, by the key: a hash already. */
function spreadOf(key: string): number {
  return Number.parseInt(key.slice(0, 4), 16) / 0x1_0000 || 0;
}

async function refreshOne(deps: RefresherDeps, due: DueGrant, provider: Provider, lane: Lane): Promise<void> {
  const { sessions, log } = deps;
  const facts = { provider: provider.id, user: due.person.name };
  const grant = readGrant(due.value);
  if (grant === null) {
    await sessions.revoke(due.key);
    return;
  }
  const answer = await provider.refresh(due.person, grant);
  if (answer.kind === 'unavailable') {
    const wasUp = lane.downUntil <= deps.clock.now() && lane.pauseMs === FIRST_PAUSE_MS;
    if (wasUp) log('warn', `${answer.message}; people who are signed in go on`, { provider: provider.id });
    // A limit is one person's: the others are asked as before.
    if (answer.retryAt === undefined && lane.downUntil <= deps.clock.now()) {
      lane.downUntil = deps.clock.now() + lane.pauseMs;
      lane.pauseMs = Math.min(LAST_PAUSE_MS, lane.pauseMs * 2);
    }
    if (answer.retryAt === undefined) await defer(deps, due.key, lane);
    else await sessions.deferGrant(due.key, answer.retryAt + Math.floor(spreadOf(due.key) * SPREAD_MS));
    return;
  }
  lane.pauseMs = FIRST_PAUSE_MS;
  lane.downUntil = 0;
  if (answer.kind === 'ended') {
    log('info', answer.message, facts);
    await sessions.revoke(due.key);
    return;
  }
  const admitted = await deps.admit(provider, answer.person);
  if (admitted.kind === 'refused') {
    log('info', admitted.message, facts);
    await sessions.revoke(due.key);
    return;
  }
  // The grant first: a refresh token that was rotated must not be lost.
  await sessions.renewGrant(due.key, { value: answer.grant, refreshAt: answer.refreshAt });
  await sessions.refreshPerson(admitted.person);
}
