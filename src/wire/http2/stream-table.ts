/**
 * The open streams of a connection by their id, at the cost of a list a bucket. A Map will not do: with every
 * request coming and going it is rehashed all the time, and keeps alive what it held (see core/roster.ts).
 */
export interface Numbered<T> {
  readonly id: number;
  /** The next in the same bucket. */
  next: T | null;
}

const BUCKETS = 32;

export class StreamTable<T extends Numbered<T>> {
  size = 0;
  readonly #buckets: (T | null)[] = Array.from({ length: BUCKETS }, () => null);

  find(id: number): T | null {
    let one = this.#buckets[bucketOf(id)] as T | null;
    while (one !== null && one.id !== id) one = one.next;
    return one;
  }

  add(stream: T): void {
    const bucket = bucketOf(stream.id);
    stream.next = this.#buckets[bucket] as T | null;
    this.#buckets[bucket] = stream;
    this.size++;
  }

  /** False where it was not in. */
  remove(stream: T): boolean {
    const bucket = bucketOf(stream.id);
    let before: T | null = null;
    let one = this.#buckets[bucket] as T | null;
    while (one !== null && one !== stream) {
      before = one;
      one = one.next;
    }
    if (one === null) return false;
    if (before === null) this.#buckets[bucket] = stream.next;
    else before.next = stream.next;
    stream.next = null;
    this.size--;
    return true;
  }

  /** Whoever is in now; they may leave while they are gone through. */
  all(): T[] {
    const all: T[] = [];
    if (this.size === 0) return all;
    for (const first of this.#buckets) for (let one = first; one !== null; one = one.next) all.push(one);
    return all;
  }
}

/** A client's ids are odd. */
function bucketOf(id: number): number {
  return (id >>> 1) % BUCKETS;
}
