/**
 * A request head of HTTP/2 (RFC 9113 section 8), from the decoded fields of a header block. Everything is
 * refused that HTTP/1.1 could read in another way once it is re-serialised: names and values that are none,
 * fields of a connection, pseudo-fields twice or late, an authority that is not the Host, odd methods and
 * targets. Cookie crumbs become one field (section 8.2.3).
 */
import { type Authority, parseAuthority } from '../authority.ts';
import type { RequestHead } from '../exchange.ts';
import { isToken } from '../fields.ts';
import type { HeaderBlock } from '../header-block.ts';
import { HttpSyntaxError } from '../http-syntax-error.ts';
import { isMethodCode } from '../request-head.ts';
import { parsePathAndQuery, type RequestTarget } from '../request-target.ts';
import * as role from './field-role.ts';
import type { FieldMemory } from './field-memory.ts';
import type { DecodedFields } from './hpack-decoder.ts';
import { MalformedRequest } from './malformed-request.ts';
import { RegularFields } from './regular-fields.ts';

export interface Http2HeadLimits {
  readonly headerBytes: number;
  readonly headerCount: number;
  readonly targetBytes: number;
}

const MAX_METHOD = 32;

export class Http2RequestHead implements RequestHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly target: string;
  readonly host: string;
  readonly port: number | null;
  readonly version = '2' as const;
  readonly headers: HeaderBlock;
  readonly hasEncodedSlash: boolean;
  readonly upgrade: string | null;
  readonly expectsContinue: boolean;
  /** Exact bytes where the client said so, else -1. Held against the DATA frames as they come. */
  readonly contentLength: number;
  readonly takesTrailers: boolean;

  constructor(pseudo: PseudoFields, target: RequestTarget, authority: Authority, fields: RegularFields) {
    // What asks for a WebSocket is a GET in HTTP/1.1, and rules about methods mean the same request.
    this.method = pseudo.protocol === null ? (pseudo.method as string) : 'GET';
    this.path = target.path;
    this.query = target.query;
    this.target = target.raw;
    this.host = authority.host;
    this.port = authority.port;
    this.headers = fields.headers;
    this.hasEncodedSlash = target.hasEncodedSlash;
    this.upgrade = pseudo.protocol;
    this.expectsContinue = fields.expectsContinue;
    this.contentLength = fields.contentLength;
    this.takesTrailers = fields.takesTrailers;
  }
}

/** Reads a decoded block or throws: MalformedRequest where the stream is to be reset, else HttpSyntaxError. */
export function parseHttp2RequestHead(
  { entries, isTooLarge, isTooMany }: DecodedFields,
  limits: Http2HeadLimits,
  memory: FieldMemory,
): Http2RequestHead {
  if (isTooLarge) throw new HttpSyntaxError('header-bytes', 431);
  if (isTooMany) throw new HttpSyntaxError('field-count', 431);
  const pseudo = new PseudoFields();
  let at = 0;
  for (; at < entries.length; at++) {
    const entry = entries[at] as (typeof entries)[number];
    const kind = role.roleOf(entry);
    if (kind >= role.PLAIN) break;
    pseudo.take(kind, entry.value);
  }
  const target = targetOf(pseudo, limits);
  const known = memory.recall(entries, at, pseudo);
  if (known !== null) return new Http2RequestHead(pseudo, target, known.authority, known.fields);
  const fields = new RegularFields();
  for (let i = at; i < entries.length; i++) fields.take(entries[i] as (typeof entries)[number]);
  if (fields.headers.size > limits.headerCount) throw new HttpSyntaxError('field-count', 431);
  if (pseudo.protocol !== null && fields.contentLength > 0) throw new HttpSyntaxError('content-length');
  const authority = authorityOf(pseudo, fields);
  memory.keep(entries, at, pseudo, { fields, authority });
  return new Http2RequestHead(pseudo, target, authority, fields);
}

function targetOf({ method, scheme, path, protocol }: PseudoFields, limits: Http2HeadLimits): RequestTarget {
  if (method === null) throw new MalformedRequest('method');
  if (method.length > MAX_METHOD || !isMethod(method)) throw new HttpSyntaxError('method');
  // A gateway opens no tunnels to where the client likes; RFC 8441 names a resource here.
  if (method === 'CONNECT' && protocol === null) throw new HttpSyntaxError('method-connect', 405);
  if (method === 'TRACE') throw new HttpSyntaxError('method-trace', 405);
  if (method !== 'CONNECT' && protocol !== null) throw new MalformedRequest('protocol');
  if (scheme === null) throw new MalformedRequest('scheme');
  if (scheme !== 'https' && scheme !== 'http') throw new HttpSyntaxError('scheme');
  if (path === null || path === '') throw new MalformedRequest('target-form');
  if (path.length > limits.targetBytes) throw new HttpSyntaxError('target-length', 414);
  return parsePathAndQuery(method, path);
}

function isMethod(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isMethodCode(text.charCodeAt(i))) return false;
  return text.length > 0;
}

/** Exactly one authority in the end, also as Host: apps over HTTP/1.1 and header rules see that field. */
function authorityOf({ authority: said, scheme }: PseudoFields, fields: RegularFields): Authority {
  const text = said ?? fields.host;
  if (text === null) throw new HttpSyntaxError('host-missing');
  const authority = parseAuthority(text);
  if (said === null) return authority;
  if (fields.host === null) {
    fields.headers.append('Host', said, 'host');
    return authority;
  }
  const host = parseAuthority(fields.host);
  const defaultPort = scheme === 'https' ? 443 : 80;
  const isSamePort = (host.port ?? defaultPort) === (authority.port ?? defaultPort);
  if (host.host !== authority.host || !isSamePort) throw new HttpSyntaxError('target-authority');
  return authority;
}

class PseudoFields {
  method: string | null = null;
  scheme: string | null = null;
  path: string | null = null;
  authority: string | null = null;
  protocol: string | null = null;

  take(kind: number, value: string): void {
    switch (kind) {
      case role.METHOD:
        this.method = once(this.method, value);
        return;
      case role.SCHEME:
        this.scheme = once(this.scheme, value);
        return;
      case role.PATH:
        this.path = once(this.path, value);
        return;
      case role.AUTHORITY:
        this.authority = once(this.authority, value);
        return;
      case role.PROTOCOL:
        this.protocol = once(this.protocol, parseProtocol(value));
        return;
      default:
        throw new MalformedRequest('pseudo-field');
    }
  }
}

function once(before: string | null, value: string): string {
  if (before !== null) throw new MalformedRequest('pseudo-field-duplicate');
  return value;
}

/** Spelled as in an Upgrade field: a token, or "name/version". */
function parseProtocol(value: string): string {
  const parts = value.split('/');
  if (parts.length > 2 || !parts.every(isToken)) throw new HttpSyntaxError('protocol');
  return value.toLowerCase();
}
