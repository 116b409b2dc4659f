/**
 * Whose questions to one provider fail, and whether it is theirs alone: somebody whom it fails again, while it has
 * answered for others in between. A provider that is away fails whoever is asked about next, who did not fail before.
 */

/** People, and sign-ins of each. Who failed longest ago goes first, and is taken for another sign of an outage once. */
const MOST = 1_000;
/** Of whom nothing was heard for so long: their sessions have ended, and nobody tells. */
const FORGOTTEN_MS = 86_400_000;
/** How long nobody asks about a sign-in again, whoever waits. */
const REST_MS = 5_000;

interface Trouble {
  /** How many answers there had been when it began. */
  readonly answers: number;
  /** Sign-ins that have failed, and were not answered since; since when each rests. */
  readonly keys: Map<string, number>;
  said: string;
  /** When the last of them failed. */
  at: number;
}

interface Asked {
  readonly key: string;
  readonly subject: string;
}

export class RefreshTroubles {
  readonly #troubles: Map<string, Trouble> = new Map();
  #answers = 0;

  answered({ key, subject }: Asked): void {
    this.#answers++;
    const trouble = this.#troubles.get(subject);
    trouble?.keys.delete(key);
    if (trouble?.keys.size === 0) this.#troubles.delete(subject);
  }

  /** Answers whether it is this person's alone. */
  failed({ key, subject }: Asked, now: number): boolean {
    this.#forget(now);
    const before = this.#troubles.get(subject);
    const trouble = before ?? { answers: this.#answers, keys: new Map<string, number>(), said: '', at: now };
    trouble.at = now;
    putLast(trouble.keys, key, Number.NEGATIVE_INFINITY);
    putLast(this.#troubles, subject, trouble);
    return before !== undefined && this.#answers > before.answers;
  }

  /** Where nothing else pauses: an app may ask for the tokens of this one with every request. */
  rest({ key, subject }: Asked, now: number): void {
    this.#troubles.get(subject)?.keys.set(key, now);
  }

  /** A clock that was set back keeps nobody waiting. */
  isResting({ key, subject }: Asked, now: number): boolean {
    const since = this.#troubles.get(subject)?.keys.get(key) ?? Number.NEGATIVE_INFINITY;
    return Math.abs(now - since) < REST_MS;
  }

  /** True once for each reason, for as long as the trouble lasts. Where it is of more people than are kept, they were named. */
  isNews({ subject }: Asked, message: string): boolean {
    const trouble = this.#troubles.get(subject);
    if (trouble === undefined || trouble.said === message) return false;
    trouble.said = message;
    return this.#troubles.size < MOST;
  }

  #forget(now: number): void {
    for (const [subject, { at }] of this.#troubles) {
      if (Math.abs(now - at) < FORGOTTEN_MS) return;
      this.#troubles.delete(subject);
    }
  }
}

function putLast<T>(all: Map<string, T>, key: string, value: T): void {
  all.delete(key);
  all.set(key, value);
  if (all.size > MOST) all.delete(all.keys().next().value as string);
}
