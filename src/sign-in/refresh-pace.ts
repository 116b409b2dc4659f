/**
 * How fast providers are asked about people whom nobody waits for. Where a provider was away and everybody is due at
 * once, what visitors do comes first: a hundred people are asked about within five seconds all the same, a thousand
 * within a minute; in up to two where a question takes more of the core. More of them than that leaves room for are
 * not put off for ever.
 */

/** Of each seat behind each question. With sixteen some twenty questions a second. */
const PAUSE_MS = 800;
/** Some hundred a second. */
const SHORT_PAUSE_MS = 150;
/** A wave that lasts for so long is asked about faster, */
const LONG_BEHIND_MS = 60_000;
/** and one that lasts for so long as fast as it goes. */
const LONGEST_BEHIND_MS = 1_200_000;
/** Between the pieces of a question: the shortest that lets whoever shares the core have it in between. */
const BREATH_MS = 1;
/** Of CPU, of a question where these were found: twenty a second are then a thirtieth of a core. */
const USUAL_COST_MS = 1.7;
/** A question that takes longer than this was held up by something else. */
const MOST_COST_MS = 20;
const MOST_TIMES = 2;
/** Of the newest question in the mean. */
const WEIGHT = 1 / 16;

export interface RefreshPaceDeps {
  /** Sleeps for so many milliseconds. */
  readonly rest: (ms: number) => Promise<unknown>;
  /** Milliseconds of CPU that the thread which asks has had. */
  readonly cpuMs: () => number;
}

export class RefreshPace {
  readonly rest: (ms: number) => Promise<unknown>;
  readonly #cpuNow: () => number;
  #costMs = USUAL_COST_MS;
  #cpuMs: number;

  constructor({ rest, cpuMs }: RefreshPaceDeps) {
    this.rest = rest;
    this.#cpuNow = cpuMs;
    this.#cpuMs = cpuMs();
  }

  /** Between two pieces of a question that nobody waits for. */
  breathe(): Promise<unknown> {
    return this.rest(BREATH_MS);
  }

  /** A question is settled. What the thread does for visitors meanwhile counts too: the more it is, the longer the pauses. */
  settled(): void {
    const cpuMs = this.#cpuNow();
    const costMs = Math.min(cpuMs - this.#cpuMs, MOST_COST_MS);
    this.#costMs += (costMs - this.#costMs) * WEIGHT;
    this.#cpuMs = cpuMs;
  }

  /** Of a seat, behind its question; 0 for none. `behindMs`: since when more people have been due than were asked about. */
  pauseMs(behindMs: number): number {
    const times = Math.min(Math.max(this.#costMs / USUAL_COST_MS, 1), MOST_TIMES);
    if (behindMs > LONGEST_BEHIND_MS * times) return 0;
    return Math.round((behindMs > LONG_BEHIND_MS * times ? SHORT_PAUSE_MS : PAUSE_MS) * times);
  }
}
