/**
 * The text of a machine's token: `postern_INSTANCE_` and 49 of 0-9A-Za-z, of which 43 are 256 random bits
 * and 6 a checksum. The prefix lets secret scanners and the gate know it without asking the store; the
 * checksum tells a token that was cut or mistyped from one that was revoked. A token of another
 * installation is none of ours: it is an app's credential like any other.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { keyOfToken } from './token.ts';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_BYTES = 32;
const SECRET_DIGITS = 43;
const CHECK_DIGITS = 6;
const DIGITS_ONLY = /^[0-9A-Za-z]+$/;

export type ReadToken =
  | { readonly kind: 'token'; readonly key: string }
  /** Begins as ours, but is cut, mistyped or has something around it. */
  | { readonly kind: 'damaged' }
  | { readonly kind: 'foreign' };

const FOREIGN: ReadToken = { kind: 'foreign' };
const DAMAGED: ReadToken = { kind: 'damaged' };

/** What every token of this installation begins with. */
export function serviceTokenPrefix(instance: string): string {
  return `postern_${instance}_`;
}

export function mintServiceToken(prefix: string): string {
  const secret = inDigits(BigInt(`0x${randomBytes(SECRET_BYTES).toString('hex')}`), SECRET_DIGITS);
  return `${prefix}${secret}${checksumOf(prefix + secret)}`;
}

/** Never throws, looks nothing up. */
export function readServiceToken(text: string, prefix: string): ReadToken {
  if (!text.startsWith(prefix)) return FOREIGN;
  const digits = text.slice(prefix.length);
  if (digits.length !== SECRET_DIGITS + CHECK_DIGITS || !DIGITS_ONLY.test(digits)) return DAMAGED;
  const checked = text.slice(0, -CHECK_DIGITS);
  return text === checked + checksumOf(checked) ? { kind: 'token', key: keyOfToken(text) } : DAMAGED;
}

function checksumOf(text: string): string {
  return inDigits(BigInt(crc32(text)), CHECK_DIGITS);
}

function inDigits(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = `${DIGITS[Number(rest % 62n)] ?? ''}${text}`;
  return text;
}
