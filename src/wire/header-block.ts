/**
 * Header fields in the order received. Names keep their spelling toward HTTP/1.1 apps; look-ups use
 * the lower-case key. Three parallel arrays: nothing is allocated for a field but its strings.
 * Duplicates stay separate: Set-Cookie and WWW-Authenticate must never be joined.
 */
import type { CookieLine } from './cookie-line.ts';

export class HeaderBlock {
  readonly names: string[] = [];
  readonly keys: string[] = [];
  readonly values: string[] = [];
  /**
   * True where the codec hands out this very block for each request that repeats the same fields: what
   * is derived from it is worth keeping with it, and nobody may change it.
   */
  isRemembered = false;
  /** The only Cookie line, where it is that of the request before: what is derived from it is worth keeping with it. */
  cookieLine: CookieLine | null = null;
  /** A bit for each length of a key, modulo 32: nearly every name that is asked for and missing is told by it. */
  #lengths = 0;

  get size(): number {
    return this.keys.length;
  }

  static from(fields: Readonly<Record<string, string | readonly string[]>>): HeaderBlock {
    const block = new HeaderBlock();
    for (const [name, value] of Object.entries(fields)) {
      if (typeof value === 'string') block.append(name, value);
      else for (const one of value) block.append(name, one);
    }
    return block;
  }

  /** Adds a field whose name and value are already valid. */
  append(name: string, value: string, key: string = name.toLowerCase()): void {
    if (key === 'cookie') this.cookieLine = null;
    this.#lengths |= 1 << key.length;
    this.names.push(name);
    this.keys.push(key);
    this.values.push(value);
  }

  /** First value of a lower-case key. */
  get(key: string): string | undefined {
    if ((this.#lengths & (1 << key.length)) === 0) return undefined;
    const at = this.keys.indexOf(key);
    return at === -1 ? undefined : this.values[at];
  }

  has(key: string): boolean {
    return (this.#lengths & (1 << key.length)) !== 0 && this.keys.includes(key);
  }

  count(key: string): number {
    let count = 0;
    for (const one of this.keys) if (one === key) count++;
    return count;
  }

  getAll(key: string): string[] {
    const found: string[] = [];
    for (let i = 0; i < this.keys.length; i++) if (this.keys[i] === key) found.push(this.values[i] as string);
    return found;
  }

  /** Removes every field of the key and answers whether there was one. */
  remove(key: string): boolean {
    return this.removeWhere((one) => one === key);
  }

  removeWhere(isUnwanted: (key: string, value: string) => boolean): boolean {
    let kept = 0;
    for (let i = 0; i < this.keys.length; i++) {
      if (isUnwanted(this.keys[i] as string, this.values[i] as string)) continue;
      if (kept !== i) this.#move(i, kept);
      kept++;
    }
    const removed = kept !== this.keys.length;
    if (removed) this.cookieLine = null;
    // Popping is compiled inline; setting `length` calls into the runtime, three times a response.
    while (this.keys.length > kept) {
      this.names.pop();
      this.keys.pop();
      this.values.pop();
    }
    return removed;
  }

  /** Replaces every field of the name by one. */
  set(name: string, value: string): void {
    const key = name.toLowerCase();
    this.remove(key);
    this.append(name, value, key);
  }

  clone(): HeaderBlock {
    const copy = new HeaderBlock();
    for (let i = 0; i < this.keys.length; i++) {
      copy.append(this.names[i] as string, this.values[i] as string, this.keys[i]);
    }
    return copy;
  }

  *[Symbol.iterator](): IterableIterator<[name: string, value: string, key: string]> {
    for (let i = 0; i < this.keys.length; i++) {
      yield [this.names[i] as string, this.values[i] as string, this.keys[i] as string];
    }
  }

  #move(from: number, to: number): void {
    this.names[to] = this.names[from] as string;
    this.keys[to] = this.keys[from] as string;
    this.values[to] = this.values[from] as string;
  }
}
