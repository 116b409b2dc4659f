/**
 * Open connections by client address, counted over all workers. Each worker adds in a part of one shared
 * memory that it alone writes; a look-up sums the parts, so what a worker that died had counted is dropped
 * with its part. Addresses fall into slots by two keyed hashes and the lower sum counts: never too low, too
 * high only where both slots are shared with others (a count-min sketch). The key is random, so that nobody
 * can choose addresses that fall on somebody else's slots.
 */
import { randomBytes } from 'node:crypto';

const SLOTS = 16_384;
const ROWS = 2;
/** One number for all connections, then the rows. */
const PART = 1 + SLOTS * ROWS;

/** Plain data that every worker is given. Pages that nobody writes take no memory. */
export interface CountsMemory {
  readonly buffer: SharedArrayBuffer;
  readonly seeds: readonly [number, number];
}

export function createCountsMemory(parts: number): CountsMemory {
  const random = randomBytes(8);
  return {
    buffer: new SharedArrayBuffer(parts * PART * Int32Array.BYTES_PER_ELEMENT),
    seeds: [random.readInt32LE(0), random.readInt32LE(4)],
  };
}

export class SharedCounts {
  readonly #cells: Int32Array;
  readonly #seeds: readonly [number, number];
  readonly #own: number;

  constructor(memory: CountsMemory, part: number) {
    this.#cells = new Int32Array(memory.buffer);
    this.#seeds = memory.seeds;
    this.#own = part * PART;
  }

  /** Forgets everything of this part: its worker is gone. */
  clear(): void {
    for (let at = this.#own; at < this.#own + PART; at++) if (this.#cells[at] !== 0) Atomics.store(this.#cells, at, 0);
  }

  /** Adds to all connections; answers how many all workers have. */
  addOpen(by: 1 | -1): number {
    Atomics.add(this.#cells, this.#own, by);
    return this.#sum(0);
  }

  /** Adds to the connections of an address; answers how many all workers have of it. */
  addAddress(key: string, by: 1 | -1): number {
    const [first, second] = this.#seeds;
    const a = 1 + slotOf(key, first);
    const b = 1 + SLOTS + slotOf(key, second);
    Atomics.add(this.#cells, this.#own + a, by);
    Atomics.add(this.#cells, this.#own + b, by);
    return Math.min(this.#sum(a), this.#sum(b));
  }

  #sum(at: number): number {
    let sum = 0;
    for (let cell = at; cell < this.#cells.length; cell += PART) sum += Atomics.load(this.#cells, cell);
    return sum;
  }
}

/** FNV-1a from a random start, with a final mix. */
function slotOf(key: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % SLOTS;
}
