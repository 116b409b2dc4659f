/**
 * What a link's address carries: a secret, a fingerprint of all that was said when the link was made, and a signature
 * over both (HMAC-SHA256, cut to 128 bits: RFC 2104 section 5) by a key of this gateway. So nothing that was made up
 * reaches the store, and whoever can write the store can neither make a link nor change what one opens.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { deriveMacKey, type SealKey } from './seal.ts';
import { isToken, keyOfToken, mintToken } from './token.ts';
import type { StoredLink } from '../core/link-store.ts';

const SECRET_LENGTH = 43;
const PART_BYTES = 16;

/** What is said when a link is made, and never changes. */
export type LinkWords = Pick<StoredLink, 'name' | 'host' | 'scope' | 'target' | 'createdAt' | 'expiresAt' | 'uses'>;

export interface MintedLink {
  /** For the address; shown once. */
  readonly value: string;
  readonly key: string;
  readonly signature: string;
}

/** What a value says that this gateway has made. */
export interface ReadLink {
  readonly key: string;
  readonly fingerprint: Buffer;
}

export interface LinkSigner {
  mint(words: LinkWords): MintedLink;
  /** Null for every value that this gateway has not made. Never throws, looks nothing up. */
  read(value: string): ReadLink | null;
  /** Whether what is kept of a link is what was signed with its address. */
  isAsSigned(read: ReadLink, kept: StoredLink): boolean;
  /** The same without its address, for whoever lists links. */
  isSigned(kept: StoredLink): boolean;
}

export function createLinkSigner(sealKey: SealKey): LinkSigner {
  const key = deriveMacKey(sealKey, 'link');
  const mac = (...fields: readonly unknown[]): Buffer =>
    createHmac('sha256', key).update(JSON.stringify(fields)).digest().subarray(0, PART_BYTES);
  const fingerprintOf = ({ name, host, scope, target, createdAt, expiresAt, uses }: LinkWords): Buffer =>
    mac('words', name, host, scope, target, createdAt, expiresAt, uses);
  const signatureOf = (hashed: string, fingerprint: Buffer): Buffer =>
    mac('address', hashed, fingerprint.toString('hex'));
  return {
    mint(words) {
      const secret = mintToken();
      const hashed = keyOfToken(secret);
      const fingerprint = fingerprintOf(words);
      const signature = signatureOf(hashed, fingerprint);
      const proof = Buffer.concat([fingerprint, signature]).toString('base64url');
      return { value: secret + proof, key: hashed, signature: signature.toString('base64url') };
    },
    read(value) {
      const [secret, proof] = [value.slice(0, SECRET_LENGTH), value.slice(SECRET_LENGTH)];
      if (!isToken(secret) || !isToken(proof)) return null;
      const bytes = Buffer.from(proof, 'base64url');
      // One spelling for one value: unused bits of the last character must be zero.
      if (bytes.toString('base64url') !== proof) return null;
      const read = { key: keyOfToken(secret), fingerprint: bytes.subarray(0, PART_BYTES) };
      const isOurs = timingSafeEqual(bytes.subarray(PART_BYTES), signatureOf(read.key, read.fingerprint));
      return isOurs ? read : null;
    },
    isAsSigned: (read, kept) =>
      read.key === kept.key && hasUsesAsSigned(kept) && timingSafeEqual(read.fingerprint, fingerprintOf(kept)),
    isSigned: (kept) =>
      hasUsesAsSigned(kept) && kept.signature === signatureOf(kept.key, fingerprintOf(kept)).toString('base64url'),
  };
}

/** What is left changes with each use, so it is not signed; but it is never more than there was. */
function hasUsesAsSigned({ uses, usesLeft }: StoredLink): boolean {
  return uses === null ? usesLeft === null : usesLeft !== null && usesLeft <= uses;
}
