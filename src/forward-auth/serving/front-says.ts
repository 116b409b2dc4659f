/**
 * What a trusted proxy says of the request that it asks about: X-Forwarded-* of Traefik, Caddy and nginx,
 * X-Original-* of ingress-nginx and of nginx by its documentation. Two that disagree are as good as none:
 * one of them came from the visitor (the tinyauth #1125 class).
 */
import type { HeaderBlock } from '../../wire/header-block.ts';

export interface FrontSays {
  /** Path and query; null: not said, contradictory, or no path. */
  readonly uri: string | null;
  /** Something was said of the path, whatever it was. */
  readonly saysUri: boolean;
  readonly method: string | null;
  readonly saysMethod: boolean;
  readonly scheme: 'http' | 'https' | null;
  /** "host" or "host:port", lower-case. */
  readonly authority: string | null;
  /** Where the host ends in a dot (`https://app.example.com./`), which no rule and no provider knows: without it. */
  readonly dotless: string | null;
  /** Two said different things of host, scheme, method or path, or something that cannot be. */
  readonly isContradictory: boolean;
}

export const FRONT_SAYS_NOTHING: FrontSays = {
  uri: null,
  saysUri: false,
  method: null,
  saysMethod: false,
  scheme: null,
  authority: null,
  dotless: null,
  isContradictory: false,
};

const AUTHORITY = /^(?:[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;
const DOT_AT_END = /\.(?=(?::\d{1,5})?$)/;
const URI = /^\/[\x21-\x7e]{0,8191}$/;
const ABSOLUTE = /^(https?):\/\/([^/?#\\@]{1,260})(\/[\x21-\x7e]{0,8191})?$/i;
const METHOD = /^[A-Z]{1,32}$/;

/** `behind`: path and query that the front put behind the endpoint's own path; null: none. */
export function readFront(headers: HeaderBlock, behind: string | null = null): FrontSays {
  const uri = new OneValue();
  if (behind !== null) uri.take(URI.test(behind) ? behind : null);
  const method = new OneValue();
  let scheme: string | null = null;
  let authority: string | null = null;
  let original: RegExpExecArray | null = null;
  const { keys, values } = headers;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (key.charCodeAt(0) !== X || key.charCodeAt(1) !== DASH) continue;
    const value = values[i] as string;
    // The right-most value of a list is the one that our own proxy wrote.
    if (key === 'x-forwarded-proto') scheme = lastOf(value);
    else if (key === 'x-forwarded-host') authority = lastOf(value);
    else if (key === 'x-forwarded-uri' || key === 'x-original-uri') uri.take(uriOrNull(value));
    else if (key === 'x-forwarded-method' || key === 'x-original-method')
      method.take(METHOD.test(value) ? value : null);
    else if (key === 'x-original-url') {
      original = ABSOLUTE.exec(value);
      uri.take(original === null ? uriOrNull(value) : (original[3] ?? '/'));
    }
  }
  const isContradictory =
    uri.isContradictory ||
    method.isContradictory ||
    differs(scheme, original?.[1]) ||
    differs(authority, original?.[2]);
  scheme ??= original?.[1]?.toLowerCase() ?? null;
  authority ??= original?.[2]?.toLowerCase() ?? null;
  const isHost = authority !== null && AUTHORITY.test(authority);
  return {
    uri: uri.value,
    saysUri: uri.isSaid,
    method: method.value,
    saysMethod: method.isSaid,
    scheme: scheme === 'http' || scheme === 'https' ? scheme : null,
    authority: isHost ? authority : null,
    dotless: isHost ? null : withoutDot(authority),
    isContradictory,
  };
}

const X = 0x78;
const DASH = 0x2d;

function withoutDot(authority: string | null): string | null {
  const text = authority?.replace(DOT_AT_END, '') ?? '';
  return AUTHORITY.test(text) ? text : null;
}

function uriOrNull(text: string): string | null {
  return URI.test(text) ? text : null;
}

function differs(said: string | null, original: string | undefined): boolean {
  return said !== null && original !== undefined && said !== original.toLowerCase();
}

function lastOf(value: string): string {
  return value
    .slice(value.lastIndexOf(',') + 1)
    .trim()
    .toLowerCase();
}

/** The one thing that all said, or null where one of them said something else or nothing that can be. */
class OneValue {
  value: string | null = null;
  isSaid = false;

  get isContradictory(): boolean {
    return this.isSaid && this.value === null;
  }

  take(said: string | null): void {
    if (!this.isSaid) this.value = said;
    // What was contradicted once stays so: null equals no later value.
    else if (this.value !== said) this.value = null;
    this.isSaid = true;
  }
}
