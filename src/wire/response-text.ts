/**
 * Prints the head of an HTTP/1.1 response. Fields of the connection are dropped and written anew by
 * whoever frames the message; a Date is added where none is (RFC 9110 section 6.6.1).
 */
import { isOfConnection } from './of-connection.ts';
import type { ResponseHead } from './exchange.ts';
import { printHsts, type FieldText } from './field-text.ts';
import type { HeaderBlock } from './header-block.ts';
import { writeLatin1 } from './latin1.ts';
import { REASON_PHRASES } from './reason-phrases.ts';

const STATUS_LINES: string[] = [];

function statusLine(status: number): string {
  return (STATUS_LINES[status] ??= `HTTP/1.1 ${status} ${REASON_PHRASES[status] ?? 'Unknown'}\r\n`);
}

let dateSecond = -1;
let dateLine = '';

/** The Date field of now, made once a second. */
function currentDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateLine;
}

/** `lines` of a head whose every line was read and checked as it stands: nothing can be in it that was not counted. */
export const PROVEN = -1;

/** A head as text, and how many lines it has: whoever sends it checks that no value smuggled in another. */
export class PrintedHead {
  readonly lines: number;
  /** The whole of it where it was built before. */
  readonly bytes: Buffer | null = null;
  #text: string | null = null;
  #relayed: FieldText | null = null;
  #status = 0;
  #framing = '';
  #hsts: string | null = null;

  // oxlint-disable-next-line max-params -- made once an answer
  constructor(head: ResponseHead, framing: string, framingLines: number, hsts: string | null) {
    const { lines } = head;
    if (lines !== null && lines !== undefined) {
      this.lines = PROVEN;
      this.bytes = lines.printed(statusLine(head.status), hsts, framing);
      this.#relayed = lines;
      this.#status = head.status;
      this.#framing = framing;
      this.#hsts = hsts;
      return;
    }
    let text = statusLine(head.status);
    let count = 2 + framingLines;
    let hasDate = head.status < 200;
    const { names, keys, values }: HeaderBlock = head.headers;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      if (isOfConnection(key)) continue;
      if (key === 'date') hasDate = true;
      text += `${names[i] as string}: ${values[i] as string}\r\n`;
      count++;
    }
    if (!hasDate) {
      text += currentDate();
      count++;
    }
    if (hsts !== null && !head.headers.has('strict-transport-security')) {
      text += printHsts(hsts);
      count++;
    }
    this.#text = `${text}${framing}\r\n`;
    this.lines = count;
  }

  get text(): string {
    if (this.#relayed !== null) this.#text ??= relayed(this.#status, this.#relayed, this.#framing, this.#hsts);
    return this.#text as string;
  }

  get length(): number {
    return this.bytes === null ? this.text.length : this.bytes.length;
  }

  /** Answers how many bytes it took. */
  writeInto(buffer: Buffer): number {
    if (this.bytes === null) return writeLatin1(buffer, this.text, 0);
    buffer.set(this.bytes, 0);
    return this.bytes.length;
  }
}

// oxlint-disable-next-line max-params -- called once an answer
function relayed(status: number, fields: FieldText, framing: string, hsts: string | null): string {
  const date = fields.hasDate || status < 200 ? '' : currentDate();
  return `${statusLine(status)}${fields.text}${date}${fields.hstsLine(hsts)}${framing}\r\n`;
}

const HTAB = 9;

/**
 * True where bytes[0..to) hold exactly this many lines and no other control. The last guard against
 * response splitting, on the bytes themselves: U+010A is harmless as a character and LF as latin1.
 */
export function hasOnlyLines(bytes: Buffer, to: number, lines: number): boolean {
  if (lines === PROVEN) return true;
  let controls = 0;
  for (let i = 0; i < to; i++) {
    const code = bytes[i] as number;
    if (code < 0x20 && code !== HTAB) controls++;
  }
  return controls === lines * 2;
}
