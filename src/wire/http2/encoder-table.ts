/**
 * The dynamic table of one connection's answers (RFC 7541 section 2.3.2), and for each name whether its
 * values are worth a place in it. A name whose values never come again is found out and left out.
 */
import { readLatin1 } from '../latin1.ts';
import { STATIC_NAMES, STATIC_TABLE } from './static-table.ts';
import { ENTRY_OVERHEAD } from './table-entry.ts';
import { TABLE_BYTES } from './hpack-decoder.ts';

export const INDEX = 0;
export const PLAIN = 1;
export const NEVER = 2;

/** Values of these tell of one resource or one moment; of the second kind no intermediary may keep a copy either. */
const PLAIN_NAMES =
  'age content-length content-location content-range etag expires last-modified link location refresh retry-after';
const NEVER_NAMES = 'authorization proxy-authenticate proxy-authorization set-cookie www-authenticate';

const POLICIES: ReadonlyMap<string, number> = new Map([
  ...PLAIN_NAMES.split(' ').map((name) => [name, PLAIN] as const),
  ...NEVER_NAMES.split(' ').map((name) => [name, NEVER] as const),
]);

/** Different values of a name that may go into the table one after another without one being found again. */
const MOST_MISSES = 8;
/** Names that one connection remembers. */
const MOST_NAMES = 128;

export class EncodedName {
  readonly name: string;
  readonly staticIndex: number;
  policy: number;
  misses = 0;
  /** Those in the table, oldest first. */
  readonly entries: Entry[] = [];

  constructor(name: string) {
    this.name = name;
    this.staticIndex = STATIC_NAMES.get(name) ?? 0;
    this.policy = POLICIES.get(name) ?? INDEX;
  }
}

interface Entry {
  readonly of: EncodedName;
  readonly value: string;
  readonly serial: number;
}

export class EncoderTable {
  /** Goes up with each change: what was encoded before means something else now. */
  generation = 0;
  maxSize: number = TABLE_BYTES;
  /** The smallest size since the peer was told of one, -1 where there is nothing to tell (section 4.2). */
  leastSize = -1;
  #serial = 0;
  readonly #names = new Map<string, EncodedName>();
  readonly #queue: Entry[] = [];
  #first = 0;
  #size = 0;

  /** What the peer's SETTINGS_HEADER_TABLE_SIZE allows; we never use more than the default. */
  resize(allowed: number): void {
    const size = Math.min(allowed, TABLE_BYTES);
    if (size === this.maxSize) return;
    this.maxSize = size;
    this.leastSize = this.leastSize === -1 ? size : Math.min(this.leastSize, size);
    this.generation++;
    this.#evict(0);
  }

  nameOf(name: string): EncodedName {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const made = new EncodedName(ownCopy(name));
    if (this.#names.size < MOST_NAMES) this.#names.set(made.name, made);
    // Somebody makes names up: none of these is worth a place.
    else made.policy = Math.max(made.policy, PLAIN);
    return made;
  }

  /** The index of this field, 0 where neither table has it. */
  find(of: EncodedName, value: string): number {
    const { entries } = of;
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i] as Entry;
      if (entry.value !== value) continue;
      of.misses = 0;
      return STATIC_TABLE.length + (this.#serial - 1 - entry.serial);
    }
    if (of.staticIndex === 0) return 0;
    for (let index = of.staticIndex; STATIC_TABLE[index]?.name === of.name; index++) {
      if (STATIC_TABLE[index]?.value === value) return index;
    }
    return 0;
  }

  /** Any index that has the name, 0 without one. */
  nameIndex(of: EncodedName): number {
    if (of.staticIndex !== 0) return of.staticIndex;
    const entry = of.entries.at(-1);
    return entry === undefined ? 0 : STATIC_TABLE.length + (this.#serial - 1 - entry.serial);
  }

  /** True where the field goes into the table: whoever asks writes it as such. */
  admits(of: EncodedName, value: string): boolean {
    if (of.policy !== INDEX || this.#sizeOf(of, value) > this.maxSize / 2) return false;
    if (++of.misses <= MOST_MISSES) return true;
    of.policy = PLAIN;
    return false;
  }

  insert(of: EncodedName, value: string): void {
    const size = this.#sizeOf(of, value);
    this.#evict(size);
    this.generation++;
    const entry = { of, value: ownCopy(value), serial: this.#serial++ };
    this.#queue.push(entry);
    of.entries.push(entry);
    this.#size += size;
  }

  #sizeOf(of: EncodedName, value: string): number {
    return of.name.length + value.length + ENTRY_OVERHEAD;
  }

  #evict(room: number): void {
    while (this.#first < this.#queue.length && this.#size + room > this.maxSize) {
      const { of, value } = this.#queue[this.#first++] as Entry;
      of.entries.shift();
      this.#size -= this.#sizeOf(of, value);
    }
    if (this.#first < 64 && this.#first < this.#queue.length) return;
    this.#queue.splice(0, this.#first);
    this.#first = 0;
  }
}

/** A slice would keep the whole head that it was cut from alive. */
function ownCopy(text: string): string {
  return readLatin1(Buffer.from(text, 'latin1'), 0, text.length);
}
