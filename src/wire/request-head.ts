/**
 * A whole request head of HTTP/1.x, from latin1 text (RFC 9112). Decides target, host and framing
 * once; whatever two readers could frame differently is refused: Content-Length beside
 * Transfer-Encoding, repeated or odd lengths, any coding but one "chunked", duplicate Host.
 */
import { type Authority, parseAuthority } from './authority.ts';
import type { RequestHead } from './exchange.ts';
import { parseTokens, trimBlanks } from './field-list.ts';
import type { CookieLine } from './cookie-line.ts';
import { bytesOf, type CookieMemory, type FieldBytes, isToken, isTokenCode, parseFields } from './fields.ts';
import { HeaderBlock } from './header-block.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';
import { readLatin1 } from './latin1.ts';
import { parseRequestTarget, type RequestTarget } from './request-target.ts';

export interface HeadLimits {
  readonly headerCount: number;
  readonly targetBytes: number;
}

/** `bodyLength` of a body that ends by its last chunk. */
export const CHUNKED = -1;

const MAX_METHOD = 32;
/** Of a request line with its CRLF: shorter ones are read, and refused, as a whole. */
const LEAST_LINE = 16;
/** Longer heads are read anew: what a connection remembers should stay small. */
const MAX_REMEMBERED = 4_096;
const LF = 10;
const CR = 13;
const SP = 32;

/** A request head and what only its codec needs to know. */
export class Http1RequestHead implements RequestHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly target: string;
  readonly host: string;
  readonly port: number | null;
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderBlock;
  readonly hasEncodedSlash: boolean;
  readonly upgrade: string | null;
  readonly expectsContinue: boolean;
  /** Exact bytes, or CHUNKED. */
  readonly bodyLength: number;
  readonly keepAlive: boolean;

  constructor(line: RequestLine, authority: Authority, fields: FramingFields) {
    const { target } = line;
    this.method = line.method;
    this.path = target.path;
    this.query = target.query;
    this.target = target.raw;
    this.host = authority.host;
    this.port = authority.port;
    this.version = line.version;
    this.headers = fields.headers;
    this.hasEncodedSlash = target.hasEncodedSlash;
    this.bodyLength = fields.bodyLength;
    this.upgrade = fields.bodyLength === 0 ? fields.upgrade : null;
    this.expectsContinue = fields.expectsContinue && fields.bodyLength !== 0;
    this.keepAlive = fields.keepAlive;
  }
}

interface RequestLine {
  readonly method: string;
  readonly version: '1.0' | '1.1';
  readonly target: RequestTarget;
}

/**
 * The fields of the request before, on one connection. Clients repeat them byte for byte while only the
 * target changes; what is equal to the last byte needs no second reading.
 */
export class FieldMemory implements CookieMemory {
  #text = '';
  #version = '';
  #fields: FramingFields | null = null;
  cookieLine: CookieLine | null = null;
  /** A head that came in a piece of its own, and what was read from it. */
  #bytes: Buffer | null = null;
  #head: Http1RequestHead | null = null;
  /** Where its fields begin, and what they say. */
  #fieldsAt = 0;
  #fieldsOfHead: FramingFields | null = null;

  /** The head that these bytes are, where they are those of the one before, target and all: whoever polls sends such. */
  recallHead(bytes: Buffer): Http1RequestHead | null {
    const before = this.#bytes;
    const head = this.#head;
    if (before === null || head === null || before.length !== bytes.length || !before.equals(bytes)) return null;
    head.headers.isRemembered = true;
    return head;
  }

