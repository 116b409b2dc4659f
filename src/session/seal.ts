/**
 * Seals small values: AES-256-GCM under a key that HKDF-SHA256 (RFC 5869) derives from a random salt
 * and the purpose, so nonces cannot repeat and a value sealed for one purpose opens for no other.
 * Does not compress, does not know what it seals; expiry belongs in the value.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

export const SEAL_KEY_BYTES = 32;
const VERSION = 1;
const SALT = 16;
const TAG = 16;
const CIPHER = 'aes-256-gcm';
const CIPHER_KEY = 32;
const NONCE = 12;
const MAC_KEY = 32;
const CANONICAL = /^[A-Za-z0-9_-]+$/;

export interface SealKey {
  readonly secret: KeyObject;
}

export function createSealKey(bytes: Uint8Array): SealKey {
  if (bytes.length !== SEAL_KEY_BYTES) {
    throw new RangeError(`Cannot use seal key: it has ${bytes.length} bytes, wanted ${SEAL_KEY_BYTES}`);
  }
  return { secret: createSecretKey(Buffer.from(bytes)) };
}

/** A key for signatures, of the same secret, for one purpose: it seals nothing, and no sealing key signs. */
export function deriveMacKey(key: SealKey, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key.secret, '', `postern/mac/${purpose}`, MAC_KEY)));
}

/** Seals a text as base64url. */
export function seal(key: SealKey, purpose: string, plain: string): string {
  return sealBytes(key, purpose, Buffer.from(plain, 'utf8'));
}

export function sealBytes(key: SealKey, purpose: string, plain: Uint8Array): string {
  const salt = randomBytes(SALT);
  const { cipherKey, nonce } = derive(key, purpose, salt);
  const cipher = createCipheriv(CIPHER, cipherKey, nonce);
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([Buffer.of(VERSION), salt, body, cipher.getAuthTag()]).toString('base64url');
}

/** The sealed text; null for whatever was not sealed by this key for this purpose. Never throws. */
export function unseal(key: SealKey, purpose: string, sealed: string): string | null {
  return unsealBytes(key, purpose, sealed)?.toString('utf8') ?? null;
}

/** As `unseal`. */
export function unsealBytes(key: SealKey, purpose: string, sealed: string): Buffer | null {
  if (!CANONICAL.test(sealed)) return null;
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length < 1 + SALT + TAG || bytes[0] !== VERSION) return null;
  // One spelling for one value: unused bits of the last character must be zero.
  if (bytes.toString('base64url') !== sealed) return null;
  const { cipherKey, nonce } = derive(key, purpose, bytes.subarray(1, 1 + SALT));
  try {
    const decipher = createDecipheriv(CIPHER, cipherKey, nonce, { authTagLength: TAG });
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG));
    const plain = decipher.update(bytes.subarray(1 + SALT, bytes.length - TAG));
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    return null;
  }
}

export function sealJson(key: SealKey, purpose: string, value: unknown): string {
  return seal(key, purpose, JSON.stringify(value));
}

/** The sealed value; undefined for whatever was not sealed by this key for this purpose. */
export function unsealJson(key: SealKey, purpose: string, sealed: string): unknown {
  const text = unseal(key, purpose, sealed);
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function derive(key: SealKey, purpose: string, salt: Uint8Array): { cipherKey: KeyObject; nonce: Buffer } {
  const bytes = Buffer.from(hkdfSync('sha256', key.secret, salt, `postern/${purpose}`, CIPHER_KEY + NONCE));
  // As bytes, Node takes 25 µs to find out what kind of key it was given.
  return { cipherKey: createSecretKey(bytes.subarray(0, CIPHER_KEY)), nonce: bytes.subarray(CIPHER_KEY) };
}
