/**
 * A request head of HTTP/2 (RFC 9113 section 8), from the raw fields of a HEADERS frame. nghttp2 has
 * refused what breaks the frame layer; here everything is refused that HTTP/1.1 could read in another
 * way once it is re-serialised: fields of a connection, pseudo-fields twice or late, an authority
 * that is not the Host, odd methods and targets. Cookie crumbs become one field (section 8.2.3).
 * A name or value that no field may have (section 8.2.1) never gets here: nghttp2 drops that one field
 * and node:http2 tells nobody, so that the request goes on without it instead of being reset.
 */
import { type Authority, parseAuthority } from './authority.ts';
import type { RequestHead } from './exchange.ts';
import { isFieldValue, isToken } from './fields.ts';
import { HeaderBlock } from './header-block.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';
import { isMethodCode } from './request-head.ts';
import { parsePathAndQuery, type RequestTarget } from './request-target.ts';

export interface Http2HeadLimits {
  readonly headerBytes: number;
  readonly headerCount: number;
  readonly targetBytes: number;
}

const MAX_METHOD = 32;
const COLON = 58;

/** RFC 9113 section 8.2.2: fields of one connection make the message malformed. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

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
  /** Exact bytes where the client said so, else -1. nghttp2 holds it against the DATA frames. */
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

/** Reads [name, value, name, value …] or throws HttpSyntaxError. */
export function parseHttp2RequestHead(raw: readonly string[], limits: Http2HeadLimits): Http2RequestHead {
  const pseudo = new PseudoFields();
  const fields = new RegularFields();
  let bytes = 0;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    bytes += name.length + value.length + 4;
    if (bytes > limits.headerBytes) throw new HttpSyntaxError('header-bytes', 431);
    if (name.charCodeAt(0) !== COLON) fields.take(name, value);
    else if (fields.isEmpty) pseudo.take(name, value);
    else throw new HttpSyntaxError('pseudo-field-late');
    if (fields.headers.size > limits.headerCount) throw new HttpSyntaxError('field-count', 431);
  }
  const target = targetOf(pseudo, limits);
  if (pseudo.protocol !== null && fields.contentLength > 0) throw new HttpSyntaxError('content-length');
  const authority = authorityOf(pseudo, fields);
  return new Http2RequestHead(pseudo, target, authority, fields);
}

function targetOf({ method, scheme, path, protocol }: PseudoFields, limits: Http2HeadLimits): RequestTarget {
  if (method === null || method.length > MAX_METHOD || !isMethod(method)) throw new HttpSyntaxError('method');
  // A gateway opens no tunnels to where the client likes; RFC 8441 names a resource here.
  if (method === 'CONNECT' && protocol === null) throw new HttpSyntaxError('method-connect', 405);
  if (method === 'TRACE') throw new HttpSyntaxError('method-trace', 405);
  if (method !== 'CONNECT' && protocol !== null) throw new HttpSyntaxError('protocol');
  if (scheme !== 'https' && scheme !== 'http') throw new HttpSyntaxError('scheme');
  if (path === null || path === '') throw new HttpSyntaxError('target-form');
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

  take(name: string, value: string): void {
    switch (name) {
      case ':method':
        this.method = once(this.method, value);
        return;
      case ':scheme':
        this.scheme = once(this.scheme, value);
        return;
      case ':path':
        this.path = once(this.path, value);
        return;
      case ':authority':
        this.authority = once(this.authority, value);
        return;
      case ':protocol':
        this.protocol = once(this.protocol, parseProtocol(value));
        return;
      default:
        throw new HttpSyntaxError('pseudo-field');
    }
  }
}

function once(before: string | null, value: string): string {
  if (before !== null) throw new HttpSyntaxError('pseudo-field-duplicate');
  return value;
}

/** Spelled as in an Upgrade field: a token, or "name/version". */
function parseProtocol(value: string): string {
  const parts = value.split('/');
  if (parts.length > 2 || !parts.every(isToken)) throw new HttpSyntaxError('protocol');
  return value.toLowerCase();
}

class RegularFields {
  readonly headers: HeaderBlock = new HeaderBlock();
  host: string | null = null;
  contentLength = -1;
  expectsContinue = false;
  takesTrailers = false;
  isEmpty = true;
  #cookieAt = -1;

  take(name: string, value: string): void {
    this.isEmpty = false;
    if (!isToken(name) || name !== name.toLowerCase()) throw new HttpSyntaxError('field-name');
    if (!isFieldValue(value)) throw new HttpSyntaxError('field-value');
    if (OF_CONNECTION.has(name)) throw new HttpSyntaxError('connection-field');
    if (name === 'cookie') this.#takeCookie(value);
    else this.headers.append(name, value, name);
    if (name === 'host') this.#takeHost(value);
    else if (name === 'content-length') this.#takeLength(value);
    else if (name === 'te') this.#takeTe(value);
    else if (name === 'expect') this.#takeExpect(value);
  }

  #takeCookie(value: string): void {
    const { values } = this.headers;
    if (this.#cookieAt === -1) {
      this.#cookieAt = values.length;
      this.headers.append('cookie', value, 'cookie');
    } else {
      values[this.#cookieAt] = `${values[this.#cookieAt] as string}; ${value}`;
    }
  }

  #takeHost(value: string): void {
    if (this.host !== null) throw new HttpSyntaxError('host-duplicate');
    this.host = value;
  }

  #takeLength(value: string): void {
    if (this.contentLength !== -1 || !/^\d{1,15}$/.test(value)) throw new HttpSyntaxError('content-length');
    this.contentLength = Number(value);
  }

  #takeTe(value: string): void {
    if (value.toLowerCase() !== 'trailers') throw new HttpSyntaxError('te');
    this.takesTrailers = true;
  }

  #takeExpect(value: string): void {
    if (value.toLowerCase() !== '100-continue') throw new HttpSyntaxError('expect', 417);
    this.expectsContinue = true;
  }
}
