/**
 * Encodes the heads of answers and their trailers (RFC 9113 section 8, RFC 7541). Fields of a connection are
 * dropped (section 8.2.2), a Date and HSTS are added where there are none. A head that repeats the last one
 * costs a comparison. A value that could become another field breaks the whole head.
 */
import { isOfConnection } from '../of-connection.ts';
import type { ResponseHead } from '../exchange.ts';
import { bytesOf, type FieldSpans, isFieldValue, isToken, scanFields } from '../fields.ts';
import type { HeaderBlock } from '../header-block.ts';
import { isForbiddenTrailer } from '../trailers.ts';
import { EncoderTable, NEVER } from './encoder-table.ts';
import { FieldWriter, INCREMENTAL, INDEXED, NEVER_INDEXED, SIZE_UPDATE, WITHOUT_INDEXING } from './field-writer.ts';

/** The statuses of the static table. */
const STATUS_INDEX: ReadonlyMap<number, number> = new Map([
  [200, 8],
  [204, 9],
  [206, 10],
  [304, 11],
  [400, 12],
  [404, 13],
  [500, 14],
]);
const STATUS_NAME = 8;
const LENGTH_NAME = 28;
const MAX_FIELDS = 1_000;
/** Longer heads are not compared: what a connection remembers should stay small. */
const MAX_REMEMBERED = 2_048;
const HSTS = 'strict-transport-security';

const WRITER = new FieldWriter();

let dateSecond = -1;
let dateValue = '';

function currentDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateValue = new Date(second * 1000).toUTCString();
  }
  return dateValue;
}

export class HeadEncoder {
  readonly #table = new EncoderTable();
  /** The last head that came as text, and its fields encoded while the table was of that generation. */
  #text = '';
  #status = 0;
  #hsts: string | null = null;
  #generation = -1;
  #bytes: Buffer | null = null;

  /** What the peer lets our table grow to. */
  resize(size: number): void {
    this.#table.resize(size);
  }

  /** Where the block of the last call is: bytes[0..answer). Overwritten by the next call on any connection. */
  get block(): Buffer {
    return WRITER.bytes;
  }

  forget(): void {
    this.#text = '';
    this.#bytes = null;
  }

  /** The block of a final or informational head. Answers its length, -1 where it cannot be sent. */
  encodeHead(head: ResponseHead, contentLength: number, hsts: string | null): number {
    const { lines, status } = head;
    if (lines === null || lines === undefined) {
      // Before anything is encoded: what went into the table must be sent.
      if (!canBeSent(head.headers)) return -1;
      this.#begin();
      this.#encodeBlock(status, head.headers, hsts);
    } else {
      this.#begin();
      this.#encodeText(status, lines.text, hsts);
    }
    if (contentLength >= 0) {
      WRITER.integer(WITHOUT_INDEXING, 0x0f, LENGTH_NAME);
      WRITER.plainText(String(contentLength));
    }
    return WRITER.at;
  }

  /** The block of a trailer section; 0 where nothing is left to send. */
  encodeTrailers({ keys, values }: HeaderBlock): number {
    let hasBegun = false;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      const value = values[i] as string;
      if (isForbiddenTrailer(key) || !isFieldValue(value) || !isToken(key)) continue;
      if (!hasBegun) this.#begin();
      hasBegun = true;
      this.#field(key, value);
    }
    return hasBegun ? WRITER.at : 0;
  }

  #begin(): void {
    const table = this.#table;
    WRITER.at = 0;
    if (table.leastSize === -1) return;
    if (table.leastSize < table.maxSize) WRITER.integer(SIZE_UPDATE, 0x1f, table.leastSize);
    WRITER.integer(SIZE_UPDATE, 0x1f, table.maxSize);
    table.leastSize = -1;
  }

  /** Fields that were read and checked as they stand. */
  #encodeText(status: number, text: string, hsts: string | null): void {
    const table = this.#table;
    const isSame = this.#generation === table.generation && this.#status === status && this.#hsts === hsts;
    if (isSame && this.#text === text && this.#bytes !== null) {
      WRITER.copy(this.#bytes);
      return;
    }
    const from = WRITER.at;
    const before = table.generation;
    this.#statusField(status);
    const isDated = this.#lines(text, scanFields(text, bytesOf(text), 0, text.length, MAX_FIELDS), hsts);
    if (!isDated) this.#field('date', currentDate());
    const isKept = isDated && before === table.generation && text.length <= MAX_REMEMBERED;
    this.#text = isKept ? text : '';
    this.#bytes = isKept ? Buffer.from(WRITER.bytes.subarray(from, WRITER.at)) : null;
    this.#generation = before;
    this.#status = status;
    this.#hsts = hsts;
  }

  /** True where a Date is among them. */
  #lines(text: string, spans: FieldSpans, hsts: string | null): boolean {
    let isDated = false;
    let hasHsts = hsts === null;
    for (let i = 0; i < spans.size; i++) {
      const known = spans.known(i);
      const key = known === null ? text.slice(spans.from(i), spans.colon(i)).toLowerCase() : known.key;
      if (isLeftOut(key)) continue;
      if (key === 'date') isDated = true;
      else if (key === HSTS) hasHsts = true;
      this.#field(key, text.slice(spans.start(i), spans.end(i)));
    }
    if (!hasHsts) this.#field(HSTS, hsts as string);
    return isDated;
  }

  #encodeBlock(status: number, { keys, values }: HeaderBlock, hsts: string | null): void {
    let isDated = status < 200;
    let hasHsts = hsts === null;
    this.#statusField(status);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      const value = values[i] as string;
      if (isLeftOut(key)) continue;
      if (key === 'date') isDated = true;
      else if (key === HSTS) hasHsts = true;
      this.#field(key, value);
    }
    if (!hasHsts) this.#field(HSTS, hsts as string);
    if (!isDated) this.#field('date', currentDate());
  }

  #statusField(status: number): void {
    const index = STATUS_INDEX.get(status);
    if (index !== undefined) {
      WRITER.integer(INDEXED, 0x7f, index);
      return;
    }
    WRITER.integer(WITHOUT_INDEXING, 0x0f, STATUS_NAME);
    WRITER.plainText(String(status));
  }

  #field(name: string, value: string): void {
    const table = this.#table;
    const of = table.nameOf(name);
    const index = of.policy === NEVER ? 0 : table.find(of, value);
    if (index !== 0) {
      WRITER.integer(INDEXED, 0x7f, index);
      return;
    }
    const isAdmitted = table.admits(of, value);
    const nameIndex = table.nameIndex(of);
    if (isAdmitted) WRITER.integer(INCREMENTAL, 0x3f, nameIndex);
    else WRITER.integer(of.policy === NEVER ? NEVER_INDEXED : WITHOUT_INDEXING, 0x0f, nameIndex);
    if (nameIndex === 0) WRITER.text(name);
    WRITER.text(value);
    if (isAdmitted) table.insert(of, value);
  }
}

function canBeSent({ keys, values }: HeaderBlock): boolean {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (!isLeftOut(key) && (!isFieldValue(values[i] as string) || !isToken(key))) return false;
  }
  return true;
}

/** RFC 9113 section 8.2.2. */
function isLeftOut(key: string): boolean {
  return key === 'te' || isOfConnection(key);
}
