/**
 * Reads the first handshake message of a TLS connection without taking part in it: which name and
 * which protocols the client asks for (RFC 8446 section 4.1.2, RFC 6066 section 3, RFC 7301).
 * Reassembles TLS records and handshake fragments up to 16 KB, however the bytes are split.
 * It decrypts nothing and answers nothing; what it calls malformed must not reach a handshake.
 */
const MAX_HELLO_BYTES = 16_384;
/** Records around the hello: a client that cuts it into crumbs pays five bytes each, and not for ever. */
const MAX_RECORDS = 512;
const RECORD_HEADER = 5;
const HANDSHAKE_HEADER = 4;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_SIGNATURES = 13;
const EXTENSION_ALPN = 16;
const EXTENSION_SUPPORTED_VERSIONS = 43;
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

export interface ClientHello {
  readonly kind: 'hello';
  /** Lower-case name of the SNI extension; null where there is none. */
  readonly serverName: string | null;
  /** Protocols in the client's order; empty without ALPN. */
  readonly alpn: readonly string[];
  /** Version numbers such as 0x0304. */
  readonly versions: readonly number[];
  /** Signature schemes that the client verifies, such as 0x0403; null where it does not say. */
  readonly signatureSchemes: readonly number[] | null;
  /** Numbers such as 0xc02b. */
  readonly cipherSuites: readonly number[];
}

export type ClientHelloAnswer =
  | { readonly kind: 'need-more' }
  | { readonly kind: 'not-tls' }
  | { readonly kind: 'malformed'; readonly reason: string }
  | ClientHello;

const NEED_MORE: ClientHelloAnswer = { kind: 'need-more' };
const NOT_TLS: ClientHelloAnswer = { kind: 'not-tls' };

const malformed = (reason: string): ClientHelloAnswer => ({ kind: 'malformed', reason });

/** Takes a connection's bytes as they come; the first answer other than `need-more` is final. */
export class ClientHelloReader {
  readonly #header: Buffer = Buffer.alloc(RECORD_HEADER);
  #headerLength = 0;
  #recordRest = 0;
  #records = 0;
  #message: Buffer = Buffer.alloc(0);
  #length = 0;
  #answer: ClientHelloAnswer = NEED_MORE;

  push(bytes: Buffer): ClientHelloAnswer {
    let at = 0;
    while (this.#answer === NEED_MORE && at < bytes.length) {
      at = this.#recordRest === 0 ? this.#takeHeader(bytes, at) : this.#takePayload(bytes, at);
    }
    return this.#answer;
  }

