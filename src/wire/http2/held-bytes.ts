/**
 * Bytes of DATA frames that nobody takes yet. A client may send its whole window in frames of one byte each: as a
 * Buffer each these would take a hundred times the memory that the window allows, and a piece cut from a larger
 * read keeps the whole of that read alive. So what is small is copied together.
 */
import { Buffer } from 'node:buffer';

/** Longer pieces are kept as they are. */
const COPIED_BELOW = 8_192;
const FIRST_SLAB = 512;
const MOST_SLAB = 16_384;
const EMPTY = Buffer.alloc(0);

export class HeldBytes {
  length = 0;
  /** In order; what is in the slab and not among them comes last. */
  #pieces: Buffer[] = [];
  #first = 0;
  #slab: Buffer = EMPTY;
  #from = 0;
  #to = 0;

  add(chunk: Buffer): void {
    this.length += chunk.length;
    if (chunk.length >= COPIED_BELOW) {
      this.#closePiece();
      this.#pieces.push(chunk);
      return;
    }
    if (this.#slab.length - this.#to < chunk.length) this.#newSlab(chunk.length);
    this.#to += chunk.copy(this.#slab, this.#to);
  }

  /** The eldest of them, null where there are none. */
  take(): Buffer | null {
    if (this.length === 0) return null;
    if (this.#first === this.#pieces.length) this.#closePiece();
    const piece = this.#pieces[this.#first++] as Buffer;
    this.length -= piece.length;
    if (this.length === 0) this.clear();
    return piece;
  }

  clear(): void {
    this.length = 0;
    this.#pieces = [];
    this.#first = 0;
    this.#slab = EMPTY;
    this.#from = this.#to = 0;
  }

  #closePiece(): void {
    if (this.#from === this.#to) return;
    this.#pieces.push(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }

  #newSlab(least: number): void {
    const size = Math.min(MOST_SLAB, Math.max(FIRST_SLAB, this.#slab.length * 4));
    this.#closePiece();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(size, least));
    this.#from = this.#to = 0;
  }
}
