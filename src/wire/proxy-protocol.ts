/**
 * The PROXY protocol, versions 1 and 2 (haproxy.org/download/3.0/doc/proxy-protocol.txt): who the
 * peer in front says the visitor is. Strict: one spelling, bounded length, stream transports only.
 * TLVs are skipped. Whether a peer may be believed is not decided here.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { normaliseIp } from '../core/ip-address.ts';

const V1_PREFIX = Buffer.from('PROXY ');
const V2_SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** With CR LF: the longest line that version 1 allows. */
const V1_MAX_BYTES = 107;
const V2_HEADER_BYTES = 16;
/** Addresses and TLVs of version 2. The field could say 65535; nobody sends a tenth of it. */
const V2_MAX_PAYLOAD = 4096;
const V2_LOCAL = 0;
const V2_PROXY = 1;
const CR = 13;
const LF = 10;

export interface ProxyEndpoint {
  readonly address: string;
  readonly port: number;
}

export interface ProxyHeader {
  readonly kind: 'header';
  /** Bytes that the header took. */
  readonly length: number;
  /** The peer speaks for itself (a health check): its own address is the visitor's. */
  readonly isLocal: boolean;
  /** Null where the peer names none: UNKNOWN, LOCAL, unix sockets, unspecified families. */
  readonly source: ProxyEndpoint | null;
  readonly destination: ProxyEndpoint | null;
}

export type ProxyAnswer =
  | { readonly kind: 'need-more' }
  /** The bytes are those of another protocol. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'malformed'; readonly reason: string }
  | ProxyHeader;

const NEED_MORE: ProxyAnswer = { kind: 'need-more' };
const ABSENT: ProxyAnswer = { kind: 'absent' };

const malformed = (reason: string): ProxyAnswer => ({ kind: 'malformed', reason });
const headerOf = (length: number, source: ProxyEndpoint | null, destination: ProxyEndpoint | null): ProxyHeader => ({
  kind: 'header',
  length,
  isLocal: false,
  source,
  destination,
});

/** Whether the bytes begin like a header of either version; `need-more` while they still may. */
export function looksLikeProxyHeader(bytes: Buffer): boolean | 'need-more' {
  const v1 = startsWith(bytes, V1_PREFIX);
  const v2 = startsWith(bytes, V2_SIGNATURE);
  if (v1 === true || v2 === true) return true;
  return v1 === 'need-more' || v2 === 'need-more' ? 'need-more' : false;
}

