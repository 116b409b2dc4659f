/** The fields of a request behind its pseudo-fields, and those of a trailer section (RFC 9113 section 8.2). */
import { HeaderBlock } from '../header-block.ts';
import { HttpSyntaxError } from '../http-syntax-error.ts';
import { keepAllowedTrailers } from '../trailers.ts';
import * as role from './field-role.ts';
import { MalformedRequest } from './malformed-request.ts';
import type { TableEntry } from './table-entry.ts';

export class RegularFields {
  readonly headers: HeaderBlock = new HeaderBlock();
  host: string | null = null;
  contentLength = -1;
  expectsContinue = false;
  takesTrailers = false;
  #cookieAt = -1;

  take(entry: TableEntry): void {
    const { name, value } = entry;
    const kind = role.roleOf(entry);
    if (kind === role.COOKIE) {
      this.#takeCookie(value);
      return;
    }
    if (kind !== role.PLAIN) this.#takeSpecial(kind, value);
    this.headers.append(name, value, name);
  }

  #takeSpecial(kind: number, value: string): void {
    if (kind === role.HOST) this.#takeHost(value);
    else if (kind === role.LENGTH) this.#takeLength(value);
    else if (kind === role.TE) this.#takeTe(value);
    else if (kind === role.EXPECT) this.#takeExpect(value);
    else throw malformed(kind);
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
    if (this.host !== null) throw new MalformedRequest('host-duplicate');
    this.host = value;
  }

  #takeLength(value: string): void {
    if (this.contentLength !== -1 || !/^\d{1,15}$/.test(value)) throw new MalformedRequest('content-length');
    this.contentLength = Number(value);
  }

  #takeTe(value: string): void {
    if (value.toLowerCase() !== 'trailers') throw new MalformedRequest('te');
    this.takesTrailers = true;
  }

  #takeExpect(value: string): void {
    if (value.toLowerCase() !== '100-continue') throw new HttpSyntaxError('expect', 417);
    this.expectsContinue = true;
  }
}

/** A trailer section: no pseudo-fields, and nothing that no field may be. Null where nothing is left that may stand there. */
export function parseTrailers(entries: readonly TableEntry[]): HeaderBlock | null {
  const block = new HeaderBlock();
  for (const entry of entries) {
    const kind = role.roleOf(entry);
    if (kind < role.PLAIN || kind >= role.BAD_NAME) throw malformed(kind);
    block.append(entry.name, entry.value, entry.name);
  }
  return keepAllowedTrailers(block);
}

function malformed(kind: number): MalformedRequest {
  if (kind < role.PLAIN) return new MalformedRequest('pseudo-field-late');
  if (kind === role.BAD_NAME) return new MalformedRequest('field-name');
  return new MalformedRequest(kind === role.BAD_VALUE ? 'field-value' : 'connection-field');
}