  /**
   * The head that these bytes are, where all but the request line is that of the one before, as browsers send it.
   * Only the line is read.
   */
  recallFields(bytes: Buffer, limits: HeadLimits & { readonly headerBytes: number }): Http1RequestHead | null {
    const before = this.#bytes;
    const fields = this.#fieldsOfHead;
    if (before === null || fields === null || bytes.length > limits.headerBytes) return null;
    const next = bytes.length - before.length + this.#fieldsAt;
    // The line must end just there: what stands before the fields is one line, and not a line and a field more.
    if (next < LEAST_LINE || bytes[next - 1] !== LF || bytes[next - 2] !== CR || bytes.indexOf(LF) !== next - 1)
      return null;
    if (bytes.compare(before, this.#fieldsAt, before.length, next, bytes.length) !== 0) return null;
    const line = parseLine(bytes, 0, next - 2, limits);
    if (fields.isOld !== (line.version === '1.0')) return null;
    fields.headers.isRemembered = true;
    return new Http1RequestHead(line, authorityOf(line.target, fields), fields);
  }

  /** `bytes` are kept: nobody may write into them. */
  keepHead(bytes: Buffer, head: Http1RequestHead): void {
    const fields = this.#fields;
    // Behind empty lines the first line is not the request's.
    const isKept = bytes.length <= MAX_REMEMBERED && bytes[0] !== CR && fields?.headers === head.headers;
    this.#bytes = isKept ? bytes : null;
    this.#head = isKept ? head : null;
    this.#fieldsOfHead = isKept ? fields : null;
    this.#fieldsAt = isKept ? bytes.indexOf(LF) + 1 : 0;
  }

  recall(text: string, version: string): FramingFields | null {
    const fields = this.#fields;
    if (fields === null || this.#version !== version || this.#text !== text) return null;
    fields.headers.isRemembered = true;
    return fields;
  }

  keep(text: string, version: string, fields: FramingFields): void {
    this.#text = text;
    this.#version = version;
    this.#fields = fields;
  }
}

/** HTTP/1.0 without Host: no host is asked for, and none is made up. */
const NO_AUTHORITY: Authority = { host: '', port: null };

/**
 * Reads text[from..to): the request line and the field lines, each with its CRLF, without the empty
 * line behind them. `source`: the bytes of the text, where they are at hand.
 */
// oxlint-disable-next-line max-params -- the hot path takes no options object
export function parseRequestHead(
  text: string,
  from: number,
  to: number,
  limits: HeadLimits,
  memory: FieldMemory | null = null,
  source: FieldBytes = bytesOf(text),
): Http1RequestHead {
  const lineEnd = text.indexOf('\n', from) - 1;
  if (lineEnd < from || lineEnd + 2 > to) throw new HttpSyntaxError('request-line');
  if (text.charCodeAt(lineEnd) !== CR) throw new HttpSyntaxError('bare-lf');
  const line = parseLine(source.bytes, from + source.shift, lineEnd + source.shift, limits);
  const fields = readFields(text, source, lineEnd + 2, to, line.version, limits, memory);
  return new Http1RequestHead(line, authorityOf(line.target, fields), fields);
}

// oxlint-disable-next-line max-params -- the hot path takes no options object
function readFields(
  text: string,
  source: FieldBytes,
  from: number,
  to: number,
  version: '1.0' | '1.1',
  limits: HeadLimits,
  memory: FieldMemory | null,
): FramingFields {
  const lines = memory === null ? '' : text.slice(from, to);
  const known = memory?.recall(lines, version);
  if (known !== null && known !== undefined) return known;
  const headers = new HeaderBlock();
  parseFields(text, source, from, to, headers, limits.headerCount, memory);
  const fields = new FramingFields(headers, version === '1.0');
  memory?.keep(lines, version, fields);
  return fields;
}

/** Reads bytes[from..lineEnd): the request line without its CRLF. */
function parseLine(bytes: Uint8Array, from: number, lineEnd: number, limits: HeadLimits): RequestLine {
  const methodEnd = endOfMethod(bytes, from, lineEnd);
  const method = methodAt(bytes, from, methodEnd);
  const targetEnd = endOfTarget(bytes, from, lineEnd);
  if (targetEnd <= methodEnd) throw new HttpSyntaxError('request-line');
  if (targetEnd - methodEnd - 1 > limits.targetBytes) throw new HttpSyntaxError('target-length', 414);
  const version = parseVersion(bytes, targetEnd + 1, lineEnd);
  // Made of bytes: a slice of the whole head would be slower to look at.
  return { method, version, target: parseRequestTarget(method, textOf(bytes, methodEnd + 1, targetEnd)) };
}

function textOf(bytes: Uint8Array, from: number, to: number): string {
  return readLatin1(bytes as Buffer, from, to);
}

function endOfMethod(bytes: Uint8Array, from: number, lineEnd: number): number {
  let at = from;
  while (at < lineEnd && isMethodCode(bytes[at] as number)) at++;
  if (at === from || at - from > MAX_METHOD || at >= lineEnd) throw new HttpSyntaxError('method');
  if (bytes[at] !== SP) throw new HttpSyntaxError('method');
  return at;
}

const codesOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const COMMON_METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'DELETE', 'PATCH'].map((name) => {
  return { name, codes: codesOf(name) };
});

/** The same string for a common method each time: whoever looks it up need not hash it. */
function methodAt(bytes: Uint8Array, from: number, to: number): string {
  for (const { name, codes } of COMMON_METHODS) if (to - from === codes.length && isAt(bytes, from, codes)) return name;
  return textOf(bytes, from, to);
}

function isAt(bytes: Uint8Array, at: number, codes: Uint8Array): boolean {
  for (let i = 0; i < codes.length; i++) if (bytes[at + i] !== codes[i]) return false;
  return true;
}

/**
 * Methods are case-sensitive, and no registered one has a small letter. Some apps fold them all the same:
 * for them "post" is a POST that no rule about POST has seen.
 */
export function isMethodCode(code: number): boolean {
  return isTokenCode(code) && !(code >= 97 && code <= 122);
}

const VERSION_1_1 = codesOf('HTTP/1.1');
const VERSION_1_0 = codesOf('HTTP/1.0');

/** The last space of the line: it stands before "HTTP/1.1" as a rule. */
function endOfTarget(bytes: Uint8Array, from: number, lineEnd: number): number {
  let at = lineEnd - VERSION_1_1.length - 1;
  if (at > from && bytes[at] === SP && isAt(bytes, at + 1, VERSION_1_1)) return at;
  at = lineEnd - 1;
  while (at >= from && bytes[at] !== SP) at--;
  return at;
}

function parseVersion(bytes: Uint8Array, from: number, to: number): '1.0' | '1.1' {
  if (to - from === VERSION_1_1.length) {
    if (isAt(bytes, from, VERSION_1_1)) return '1.1';
    if (isAt(bytes, from, VERSION_1_0)) return '1.0';
    if (/^HTTP\/\d\.\d$/.test(textOf(bytes, from, to))) throw new HttpSyntaxError('version', 505);
  }
  throw new HttpSyntaxError('version');
}

function authorityOf(target: RequestTarget, fields: FramingFields): Authority {
  if (fields.host === null) {
    if (!fields.isOld) throw new HttpSyntaxError('host-missing');
    return target.authority ?? NO_AUTHORITY;
  }
  const host = parseAuthority(fields.host);
  const asked = target.authority;
  if (asked === null) return host;
  const isSamePort = (host.port ?? target.defaultPort) === (asked.port ?? target.defaultPort);
  if (asked.host !== host.host || !isSamePort) throw new HttpSyntaxError('target-authority');
  return host;
}

/** What the fields say about host, framing and connection. One pass; anything twice is refused. */
class FramingFields {
  readonly headers: HeaderBlock;
  readonly isOld: boolean;
  host: string | null = null;
  bodyLength = 0;
  expectsContinue = false;
  keepAlive: boolean;
  upgrade: string | null = null;

  constructor(headers: HeaderBlock, isOld: boolean) {
    this.headers = headers;
    this.isOld = isOld;
    this.keepAlive = !isOld;
    let length: string | null = null;
    let coding: string | null = null;
    let connection: string | null = null;
    let upgrade: string | null = null;
    const { keys, values } = headers;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      const value = values[i] as string;
      // By length first: most fields are none of these.
      switch (key.length) {
        case 4:
          if (key === 'host') this.host = once(this.host, value, 'host-duplicate');
          break;
        case 6:
          if (key === 'expect') this.#takeExpect(value);
          break;
        case 7:
          if (key === 'upgrade') upgrade = upgrade === null ? value : `${upgrade},${value}`;
          break;
        case 10:
          if (key === 'connection') connection = connection === null ? value : `${connection},${value}`;
          break;
        case 14:
          if (key === 'content-length') length = once(length, value, 'content-length');
          break;
        case 17:
          if (key === 'transfer-encoding') coding = once(coding, value, 'transfer-encoding');
          break;
        default:
      }
    }
    if (length !== null || coding !== null) this.bodyLength = this.#lengthOf(length, coding);
    if (connection !== null) this.#takeConnection(connection, upgrade);
  }

  #lengthOf(length: string | null, coding: string | null): number {
    if (coding === null) return parseContentLength(length as string);
    if (length !== null) throw new HttpSyntaxError('content-length-and-transfer-encoding');
    // RFC 9112 section 6.1: faulty framing; whoever sends it may be half of a smuggling attempt.
    if (this.isOld) throw new HttpSyntaxError('transfer-encoding-http-1.0');
    checkCoding(coding);
    return CHUNKED;
  }

