/**
 * Which orders run, and when: those that are due, as many at once as may be, one for the same names at a time, and
 * none at a CA that has asked for a pause. It knows nothing of certificates; who makes it says when each is due and
 * what an order does.
 */
import type { OrderProgress } from '../acme/order.ts';
import { CaOutages } from './ca-outages.ts';
import { caFor, type OrderOutcome } from './order-run.ts';
import { NEW_ORDER, atClock, type OrderState } from './order-state.ts';
import { nameSetOf, type AcmeCa, type Wanted } from './wanted.ts';
import type { Clock } from '../../core/clock.ts';

export interface Job {
  wanted: Wanted;
  /** False: the document wants it no more, and what runs is left to end. */
  isWanted: boolean;
  state: OrderState;
  /** The state is for a clock that was set back: how a clock ahead of that wrote it. */
  setBack: { readonly written: OrderState; readonly state: OrderState; readonly lookedAt: number } | null;
  nextAt: number;
  isOrdering: boolean;
  isForced: boolean;
  /** The CA that the order which runs is at, once that is known. */
  ca: AcmeCa | null;
  /** Gives that order up. */
  stop: AbortController | null;
  progress: OrderProgress | null;
  /** When the schedule got one, the last few. */
  renewedAt: number[];
  waiters: ((outcome: OrderOutcome) => void)[];
}

export interface OrderQueueOptions {
  readonly clock: Clock;
  readonly ordersAtOnce?: number | undefined;
  /** When the job is due, by its certificate and by what became of its last order. */
  readonly dueAt: (job: Job) => number;
  /** What counts of what became of its last order, for what is wanted by now. */
  readonly stateOf: (state: OrderState, wanted: Wanted) => OrderState;
  /** Orders; never rejects. */
  readonly run: (job: Job) => Promise<void>;
  /** At each look at what is due. */
  readonly onLook: (now: number) => void;
}

const ORDERS_AT_ONCE = 16;
/** Timers are kept short: the clock may jump, and a machine may sleep. */
const LONGEST_WAIT_MS = 10 * 60_000;
/** A clock that is so much further at the next look was put there: by running it is looked at more often. */
const LEAP_MS = 2 * LONGEST_WAIT_MS;

const NAMED_NO_MORE = 'Cannot go on with the order: the document names another CA by now';

/** With the same settings, as far as they say how it is spoken to. */
function isSameCa(one: AcmeCa): (other: AcmeCa) => boolean {
  const key = ({ directory, eab, rootsPem }: AcmeCa): string => JSON.stringify([directory, eab, rootsPem]);
  return (other) => key(one) === key(other);
}

/** Of the CA whose turn it is. */
function directoryOf({ wanted, state }: Job): string {
  return caFor(wanted.policy, state.failures).directory;
}

