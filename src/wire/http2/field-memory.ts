/**
 * What a connection remembers of its last request. Clients repeat their fields while only the path changes,
 * and many repeat the whole block byte for byte: what is equal needs no second reading. Whoever gets a block
 * of fields again finds it marked, so that what was derived from it serves again too.
 */
import type { Authority } from '../authority.ts';
import type { Http2RequestHead } from './request-head.ts';
import type { RegularFields } from './regular-fields.ts';
import type { TableEntry } from './table-entry.ts';

/** A longer block is decoded anew each time: what an idle connection holds should stay small. */
const MAX_BLOCK = 512;

interface Remembered {
  readonly fields: RegularFields;
  readonly authority: Authority;
}

/** The pseudo-fields that the authority depends on. */
interface Asked {
  readonly authority: string | null;
  readonly scheme: string | null;
  readonly protocol: string | null;
}

export class FieldMemory {
  #entries: TableEntry[] = [];
  #authority: string | null = null;
  #scheme: string | null = null;
  #isTunnel = false;
  #remembered: Remembered | null = null;
  readonly #block: Buffer = Buffer.allocUnsafe(MAX_BLOCK);
  #blockLength = -1;
  #generation = -1;
  #head: Http2RequestHead | null = null;

  /** The fields entries[from..) of a request to the same authority, where they are those of the last one. */
  recall(entries: readonly TableEntry[], from: number, asked: Asked): Remembered | null {
    const known = this.#entries;
    const size = entries.length - from;
    if (this.#remembered === null || known.length !== size) return null;
    if (this.#authority !== asked.authority || this.#scheme !== asked.scheme) return null;
    if (this.#isTunnel !== (asked.protocol !== null)) return null;
    for (let i = 0; i < size; i++) {
      const [a, b] = [known[i] as TableEntry, entries[from + i] as TableEntry];
      if (a !== b && (a.name !== b.name || a.value !== b.value)) return null;
    }
    this.#remembered.fields.headers.isRemembered = true;
    return this.#remembered;
  }

  // oxlint-disable-next-line max-params -- the hot path takes no options object
  keep(entries: readonly TableEntry[], from: number, asked: Asked, remembered: Remembered): void {
    this.#entries = entries.slice(from);
    this.#authority = asked.authority;
    this.#scheme = asked.scheme;
    this.#isTunnel = asked.protocol !== null;
    this.#remembered = remembered;
  }

  /** The head of the last block, where bytes[from..to) are that block and the table is as it was. */
  // oxlint-disable-next-line max-params -- the hot path takes no options object
  recallHead(bytes: Buffer, from: number, to: number, generation: number): Http2RequestHead | null {
    const length = to - from;
    if (this.#blockLength !== length || this.#generation !== generation) return null;
    const block = this.#block;
    for (let i = 0; i < length; i++) if (block[i] !== bytes[from + i]) return null;
    const head = this.#head;
    if (head !== null) head.headers.isRemembered = true;
    return head;
  }

  /** Only for a block that left the table as it was: then the same bytes mean the same again. */
  // oxlint-disable-next-line max-params -- the hot path takes no options object
  keepHead(bytes: Buffer, from: number, to: number, generation: number, head: Http2RequestHead): void {
    const length = to - from;
    if (length > MAX_BLOCK) return;
    const block = this.#block;
    for (let i = 0; i < length; i++) block[i] = bytes[from + i] as number;
    this.#blockLength = length;
    this.#generation = generation;
    this.#head = head;
  }
}
