/**
 * Tells a CA that is away from one that cannot cope with a certain order: it is away when the orders of several
 * certificates found nobody, one after the other, and none got an answer in between. Then one order at a time asks
 * whether it is back, in place of hundreds; when it is, those that it kept waiting go on at once.
 */
const SEVERAL = 3;
/** Between two looks whether it is back. */
const PAUSE_MS = 60_000;

interface Silence {
  /** Whose orders found nobody. */
  readonly subjects: Set<string>;
  since: number;
}

export class CaOutages {
  readonly #silent = new Map<string, Silence>();

  /** True where no order found nobody lately, as usual. */
  get isQuiet(): boolean {
    return this.#silent.size === 0;
  }

  isAway(directory: string): boolean {
    return (this.#silent.get(directory)?.subjects.size ?? 0) >= SEVERAL;
  }

  /** When to look whether it is back; 0 where it is not away, or the clock has been set back since. */
  lookAgainAt(directory: string, now: number): number {
    const { since = 0 } = this.#silent.get(directory) ?? {};
    return this.isAway(directory) && since <= now ? since + PAUSE_MS : 0;
  }

  noteSilence(directory: string, subject: string, now: number): void {
    const silence = this.#silent.get(directory) ?? { subjects: new Set(), since: now };
    silence.subjects.add(subject);
    silence.since = now;
    this.#silent.set(directory, silence);
  }

  /** Those that it kept waiting; empty where it was not away. */
  noteAnswer(directory: string): ReadonlySet<string> {
    const waiting = this.isAway(directory) ? this.#silent.get(directory)?.subjects : undefined;
    this.#silent.delete(directory);
    return waiting ?? new Set();
  }

  forget(directory: string): void {
    this.#silent.delete(directory);
  }
}
