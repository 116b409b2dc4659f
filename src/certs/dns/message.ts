/**
 * DNS messages (RFC 1035 section 4): reads answers, writes questions and updates (RFC 2136). Names are lower case
 * without the trailing dot, "" for the root; bytes that no host name has are written `\DDD`. Whatever the bytes,
 * reading ends quickly and throws nothing but DnsMessageError: pointers only lead backwards and few times,
 * names are at most 255 octets, and no count is believed.
 */
import { SocketAddress } from 'node:net';

export class DnsMessageError extends Error {
  override readonly name = 'DnsMessageError';
}

export const TYPE = { A: 1, NS: 2, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, OPT: 41, TSIG: 250, ANY: 255 } as const;
export const CLASS = { IN: 1, NONE: 254, ANY: 255 } as const;
export const OPCODE = { QUERY: 0, UPDATE: 5 } as const;

/** RFC 6895 section 2.3. */
const RCODES = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];
export const RCODE = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5, NOTAUTH: 9, NOTZONE: 10 } as const;

export function rcodeName(rcode: number): string {
  return RCODES[rcode] ?? `RCODE ${rcode}`;
}

export interface Question {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface ResourceRecord extends Question {
  readonly ttl: number;
  /** Where the record begins in the message. */
  readonly start: number;
  readonly data: Uint8Array;
  /** What NS and CNAME point to, and the primary server of SOA. */
  readonly target: string | null;
  /** The strings of TXT, joined; each byte one character. */
  readonly text: string | null;
  readonly address: string | null;
}

export interface DnsMessage {
  readonly id: number;
  readonly opcode: number;
  readonly rcode: number;
  readonly isResponse: boolean;
  readonly isAuthoritative: boolean;
  readonly isTruncated: boolean;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

const HEADER = 12;
const LONGEST_NAME = 255;
const LONGEST_LABEL = 63;
/** More than any server writes; a chain of pointers to pointers would cost the square of the message otherwise. */
const MOST_POINTERS = 32;

/** A name and where it ends. Compressed names (RFC 1035 section 4.1.4) lead backwards. */
export function readName(bytes: Uint8Array, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let end = -1;
  let at = start;
  let length = 1;
  let limit = start;
  for (let pointers = 0; ;) {
    const octet = byteAt(bytes, at);
    if (octet >= 0xc0) {
      const target = ((octet & 0x3f) << 8) | byteAt(bytes, at + 1);
      if (end === -1) end = at + 2;
      if (target >= limit) throw new DnsMessageError('a compressed name does not lead backwards');
      if (++pointers > MOST_POINTERS) throw new DnsMessageError('a compressed name leads on too often');
      at = target;
      limit = target;
    } else if (octet > LONGEST_LABEL) throw new DnsMessageError('a label has an unknown type');
    else if (octet === 0) return { name: labels.join('.'), end: end === -1 ? at + 1 : end };
    else {
      length += octet + 1;
      if (length > LONGEST_NAME) throw new DnsMessageError('a name is longer than 255 octets');
      labels.push(labelText(bytesAt(bytes, at + 1, octet)));
      at += octet + 1;
    }
  }
}

function labelText(label: Uint8Array): string {
  let text = '';
  for (const octet of label) {
    const character = String.fromCharCode(octet).toLowerCase();
    text += /[a-z0-9_*-]/.test(character) ? character : `\\${String(octet).padStart(3, '0')}`;
  }
  return text;
}

export function readMessage(bytes: Uint8Array): DnsMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER) throw new DnsMessageError('the message is shorter than its header');
  const flags = view.getUint16(2);
  let at = HEADER;
  const questions: Question[] = [];
  for (let left = view.getUint16(4); left > 0; left--) {
    const { name, end } = readName(bytes, at);
    questions.push({ name, type: wordAt(bytes, end), class: wordAt(bytes, end + 2) });
    at = end + 4;
  }
  const section = (count: number): ResourceRecord[] => {
    const records: ResourceRecord[] = [];
    for (let left = count; left > 0; left--) {
      const { record, end } = readRecord(bytes, at);
      records.push(record);
      at = end;
    }
    return records;
  };
  const answers = section(view.getUint16(6));
  const authorities = section(view.getUint16(8));
  const additionals = section(view.getUint16(10));
  if (at !== bytes.length) throw new DnsMessageError('bytes follow the message');
  return {
    id: view.getUint16(0),
    opcode: (flags >> 11) & 15,
    rcode: flags & 15,
    isResponse: (flags & 0x80_00) !== 0,
    isAuthoritative: (flags & 0x04_00) !== 0,
    isTruncated: (flags & 0x02_00) !== 0,
    questions,
    answers,
    authorities,
    additionals,
  };
}

