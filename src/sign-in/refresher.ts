/**
 * Asks providers again about people who are signed in, before their tokens are too old: groups and roles
 * follow, a session that the provider ended ends here. One question a sign-in at a time, a few a provider.
 * A provider that does not answer signs nobody out: it is asked again later. One that refuses somebody, and answers for
 * others, is asked about the others as before.
 */
import type { Clock } from '../core/clock.ts';
import type { Person } from '../core/person.ts';
import { createNoteTeller, type TellNotes } from './note-teller.ts';
import type { Admit } from './ports.ts';
import { readGrant, type Provider, type ProviderGrant, type Providers, type Refreshed } from './provider.ts';
import type { RefreshPace } from './refresh-pace.ts';
import { RefreshTroubles } from './refresh-troubles.ts';

/** Taken out of the store at once, and asked at once, of each provider. */
const BATCH = 64;
const MOST_AT_ONCE = 16;
const FIRST_PAUSE_MS = 5_000;
const LAST_PAUSE_MS = 60_000;
/** A clock that is set back by more than this would put off every question by as much, and groups with it. */
const SET_BACK_MS = 2_000;
/** So that what failed together does not come together again. */
const SPREAD_MS = 5_000;

export interface RefreshedSessions {
  readonly openGrant: (key: string) => Promise<DueGrant | null>;
  readonly dueGrants: (provider: string, limit: number, except: ReadonlySet<string>) => Promise<readonly DueGrant[]>;
  readonly renewGrant: (
    key: string,
    grant: { readonly value: ProviderGrant; readonly refreshAt: number | null },
  ) => Promise<boolean>;
  readonly deferGrant: (key: string, refreshAt: number | null) => Promise<void>;
  readonly setGrantsBack: (ms: number) => Promise<void>;
  readonly refreshPerson: (person: Person, authority: string) => Promise<void>;
  readonly revoke: (key: string) => Promise<unknown>;
}

export interface DueGrant {
  readonly key: string;
  readonly provider: string;
  readonly subject: string;
  readonly authority: string;
  /** Null where the person is none of ours. */
  readonly open: () => OpenedGrant | null;
}

interface OpenedGrant {
  readonly person: Person;
  readonly value: unknown;
}

export interface RefresherDeps {
  readonly sessions: RefreshedSessions;
  readonly providers: Providers;
  readonly clock: Clock;
  readonly admit: Admit;
  readonly log: (level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>) => void;
  /** A seat pauses behind each question that nobody waits for, and between its pieces. Without it there are no pauses. */
  readonly pace?: RefreshPace;
}

interface AskDeps extends RefresherDeps {
  /** Gives the core to others for a moment. */
  readonly breathe: () => Promise<unknown>;
}

const DO_NOT_BREATHE = (): Promise<void> => Promise.resolve();

/** `unavailable`: nothing new was learned. `ended`: there is no such session, or no more. */
export type Renewal = 'renewed' | 'ended' | 'unavailable';

export interface Refresher {
  /** Call it about every second. */
  readonly tick: () => Promise<void>;
  /** Asks about one sign-in now, together with whoever asks already; what waits for its turn is overtaken. */
  readonly renew: (key: string) => Promise<Renewal>;
  /** Sign-ins that are being asked about, or wait for it. */
  readonly inFlight: () => number;
  /** Asks no more; resolves when what was asked is answered and kept. */
  readonly end: () => Promise<void>;
}

/**
 * What waits for one provider, and how it fares. While it is down nobody waits for it: what is due stays in the
 * store as it is, however much that may be, and nothing of other providers stands behind it.
 */
interface Lane {
  readonly id: string;
  /** In `waiting`, or on their way. */
  readonly taken: Set<string>;
  readonly waiting: Waiting[];
  running: number;
  /** Seats that pause: they are free for what somebody waits for. */
  resting: number;
  asking: Promise<void> | null;
  hasMore: boolean;
  /** Since when more has been due than was taken. */
  behindSince: number;
  pauseMs: number;
  downUntil: number;
  readonly troubles: RefreshTroubles;
  readonly tellNotes: TellNotes;
}

interface Waiting {
  readonly due: DueGrant;
  /** Somebody waits for the answer. */
  isAwaited: boolean;
  readonly settled: PromiseWithResolvers<Renewal>;
}

export function createRefresher(deps: RefresherDeps): Refresher {
  const lanes = new Lanes(deps);
  return {
    tick: () => lanes.ask(),
    renew: (key) => lanes.renew(key),
    inFlight: () => lanes.size,
    end: () => lanes.end(),
  };
}

class Lanes {
  readonly #deps: RefresherDeps;
  /** In a lane, or on their way. */
  readonly #taken = new Map<string, Waiting>();
  readonly #lanes = new Map<string, Lane>();
  #askedAt = 0;
  #hasEnded = false;

  constructor(deps: RefresherDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#taken.size;
  }

