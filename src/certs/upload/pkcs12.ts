/**
 * Reads PKCS #12 files (RFC 7292) as OpenSSL, Windows, Java and macOS write them, since Node has no reader that gives
 * the parts. The MAC is checked before anything is decrypted (also PBMAC1, RFC 9579). Only used by a command on a file
 * that the operator names; never on the way of a request. Writes nothing.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { integerOf, octetsOf, oidOf, readBer, type BerElement } from './ber.ts';
import {
  decrypt,
  deriveOld,
  derivePbkdf2,
  hashNamed,
  NO_PASSWORD,
  passwordOf,
  required,
  type Password,
} from './pkcs12-password.ts';

export interface Pkcs12 {
  /** DER. */
  readonly certificates: readonly Buffer[];
  /** PKCS #8, DER. */
  readonly keys: readonly Buffer[];
}

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const PBMAC1 = '1.2.840.113549.1.5.14';
const BAGS = '1.2.840.113549.1.12.10.1';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const NESTED_MAX = 8;

/** True for what can only be a PKCS #12 file: version 3 and an object identifier of PKCS #7 behind it. */
export function isPkcs12(bytes: Buffer): boolean {
  try {
    const [version, content] = readBer(bytes).children;
    return integerOf(version) === 3 && oidOf(content?.children[0]).startsWith('1.2.840.113549.1.7.');
  } catch {
    return false;
  }
}

/** Null where the password is wrong; SyntaxError where the file is none, or of a kind that is not known here. */
export function readPkcs12(bytes: Buffer, text: string): Pkcs12 | null {
  const [, authSafe, mac] = readBer(bytes).children;
  const content = contentOf(required(authSafe));
  for (const password of text === '' ? [passwordOf(''), NO_PASSWORD] : [passwordOf(text)]) {
    if (mac !== undefined && !isMacRight(mac, content, password)) continue;
    const found = readContents(content, password);
    if (found !== null) return found;
  }
  return null;
}

function contentOf(info: BerElement): Buffer {
  const [id, holder] = info.children;
  if (oidOf(id) !== DATA)
    throw new SyntaxError('Cannot read PKCS #12: it is protected by a certificate, not by a password');
  return octetsOf(required(holder?.children[0]));
}

function isMacRight(mac: BerElement, content: Buffer, password: Password): boolean {
  const [info, salt, count] = mac.children;
  const [algorithm, digest] = required(info).children;
  const [id, parameters] = required(algorithm).children;
  const wanted = octetsOf(required(digest));
  if (oidOf(id) === PBMAC1) {
    const [derivation, scheme] = required(parameters).children;
    const bytes = lengthIn(derivation) ?? wanted.length;
    const key = derivePbkdf2(password.utf8, derivation?.children, bytes);
    return isEqual(
      createHmac(hashNamed(oidOf(scheme?.children[0])), key)
        .update(content)
        .digest(),
      wanted,
    );
  }
  const hash = hashNamed(oidOf(id));
  const iterations = count === undefined ? 1 : integerOf(count);
  const derivation = { hash, salt: octetsOf(required(salt)), iterations, purpose: 3, bytes: wanted.length } as const;
  return isEqual(createHmac(hash, deriveOld(password, derivation)).update(content).digest(), wanted);
}

/** keyLength of PBKDF2-params. */
function lengthIn(derivation: BerElement | undefined): number | null {
  const integers = (derivation?.children[1]?.children ?? []).filter((part) => part.tag === 0x02);
  return integers.length < 2 ? null : integerOf(integers[1]);
}

function isEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function readContents(content: Buffer, password: Password): Pkcs12 | null {
  const found: { certificates: Buffer[]; keys: Buffer[] } = { certificates: [], keys: [] };
  for (const info of readBer(content).children) {
    const [id, holder] = info.children;
    const plain =
      oidOf(id) === ENCRYPTED_DATA ? openEncrypted(required(holder?.children[0]), password) : contentOf(info);
    if (plain === null) return null;
    if (!collectBags(readBer(plain), password, found, 0)) return null;
  }
  return found;
}

/** EncryptedData (RFC 5652 section 8): version, then what is encrypted and how. */
function openEncrypted(data: BerElement, password: Password): Buffer | null {
  const [, algorithm, sealed] = required(data.children[1]).children;
  return decrypt(password, required(algorithm), octetsOf(required(sealed)));
}

// oxlint-disable-next-line max-params -- walks bags in bags
function collectBags(
  bags: BerElement,
  password: Password,
  found: { certificates: Buffer[]; keys: Buffer[] },
  depth: number,
): boolean {
  if (depth > NESTED_MAX) throw new SyntaxError('Cannot read PKCS #12: it is nested too deeply');
  for (const bag of bags.children) {
    const [id, holder] = bag.children;
    const value = required(holder?.children[0]);
    switch (oidOf(id)) {
      case `${BAGS}.1`:
        found.keys.push(value.whole);
        break;
      case `${BAGS}.2`: {
        const [algorithm, sealed] = value.children;
        const key = decrypt(password, required(algorithm), octetsOf(required(sealed)));
        if (key === null) return false;
        found.keys.push(key);
        break;
      }
      case `${BAGS}.3`: {
        const [kind, wrapped] = value.children;
        if (oidOf(kind) === X509_CERTIFICATE) found.certificates.push(octetsOf(required(wrapped?.children[0])));
        break;
      }
      case `${BAGS}.6`:
        if (!collectBags(value, password, found, depth + 1)) return false;
        break;
      // Revocation lists and secrets are of no use here.
      default:
    }
  }
  return true;
}