function readRecord(bytes: Uint8Array, start: number): { readonly record: ResourceRecord; readonly end: number } {
  const { name, end: at } = readName(bytes, start);
  const type = wordAt(bytes, at);
  const ttl = wordAt(bytes, at + 4) * 65_536 + wordAt(bytes, at + 6);
  const data = bytesAt(bytes, at + 10, wordAt(bytes, at + 8));
  const end = at + 10 + data.length;
  const isName = type === TYPE.NS || type === TYPE.CNAME || type === TYPE.SOA;
  const target = isName ? readName(bytes, at + 10) : null;
  if (target !== null && (target.end > end || (type !== TYPE.SOA && target.end !== end)))
    throw new DnsMessageError('a name does not end with its record');
  const text = type === TYPE.TXT ? readStrings(data) : null;
  const record = {
    name,
    type,
    class: wordAt(bytes, at + 2),
    ttl,
    start,
    data,
    target: target?.name ?? null,
    text,
    address: addressOf(type, data),
  };
  return { record, end };
}

function readStrings(data: Uint8Array): string {
  let text = '';
  for (let at = 0; at < data.length;) {
    const length = byteAt(data, at);
    text += Buffer.from(bytesAt(data, at + 1, length)).toString('latin1');
    at += length + 1;
  }
  return text;
}

function addressOf(type: number, data: Uint8Array): string | null {
  if (type === TYPE.A) {
    if (data.length !== 4) throw new DnsMessageError('an A record is not 4 bytes long');
    return data.join('.');
  }
  if (type !== TYPE.AAAA) return null;
  if (data.length !== 16) throw new DnsMessageError('an AAAA record is not 16 bytes long');
  const groups = Array.from({ length: 8 }, (_, index) => wordAt(data, index * 2).toString(16));
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? endTooSoon();
}

function wordAt(bytes: Uint8Array, at: number): number {
  return byteAt(bytes, at) * 256 + byteAt(bytes, at + 1);
}

function bytesAt(bytes: Uint8Array, at: number, length: number): Uint8Array {
  return at + length > bytes.length ? endTooSoon() : bytes.subarray(at, at + length);
}

function endTooSoon(): never {
  throw new DnsMessageError('the message ends too soon');
}

/** Uncompressed, as TSIG wants names and as any server reads them. */
export function writeName(name: string): Buffer {
  const parts: Buffer[] = [];
  for (const label of name === '' ? [] : name.split('.')) {
    const octets = Buffer.from(
      label.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number(code))),
      'latin1',
    );
    if (octets.length === 0 || octets.length > LONGEST_LABEL)
      throw new DnsMessageError(`a label of "${name}" is empty or longer than 63 octets`);
    parts.push(Buffer.of(octets.length), octets);
  }
  const whole = Buffer.concat([...parts, Buffer.of(0)]);
  if (whole.length > LONGEST_NAME) throw new DnsMessageError(`"${name.slice(0, 40)}…" is longer than 255 octets`);
  return whole;
}

/** The data of a TXT record: strings of at most 255 bytes. */
export function writeTxt(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += 255) {
    const string = bytes.subarray(at, at + 255);
    parts.push(Buffer.of(string.length), string);
  }
  return Buffer.concat(parts);
}

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
  return bytes;
}

export interface QuestionInput {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  /** Asks a resolver; else the server itself. */
  readonly recursion: boolean;
}

/** What fits into one datagram everywhere (RFC 9715); longer answers come truncated and are asked for by TCP. */
const UDP_PAYLOAD = 1232;

export function writeQuestion({ id, name, type, recursion }: QuestionInput): Buffer {
  const header = words(id, recursion ? 0x01_00 : 0, 1, 0, 0, 1);
  const edns = Buffer.concat([Buffer.of(0), words(TYPE.OPT, UDP_PAYLOAD, 0, 0, 0)]);
  return Buffer.concat([header, writeName(name), words(type, CLASS.IN), edns]);
}

export interface TxtUpdate {
  readonly id: number;
  readonly zone: string;
  readonly name: string;
  readonly value: string;
  readonly action: 'add' | 'remove';
  readonly ttl: number;
}

/** RFC 2136 sections 2.5.1 and 2.5.4: one record is added to, or deleted from, its set. Both may come twice. */
export function writeTxtUpdate({ id, zone, name, value, action, ttl }: TxtUpdate): Buffer {
  const header = words(id, OPCODE.UPDATE << 11, 1, 0, 1, 0);
  const data = writeTxt(value);
  const isAdd = action === 'add';
  const seconds = isAdd ? ttl : 0;
  const record = words(TYPE.TXT, isAdd ? CLASS.IN : CLASS.NONE, seconds >>> 16, seconds & 0xff_ff, data.length);
  return Buffer.concat([header, writeName(zone), words(TYPE.SOA, CLASS.IN), writeName(name), record, data]);
}
