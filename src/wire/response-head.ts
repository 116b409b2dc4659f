/**
 * Reads the head of an app's HTTP/1.x response, strictly (RFC 9112 sections 4 and 6). Whatever two
 * readers could frame differently is an error: the answer becomes a 502 and the connection is never
 * used again. Fields that belong to the connection are removed here, once their meaning is taken.
 */
import { parseFields } from './fields.ts';
import { HeaderBlock } from './header-block.ts';
import { hasToken, isHopByHop, namedByConnection } from './hop-by-hop.ts';
import { PosternError } from '../core/errors.ts';
import type { ResponseHead } from './exchange.ts';

export const MAX_RESPONSE_HEAD_BYTES = 65_536;
export const MAX_RESPONSE_FIELDS = 500;

/** How the end of the body is known. */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

export class AppResponseHead implements ResponseHead {
  readonly status: number;
  readonly headers: HeaderBlock;
  framing: Framing = 'none';
  /** Content-Length as given, -1 without one. For HEAD and 304 it tells of a body that does not come. */
  length = -1;
  keepAlive: boolean;
  /** What `Keep-Alive: timeout=` promised, -1 without it. */
  keepAliveMs = -1;
  /** Lower-case protocol of a 101, else null. */
  upgrade: string | null = null;

  constructor(status: number, headers: HeaderBlock, keepAlive: boolean) {
    this.status = status;
    this.headers = headers;
    this.keepAlive = keepAlive;
  }
}

/**
 * `text` is the head as latin1, with the CRLF of its last field and without the empty line.
 * `isHead`: it answers a HEAD request, so no body follows.
 */
export function parseResponseHead(text: string, isHead: boolean): AppResponseHead {
  const lineEnd = text.indexOf('\r\n');
  const status = parseStatusLine(text, lineEnd === -1 ? text.length : lineEnd);
  const isOld = text.charCodeAt(7) === 0x30;
  const headers = new HeaderBlock();
  if (lineEnd !== -1 && lineEnd + 2 < text.length) readFields(text, lineEnd + 2, headers);
  const head = new AppResponseHead(status, headers, !isOld);
  takeFraming(head, isOld, isHead);
  return head;
}

function readFields(text: string, from: number, headers: HeaderBlock): void {
  try {
    parseFields(text, from, text.length, headers, MAX_RESPONSE_FIELDS);
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

/** Takes what the connection fields say, then removes them (RFC 9110 section 7.6.1). */
function takeFraming(head: AppResponseHead, isOld: boolean, isHead: boolean): void {
  const { keys, values } = head.headers;
  let isChunked = false;
  let isDirty = false;
  let hasConnection = false;
  let saysKeepAlive = false;
  let saysClose = false;
  for (let i = 0; i < keys.length; i++) {
    switch (keys[i]) {
      case 'content-length':
        if (head.length !== -1) throw bad('it has two Content-Length fields');
        head.length = parseLength(values[i] as string);
        isDirty = true;
        break;
      case 'transfer-encoding':
        if (isChunked) throw bad('it has two Transfer-Encoding fields');
        if (isOld) throw bad('it has Transfer-Encoding on HTTP/1.0');
        if ((values[i] as string).toLowerCase() !== 'chunked') throw bad('its Transfer-Encoding is not "chunked"');
        isChunked = true;
        isDirty = true;
        break;
      case 'connection':
        hasConnection = true;
        isDirty = true;
        if (values[i] === 'keep-alive') saysKeepAlive = true;
        else if (hasToken(values[i] as string, 'close')) saysClose = true;
        else saysKeepAlive ||= hasToken(values[i] as string, 'keep-alive');
        break;
      case 'keep-alive':
        head.keepAliveMs = keepAliveOf(values[i] as string);
        isDirty = true;
        break;
      case 'upgrade':
        if (head.status === 101) head.upgrade = (values[i] as string).trim().toLowerCase();
        isDirty = true;
        break;
      case 'alt-svc':
      case 'trailer':
      case 'te':
      case 'proxy-connection':
      case 'proxy-authenticate':
      case 'proxy-authentication-info':
      case 'http2-settings':
      case 'proxy-authorization':
        isDirty = true;
        break;
      default:
    }
  }
  if (isChunked && head.length !== -1) throw bad('it has both Content-Length and Transfer-Encoding');
  if (isOld && saysKeepAlive) head.keepAlive = true;
  if (saysClose) head.keepAlive = false;
  if (hasConnection && !head.keepAlive) head.keepAliveMs = -1;
  if (isDirty) strip(head.headers, hasConnection);
  head.framing = framingOf(head, isChunked, isHead);
  if (head.framing === 'close') head.keepAlive = false;
}

function framingOf(head: AppResponseHead, isChunked: boolean, isHead: boolean): Framing {
  const { status } = head;
  if (isHead || status === 204 || status === 304 || status < 200) return 'none';
  if (isChunked) return 'chunked';
  if (head.length === -1) return 'close';
  return head.length === 0 ? 'none' : 'length';
}

/** An app's Alt-Svc speaks for its own address, not for ours. */
function isOurs(key: string): boolean {
  return isHopByHop(key) || key === 'content-length' || key === 'alt-svc';
}

function strip(headers: HeaderBlock, hasConnection: boolean): void {
  const named = hasConnection ? namedByConnection(headers) : null;
  headers.removeWhere(isOurs);
  if (named !== null) headers.removeWhere((key) => named.has(key));
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
