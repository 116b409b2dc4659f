/**
 * Field lines of HTTP/1.1 (RFC 9110 section 5, RFC 9112 section 5), strict: CRLF only, token names,
 * no folding, no control characters. Text is latin1, one character a byte.
 * Refuses rather than repairs, and does not know what any field means.
 */
import { Buffer } from 'node:buffer';
import { CookieLine } from './cookie-line.ts';
import type { HeaderBlock } from './header-block.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';
import { hashStep, knownName } from './known-names.ts';
import type { KnownName } from './known-names.ts';

const TOKEN = 1;
const VALUE = 2;

/** Bits for every byte: may it stand in a token, in a field value. */
const CLASS = new Uint8Array(256);
for (let code = 0; code < 256; code++) {
  if (code === 9 || (code >= 0x20 && code !== 0x7f)) CLASS[code] = VALUE;
}
for (const letter of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  CLASS[letter.charCodeAt(0)] = TOKEN | VALUE;
}

const HTAB = 9;
const LF = 10;
const CR = 13;
const SP = 32;
const COLON = 58;

/** True for a token of RFC 9110 section 5.6.2: method, field name, upgrade protocol. */
export function isToken(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) if (!isTokenCode(text.charCodeAt(i))) return false;
  return true;
}

export function isTokenCode(code: number): boolean {
  return code < 256 && ((CLASS[code] as number) & TOKEN) !== 0;
}

/** True where the text can be sent as a field value: no controls but HTAB, nothing beyond latin1, trimmed. */
export function isFieldValue(text: string): boolean {
  const length = text.length;
  if (length === 0) return true;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || CLASS[code] === 0) return false;
  }
  return !isSpace(text.charCodeAt(0)) && !isSpace(text.charCodeAt(length - 1));
}

function isSpace(code: number): boolean {
  return code === SP || code === HTAB;
}

/**
 * Where the parts of the field lines of a section are. Filled by `scanFields` without copying a character;
 * holds until the next scan, so whoever scans reads it out at once.
 */
export class FieldSpans {
  size = 0;
  /** Which line is the Cookie line that was known before; -1: none is. */
  knownCookie = -1;
  readonly #from: number[] = [];
  readonly #colon: number[] = [];
  readonly #start: number[] = [];
  readonly #end: number[] = [];
  readonly #known: (KnownName | null)[] = [];

  /** Where the line begins, which is where its name does. */
  from(at: number): number {
    return this.#from[at] as number;
  }

  colon(at: number): number {
    return this.#colon[at] as number;
  }

  /** The value without the blanks around it. */
  start(at: number): number {
    return this.#start[at] as number;
  }

  end(at: number): number {
    return this.#end[at] as number;
  }

  /** The name where it is a common one. */
  known(at: number): KnownName | null {
    return this.#known[at] as KnownName | null;
  }

  // oxlint-disable-next-line max-params -- the five parts of a line
  add(from: number, colon: number, start: number, end: number, known: KnownName | null): void {
    const at = this.size++;
    this.#from[at] = from;
    this.#colon[at] = colon;
    this.#start[at] = start;
    this.#end[at] = end;
    this.#known[at] = known;
  }
}

/** One scan at a time: parsing never waits for anything. */
const SPANS = new FieldSpans();

/**
 * Text, and the bytes that it was made of: text[i] is bytes[shift + i]. A byte costs a quarter of what a character
 * does to look at.
 */
export interface FieldBytes {
  readonly bytes: Uint8Array;
  readonly shift: number;
}

/** Hardly any text has one: asked before each character is looked at. */
const BEYOND_BYTES = /[^\0-\xff]/;

/** Of text alone. A character that is no byte becomes NUL, which is refused wherever it stands. */
export function bytesOf(text: string): FieldBytes {
  const bytes = Buffer.from(text, 'latin1');
  if (BEYOND_BYTES.test(text)) for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) bytes[i] = 0;
  return { bytes, shift: 0 };
}

/** What a connection knows of its cookies. */
export interface CookieMemory {
  cookieLine: CookieLine | null;
}

/**
 * Reads the lines text[from..to), each ended by CRLF, into the block. The empty line that ends a
 * section is not part of the range. With `cookies` the block has to be empty.
 */
