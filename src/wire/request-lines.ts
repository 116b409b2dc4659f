/**
 * Field lines of a request on its way to an app. What a connection sends again and again is built once and
 * kept as bytes: copying them costs less than joining and encoding text for each request.
 */
import { Buffer } from 'node:buffer';

export class RequestLines {
  /** Each with its CRLF. */
  readonly text: string;
  #isSeen = false;
  #bytes: Buffer | null = null;

  constructor(text: string) {
    this.text = text;
  }

  /** With the empty line that ends the head; null for lines that were not sent before. */
  get bytes(): Buffer | null {
    if (this.#isSeen) this.#bytes ??= Buffer.from(`${this.text}\r\n`, 'latin1');
    this.#isSeen = true;
    return this.#bytes;
  }
}
