/**
 * Work of strangers, a little in each turn of the event loop: a crowd that connects in one moment waits a little
 * longer, and whoever is in already is served in between. Something is done each turn, in the order of asking, so
 * nobody waits for ever; where nobody waits nothing is put off. Keeps no count of its own that could grow: what
 * waits here holds a connection, and those are limited.
 */
import { performance } from 'node:perf_hooks';

export interface TurnPaceOptions {
  /** What a turn may give to those who wait; the piece that is begun is finished. */
  readonly budgetMs: number;
  /** Called between the turns of a crowd. */
  readonly rest?: () => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

export class TurnPace {
  readonly #budgetMs: number;
  readonly #now: () => number;
  readonly #rest: (() => void) | undefined;
  #waiting: (() => void)[] = [];
  /** The first of those that wait; what is before it is done. */
  #first = 0;
  #isScheduled = false;
  #beganAt = 0;

  constructor({ budgetMs, rest, now = () => performance.now() }: TurnPaceOptions) {
    this.#budgetMs = budgetMs;
    this.#rest = rest;
    this.#now = now;
  }

  get waiting(): number {
    return this.#waiting.length - this.#first;
  }

  /** At once for the first of a turn, else in the order of asking. */
  begin(work: () => void): void {
    // Somebody had this turn's piece already, or waits.
    if (this.#isScheduled) this.#waiting.push(work);
    else {
      this.#schedule();
      work();
    }
  }

  /** The same for work that goes on behind an `await`. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.begin(resolve));
  }

  #schedule(): void {
    this.#isScheduled = true;
    // After the poll of this turn: what came for others meanwhile had its turn.
    setImmediate(this.#next);
  }

  readonly #next = (): void => {
    this.#isScheduled = false;
    if (this.waiting === 0) return;
    this.#schedule();
    this.#rest?.();
    this.#beganAt = this.#now();
    this.#step();
  };

  readonly #step = (): void => {
    const work = this.#waiting[this.#first++];
    if (this.#first === this.#waiting.length) {
      this.#waiting = [];
      this.#first = 0;
    }
    work?.();
    // Behind what the piece has left to be done by ticks and promises, so that its time counts too.
    if (this.waiting > 0) process.nextTick(this.#afterTicks);
  };

  readonly #afterTicks = (): void => queueMicrotask(this.#again);

  readonly #again = (): void => {
    if (this.waiting > 0 && this.#now() - this.#beganAt < this.#budgetMs) this.#step();
  };
}
