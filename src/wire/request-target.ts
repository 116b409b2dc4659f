/**
 * The request target (RFC 9112 section 3.2): origin, absolute and asterisk form. Answers the one
 * canonical path and the query byte for byte. Authority form belongs to CONNECT, which is refused.
 * `//evil` is a path, never an authority.
 */
import { type Authority, parseAuthority } from './authority.ts';
import { type CanonicalPath, canonicalPath } from './canonical-path.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';

export interface RequestTarget {
  readonly path: string;
  /** With its "?", or "". */
  readonly query: string;
  readonly hasEncodedSlash: boolean;
  /** Path and query byte for byte, of whatever form. */
  readonly raw: string;
  /** Of absolute form, else null. */
  readonly authority: Authority | null;
  /** Of absolute form: what its scheme means where the authority names no port. */
  readonly defaultPort: number | null;
}

const SLASH = 47;
const HASH = 35;

/** "*" goes with OPTIONS only; CONNECT and TRACE go nowhere. */
export function parseRequestTarget(method: string, target: string): RequestTarget {
  // A gateway opens no tunnels to where the client likes.
  if (method === 'CONNECT') throw new HttpSyntaxError('method-connect', 405);
  // An app would echo to the visitor what the gateway told it about him (RFC 9110 section 9.3.8).
  if (method === 'TRACE') throw new HttpSyntaxError('method-trace', 405);
  if (target.charCodeAt(0) === SLASH) return parseFrom(target, 0, null, null);
  if (target === '*') return parseAsterisk(method);
  return parseAbsolute(method, target);
}

/** The path and query of a target in origin form; for HTTP/2 the value of `:path`. */
export function parsePathAndQuery(method: string, target: string): RequestTarget {
  if (target === '*') return parseAsterisk(method);
  if (target.charCodeAt(0) !== SLASH) throw new HttpSyntaxError('target-form');
  return parseFrom(target, 0, null, null);
}

function parseAsterisk(method: string): RequestTarget {
  if (method !== 'OPTIONS') throw new HttpSyntaxError('target-asterisk');
  return { path: '*', query: '', hasEncodedSlash: false, raw: '*', authority: null, defaultPort: null };
}

function parseAbsolute(method: string, target: string): RequestTarget {
  const scheme = /^(https?):\/\//i.exec(target);
  if (scheme === null) throw new HttpSyntaxError('target-form');
  const defaultPort = (scheme[1] as string).length === 4 ? 80 : 443;
  const from = scheme[0].length;
  const end = target.slice(from).search(/[/?#\\]/);
  const to = end === -1 ? target.length : from + end;
  const authority = parseAuthority(target.slice(from, to));
  if (to < target.length) return parseFrom(target, to, authority, defaultPort);
  // RFC 9112 section 3.2.4: OPTIONS for the server as a whole, as a proxy is asked for it.
  const path = method === 'OPTIONS' ? '*' : '/';
  return { path, query: '', hasEncodedSlash: false, raw: path, authority, defaultPort };
}

// oxlint-disable-next-line max-params -- one plain record for every form keeps the hot path monomorphic
function parseFrom(
  target: string,
  from: number,
  authority: Authority | null,
  defaultPort: number | null,
): RequestTarget {
  let question = target.indexOf('?', from);
  if (question === -1) question = target.length;
  const found = question === from ? ROOT : canonicalPath(target, from, question);
  if (found.path.charCodeAt(0) !== SLASH) throw new HttpSyntaxError('target-form');
  checkQuery(target, question + 1);
  const query = question === target.length ? '' : target.slice(question);
  const raw = from === 0 ? target : target.slice(from);
  return { path: found.path, query, hasEncodedSlash: found.hasEncodedSlash, raw, authority, defaultPort };
}

const ROOT: CanonicalPath = { path: '/', hasEncodedSlash: false };

/** target[from..): byte for byte what came, so only what cannot stand in a request line is refused. */
function checkQuery(target: string, from: number): void {
  for (let i = from; i < target.length; i++) {
    const code = target.charCodeAt(i);
    if (code <= 32 || code > 126 || code === HASH) throw new HttpSyntaxError('query-character');
  }
}
