/**
 * Reads the little DER that OpenSSL's bindings do not tell: the authority key identifier and the serial
 * number of a certificate (RFC 9773 section 4.1 names certificates by them), and "must-staple". Definite lengths only, every
 * length is checked against what is there, and whatever else is in the certificate is stepped over.
 */

/** One element: its tag and its content. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Where the next element begins. */
  readonly end: number;
}

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OBJECT_ID = 0x06;
const BOOLEAN = 0x01;
const OCTETS = 0x04;
/** [3] EXPLICIT of TBSCertificate: the extensions. */
const EXTENSIONS = 0xa3;
/** [0] EXPLICIT: the version. */
const VERSION = 0xa0;
/** [0] IMPLICIT of AuthorityKeyIdentifier: keyIdentifier. */
const KEY_IDENTIFIER = 0x80;
/** 2.5.29.35 */
const AUTHORITY_KEY_IDENTIFIER = Buffer.of(0x55, 0x1d, 0x23);
/** 1.3.6.1.5.5.7.1.24, TLS feature (RFC 7633): "must-staple". */
const TLS_FEATURE = Buffer.of(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18);

/** The element at an offset; SyntaxError where there is no whole one. */
export function readElement(der: Buffer, at: number): Element {
  const tag = der[at];
  const first = der[at + 1];
  if (tag === undefined || first === undefined) throw new SyntaxError('Cannot read DER: it ends within an element');
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || lengthBytes > 4 || at + 2 + lengthBytes > der.length)
    throw new SyntaxError('Cannot read DER: a length is not definite or too long');
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
  const start = at + 2 + lengthBytes;
  if (length > der.length - start) throw new SyntaxError('Cannot read DER: an element is longer than what is there');
  return { tag, content: der.subarray(start, start + length), end: start + length };
}

/** The elements within a constructed one. */
export function readChildren(content: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < content.length;) {
    const element = readElement(content, at);
    found.push(element);
    at = element.end;
  }
  return found;
}

export interface CertificateIdentity {
  /** Content of the INTEGER, with a leading zero where its sign needs one. */
  readonly serial: Buffer;
  /** Null where the certificate has no authority key identifier. */
  readonly authorityKeyId: Buffer | null;
}

/** Serial number and authority key identifier of a certificate's DER; SyntaxError where it is none. */
export function readCertificateIdentity(der: Buffer): CertificateIdentity {
  const fields = fieldsOf(der);
  const serialAt = fields[0]?.tag === VERSION ? 1 : 0;
  const serial = fields[serialAt];
  if (serial === undefined) throw new SyntaxError('Cannot read certificate: it has no serial number');
  const keyId = extensionOf(fields, AUTHORITY_KEY_IDENTIFIER);
  const parts = keyId === null ? [] : readChildren(expect(readElement(keyId, 0), SEQUENCE));
  return {
    serial: expect(serial, INTEGER),
    authorityKeyId: parts.find((part) => part.tag === KEY_IDENTIFIER)?.content ?? null,
  };
}

/** True where the certificate demands a stapled OCSP answer (RFC 7633). */
export function wantsStapling(der: Buffer): boolean {
  return extensionOf(fieldsOf(der), TLS_FEATURE) !== null;
}

function fieldsOf(der: Buffer): Element[] {
  const certificate = expect(readElement(der, 0), SEQUENCE);
  return readChildren(expect(readElement(certificate, 0), SEQUENCE));
}

/** The value of an extension; null where the certificate has none of that kind. */
function extensionOf(fields: readonly Element[], wanted: Buffer): Buffer | null {
  const extensions = fields.find((field) => field.tag === EXTENSIONS);
  if (extensions === undefined) return null;
  for (const one of readChildren(expect(readElement(extensions.content, 0), SEQUENCE))) {
    const [id, ...rest] = readChildren(expect(one, SEQUENCE));
    if (id === undefined || !expect(id, OBJECT_ID).equals(wanted)) continue;
    const value = rest.find((part) => part.tag !== BOOLEAN);
    return value === undefined ? null : expect(value, OCTETS);
  }
  return null;
}

function expect(element: Element, tag: number): Buffer {
  if (element.tag === tag) return element.content;
  throw new SyntaxError(`Cannot read DER: tag ${element.tag} stands where ${tag} is wanted`);
}
