/** Time as a dependency: whoever needs the time is handed a clock, and tests hand in their own. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

export const systemClock: Clock = { now: () => Date.now() };
