/**
 * FIN may be a client's half-close or its end; only writing tells. The first write to a closed socket brings RST,
 * the next one an error, and the exchange ends. Says when to write to a client that sent FIN and waits for an answer.
 */

/** Milliseconds after the FIN, each once. */
const PROBES_MS = [1_000, 2_000, 10_000];

export class FinProbes {
  readonly #since: number;
  #done = 0;

  constructor(now: number) {
    this.#since = now;
  }

  /** True once for each. */
  isDue(now: number): boolean {
    const at = PROBES_MS[this.#done];
    if (at === undefined || now < this.#since + at) return false;
    this.#done++;
    return true;
  }
}
