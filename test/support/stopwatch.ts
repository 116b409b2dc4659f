/**
 * Takes the time of what must be over soon. A machine, or this process, that stood still and goes on says nothing of
 * what was waited for: it could not have been seen earlier. So between two looks little counts, however long it was.
 */
const LOOK_MS = 50;
/** Beyond the processor's time of this process: one that is busy looks late as well, and that counts. */
const MOST_BETWEEN_LOOKS_MS = 250;

export class Stopwatch {
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #lookedAt: number;
  #spentMs = processorMs();
  #ms = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#lookedAt = now();
    // What fails meanwhile is not kept alive by it.
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** Milliseconds since the begin in which this process could run. */
  get ms(): number {
    this.#look();
    return this.#ms;
  }

  stop(): number {
    clearInterval(this.#timer);
    return this.ms;
  }

  #look(): void {
    const now = this.#now();
    const spentMs = processorMs();
    const most = MOST_BETWEEN_LOOKS_MS + spentMs - this.#spentMs;
    this.#ms += Math.min(now - this.#lookedAt, most);
    this.#lookedAt = now;
    this.#spentMs = spentMs;
  }
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
