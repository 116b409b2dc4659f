/**
 * From a password to keys as PKCS #12 wants it: its own derivation (RFC 7292 appendix B), and PBES2 with PBKDF2
 * (RFC 8018). Decrypts what files of OpenSSL, Windows, Java and macOS are encrypted with.
 */
import { createDecipheriv, createHash, pbkdf2Sync } from 'node:crypto';
import { integerOf, octetsOf, oidOf, type BerElement } from './ber.ts';
import { decryptRc2 } from './rc2.ts';

/** A file that asks for more would only keep the machine busy. */
const ITERATIONS_MAX = 20_000_000;
const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';

const HASHES: ReadonlyMap<string, string> = new Map([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
  ['1.2.840.113549.2.7', 'sha1'],
  ['1.2.840.113549.2.9', 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
]);
const CIPHERS: ReadonlyMap<string, { readonly name: string; readonly keyBytes: number }> = new Map([
  ['2.16.840.1.101.3.4.1.2', { name: 'aes-128-cbc', keyBytes: 16 }],
  ['2.16.840.1.101.3.4.1.22', { name: 'aes-192-cbc', keyBytes: 24 }],
  ['2.16.840.1.101.3.4.1.42', { name: 'aes-256-cbc', keyBytes: 32 }],
  ['1.2.840.113549.3.7', { name: 'des-ede3-cbc', keyBytes: 24 }],
]);
/** RFC 7292 appendix C; those with RC4 are written by nobody. */
const OLD_CIPHERS: ReadonlyMap<string, { readonly name: string; readonly keyBytes: number }> = new Map([
  ['1.2.840.113549.1.12.1.3', { name: 'des-ede3-cbc', keyBytes: 24 }],
  ['1.2.840.113549.1.12.1.4', { name: 'des-ede-cbc', keyBytes: 16 }],
  ['1.2.840.113549.1.12.1.5', { name: 'rc2', keyBytes: 16 }],
  ['1.2.840.113549.1.12.1.6', { name: 'rc2', keyBytes: 5 }],
]);

/** The way a password is meant: no password and an empty one differ in PKCS #12. */
export interface Password {
  readonly utf8: Buffer;
  /** UTF-16, big-endian, with two zero bytes at the end (appendix B.1); empty for none. */
  readonly bmp: Buffer;
}

export function passwordOf(text: string): Password {
  return { utf8: Buffer.from(text, 'utf8'), bmp: Buffer.from(`${text}\0`, 'utf16le').swap16() };
}

export const NO_PASSWORD: Password = { utf8: Buffer.alloc(0), bmp: Buffer.alloc(0) };

export function hashNamed(id: string): string {
  const name = HASHES.get(id);
  if (name === undefined) throw new SyntaxError(`Cannot read PKCS #12: hash "${id}" is not known here`);
  return name;
}

export interface Derivation {
  readonly hash: string;
  readonly salt: Buffer;
  readonly iterations: number;
  /** Appendix B.3: 1 for a key, 2 for an IV, 3 for a MAC key. */
  readonly purpose: 1 | 2 | 3;
  readonly bytes: number;
}

/** Appendix B.2. */
export function deriveOld({ bmp }: Password, { hash, salt, iterations, purpose, bytes }: Derivation): Buffer {
  checkIterations(iterations);
  const block = hash === 'sha384' || hash === 'sha512' ? 128 : 64;
  const fill = (part: Buffer): Buffer =>
    part.length === 0 ? part : Buffer.alloc(Math.ceil(part.length / block) * block, part);
  const diversifier = Buffer.alloc(block, purpose);
  const input = Buffer.concat([fill(salt), fill(bmp)]);
  const out: Buffer[] = [];
  for (let made = 0; made < bytes;) {
    let digest = createHash(hash).update(diversifier).update(input).digest();
    for (let round = 1; round < iterations; round += 1) digest = createHash(hash).update(digest).digest();
    out.push(digest);
    made += digest.length;
    addToEach(input, Buffer.alloc(block, digest));
  }
  return Buffer.concat(out).subarray(0, bytes);
}

/** Each block of the input becomes itself + the addend + 1, as numbers. */
function addToEach(input: Buffer, addend: Buffer): void {
  for (let start = 0; start < input.length; start += addend.length) {
    let carry = 1;
    for (let at = addend.length - 1; at >= 0; at -= 1) {
      const sum = (input[start + at] ?? 0) + (addend[at] ?? 0) + carry;
      input[start + at] = sum & 0xff;
      carry = sum >> 8;
    }
  }
}

/** Null where the password is wrong. `algorithm`: an AlgorithmIdentifier. */
export function decrypt(password: Password, algorithm: BerElement, data: Buffer): Buffer | null {
  const [id, parameters] = algorithm.children;
  const name = oidOf(id);
  if (parameters === undefined) throw new SyntaxError('Cannot read PKCS #12: an encryption has no parameters');
  if (name === PBES2) return decryptPbes2(password, parameters, data);
  const cipher = OLD_CIPHERS.get(name);
  if (cipher === undefined) throw new SyntaxError(`Cannot read PKCS #12: encryption "${name}" is not known here`);
  const salt = octetsOf(required(parameters.children[0]));
  const shared = { hash: 'sha1', salt, iterations: integerOf(parameters.children[1]) };
  const key = deriveOld(password, { ...shared, purpose: 1, bytes: cipher.keyBytes });
  const iv = deriveOld(password, { ...shared, purpose: 2, bytes: 8 });
  if (cipher.name === 'rc2') return decryptRc2({ key, effectiveBits: cipher.keyBytes * 8, iv }, data);
  return decipher(cipher.name, { key, iv }, data);
}

/** RFC 8018 section 6.2. */
function decryptPbes2({ utf8 }: Password, parameters: BerElement, data: Buffer): Buffer | null {
  const [derivation, scheme] = parameters.children.map((one) => one.children);
  const cipher = CIPHERS.get(oidOf(scheme?.[0]));
  if (cipher === undefined)
    throw new SyntaxError(`Cannot read PKCS #12: cipher "${oidOf(scheme?.[0])}" is not known here`);
  const iv = octetsOf(required(scheme?.[1]));
  const key = derivePbkdf2(utf8, derivation, cipher.keyBytes);
  return decipher(cipher.name, { key, iv }, data);
}

/** RFC 8018 section 5.2. */
export function derivePbkdf2(utf8: Buffer, derivation: readonly BerElement[] | undefined, bytes: number): Buffer {
  if (oidOf(derivation?.[0]) !== PBKDF2)
    throw new SyntaxError(`Cannot read PKCS #12: key derivation "${oidOf(derivation?.[0])}" is not known here`);
  const parts = required(derivation?.[1]).children;
  const iterations = integerOf(parts[1]);
  checkIterations(iterations);
  const prf = parts.find((part) => part.tag === 0x30)?.children[0];
  const hash = prf === undefined ? 'sha1' : hashNamed(oidOf(prf));
  return pbkdf2Sync(utf8, octetsOf(required(parts[0])), iterations, bytes, hash);
}

function decipher(name: string, { key, iv }: { key: Buffer; iv: Buffer }, data: Buffer): Buffer | null {
  try {
    const made = createDecipheriv(name, key, iv);
    return Buffer.concat([made.update(data), made.final()]);
  } catch (error) {
    // The padding tells; anything else is a parameter that the file has wrong.
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_OSSL') === true) return null;
    throw new SyntaxError(`Cannot read PKCS #12: ${(error as Error).message}`, { cause: error });
  }
}

function checkIterations(iterations: number): void {
  if (iterations < 1 || iterations > ITERATIONS_MAX)
    throw new SyntaxError(`Cannot read PKCS #12: it asks for ${iterations} iterations`);
}

export function required(element: BerElement | undefined): BerElement {
  if (element === undefined) throw new SyntaxError('Cannot read PKCS #12: a part is missing');
  return element;
}
