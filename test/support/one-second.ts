/**
 * Proves what is promised within a second: the time from the acknowledgement of a change to the end of what it no
 * longer allows, as a socket in this process sees it. A machine that runs other suites beside must not fail it, so
 * two things are borne: the time in which this process could not run itself is taken off, since it could not have
 * seen an end earlier; and a scenario that took longer is played again from its start, three times at most. A
 * product that takes longer by itself does so each time. What never ends fails at once.
 */
import type { TestContext } from 'node:test';

const PROMISED_MS = 1_000;
const PLAYS = 3;
/** For what never comes, so that a failing test ends. */
const NEVER_MS = 40_000;
const TICK_MS = 20;

/** Moments of one play, of `Date.now()`. */
export interface Ending {
  readonly acknowledgedAt: number;
  /** Of the last of them. */
  readonly endedAt: number;
}

/** Plays the whole scenario, with what it needs, until it once kept the second; prints what was measured. */
export async function endsWithinASecond(
  t: Pick<TestContext, 'diagnostic'>,
  play: () => Promise<Ending>,
): Promise<void> {
  const told: string[] = [];
  for (let round = 1; round <= PLAYS; round++) {
    const pulse = new Pulse();
    const { acknowledgedAt, endedAt } = await play().finally(() => pulse.stop());
    const lost = Math.round(pulse.lostIn(acknowledgedAt, endedAt));
    const taken = Math.max(0, Math.round(endedAt - acknowledgedAt));
    told.push(`ended ${taken} ms after the acknowledgement (in ${lost} of them this process could not run)`);
    t.diagnostic(told.at(-1) ?? '');
    if (taken - lost <= PROMISED_MS) return;
  }
  throw new Error(`Cannot see the promised second kept in any of ${PLAYS} plays: ${told.join('; ')}`);
}

/** When the last of them has ended; throws where one never does. */
export async function lastEnd(ends: readonly Promise<number>[], what: string): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const never = new Promise<never>((_done, fail) => {
    timer = setTimeout(() => fail(new Error(`Cannot go on: ${what} did not end within ${NEVER_MS} ms`)), NEVER_MS);
  });
  try {
    return Math.max(...(await Promise.race([Promise.all(ends), never])));
  } finally {
    clearTimeout(timer);
  }
}

/** Beats every 20 ms; where a beat comes late, this process had no processor or was busy. */
export class Pulse {
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #stalls: (readonly [from: number, to: number])[] = [];
  #last: number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#last = now();
    this.#timer = setInterval(() => this.beat(), TICK_MS);
  }

  beat(): void {
    const now = this.#now();
    if (now - this.#last > 2 * TICK_MS) this.#stalls.push([this.#last + TICK_MS, now]);
    this.#last = now;
  }

  stop(): void {
    this.beat();
    clearInterval(this.#timer);
  }

  /** Milliseconds of the span in which nothing ran here. */
  lostIn(from: number, to: number): number {
    let lost = 0;
    for (const [began, ended] of this.#stalls) lost += Math.max(0, Math.min(ended, to) - Math.max(began, from));
    return lost;
  }
}
