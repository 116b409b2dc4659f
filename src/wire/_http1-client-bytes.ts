/** What the client side of HTTP/1.1 does with raw bytes. */
import type { AppCall } from './app-call.ts';
import { badResponse } from './_http1-client-errors.ts';
import { readLatin1, writeLatin1 } from './latin1.ts';
import { MAX_RESPONSE_HEAD_BYTES } from './response-head.ts';

const CR = 13;
const LF = 10;
const HEAD_END = Buffer.from('\r\n\r\n');

export function copyOf(buffer: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  buffer.copy(copy, 0, from, to);
  return copy;
}

function hasBareLf(buffer: Buffer, from: number, to: number): boolean {
  for (let at = buffer.indexOf(LF, from); at !== -1 && at < to; at = buffer.indexOf(LF, at + 1)) {
    if (at === from || buffer[at - 1] !== CR) return true;
  }
  return false;
}

/** Where the head that begins at `at` ends; -1: not in these bytes. */
export function endOfHead(buffer: Buffer, at: number, length: number): number {
  const end = buffer.indexOf(HEAD_END, at);
  if (end === -1 || end + HEAD_END.length > length) return -1;
  if (end - at > MAX_RESPONSE_HEAD_BYTES) throw badResponse('its header is too large');
  return end + HEAD_END.length;
}

/** The part of a head that came so far, for as long as it can still be one. Null: nothing came. */
export function keptPart(buffer: Buffer, at: number, length: number): Buffer | null {
  if (length - at > MAX_RESPONSE_HEAD_BYTES) throw badResponse('its header is too large');
  if (length === at) return null;
  const start = readLatin1(buffer, at, Math.min(length, at + 5));
  if (!'HTTP/'.startsWith(start)) throw badResponse('it does not begin with an HTTP/1.x status line');
  // Such a head would never end.
  if (hasBareLf(buffer, at, length)) throw badResponse('a line of its header does not end in CRLF');
  return Buffer.from(buffer.subarray(at, length));
}

/** Latin1 where it is text: lines that were not sent before. */
export function requestHead(call: AppCall): Buffer | string {
  const start = call.head + framingOf(call);
  const { bytes, text } = call.lines;
  if (bytes === null) return `${start}${text}\r\n`;
  const out = Buffer.allocUnsafe(start.length + bytes.length);
  out.set(bytes, writeLatin1(out, start, 0));
  return out;
}

/** The one framing field, whatever came in. */
function framingOf({ bodyLength, method }: AppCall): string {
  if (bodyLength === -1) return 'Transfer-Encoding: chunked\r\n';
  if (bodyLength > 0) return `Content-Length: ${bodyLength}\r\n`;
  // Methods whose missing body is said aloud: apps answer 411 otherwise.
  return method === 'POST' || method === 'PUT' || method === 'PATCH' ? 'Content-Length: 0\r\n' : '';
}
