/**
 * Reads the head of an app's HTTP/1.x response, strictly (RFC 9112 sections 4 and 6). Whatever two
 * readers could frame differently is an error: the answer becomes a 502 and the connection is never
 * used again. Fields that belong to the connection are removed here, once their meaning is taken.
 */
import { bytesOf, parseFields, scanFields } from './fields.ts';
import type { FieldBytes, FieldSpans } from './fields.ts';
import { HeaderBlock } from './header-block.ts';
import { KNOWN_KEYS } from './known-names.ts';
import { hasToken, isHopByHop, namedByConnection } from './hop-by-hop.ts';
import { PosternError } from '../core/errors.ts';
import type { ResponseHead } from './exchange.ts';
import { FieldText } from './field-text.ts';
import { readLatin1 } from './latin1.ts';
import { KnownBytes } from './same-bytes.ts';

export const MAX_RESPONSE_HEAD_BYTES = 65_536;
export const MAX_RESPONSE_FIELDS = 500;

/** How the end of the body is known. */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

export class AppResponseHead implements ResponseHead {
  readonly status: number;
  framing: Framing = 'none';
  /** Content-Length as given, -1 without one. For HEAD and 304 it tells of a body that does not come. */
  length = -1;
  keepAlive: boolean;
  /** What `Keep-Alive: timeout=` promised, -1 without it. */
  keepAliveMs = -1;
  /** Lower-case protocol of a 101, else null. */
  upgrade: string | null = null;
  hasSetCookie = false;
  isEventStream = false;
  /** It asks for NTLM or Negotiate, by which a connection is signed in and not a request (RFC 4559). */
  bindsConnection = false;
  #lines: FieldText | null;
  #headers: HeaderBlock | null;

  constructor(status: number, fields: HeaderBlock | FieldText, keepAlive: boolean) {
    this.status = status;
    this.keepAlive = keepAlive;
    this.#headers = fields instanceof HeaderBlock ? fields : null;
    this.#lines = fields instanceof HeaderBlock ? null : fields;
  }

  get lines(): FieldText | null {
    return this.#lines;
  }

  /** The same for another answer. `lines`: those that this one had before anybody looked into it. */
  again(lines: FieldText): AppResponseHead {
    const head = new AppResponseHead(this.status, lines, this.keepAlive);
    head.framing = this.framing;
    head.length = this.length;
    head.keepAliveMs = this.keepAliveMs;
    head.upgrade = this.upgrade;
    head.hasSetCookie = this.hasSetCookie;
    head.isEventStream = this.isEventStream;
    head.bindsConnection = this.bindsConnection;
    return head;
  }

  /** Most answers pass with their lines untouched: the block is made for whoever looks into it or changes it. */
  get headers(): HeaderBlock {
    if (this.#headers !== null) return this.#headers;
    const headers = new HeaderBlock();
    const text = this.#lines === null ? '' : this.#lines.text;
    parseFields(text, bytesOf(text), 0, text.length, headers, MAX_RESPONSE_FIELDS);
    this.#lines = null;
    this.#headers = headers;
    return headers;
  }
}

/** Longer heads are read anew each time: what a connection remembers should stay small. */
const MAX_REMEMBERED = 2_048;

/** The head of the answer before, on one connection. What is equal to the last byte needs no second reading. */
export class ResponseMemory {
  /** With the empty line that ends it. */
  readonly #bytes = new KnownBytes();
  #isHead = false;
  #head: AppResponseHead | null = null;
  #lines: FieldText | null = null;

  /** Bytes of the head that is remembered. */
  get length(): number {
    return this.#bytes.length;
  }

