/** Choices of a random test: the same ones for the same seed, so that a failure can be had again. */
import { createHash } from 'node:crypto';

export class Dice {
  #block = Buffer.alloc(0);
  #at = 0;
  #round = 0;
  readonly #seed: string;

  constructor(seed: string) {
    this.#seed = seed;
  }

  roll(sides: number): number {
    if (this.#at + 4 > this.#block.length) {
      this.#block = createHash('sha512')
        .update(`${this.#seed}/${this.#round++}`)
        .digest();
      this.#at = 0;
    }
    this.#at += 4;
    return this.#block.readUInt32BE(this.#at - 4) % sides;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.roll(from.length)] as T;
  }

  /** Each with its weight. */
  weighed<T>(from: readonly (readonly [T, number])[]): T {
    let left = this.roll(from.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [one, weight] of from) if ((left -= weight) < 0) return one;
    throw new Error('Cannot pick from nothing');
  }
}
