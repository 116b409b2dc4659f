/** Writes the representations of HPACK (RFC 7541 section 6) into one buffer that all connections of a thread share. */
import { writeLatin1 } from '../latin1.ts';
import { encodeHuffman, huffmanBytes } from './huffman.ts';

export const INDEXED = 0x80;
export const INCREMENTAL = 0x40;
export const SIZE_UPDATE = 0x20;
export const NEVER_INDEXED = 0x10;
export const WITHOUT_INDEXING = 0x00;

/** The longest representation of an integer that we write. */
const INTEGER_BYTES = 6;

export class FieldWriter {
  bytes: Buffer = Buffer.allocUnsafeSlow(16_384);
  at = 0;

  /** An integer whose prefix shares its byte with `pattern`; `mask` is the largest prefix. */
  integer(pattern: number, mask: number, value: number): void {
    this.#reserve(INTEGER_BYTES);
    if (value < mask) {
      this.bytes[this.at++] = pattern | value;
      return;
    }
    this.bytes[this.at++] = pattern | mask;
    let rest = value - mask;
    for (; rest >= 128; rest >>>= 7) this.bytes[this.at++] = (rest & 0x7f) | 0x80;
    this.bytes[this.at++] = rest;
  }

  /** Latin1 text, in Huffman's code where that is shorter. */
  text(text: string): void {
    const coded = huffmanBytes(text);
    if (coded < text.length) {
      this.integer(0x80, 0x7f, coded);
      this.#reserve(coded);
      this.at = encodeHuffman(text, this.bytes, this.at);
    } else {
      this.plainText(text);
    }
  }

  plainText(text: string): void {
    this.integer(0, 0x7f, text.length);
    this.#reserve(text.length);
    this.at += writeLatin1(this.bytes, text, this.at);
  }

  copy(from: Buffer): void {
    this.#reserve(from.length);
    this.bytes.set(from, this.at);
    this.at += from.length;
  }

  #reserve(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + more));
    grown.set(this.bytes.subarray(0, this.at), 0);
    this.bytes = grown;
  }
}
