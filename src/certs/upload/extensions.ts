/** Reads extensions of certificates that OpenSSL's bindings do not tell: key usage (RFC 5280 section 4.2.1.3). */
import { readChildren, readElement } from '../der-reader.ts';

const EXTENSIONS = 0xa3;
const BIT_STRING = 0x03;
const OCTETS = 0x04;
/** 2.5.29.15 */
const KEY_USAGE = Buffer.of(0x55, 0x1d, 0x0f);

export interface KeyUsage {
  readonly digitalSignature: boolean;
  readonly certSign: boolean;
}

/** Null where the certificate says nothing of it, which allows everything. */
export function readKeyUsage(der: Buffer): KeyUsage | null {
  const value = extensionOf(der, KEY_USAGE);
  if (value === null) return null;
  const bits = readElement(value, 0);
  if (bits.tag !== BIT_STRING) return null;
  const first = bits.content[1] ?? 0;
  return { digitalSignature: (first & 0x80) !== 0, certSign: (first & 0x04) !== 0 };
}

function extensionOf(der: Buffer, id: Buffer): Buffer | null {
  const [tbs] = readChildren(readElement(der, 0).content);
  const holder = tbs === undefined ? undefined : readChildren(tbs.content).find((field) => field.tag === EXTENSIONS);
  if (holder === undefined) return null;
  for (const one of readChildren(readElement(holder.content, 0).content)) {
    const [name, ...rest] = readChildren(one.content);
    if (name?.content.equals(id) === true) return rest.find((part) => part.tag === OCTETS)?.content ?? null;
  }
  return null;
}
