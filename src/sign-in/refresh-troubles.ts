/**
 * Whose questions to one provider fail, and whether it is theirs alone: somebody whom it fails again, while it has
 * answered for others in between. A provider that is away fails whoever is asked about next, who did not fail before.
 */

/** Who failed longest ago goes first, and is taken for another sign of an outage once. */
const MOST = 1_000;

interface Trouble {
  /** How many answers there had been when it began. */
  readonly answers: number;
  /** Sign-ins that have failed, and were not answered since. */
  readonly keys: Set<string>;
  said: string;
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
  failed({ key, subject }: Asked): boolean {
    const before = this.#troubles.get(subject);
    const trouble = before ?? { answers: this.#answers, keys: new Set(), said: '' };
    trouble.keys.add(key);
    this.#troubles.set(subject, trouble);
    if (this.#troubles.size > MOST) this.#troubles.delete(this.#troubles.keys().next().value as string);
    return before !== undefined && this.#answers > before.answers;
  }

  /** True once for each reason, for as long as the trouble lasts. */
  isNews({ subject }: Asked, message: string): boolean {
    const trouble = this.#troubles.get(subject);
    if (trouble === undefined || trouble.said === message) return false;
    trouble.said = message;
    return true;
  }
}