  /** What is due by now. */
  async ask(): Promise<void> {
    await this.#followClock();
    await Promise.all(this.#deps.providers.list().map(({ id }) => this.#askLane(this.#lane(id))));
  }

  async #followClock(): Promise<void> {
    const now = this.#deps.clock.now();
    const backMs = this.#askedAt - now;
    this.#askedAt = now;
    if (backMs < SET_BACK_MS) return;
    for (const lane of this.#lanes.values()) lane.downUntil = Math.min(lane.downUntil, now + lane.pauseMs);
    await this.#deps.sessions.setGrantsBack(backMs);
  }

  async renew(key: string): Promise<Renewal> {
    if (!this.#taken.has(key)) {
      const due = await this.#deps.sessions.openGrant(key);
      if (due === null) return 'ended';
      if (this.#lane(due.provider).troubles.isResting(due, this.#deps.clock.now())) return 'unavailable';
      if (!this.#taken.has(key)) this.#take(due, (lane, waiting) => lane.waiting.unshift(waiting));
    }
    const waiting = this.#taken.get(key) as Waiting;
    waiting.isAwaited = true;
    const lane = this.#lane(waiting.due.provider);
    const at = lane.waiting.indexOf(waiting);
    if (at > 0) lane.waiting.unshift(...lane.waiting.splice(at, 1));
    this.#pump(lane);
    return waiting.settled.promise;
  }

  async #askLane(lane: Lane): Promise<void> {
    if (this.#isDown(lane) || lane.waiting.length > 0) return;
    lane.asking ??= this.#takeDue(lane).finally(() => (lane.asking = null));
    await lane.asking;
  }

  async #takeDue(lane: Lane): Promise<void> {
    // As of now: what is let go while the store is read would come back as it was before.
    const due = await this.#deps.sessions.dueGrants(lane.id, BATCH, new Set(lane.taken));
    const hasMore = due.length >= BATCH;
    if (hasMore && !lane.hasMore) lane.behindSince = this.#deps.clock.now();
    lane.hasMore = hasMore;
    for (const one of due) {
      // Somebody may have asked for it meanwhile.
      if (!this.#taken.has(one.key)) this.#take(one, (_, waiting) => lane.waiting.push(waiting));
    }
    this.#pump(lane);
  }

  #lane(id: string): Lane {
    let lane = this.#lanes.get(id);
    if (lane === undefined) {
      const empty = {
        taken: new Set<string>(),
        waiting: [],
        running: 0,
        resting: 0,
        asking: null,
        hasMore: false,
        behindSince: 0,
      };
      const { clock, log } = this.#deps;
      const tellNotes = createNoteTeller(clock, (note) => log('warn', note, { provider: id }));
      lane = { id, ...empty, pauseMs: FIRST_PAUSE_MS, downUntil: 0, troubles: new RefreshTroubles(), tellNotes };
      this.#lanes.set(id, lane);
    }
    return lane;
  }

  #take(due: DueGrant, queue: (lane: Lane, waiting: Waiting) => void): void {
    const lane = this.#lane(due.provider);
    const waiting = { due, isAwaited: false, settled: Promise.withResolvers<Renewal>() };
    this.#taken.set(due.key, waiting);
    lane.taken.add(due.key);
    queue(lane, waiting);
  }

  #letGo(lane: Lane, { due, settled }: Waiting, renewal: Renewal): void {
    this.#taken.delete(due.key);
    lane.taken.delete(due.key);
    settled.resolve(renewal);
  }

