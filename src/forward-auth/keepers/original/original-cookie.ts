/**
 * The session in a cookie of oauth2-proxy: `payload|time|signature`, HMAC-SHA256 under the cookie secret; the payload is
 * AES-CFB of an LZ4 frame of MessagePack. Nothing is read before the signature holds. Never throws.
 */
import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { NO_SESSION } from '../../auth-session.ts';
import { readLz4Frame } from './lz4-frame.ts';
import { readMessagePack } from './message-pack.ts';
import type { AuthSession } from '../../auth-session.ts';

const FORM = /^([A-Za-z0-9_-]+={0,2})\|(\d{1,12})\|([A-Za-z0-9_-]{43}=)$/;
const IV_BYTES = 16;
const KEY_BYTES: readonly number[] = [16, 24, 32];
const MAX_BYTES = 256 << 10;
/** As far as its clock may be ahead of ours. */
const AHEAD_MS = 300_000;

export interface OriginalTraits {
  /** Of the whole cookie, also where it is split. */
  readonly name: string;
  /** As configured. */
  readonly secret: Buffer;
  readonly now: number;
  readonly expireMs: number;
  /** Null: none is known. An id token of another one is no session here. */
  readonly issuer: string | null;
}

export function readOriginalCookie(value: string, traits: OriginalTraits): AuthSession | null {
  const [, payload = '', seconds = '', signature = ''] = FORM.exec(value) ?? [];
  if (payload === '' || !isSigned({ payload, seconds, signature }, traits)) return null;
  const signedAt = Number(seconds) * 1_000;
  const { now, expireMs } = traits;
  if (signedAt > now + AHEAD_MS || (expireMs !== 0 && signedAt <= now - expireMs)) return null;
  try {
    return sessionOf(readMessagePack(readLz4Frame(decrypt(payload, traits.secret), MAX_BYTES)), traits);
  } catch {
    return null;
  }
}

interface Signed {
  readonly payload: string;
  readonly seconds: string;
  readonly signature: string;
}

function isSigned({ payload, seconds, signature }: Signed, { name, secret }: OriginalTraits): boolean {
  const expected = createHmac('sha256', secret).update(name).update(payload).update(seconds).digest();
  const given = Buffer.from(signature, 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function decrypt(payload: string, secret: Buffer): Buffer {
  const bytes = Buffer.from(payload, 'base64url');
  const key = keyOf(secret);
  const decipher = createDecipheriv(`aes-${key.length * 8}-cfb`, key, bytes.subarray(0, IV_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES)), decipher.final()]);
}

/** What the secret is in base64url where that has the length of a key, else the secret itself. */
function keyOf(secret: Buffer): Buffer {
  const text = secret.toString('latin1');
  const decoded = /^[A-Za-z0-9_-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64url') : null;
  return decoded !== null && KEY_BYTES.includes(decoded.length) ? decoded : secret;
}

function sessionOf(data: unknown, { issuer }: OriginalTraits): AuthSession | null {
  if (typeof data !== 'object' || data === null) return null;
  const fields = data as Readonly<Record<string, unknown>>;
  const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  const { ca: createdAt, eo: expiresOn, g: groups, ac: claims } = fields;
  const idToken = text('it');
  const { iss, sid } = claimsOf(idToken);
  if (issuer !== null && iss !== undefined && iss !== issuer) return null;
  // Without either it is of the password file, whose people sign in again: nothing here says so.
  if (typeof createdAt !== 'number' || (text('e') === '' && text('at') === '')) return null;
  return {
    ...NO_SESSION,
    createdAt,
    expiresOn: typeof expiresOn === 'number' ? expiresOn : null,
    user: text('u'),
    email: text('e'),
    groups: Array.isArray(groups) ? groups.filter((one) => typeof one === 'string') : [],
    preferredUsername: text('pu'),
    accessToken: text('at'),
    idToken,
    refreshToken: text('rt'),
    claims: typeof claims === 'object' && claims !== null ? (claims as AuthSession['claims']) : {},
    providerSession: typeof sid === 'string' ? sid : '',
  };
}

/** Of a token that oauth2-proxy has verified. */
function claimsOf(idToken: string): { readonly iss?: unknown; readonly sid?: unknown } {
  const [, payload] = idToken.split('.');
  if (payload === undefined) return {};
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  return typeof claims === 'object' && claims !== null ? claims : {};
}
