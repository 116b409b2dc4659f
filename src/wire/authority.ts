/**
 * The authority of a request: Host field, `:authority`, or the one inside an absolute target
 * (RFC 9110 section 7.2, RFC 3986 section 3.2). One spelling for one host: lower-case, no trailing
 * dot, IPv6 compressed in brackets. Refuses user info, lists, paths, percent-encoding, non-ASCII
 * (a browser sends the A-label), and numbers that only look like an IPv4 address.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { HttpSyntaxError } from './http-syntax-error.ts';
import { readLatin1 } from './latin1.ts';

export interface Authority {
  /** Lower-case, without port and trailing dot; IPv6 in brackets. */
  readonly host: string;
  readonly port: number | null;
}

/** A name of 253 and a dot, or an IPv6 literal, and ":65535". */
const MAX_LENGTH = 262;
const MAX_NAME = 253;
const MAX_LABEL = 63;
const MAX_CACHED = 1_000;

const DOT = 46;
const COLON = 58;

/** Letters, digits, "-" and "_": what names of hosts are made of in practice. */
const LABEL = new Uint8Array(128);
for (const letter of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_')
  LABEL[letter.charCodeAt(0)] = 1;

/** A site sees few authorities again and again; whoever sends many only empties the cache. */
const recent = new Map<string, Authority>();

/** Reads an authority or throws HttpSyntaxError "host". */
export function parseAuthority(text: string): Authority {
  const known = recent.get(text);
  if (known !== undefined) return known;
  if (text.length === 0) throw new HttpSyntaxError('host-empty');
  if (text.length > MAX_LENGTH) throw new HttpSyntaxError('host');
  const authority = text.startsWith('[') ? parseLiteral(text) : parseNamed(text);
  if (recent.size >= MAX_CACHED) recent.clear();
  recent.set(ownCopy(text), authority);
  return authority;
}

const printed = new Map<string, { readonly port: number | null; readonly text: string }>();

/** Host and port as they stand in a URL, the text made once: every request of a host needs it. */
export function printAuthority(host: string, port: number | null): string {
  const known = printed.get(host);
  if (known !== undefined && known.port === port) return known.text;
  const text = port === null ? host : `${host}:${port}`;
  if (printed.size >= MAX_CACHED) printed.clear();
  printed.set(host, { port, text });
  return text;
}

/** A slice would keep the whole message head that it was cut from alive. */
function ownCopy(text: string): string {
  return readLatin1(Buffer.from(text, 'latin1'), 0, text.length);
}

function parseNamed(text: string): Authority {
  const colon = text.indexOf(':');
  let end = colon === -1 ? text.length : colon;
  const port = colon === -1 ? null : parsePort(text, colon + 1);
  if (end > 0 && text.charCodeAt(end - 1) === DOT) end--;
  if (end === 0 || end > MAX_NAME) throw new HttpSyntaxError('host');
  const host = ownCopy(text.slice(0, end).toLowerCase());
  const lastLabel = checkLabels(host);
  if (isNumber(lastLabel) && !isIPv4(host)) throw new HttpSyntaxError('host');
  return { host, port };
}

/** Checks the labels and answers the last. */
function checkLabels(host: string): string {
  let label = 0;
  for (let i = 0; i <= host.length; i++) {
    const code = i === host.length ? DOT : host.charCodeAt(i);
    if (code === DOT) {
      if (i === label || i - label > MAX_LABEL) throw new HttpSyntaxError('host');
      if (i < host.length) label = i + 1;
    } else if (code > 127 || LABEL[code] !== 1) {
      throw new HttpSyntaxError('host');
    }
  }
  return host.slice(label);
}

/** Resolvers read `0x7f.1` and `017700000001` as addresses, so a host that ends so must be a plain one. */
function isNumber(label: string): boolean {
  return /^(?:\d+|0x[0-9a-f]*)$/.test(label);
}

function parseLiteral(text: string): Authority {
  const close = text.indexOf(']');
  const address = text.slice(1, close === -1 ? 1 : close);
  // A zone id means nothing to anybody but its sender.
  if (address.includes('%') || !isIPv6(address)) throw new HttpSyntaxError('host');
  const isBare = close + 1 === text.length;
  if (!isBare && text.charCodeAt(close + 1) !== COLON) throw new HttpSyntaxError('host');
  const port = isBare ? null : parsePort(text, close + 2);
  return { host: `[${new SocketAddress({ address, family: 'ipv6' }).address.toLowerCase()}]`, port };
}

function parsePort(text: string, from: number): number {
  let port = 0;
  if (from === text.length || text.length - from > 5) throw new HttpSyntaxError('host-port');
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) throw new HttpSyntaxError(digit === COLON - 48 ? 'host' : 'host-port');
    port = port * 10 + digit;
  }
  if (port === 0 || port > 65_535) throw new HttpSyntaxError('host-port');
  return port;
}