  /** The head at bytes[at..to), where it is the one that is remembered. */
  // oxlint-disable-next-line max-params -- the hot path takes no options object
  recall(bytes: Buffer, at: number, to: number, isHead: boolean): AppResponseHead | null {
    const head = this.#head;
    if (head === null || this.#isHead !== isHead || !this.#bytes.areAt(bytes, at, to)) return null;
    return head.again(this.#lines as FieldText);
  }

  /** Reads bytes[at..end) as parseResponseHead does: a head with the empty line that ends it. */
  // oxlint-disable-next-line max-params -- the hot path takes no options object
  read(bytes: Buffer, at: number, end: number, isHead: boolean): AppResponseHead {
    const head = parseResponseHead(readLatin1(bytes, at, end - 2), isHead, { bytes, shift: at });
    const isKept = head.lines !== null && head.status >= 200 && end - at <= MAX_REMEMBERED;
    this.#head = isKept ? head : null;
    this.#lines = isKept ? head.lines : null;
    if (isKept) this.#bytes.learn(bytes.subarray(at, end));
    this.#isHead = isHead;
    return head;
  }
}

/**
 * `text` is the head as latin1, with the CRLF of its last field and without the empty line.
 * `isHead`: it answers a HEAD request, so no body follows. `source`: the bytes of the text, where they are at hand.
 */
export function parseResponseHead(text: string, isHead: boolean, source: FieldBytes | null = null): AppResponseHead {
  const lineEnd = text.indexOf('\r\n');
  const status = parseStatusLine(text, lineEnd === -1 ? text.length : lineEnd);
  const isOld = text.charCodeAt(7) === 0x30;
  const fieldsAt = lineEnd === -1 ? text.length : lineEnd + 2;
  const reading = new HeadReading(text, status, isOld);
  reading.takeFields(scan(text, source, fieldsAt), fieldsAt);
  return reading.finish(isHead);
}

function scan(text: string, source: FieldBytes | null, from: number): FieldSpans {
  try {
    return scanFields(text, source ?? bytesOf(text), from, text.length, MAX_RESPONSE_FIELDS);
  } catch (error) {
    throw bad(`its header is not valid: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** "HTTP/1.1 200 OK". The space before an empty reason may be missing, as many apps leave it out. */
function parseStatusLine(text: string, end: number): number {
  if (end < 12 || !text.startsWith('HTTP/1.')) throw bad('it does not begin with an HTTP/1.x status line');
  const minor = text.charCodeAt(7);
  if ((minor !== 0x30 && minor !== 0x31) || text.charCodeAt(8) !== 0x20)
    throw bad('its HTTP version is not 1.0 or 1.1');
  const status = digit(text, 9) * 100 + digit(text, 10) * 10 + digit(text, 11);
  if (!(status >= 100 && status <= 599)) throw bad('its status is not a number from 100 to 599');
  if (end > 12 && text.charCodeAt(12) !== 0x20) throw bad('its status is not three digits');
  for (let i = 13; i < end; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) throw bad('its reason phrase has a control character');
  }
  return status;
}

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 0x30;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}

const KEPT = 0;
const LENGTH = 1;
const CODING = 2;
const CONNECTION = 3;
const KEEP_ALIVE = 4;
const UPGRADE = 5;
const DROPPED = 6;
const DATE = 7;
const SET_COOKIE = 8;
const CONTENT_TYPE = 9;
const HSTS = 10;
const AUTHENTICATE = 11;

const ROLES: ReadonlyMap<string, number> = new Map([
  ['content-length', LENGTH],
  ['transfer-encoding', CODING],
  ['connection', CONNECTION],
  ['keep-alive', KEEP_ALIVE],
  ['upgrade', UPGRADE],
  // An app's Alt-Svc speaks for its own address, not for ours.
  ['alt-svc', DROPPED],
  ['date', DATE],
  ['set-cookie', SET_COOKIE],
  ['content-type', CONTENT_TYPE],
  ['strict-transport-security', HSTS],
  ['www-authenticate', AUTHENTICATE],
]);

function roleOf(key: string): number {
  return ROLES.get(key) ?? (isHopByHop(key) ? DROPPED : KEPT);
}

/** By the id of a common name. */
const KNOWN_ROLES: Uint8Array = Uint8Array.from(KNOWN_KEYS, roleOf);

const SP = 32;
const CR = 13;

const SIGNS_CONNECTION_IN = /(?:^|,)[ \t]*(?:ntlm|negotiate)(?![^ \t,])/i;

/**
 * One head while it is read: takes what the connection fields say and leaves them out (RFC 9110
 * section 7.6.1). What stays is taken in runs of lines, as long as each is written as we would write it.
 */
class HeadReading {
  readonly #text: string;
  readonly #status: number;
  readonly #isOld: boolean;
  #length = -1;
  #isChunked = false;
  #connection: string | null = null;
  #saysKeepAlive = false;
  #saysClose = false;
  #keepAliveMs = -1;
  #upgrade: string | null = null;
  #hasDate = false;
  #hasHsts = false;
  #hasSetCookie = false;
  #isEventStream = false;
  #bindsConnection = false;
  /** False: spelled otherwise, or `Connection` names fields; then the fields are printed anew. */
  #isPlain = true;
  #kept = '';

  constructor(text: string, status: number, isOld: boolean) {
    this.#text = text;
    this.#status = status;
    this.#isOld = isOld;
  }

  takeFields(spans: FieldSpans, from: number): void {
    const text = this.#text;
    let runFrom = from;
    for (let i = 0; i < spans.size; i++) {
      const lineFrom = spans.from(i);
      const colon = spans.colon(i);
      const start = spans.start(i);
      const end = spans.end(i);
      const known = spans.known(i);
      const role =
        known === null ? roleOf(text.slice(lineFrom, colon).toLowerCase()) : (KNOWN_ROLES[known.id] as number);
      if (!isPlainLine(text, colon, start, end)) this.#isPlain = false;
      if (role === KEPT) continue;
      if (!this.#take(role, start, end)) continue;
      if (runFrom < lineFrom) this.#kept += text.slice(runFrom, lineFrom);
      runFrom = text.indexOf('\n', end) + 1;
    }
    if (runFrom < text.length) this.#kept += text.slice(runFrom);
  }

  finish(isHead: boolean): AppResponseHead {
    if (this.#isChunked && this.#length !== -1) throw bad('it has both Content-Length and Transfer-Encoding');
    const isKept = !this.#saysClose && (!this.#isOld || this.#saysKeepAlive);
    const lines = new FieldText(this.#kept, this.#hasDate, this.#hasHsts);
    const head = new AppResponseHead(this.#status, lines, isKept);
    head.length = this.#length;
    head.upgrade = this.#upgrade;
    head.hasSetCookie = this.#hasSetCookie;
    head.isEventStream = this.#isEventStream;
    head.bindsConnection = this.#bindsConnection;
    head.keepAliveMs = this.#connection !== null && !isKept ? -1 : this.#keepAliveMs;
    head.framing = framingOf(head, this.#isChunked, isHead);
    if (head.framing === 'close') head.keepAlive = false;
    // RFC 9110 section 8.6, RFC 9112 section 6.1: it cannot have the body that it announces; where that comes all
    // the same, be it a moment later, it would be read as the next answer.
    if (this.#status === 204 && (this.#isChunked || this.#length > 0)) head.keepAlive = false;
    if (!this.#isPlain) this.#reprint(head);
    return head;
  }

  /** Answers whether the line goes. */
  #take(role: number, start: number, end: number): boolean {
    if (role === DATE) {
      this.#hasDate = true;
      return false;
    }
    if (role === HSTS) {
      this.#hasHsts = true;
      return false;
    }
    if (role === SET_COOKIE) {
      this.#hasSetCookie = true;
      return false;
    }
    if (role === CONTENT_TYPE) {
      this.#isEventStream ||= this.#text.startsWith('text/event-stream', start);
      return false;
    }
    if (role === AUTHENTICATE) {
      this.#bindsConnection ||= SIGNS_CONNECTION_IN.test(this.#text.slice(start, end));
      return false;
    }
    if (role !== DROPPED) this.#takeConnectionField(role, this.#text.slice(start, end));
    return true;
  }

  #takeConnectionField(role: number, value: string): void {
    switch (role) {
      case LENGTH:
        if (this.#length !== -1) throw bad('it has two Content-Length fields');
        this.#length = parseLength(value);
        break;
      case CODING:
        if (this.#isChunked) throw bad('it has two Transfer-Encoding fields');
        if (this.#isOld) throw bad('it has Transfer-Encoding on HTTP/1.0');
        if (value.toLowerCase() !== 'chunked') throw bad('its Transfer-Encoding is not "chunked"');
        this.#isChunked = true;
        break;
      case CONNECTION:
        this.#takeConnection(value);
        break;
      case KEEP_ALIVE:
        this.#keepAliveMs = keepAliveOf(value);
        break;
      default:
        if (this.#status === 101) this.#upgrade = value.trim().toLowerCase();
    }
  }

  #takeConnection(value: string): void {
    this.#connection = this.#connection === null ? value : `${this.#connection},${value}`;
    if (value === 'keep-alive') {
      this.#saysKeepAlive = true;
      return;
    }
    if (hasToken(value, 'close')) this.#saysClose = true;
    else if (hasToken(value, 'keep-alive')) this.#saysKeepAlive = true;
    if (value !== 'close') this.#isPlain = false;
  }

  /** The rare case: fields are read into a block, and those that `Connection` names go. */
  #reprint(head: AppResponseHead): void {
    const { headers } = head;
    if (this.#connection === null) return;
    const named = namedByConnection(HeaderBlock.from({ Connection: this.#connection }));
    if (named !== null) headers.removeWhere((key) => named.has(key));
  }
}

/** Written as we write it: one space behind the colon, nothing behind the value. */
function isPlainLine(text: string, colon: number, start: number, end: number): boolean {
  return text.charCodeAt(end) === CR && start === colon + 2 && text.charCodeAt(colon + 1) === SP;
}

function framingOf(head: AppResponseHead, isChunked: boolean, isHead: boolean): Framing {
  const { status } = head;
  if (isHead || status === 204 || status === 304 || status < 200) return 'none';
  if (isChunked) return 'chunked';
  if (head.length === -1) return 'close';
  return head.length === 0 ? 'none' : 'length';
}

function parseLength(value: string): number {
  if (value.length === 0 || value.length > 15) throw bad('its Content-Length is not a number');
  let length = 0;
  for (let i = 0; i < value.length; i++) length = length * 10 + digit(value, i);
  if (Number.isNaN(length)) throw bad('its Content-Length is not a number');
  return length;
}

/** "timeout=5, max=100". Digits only; anything else counts as no promise. */
function keepAliveOf(value: string): number {
  const at = value.indexOf('timeout=');
  if (at === -1) return -1;
  const seconds = Number.parseInt(value.slice(at + 8, at + 16), 10);
  return Number.isNaN(seconds) ? -1 : seconds * 1000;
}

/** What the app sent is never quoted: it may hold a secret or control characters. */
function bad(what: string): PosternError {
  return new PosternError('UPSTREAM_BAD_RESPONSE', `Cannot relay the app's response: ${what}`);
}