export class OrderQueue {
  readonly #options: OrderQueueOptions;
  readonly #jobs = new Map<string, Job>();
  readonly #running = new Set<Promise<void>>();
  /** Names that an order runs for. */
  readonly #busy = new Set<string>();
  /** CAs that want no orders from this account for a while. */
  readonly #paused = new Map<string, { readonly at: number; readonly until: number }>();
  readonly #outages = new CaOutages();
  #states = new Map<string, OrderState>();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: OrderQueueOptions) {
    this.#options = options;
  }

  get jobs(): readonly Job[] {
    return [...this.#jobs.values()];
  }

  /** What became of orders before. */
  recall(states: Map<string, OrderState>): void {
    this.#states = states;
  }

  /** What is wanted from now on. Orders that run for others are left to end. */
  want(wanted: readonly Wanted[]): void {
    const subjects = new Set(wanted.map((one) => one.subject));
    for (const [subject, job] of this.#jobs) {
      job.isWanted = subjects.has(subject);
      if (!job.isWanted && !job.isOrdering) this.#drop(job);
    }
    for (const one of wanted) {
      const job = this.#jobs.get(one.subject) ?? this.#newJob(one);
      job.wanted = one;
      if (job.isOrdering) {
        // It may go on for minutes at a CA that does not come to an end, and that nobody wants any more.
        if (job.ca !== null && !one.policy.cas.some(isSameCa(job.ca))) job.stop?.abort(new Error(NAMED_NO_MORE));
        continue;
      }
      const state = this.#options.stateOf(job.state, one);
      // That nobody was found says nothing of what the document asks for by now.
      if (state !== job.state) this.#outages.forget(directoryOf(job));
      job.state = state;
      job.nextAt = this.#options.dueAt(job);
    }
    this.look();
  }

  find(subject: string): Job | undefined {
    return this.#jobs.get(subject);
  }

  /** As `Issuance.order`. */
  async order(subject: string, hurries: boolean): Promise<OrderOutcome | null> {
    const job = this.#jobs.get(subject);
    if (job === undefined || (!hurries && !job.isOrdering && !this.#mayStart(job))) return null;
    const done = new Promise<OrderOutcome>((resolve) => job.waiters.push(resolve));
    if (hurries && !job.isOrdering) {
      job.isForced = true;
      job.nextAt = 0;
    }
    this.look();
    return done;
  }

  /** The last order of these names failed no more. */
  forgive(subject: string): void {
    this.#states.delete(subject);
  }

  pause(directory: string, until: number): void {
    this.#paused.set(directory, { at: this.#options.clock.now(), until });
  }

  /** An order found nobody at the CA. */
  noteSilence(directory: string, subject: string): void {
    this.#outages.noteSilence(directory, subject, this.#options.clock.now());
  }

  /** The CA has answered an order, whatever it said: it kept others waiting that do not wait out their pause. */
  noteAnswer(directory: string): void {
    const now = this.#options.clock.now();
    for (const subject of this.#outages.noteAnswer(directory)) {
      const job = this.#jobs.get(subject);
      if (job === undefined || job.isOrdering) continue;
      job.state = { ...job.state, nextAt: Math.min(job.state.nextAt, now) };
      job.nextAt = this.#options.dueAt(job);
    }
  }

  /** Something has changed for these: they may be due at another time. */
  reschedule(jobs: readonly Job[]): void {
    for (const job of jobs) if (!job.isOrdering) job.nextAt = this.#options.dueAt(job);
    this.look();
  }

  /** Starts what is due, as much as may run at once, and sets the timer for the next. */
  look(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isClosed) return;
    const now = this.#options.clock.now();
    const atOnce = this.#options.ordersAtOnce ?? ORDERS_AT_ONCE;
    let nextAt = now + LONGEST_WAIT_MS;
    const probing = this.#probing();
    for (const job of this.#jobs.values()) {
      if (!job.isOrdering) this.#heedClock(job, now);
      // One order for the same names at a time: a CA may answer the second with the first, as Let's Encrypt does.
      if (job.isOrdering || this.#busy.has(nameSetOf(job.wanted.subject))) continue;
      const dueAt = Math.max(job.nextAt, this.#pausedUntil(job));
      if (dueAt > now) nextAt = Math.min(nextAt, dueAt);
      else if (this.#running.size < atOnce && this.#mayAsk(job, probing)) this.#start(job);
    }
    this.#options.onLook(now);
    this.#timer = setTimeout(() => this.look(), Math.max(nextAt - now, 50)).unref();
  }

  /**
   * The clock may have been set back since, and nobody waits for hours until it has caught up. Where it is right again,
   * as on a machine that began in 1970 and has learned the time, what was written by it counts as it stands. A clock
   * that was ahead once comes there by running, and waits no longer for that.
   */
  #heedClock(job: Job, now: number): void {
    // Whatever has changed the state since says something newer.
    const back = job.setBack?.state === job.state ? job.setBack : null;
    const written = back?.written ?? job.state;
    const isPast = now >= (written.problem?.at ?? 0);
    const isAsWritten = isPast && (back === null || now - back.lookedAt > LEAP_MS);
    const state = isAsWritten ? written : atClock(job.state, now);
    job.setBack = isPast ? null : { written, state, lookedAt: now };
    if (state === job.state) return;
    job.state = state;
    job.nextAt = this.#options.dueAt(job);
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  /** Nothing is started any more; resolves when what ran has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.allSettled(this.#running);
  }

  /** Failures are remembered for the day when it is wanted again, as after a restart. */
  #drop({ wanted, state }: Job): void {
    this.#jobs.delete(wanted.subject);
    this.#states.set(wanted.subject, state);
  }

  #newJob(wanted: Wanted): Job {
    const state = this.#states.get(wanted.subject) ?? NEW_ORDER;
    const job: Job = {
      wanted,
      isWanted: true,
      state,
      setBack: null,
      nextAt: 0,
      isOrdering: false,
      isForced: false,
      ca: null,
      stop: null,
      progress: null,
      renewedAt: [],
      waiters: [],
    };
    this.#jobs.set(wanted.subject, job);
    return job;
  }

  /** True where it is due, and its CA neither wants to be left alone nor is away. */
  #mayStart(job: Job): boolean {
    const now = this.#options.clock.now();
    return Math.max(job.nextAt, this.#pausedUntil(job)) <= now && this.#mayAsk(job, this.#probing());
  }

  /** Of the CA whose turn it is: another one may step in meanwhile. */
  #pausedUntil(job: Job): number {
    if (job.isForced || (this.#paused.size === 0 && this.#outages.isQuiet)) return 0;
    const directory = directoryOf(job);
    const now = this.#options.clock.now();
    const away = this.#waitsFor(job) ? this.#outages.lookAgainAt(directory, now) : 0;
    return Math.max(this.#pauseOf(directory, now), away);
  }

  /** By a clock that was set back since it lasts as long as before. */
  #pauseOf(directory: string, now: number): number {
    const paused = this.#paused.get(directory);
    if (paused === undefined) return 0;
    const { at, until } = paused;
    if (at <= now) return until;
    this.#paused.set(directory, { at: now, until: until - (at - now) });
    return until - (at - now);
  }

  /** CAs that somebody asks at the moment; null where that does not matter, since none is away. */
  #probing(): Set<string> | null {
    return this.#outages.isQuiet ? null : new Set(this.jobs.filter((job) => job.isOrdering).map(directoryOf));
  }

  #mayAsk(job: Job, probing: Set<string> | null): boolean {
    if (probing === null || !this.#waitsFor(job)) return true;
    const directory = directoryOf(job);
    if (probing.has(directory)) return false;
    probing.add(directory);
    return true;
  }

  /** True where its CA is away, and it is not to find that out by itself, as whoever has another CA to turn to. */
  #waitsFor(job: Job): boolean {
    return !job.isForced && job.wanted.policy.cas.length === 1 && this.#outages.isAway(directoryOf(job));
  }

  #start(job: Job): void {
    const names = nameSetOf(job.wanted.subject);
    job.isOrdering = true;
    this.#busy.add(names);
    const run = this.#options.run(job).finally(() => {
      this.#running.delete(run);
      this.#busy.delete(names);
      job.isOrdering = false;
      job.progress = null;
      job.ca = null;
      job.stop = null;
      if (!job.isWanted) this.#drop(job);
      this.look();
    });
    this.#running.add(run);
  }
}
