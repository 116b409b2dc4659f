/**
 * Field lines that are just what printing their fields would give; none of them is of the connection. An app
 * that answers the same again and again has its head built once and kept as bytes, as RequestLines does.
 */
import { Buffer } from 'node:buffer';

export class FieldText {
  /** Each with its CRLF. */
  readonly text: string;
  readonly hasDate: boolean;
  readonly hasHsts: boolean;
  #isSeen = false;
  #start = '';
  #hsts: string | null = null;
  #framing = '';
  #bytes: Buffer | null = null;

  constructor(text: string, hasDate: boolean, hasHsts: boolean) {
    this.text = text;
    this.hasDate = hasDate;
    this.hasHsts = hasHsts;
  }

  /** The whole head from this status line to this framing; null for one that was not sent before. */
  printed(start: string, hsts: string | null, framing: string): Buffer | null {
    // Ours would be of another second.
    if (!this.hasDate) return null;
    if (this.#isSeen && this.#framing === framing && this.#hsts === hsts && this.#start === start)
      return (this.#bytes ??= Buffer.from(`${start}${this.text}${this.hstsLine(hsts)}${framing}\r\n`, 'latin1'));
    this.#isSeen = true;
    this.#start = start;
    this.#hsts = hsts;
    this.#framing = framing;
    this.#bytes = null;
    return null;
  }

  /** What Postern adds where the app says nothing; "" where there is nothing to add. */
  hstsLine(value: string | null): string {
    return value === null || this.hasHsts ? '' : printHsts(value);
  }
}

export function printHsts(value: string): string {
  return `Strict-Transport-Security: ${value}\r\n`;
}