// oxlint-disable-next-line max-params -- the hot path takes no options object
export function parseFields(
  text: string,
  source: FieldBytes,
  from: number,
  to: number,
  into: HeaderBlock,
  maxFields: number,
  cookies: CookieMemory | null = null,
): void {
  const line = cookies === null ? null : cookies.cookieLine;
  const spans = scanFields(text, source, from, to, maxFields - into.size, line);
  for (let i = 0; i < spans.size; i++) {
    const known = spans.known(i);
    const value = i === spans.knownCookie ? (line as CookieLine).value : text.slice(spans.start(i), spans.end(i));
    if (known === null) {
      const name = text.slice(spans.from(i), spans.colon(i));
      into.append(name, value, name.toLowerCase());
    } else {
      into.append(known.name, value, known.key);
    }
  }
  if (cookies !== null) keepCookieLine(cookies, text, spans, into);
}

// oxlint-disable-next-line max-params -- the hot path takes no options object
function keepCookieLine(memory: CookieMemory, text: string, spans: FieldSpans, into: HeaderBlock): void {
  const at = into.keys.indexOf('cookie');
  const isOnly = at !== -1 && into.keys.indexOf('cookie', at + 1) === -1;
  if (isOnly && at === spans.knownCookie) {
    into.cookieLine = memory.cookieLine;
    return;
  }
  memory.cookieLine = isOnly ? lineAt(text, spans, at) : null;
}

function lineAt(text: string, spans: FieldSpans, at: number): CookieLine {
  const from = spans.from(at);
  const next = text.indexOf('\n', spans.end(at)) + 1;
  const line = text.slice(from, next);
  return new CookieLine(line, spans.colon(at) - from, spans.start(at) - from, spans.end(at) - from, spans.known(at));
}

/** Checks the same lines and answers where their parts are in the text. `cookie`: a line that was checked before. */
// oxlint-disable-next-line max-params -- the hot path takes no options object
export function scanFields(
  text: string,
  { bytes, shift }: FieldBytes,
  from: number,
  to: number,
  maxFields: number,
  cookie: CookieLine | null = null,
): FieldSpans {
  const spans = SPANS;
  spans.size = 0;
  spans.knownCookie = -1;
  // Places in the bytes from here on.
  const last = to + shift;
  if (last > bytes.length || to > text.length) throw new RangeError('Cannot scan fields: there are fewer bytes');
  let at = from + shift;
  while (at < last) {
    if (spans.size >= maxFields) throw new HttpSyntaxError('field-count', 431);
    if (cookie !== null && cookie.isAt(text, at - shift, to)) {
      const place = at - shift;
      spans.knownCookie = spans.size;
      spans.add(place, place + cookie.colon, place + cookie.start, place + cookie.end, cookie.name);
      at += cookie.text.length;
      continue;
    }
    let hash = 0;
    let colon = at;
    while (colon < last && ((CLASS[bytes[colon] as number] as number) & TOKEN) !== 0)
      hash = hashStep(hash, bytes[colon++] as number);
    if (colon >= last || bytes[colon] !== COLON || colon === at) throw nameError(text, at - shift, colon - shift, to);
    let start = colon + 1;
    while (start < last && isSpace(bytes[start] as number)) start++;
    let end = start;
    while (end < last && CLASS[bytes[end] as number] !== 0) end++;
    if (end + 1 >= last || bytes[end] !== CR || bytes[end + 1] !== LF) throw valueError(text, end - shift, to);
    const next = end + 2;
    while (end > start && isSpace(bytes[end - 1] as number)) end--;
    spans.add(at - shift, colon - shift, start - shift, end - shift, knownName(bytes, at, colon, hash));
    at = next;
  }
  return spans;
}

function nameError(text: string, from: number, at: number, to: number): HttpSyntaxError {
  const code = at < to ? text.charCodeAt(at) : -1;
  if (at === from && (code === SP || code === HTAB)) return new HttpSyntaxError('obs-fold');
  if (code === LF) return new HttpSyntaxError('bare-lf');
  if (code === CR) return crError(text, at, to, 'field-without-colon');
  if (code === COLON) return new HttpSyntaxError('field-name-empty');
  return new HttpSyntaxError('field-name');
}

function valueError(text: string, at: number, to: number): HttpSyntaxError {
  const code = at < to ? text.charCodeAt(at) : -1;
  if (code === LF) return new HttpSyntaxError('bare-lf');
  if (code === CR) return crError(text, at, to, 'bare-cr');
  return new HttpSyntaxError('field-value');
}

function crError(text: string, at: number, to: number, rule: string): HttpSyntaxError {
  const isLineEnd = at + 1 < to && text.charCodeAt(at + 1) === LF;
  return new HttpSyntaxError(isLineEnd ? rule : 'bare-cr');
}

/** The lines of a block as they go on the wire. Names and values are valid by the block's contract. */
export function printFields(block: HeaderBlock): string {
  const { names, values } = block;
  let text = '';
  for (let i = 0; i < names.length; i++) text += `${names[i] as string}: ${values[i] as string}\r\n`;
  return text;
}
