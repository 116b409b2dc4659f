/** The small fixed answers of the contract, made once. Bodies and fields are oauth2-proxy's, to the byte. */
import { fieldValue } from '../../upstream/header-edits.ts';
import { HeaderBlock } from '../../wire/header-block.ts';
import type { Exchange, ResponseHead } from '../../wire/exchange.ts';
import { FieldText } from '../../wire/field-text.ts';
import type { Field } from './claim-headers.ts';

export const NO_BYTES: Buffer = Buffer.alloc(0);

/** Of everything below the prefix but `/auth`, which nginx may keep. */
export const NO_CACHE: readonly Field[] = [
  ['Expires', 'Thu, 01 Jan 1970 00:00:00 UTC'],
  ['Cache-Control', 'no-cache, no-store, must-revalidate, max-age=0'],
  ['X-Accel-Expires', '0'],
];

const TEXT: readonly Field[] = [
  ['Content-Type', 'text/plain; charset=utf-8'],
  ['X-Content-Type-Options', 'nosniff'],
];

/** A head whose fields are printed once, for an answer that is given many times. */
export function fixedHead(status: number, fields: readonly Field[]): ResponseHead {
  const headers = new HeaderBlock();
  let text = '';
  for (const [name, said] of fields) {
    const value = fieldValue(said);
    headers.append(name, value);
    text += `${name}: ${value}\r\n`;
  }
  const lines = new FieldText(text, false, false);
  return { status, headers, lines };
}

export class FixedAnswer {
  readonly #head: ResponseHead;
  readonly #body: Buffer;

  constructor(status: number, body: string, fields: readonly Field[] = TEXT) {
    this.#head = fixedHead(status, fields);
    this.#body = Buffer.from(body);
  }

  send(exchange: Exchange): void {
    exchange.respondWhole(this.#head, this.#body);
  }

  /** With Set-Cookie fields of this one answer. */
  sendWith(exchange: Exchange, cookies: readonly string[]): void {
    if (cookies.length === 0) return this.send(exchange);
    const headers = this.#head.headers.clone();
    for (const cookie of cookies) headers.append('Set-Cookie', cookie, 'set-cookie');
    exchange.respondWhole({ status: this.#head.status, headers }, this.#body);
  }
}

export const OK: FixedAnswer = new FixedAnswer(200, 'OK', [['Content-Type', 'text/plain; charset=utf-8']]);
export const ROBOTS: FixedAnswer = new FixedAnswer(200, 'User-agent: *\nDisallow: /\n', [
  ['Content-Type', 'text/plain; charset=utf-8'],
]);
export const UNAUTHORIZED: FixedAnswer = new FixedAnswer(401, 'Unauthorized\n');
export const FORBIDDEN: FixedAnswer = new FixedAnswer(403, 'Forbidden\n');
/** For API clients in proxy mode. */
export const UNAUTHORIZED_JSON: FixedAnswer = new FixedAnswer(401, '{}', [['Content-Type', 'application/json']]);
export const FORBIDDEN_JSON: FixedAnswer = new FixedAnswer(403, '{}', [['Content-Type', 'application/json']]);
/** Somebody may well be signed in: it is never a reason to sign in anew. */
export const UNAVAILABLE: FixedAnswer = new FixedAnswer(503, 'Sessions cannot be looked up right now\n', [
  ...TEXT,
  ['Retry-After', '2'],
]);
export const BAD_REQUEST: FixedAnswer = new FixedAnswer(400, 'Bad Request\n');
export const INTERNAL_ERROR: FixedAnswer = new FixedAnswer(500, 'Internal Server Error\n');