  #takeExpect(value: string): void {
    // RFC 9110 section 10.1.1: an HTTP/1.0 client never gets a 1xx, so its expectation is ignored.
    if (this.isOld) return;
    if (value.toLowerCase() !== '100-continue') throw new HttpSyntaxError('expect', 417);
    this.expectsContinue = true;
  }

  #takeConnection(connection: string, upgrade: string | null): void {
    if (connection === 'keep-alive') {
      this.keepAlive = true;
      return;
    }
    const tokens = parseTokens(connection);
    if (tokens === null) throw new HttpSyntaxError('connection');
    if (tokens.includes('keep-alive')) this.keepAlive = true;
    if (tokens.includes('close')) this.keepAlive = false;
    if (upgrade !== null && !this.isOld && tokens.includes('upgrade')) this.upgrade = parseUpgrade(upgrade);
  }
}

function once(before: string | null, value: string, rule: string): string {
  if (before !== null) throw new HttpSyntaxError(rule);
  return value;
}

/** Digits only: no sign, no list, no blanks, nothing that loses precision. */
function parseContentLength(text: string): number {
  if (text.length === 0 || text.length > 16) throw new HttpSyntaxError('content-length');
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) throw new HttpSyntaxError('content-length');
    length = length * 10 + digit;
  }
  if (length > Number.MAX_SAFE_INTEGER) throw new HttpSyntaxError('content-length');
  return length;
}

function checkCoding(coding: string): void {
  if (coding.length === 7 && coding.toLowerCase() === 'chunked') return;
  const codings = parseTokens(coding);
  const isUnknownFirst = codings !== null && codings.length > 1 && codings.indexOf('chunked') === codings.length - 1;
  throw new HttpSyntaxError('transfer-encoding', isUnknownFirst ? 501 : 400);
}

/**
 * The protocol asked for: websocket where it is among those offered, else the first. h2c is never
 * offered on: a client would speak past us (the h2csmuggler class).
 */
function parseUpgrade(value: string): string | null {
  const offered: string[] = [];
  for (const element of value.toLowerCase().split(',')) {
    const protocol = trimBlanks(element);
    if (protocol === '') continue;
    if (!protocol.split('/', 2).every(isToken) || protocol.split('/').length > 2) throw new HttpSyntaxError('upgrade');
    if (protocol !== 'h2c' && protocol !== 'h2') offered.push(protocol);
  }
  return offered.includes('websocket') ? 'websocket' : (offered[0] ?? null);
}
