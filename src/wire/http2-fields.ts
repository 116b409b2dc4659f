/**
 * Prints heads and trailers for node:http2. Fields of a connection are dropped (RFC 9113 section
 * 8.2.2). Node packs fields with NUL between them and nghttp2 checks nothing that goes out, so a
 * value with a control character would become other fields: such a head is refused as a whole.
 */
import type { OutgoingHttpHeaders } from 'node:http2';
import { isFieldValue, isToken } from './fields.ts';
import type { HeaderBlock } from './header-block.ts';
import { isForbiddenTrailer } from './trailers.ts';

function isOfConnection(key: string): boolean {
  switch (key.length) {
    case 2:
      return key === 'te';
    case 7:
      return key === 'upgrade';
    case 10:
      return key === 'connection' || key === 'keep-alive';
    case 14:
      return key === 'content-length';
    case 16:
      return key === 'proxy-connection';
    case 17:
      return key === 'transfer-encoding';
    default:
      return false;
  }
}

/** [":status", "200", name, value …], or null where a field cannot be sent. */
export function printHttp2Head(status: number, headers: HeaderBlock, contentLength: number): string[] | null {
  const raw = [':status', String(status)];
  const { keys, values } = headers;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (isOfConnection(key)) continue;
    const value = values[i] as string;
    if (!isFieldValue(value) || !isToken(key)) return null;
    raw.push(key, value);
  }
  if (contentLength >= 0) raw.push('content-length', String(contentLength));
  return raw;
}

/** What `additionalHeaders` takes: it has no array form. */
export function printInterim(status: number, headers: HeaderBlock): OutgoingHttpHeaders | null {
  const raw = printHttp2Head(status, headers, -1);
  return raw === null ? null : toObject(raw);
}

/** Null where nothing is left to send. */
export function printTrailers(trailers: HeaderBlock): OutgoingHttpHeaders | null {
  const raw: string[] = [];
  const { keys, values } = trailers;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const value = values[i] as string;
    if (isForbiddenTrailer(key) || !isFieldValue(value) || !isToken(key)) continue;
    raw.push(key, value);
  }
  return raw.length === 0 ? null : toObject(raw);
}

function toObject(raw: readonly string[]): OutgoingHttpHeaders {
  const fields: Record<string, string | string[]> = { __proto__: null } as never;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else fields[name] = [before, value];
  }
  return fields;
}