  #takeHeader(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length && this.#headerLength < RECORD_HEADER) {
      this.#header[this.#headerLength++] = bytes[at++] as number;
      const wrong = this.#wrongHeader();
      if (wrong === null) continue;
      this.#answer = wrong;
      return at;
    }
    if (this.#headerLength < RECORD_HEADER) return at;
    this.#headerLength = 0;
    this.#recordRest = this.#header.readUInt16BE(3);
    if (++this.#records > MAX_RECORDS) this.#answer = malformed('The ClientHello is cut into too many records');
    else if (this.#recordRest === 0) this.#answer = malformed('A handshake record is empty');
    else if (this.#recordRest > MAX_HELLO_BYTES) this.#answer = malformed('A record is longer than 16384 bytes');
    return at;
  }

  /** Judges the byte of the header that came last. */
  #wrongHeader(): ClientHelloAnswer | null {
    if (this.#headerLength === 1 && this.#header[0] !== HANDSHAKE) {
      return this.#records === 0 ? NOT_TLS : malformed('Another record interrupts the ClientHello');
    }
    if (this.#headerLength === 2 && this.#header[1] !== 3) {
      return this.#records === 0 ? NOT_TLS : malformed('The record version is not TLS');
    }
    return null;
  }

  #takePayload(bytes: Buffer, from: number): number {
    const take = Math.min(bytes.length - from, this.#recordRest);
    this.#reserve(take);
    bytes.copy(this.#message, this.#length, from, from + take);
    this.#length += take;
    this.#recordRest -= take;
    this.#judgeMessage();
    return from + take;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#message.length) return;
    const grown = Buffer.allocUnsafe(Math.max((this.#length + more) * 2, 1024));
    this.#message.copy(grown, 0, 0, this.#length);
    this.#message = grown;
  }

  #judgeMessage(): void {
    if (this.#message[0] !== CLIENT_HELLO) {
      this.#answer = malformed('The first handshake message is not a ClientHello');
      return;
    }
    if (this.#length < HANDSHAKE_HEADER) return;
    const bodyLength = this.#message.readUIntBE(1, 3);
    if (bodyLength > MAX_HELLO_BYTES) {
      this.#answer = malformed('The ClientHello is longer than 16384 bytes');
      return;
    }
    if (this.#length < HANDSHAKE_HEADER + bodyLength) return;
    this.#answer = parseBody(this.#message.subarray(HANDSHAKE_HEADER, HANDSHAKE_HEADER + bodyLength));
    this.#message = Buffer.alloc(0);
  }
}

/** A cursor that never reads past its end: a short vector is a SyntaxError. */
class Cursor {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get isDone(): boolean {
    return this.at === this.bytes.length;
  }

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new SyntaxError('The ClientHello ends inside a field');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  number(width: 1 | 2): number {
    return this.take(width).readUIntBE(0, width);
  }

  /** A vector with a length of `width` bytes before it. */
  vector(width: 1 | 2): Buffer {
    return this.take(this.number(width));
  }
}

function parseBody(body: Buffer): ClientHelloAnswer {
  try {
    return parseHello(new Cursor(body));
  } catch (error) {
    if (error instanceof SyntaxError) return malformed(error.message);
    throw error;
  }
}

function parseHello(cursor: Cursor): ClientHello {
  const legacyVersion = cursor.number(2);
  cursor.take(32);
  if (cursor.vector(1).length > 32) throw new SyntaxError('The session id is longer than 32 bytes');
  const suites = cursor.vector(2);
  if (suites.length === 0 || suites.length % 2 !== 0) throw new SyntaxError('The list of cipher suites is not a list');
  if (cursor.vector(1).length === 0) throw new SyntaxError('The list of compression methods is empty');
  const extensions = cursor.isDone ? Buffer.alloc(0) : cursor.vector(2);
  if (!cursor.isDone) throw new SyntaxError('Bytes follow the extensions');
  return parseExtensions(new Cursor(extensions), legacyVersion, suitesOf(suites));
}

function suitesOf(list: Buffer): number[] {
  const suites: number[] = [];
  for (let at = 0; at < list.length; at += 2) suites.push(list.readUInt16BE(at));
  return suites;
}

function parseExtensions(cursor: Cursor, legacyVersion: number, cipherSuites: readonly number[]): ClientHello {
  const seen = new Set<number>();
  let serverName: string | null = null;
  let alpn: readonly string[] = [];
  let versions: readonly number[] = [legacyVersion];
  let signatureSchemes: readonly number[] | null = null;
  while (!cursor.isDone) {
    const type = cursor.number(2);
    const data = cursor.vector(2);
    if (seen.has(type)) throw new SyntaxError(`Extension ${type} is there twice`);
    seen.add(type);
    if (type === EXTENSION_SERVER_NAME) serverName = parseServerName(data);
    else if (type === EXTENSION_ALPN) alpn = parseAlpn(data);
    else if (type === EXTENSION_SUPPORTED_VERSIONS) versions = parseNumbers(data, 1);
    else if (type === EXTENSION_SIGNATURES) signatureSchemes = parseNumbers(data, 2);
  }
  return { kind: 'hello', serverName, alpn, versions, signatureSchemes, cipherSuites };
}

/** Takes exactly one host_name: a second could be read differently by whoever terminates TLS. */
function parseServerName(data: Buffer): string {
  const outer = new Cursor(data);
  const list = new Cursor(outer.vector(2));
  if (!outer.isDone) throw new SyntaxError('Bytes follow the server name list');
  if (list.number(1) !== 0) throw new SyntaxError('The server name is not of type host_name');
  const name = list.vector(2).toString('latin1').toLowerCase();
  if (!list.isDone) throw new SyntaxError('The server name list holds more than one name');
  if (!NAME.test(name)) throw new SyntaxError('The server name is not a host name');
  return name;
}

function parseAlpn(data: Buffer): string[] {
  const outer = new Cursor(data);
  const list = new Cursor(outer.vector(2));
  if (!outer.isDone || list.isDone) throw new SyntaxError('The protocol list is not a list');
  const protocols: string[] = [];
  while (!list.isDone) {
    const name = list.vector(1);
    if (name.length === 0) throw new SyntaxError('A protocol name is empty');
    protocols.push(name.toString('latin1'));
  }
  return protocols;
}

/** A list of 16-bit numbers whose length takes `width` bytes. */
function parseNumbers(data: Buffer, width: 1 | 2): number[] {
  const outer = new Cursor(data);
  const list = new Cursor(outer.vector(width));
  if (!outer.isDone || list.isDone) throw new SyntaxError('A list of versions or signature schemes is not a list');
  const numbers: number[] = [];
  while (!list.isDone) numbers.push(list.number(2));
  return numbers;
}
