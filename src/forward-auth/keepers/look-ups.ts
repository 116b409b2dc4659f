/**
 * One question for all who ask for the same session at the same time. A change that comes while the answer is
 * on its way makes the question be asked again: the answer may be older than the change.
 */
import type { VaultAnswer } from './session-vault.ts';

/** Who comes beyond these is told to come again: a store that hangs must not pile requests up. */
const MAX_FLIGHTS = 4_000;
const UNAVAILABLE: VaultAnswer = { kind: 'unavailable' };

interface Flight {
  answer: Promise<VaultAnswer>;
  isTainted: boolean;
}

export class LookUps {
  readonly #flights = new Map<string, Flight>();

  ask(key: string, question: () => Promise<VaultAnswer>): Promise<VaultAnswer> {
    const flying = this.#flights.get(key);
    if (flying !== undefined) return flying.answer;
    if (this.#flights.size >= MAX_FLIGHTS) return Promise.resolve(UNAVAILABLE);
    const flight: Flight = { answer: Promise.resolve(UNAVAILABLE), isTainted: false };
    this.#flights.set(key, flight);
    flight.answer = this.#run(flight, question).finally(() => this.#flights.delete(key));
    return flight.answer;
  }

  /** Null: any of them may have changed. */
  taint(key: string | null): void {
    if (key === null) for (const flight of this.#flights.values()) flight.isTainted = true;
    else {
      const flight = this.#flights.get(key);
      if (flight !== undefined) flight.isTainted = true;
    }
  }

  async #run(flight: Flight, question: () => Promise<VaultAnswer>): Promise<VaultAnswer> {
    for (;;) {
      flight.isTainted = false;
      const answer = await question();
      if (!flight.isTainted || answer.kind !== 'found') return answer;
    }
  }
}
