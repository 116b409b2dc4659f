/**
 * Decodes header blocks (RFC 7541) with the dynamic table of one connection. A block is decoded to its end
 * even where more fields come out than anybody wants, since the next one depends on it; beyond the limits
 * nothing of it is kept. What breaks the format ends the connection.
 */
import { readLatin1 } from '../latin1.ts';
import { COMPRESSION_ERROR, Http2ConnectionError } from './codes.ts';
import { decodeHuffman } from './huffman.ts';
import { FIRST_DYNAMIC, STATIC_TABLE } from './static-table.ts';
import { TableEntry } from './table-entry.ts';

/** What we announce by never saying otherwise (RFC 9113 section 6.5.2). */
export const TABLE_BYTES = 4_096;

/** The code's shortest symbols are of five bits. */
const MOST_OUT_OF_ONE = 1.6;
const MAX_INTEGER = 0x0fffffff;

let scratch = Buffer.alloc(4_096);

export interface DecodeLimits {
  /** Most bytes of names and values, each with four more. */
  readonly headerBytes: number;
  readonly headerCount: number;
}

/** What came out of the last block; used again for the next. */
export class DecodedFields {
  readonly entries: TableEntry[] = [];
  /** More than the limits allow: the entries are only some of them. */
  isTooLarge = false;
  isTooMany = false;
}

export class HpackDecoder {
  /** Goes up with each change of the table: the same bytes mean the same only while it stays. */
  generation = 0;
  /** A ring: the newest entry is before `#head`. */
  #entries: (TableEntry | undefined)[] = [];
  #head = 0;
  #count = 0;
  #size = 0;
  #maxSize = TABLE_BYTES;
  #at = 0;
  #bytes: Buffer = scratch;
  #to = 0;

  /** Decodes bytes[from..to), a whole block. */
  // oxlint-disable-next-line max-params -- the hot path takes no options object
  decode(bytes: Buffer, from: number, to: number, into: DecodedFields, limits: DecodeLimits): void {
    this.#bytes = bytes;
    this.#at = from;
    this.#to = to;
    const { entries } = into;
    entries.length = 0;
    into.isTooLarge = false;
    into.isTooMany = false;
    let size = 0;
    this.#resizes();
    while (this.#at < to) {
      const entry = this.#next();
      size += entry.name.length + entry.value.length + 4;
      if (size > limits.headerBytes) into.isTooLarge = true;
      // Crumbs of cookies become one field, so the exact count is checked where fields are told apart.
      else if (entries.length > limits.headerCount * 2 + 16) into.isTooMany = true;
      else entries.push(entry);
    }
    this.#bytes = scratch;
  }

  /** Section 4.2: changes of the table's size come first in a block. */
  #resizes(): void {
    while (this.#at < this.#to && ((this.#bytes[this.#at] as number) & 0xe0) === 0x20) {
      const size = this.#integer(0x1f);
      if (size > TABLE_BYTES) throw broken('table-size');
      this.#maxSize = size;
      this.generation++;
      this.#evict(0);
    }
  }

  #next(): TableEntry {
    const byte = this.#bytes[this.#at] as number;
    if (byte >= 0x80) return this.#entry(this.#integer(0x7f));
    if (byte >= 0x40) {
      const entry = this.#literal(0x3f);
      this.#insert(entry);
      return entry;
    }
    if (byte >= 0x20) throw broken('table-size-late');
    return this.#literal(0x0f);
  }

  #entry(index: number): TableEntry {
    if (index === 0) throw broken('index-zero');
    if (index < FIRST_DYNAMIC) return STATIC_TABLE[index] as TableEntry;
    const age = index - FIRST_DYNAMIC;
    if (age >= this.#count) throw broken('index');
    const slots = this.#entries.length;
    return this.#entries[(this.#head - 1 - age + slots + slots) % slots] as TableEntry;
  }

  #literal(mask: number): TableEntry {
    const index = this.#integer(mask);
    const name = index === 0 ? this.#text() : this.#entry(index).name;
    return new TableEntry(name, this.#text());
  }

  #insert(entry: TableEntry): void {
    this.generation++;
    this.#evict(entry.size);
    // Section 4.4: one that is larger than the table empties it, and is not in it.
    if (entry.size > this.#maxSize) return;
    if (this.#count === this.#entries.length) this.#grow();
    this.#entries[this.#head] = entry;
    this.#head = (this.#head + 1) % this.#entries.length;
    this.#count++;
    this.#size += entry.size;
  }

  #evict(room: number): void {
    const slots = this.#entries.length;
    while (this.#count > 0 && this.#size + room > this.#maxSize) {
      const at = (this.#head - this.#count + slots + slots) % slots;
      this.#size -= (this.#entries[at] as TableEntry).size;
      this.#entries[at] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const old = this.#entries;
    const grown: (TableEntry | undefined)[] = [];
    for (let i = 0; i < this.#count; i++) grown.push(old[(this.#head + i) % old.length]);
    const slots = Math.max(8, old.length * 2);
    while (grown.length < slots) grown.push(undefined);
    this.#entries = grown;
    this.#head = this.#count;
  }

  /** Section 5.1. Nothing that needs more than 28 bits is in a block that we take. */
  #integer(mask: number): number {
    let value = (this.#bytes[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#to) throw broken('truncated');
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) << shift;
      if (value > MAX_INTEGER) break;
      if (byte < 0x80) return value;
    }
    throw broken('integer');
  }

  /** Section 5.2. */
  #text(): string {
    if (this.#at >= this.#to) throw broken('truncated');
    const isCoded = (this.#bytes[this.#at] as number) >= 0x80;
    const length = this.#integer(0x7f);
    const from = this.#at;
    const end = from + length;
    if (end > this.#to) throw broken('truncated');
    this.#at = end;
    if (!isCoded) return readLatin1(this.#bytes, from, end);
    if (length * MOST_OUT_OF_ONE > scratch.length) scratch = Buffer.alloc(Math.ceil(length * MOST_OUT_OF_ONE));
    const size = decodeHuffman(this.#bytes, from, end, scratch);
    if (size === -1) throw broken('huffman');
    return readLatin1(scratch, 0, size);
  }
}

function broken(rule: string): Http2ConnectionError {
  return new Http2ConnectionError(COMPRESSION_ERROR, `hpack-${rule}`);
}