/** Parses the header at the start of the bytes. Bytes after it belong to the next protocol. */
export function parseProxyHeader(bytes: Buffer): ProxyAnswer {
  const v1 = startsWith(bytes, V1_PREFIX);
  if (v1 === true) return parseV1(bytes);
  const v2 = startsWith(bytes, V2_SIGNATURE);
  if (v2 === true) return parseV2(bytes);
  return v1 === 'need-more' || v2 === 'need-more' ? NEED_MORE : ABSENT;
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean | 'need-more' {
  const length = Math.min(bytes.length, prefix.length);
  if (bytes.compare(prefix, 0, length, 0, length) !== 0) return false;
  return length === prefix.length ? true : 'need-more';
}

function parseV1(bytes: Buffer): ProxyAnswer {
  const end = bytes.subarray(0, V1_MAX_BYTES).indexOf(LF);
  if (end === -1) {
    return bytes.length >= V1_MAX_BYTES ? malformed('The PROXY line is longer than 107 bytes') : NEED_MORE;
  }
  if (bytes[end - 1] !== CR) return malformed('The PROXY line does not end in CR LF');
  const words = bytes.toString('latin1', V1_PREFIX.length, end - 1).split(' ');
  if (words[0] === 'UNKNOWN') return headerOf(end + 1, null, null);
  const [family, from = '', to = '', fromPort = '', toPort = ''] = words;
  if (words.length !== 5) return malformed('The PROXY line does not have six words');
  const source = parseEndpoint(family, from, fromPort);
  const destination = parseEndpoint(family, to, toPort);
  if (source === null || destination === null) return malformed('The PROXY line holds a wrong address or port');
  return headerOf(end + 1, source, destination);
}

function parseEndpoint(family: string | undefined, text: string, digits: string): ProxyEndpoint | null {
  const isOfFamily = (family === 'TCP4' && isIPv4(text)) || (family === 'TCP6' && isIPv6(text));
  const address = isOfFamily ? normaliseIp(text) : null;
  if (address === null || !/^(?:0|[1-9]\d{0,4})$/.test(digits)) return null;
  const port = Number(digits);
  return port > 65_535 ? null : { address, port };
}

function parseV2(bytes: Buffer): ProxyAnswer {
  if (bytes.length < V2_HEADER_BYTES) return NEED_MORE;
  const versionAndCommand = bytes[12] as number;
  const family = bytes[13] as number;
  const payload = bytes.readUInt16BE(14);
  const command = versionAndCommand & 15;
  if (versionAndCommand >> 4 !== 2) return malformed('The PROXY header is not of version 2');
  if (command !== V2_LOCAL && command !== V2_PROXY) return malformed('The PROXY command is unknown');
  if (payload > V2_MAX_PAYLOAD) return malformed(`The PROXY header is longer than ${V2_MAX_PAYLOAD} bytes`);
  if (bytes.length < V2_HEADER_BYTES + payload) return NEED_MORE;
  const length = V2_HEADER_BYTES + payload;
  if (command === V2_LOCAL) return { ...headerOf(length, null, null), isLocal: true };
  return parseV2Addresses(family, bytes.subarray(V2_HEADER_BYTES, length), length);
}

/** High nibble: 0 unspecified, 1 IPv4, 2 IPv6, 3 unix. Low nibble: 0 unspecified, 1 stream, 2 datagram. */
function parseV2Addresses(family: number, payload: Buffer, length: number): ProxyAnswer {
  if (family === 0x00) return headerOf(length, null, null);
  if (family === 0x11 && payload.length >= 12) {
    return headerOf(
      length,
      { address: dotted(payload, 0), port: payload.readUInt16BE(8) },
      { address: dotted(payload, 4), port: payload.readUInt16BE(10) },
    );
  }
  if (family === 0x21 && payload.length >= 36) {
    return headerOf(
      length,
      { address: colons(payload, 0), port: payload.readUInt16BE(32) },
      { address: colons(payload, 16), port: payload.readUInt16BE(34) },
    );
  }
  if (family === 0x31 && payload.length >= 216) return headerOf(length, null, null);
  return malformed('The PROXY header has an unknown family, or is too short for its family');
}

function dotted(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function colons(bytes: Buffer, at: number): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(at + i).toString(16));
  const text = groups.join(':');
  return normaliseIp(text) ?? text;
}

/** Writes a version 1 line; null endpoints become UNKNOWN. */
export function encodeProxyV1(source: ProxyEndpoint | null, destination: ProxyEndpoint | null): Buffer {
  if (source === null || destination === null) return Buffer.from('PROXY UNKNOWN\r\n');
  const family = isIPv4(source.address) && isIPv4(destination.address) ? 'TCP4' : 'TCP6';
  const words = [family, spelled(family, source), spelled(family, destination), source.port, destination.port];
  return Buffer.from(`PROXY ${words.join(' ')}\r\n`);
}

const spelled = (family: string, end: ProxyEndpoint): string =>
  family === 'TCP6' && isIPv4(end.address) ? `::ffff:${end.address}` : end.address;

/** Writes a version 2 header, with raw TLV bytes after the addresses; null endpoints become LOCAL. */
export function encodeProxyV2(
  source: ProxyEndpoint | null,
  destination: ProxyEndpoint | null,
  tlvs: Buffer = Buffer.alloc(0),
): Buffer {
  if (source === null || destination === null) return v2(0x20, 0x00, tlvs);
  const isFour = isIPv4(source.address) && isIPv4(destination.address);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const pack = isFour ? packFour : packSix;
  return v2(0x21, isFour ? 0x11 : 0x21, Buffer.concat([pack(source.address), pack(destination.address), ports, tlvs]));
}

function v2(versionAndCommand: number, family: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(V2_HEADER_BYTES);
  V2_SIGNATURE.copy(head);
  head[12] = versionAndCommand;
  head[13] = family;
  head.writeUInt16BE(payload.length, 14);
  return Buffer.concat([head, payload]);
}

const packFour = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

function packSix(address: string): Buffer {
  const packed = Buffer.alloc(16);
  if (isIPv4(address)) {
    packed.fill(0xff, 10, 12);
    packFour(address).copy(packed, 12);
    return packed;
  }
  const [left = '', right = ''] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const tail = groups(right);
  groups(left).forEach((group, i) => packed.writeUInt16BE(Number.parseInt(group, 16), i * 2));
  tail.forEach((group, i) => packed.writeUInt16BE(Number.parseInt(group, 16), 16 - (tail.length - i) * 2));
  return packed;
}
