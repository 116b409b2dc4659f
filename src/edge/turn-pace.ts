/**
 * Dear work of strangers, a few pieces a turn of the event loop: a crowd that connects in one moment waits a
 * little longer, and whoever is in already is served in between. Where nobody waits nothing is put off.
 */
export class TurnPace {
  readonly #perTurn: number;
  readonly #waiting: (() => void)[] = [];
  /** Begun in this turn. */
  #begun = 0;
  #isScheduled = false;

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** At once, or in the order of asking. */
  begin(work: () => void): void {
    if (this.#begun >= this.#perTurn || this.#waiting.length > 0) this.#waiting.push(work);
    else {
      this.#begun++;
      work();
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // After the poll of this turn: what came for others meanwhile had its turn.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#begun = 0;
      this.#next();
    });
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    this.#schedule();
    for (const work of this.#waiting.splice(0, this.#perTurn)) {
      this.#begun++;
      work();
    }
  }
}