  /** A refresh token that a provider has taken is worth nothing any more: what it says in return is waited for. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    for (const lane of this.#lanes.values()) this.#pump(lane);
    await Promise.all([...this.#taken.values()].map(({ settled }) => settled.promise));
  }

  #isDown(lane: Lane): boolean {
    return this.#hasEnded || this.#deps.clock.now() < lane.downUntil;
  }

  #pump(lane: Lane): void {
    if (this.#isDown(lane)) {
      lane.hasMore = false;
      for (const waiting of lane.waiting.splice(0)) this.#letGo(lane, waiting, 'unavailable');
    }
    while (lane.running < MOST_AT_ONCE) {
      // What is awaited stands in front.
      const next = lane.waiting[0];
      if (next === undefined || (!next.isAwaited && lane.running + lane.resting >= MOST_AT_ONCE)) break;
      lane.waiting.shift();
      lane.running++;
      void this.#settle(next, lane);
    }
    // A store that does not answer is said by whoever calls every second.
    if (lane.hasMore && lane.waiting.length === 0) void this.#askLane(lane).catch(() => undefined);
  }

  async #settle(waiting: Waiting, lane: Lane): Promise<void> {
    const { pace } = this.#deps;
    // Somebody may begin to wait for it meanwhile.
    const breathe = pace === undefined ? DO_NOT_BREATHE : () => (waiting.isAwaited ? DO_NOT_BREATHE() : pace.breathe());
    const renewal = await settle({ ...this.#deps, breathe }, waiting.due, lane).catch((error: unknown): Renewal => {
      this.#deps.log('warn', 'Cannot keep what a provider answered', { err: error });
      return 'unavailable';
    });
    lane.running--;
    this.#deps.pace?.settled();
    this.#letGo(lane, waiting, renewal);
    if (!waiting.isAwaited) void this.#rest(lane);
    this.#pump(lane);
  }

  async #rest(lane: Lane): Promise<void> {
    const { pace, clock } = this.#deps;
    const behindMs = lane.hasMore ? clock.now() - lane.behindSince : 0;
    const pauseMs = pace?.pauseMs(behindMs) ?? 0;
    if (pauseMs === 0) return;
    lane.resting++;
    await pace?.rest(pauseMs);
    lane.resting--;
    this.#pump(lane);
  }
}

async function settle(deps: AskDeps, due: DueGrant, lane: Lane): Promise<Renewal> {
  const provider = deps.providers.find(due.provider);
  if (provider !== null && provider.authority === due.authority) return refreshOne(deps, due, provider, lane);
  await deps.sessions.deferGrant(due.key, deps.clock.now() + LAST_PAUSE_MS);
  return 'unavailable';
}

/** Between 0 and 1, by the key: a hash already. */
function spreadOf(key: string): number {
  return Number.parseInt(key.slice(0, 4), 16) / 0x1_0000 || 0;
}

async function refreshOne(deps: AskDeps, due: DueGrant, provider: Provider, lane: Lane): Promise<Renewal> {
  const { sessions, log, breathe } = deps;
  const opened = due.open();
  if (opened === null) {
    await sessions.deferGrant(due.key, null);
    return 'ended';
  }
  const facts = { provider: provider.id, user: opened.person.name };
  const grant = readGrant(opened.value);
  if (grant === null) {
    await sessions.revoke(due.key);
    return 'ended';
  }
  await breathe();
  const answer = await provider.refresh(opened.person, grant);
  if (answer.kind === 'unavailable') return putOff(deps, due, lane, { answer, user: opened.person.name });
  lane.pauseMs = FIRST_PAUSE_MS;
  lane.downUntil = 0;
  lane.troubles.answered(due);
  if (answer.kind === 'ended') {
    log('info', answer.message, facts);
    await sessions.revoke(due.key);
    return 'ended';
  }
  await breathe();
  // The grant first: a refresh token that was rotated must not be lost.
  await sessions.renewGrant(due.key, { value: answer.grant, refreshAt: answer.refreshAt });
  await breathe();
  try {
    return await keepPerson(deps, due, { provider, answer, facts, tellNotes: lane.tellNotes });
  } catch (error) {
    // What is known of the person would stay as it was until the new grant is due: that may be hours.
    const soon = deps.clock.now() + LAST_PAUSE_MS;
    if ((answer.refreshAt ?? 0) > soon) await sessions.deferGrant(due.key, soon);
    throw error;
  }
}

interface Answered {
  readonly provider: Provider;
  readonly answer: Extract<Refreshed, { kind: 'known' }>;
  /** For the log. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly tellNotes: TellNotes;
}

async function keepPerson(deps: AskDeps, due: DueGrant, answered: Answered): Promise<Renewal> {
  const { provider, answer, facts, tellNotes } = answered;
  const { sessions, log } = deps;
  const admitted = await deps.admit(provider, answer.person, answer.organisations);
  if (admitted.kind === 'refused') {
    log('info', admitted.message, facts);
    await sessions.revoke(due.key);
    return 'ended';
  }
  tellNotes(answer.person.subject, admitted.notes);
  await sessions.refreshPerson(admitted.person, due.authority);
  return 'renewed';
}

interface Unavailable {
  readonly answer: Extract<Refreshed, { kind: 'unavailable' }>;
  /** Name for the log. */
  readonly user: string;
}

// oxlint-disable-next-line max-params -- who was asked about, where, and what came of it
async function putOff(deps: AskDeps, due: DueGrant, lane: Lane, { answer, user }: Unavailable): Promise<Renewal> {
  const { sessions, clock, log } = deps;
  const isAlone = lane.troubles.failed(due, clock.now());
  const ownRetryAt = answer.retryAt ?? (isAlone ? clock.now() + LAST_PAUSE_MS : null);
  if (ownRetryAt === null) pause(deps, lane, answer.message);
  else {
    lane.troubles.rest(due, clock.now());
    if (lane.troubles.isNews(due, answer.message))
      log('warn', `${answer.message}; people who are signed in go on`, { provider: lane.id, user });
  }
  const retryAt = (ownRetryAt ?? lane.downUntil) + Math.floor(spreadOf(due.key) * SPREAD_MS);
  if (answer.grant === undefined) await sessions.deferGrant(due.key, retryAt);
  else await sessions.renewGrant(due.key, { value: answer.grant, refreshAt: retryAt });
  return answer.grant === undefined ? 'unavailable' : 'renewed';
}

/** Nobody is asked about for a while, and for longer each time. */
function pause({ clock, log }: RefresherDeps, lane: Lane, message: string): void {
  const now = clock.now();
  if (lane.downUntil > now) return;
  if (lane.pauseMs === FIRST_PAUSE_MS) log('warn', `${message}; people who are signed in go on`, { provider: lane.id });
  lane.downUntil = now + lane.pauseMs;
  lane.pauseMs = Math.min(LAST_PAUSE_MS, lane.pauseMs * 2);
}
