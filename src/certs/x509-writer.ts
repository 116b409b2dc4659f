/**
 * Writes X.509 certificates (RFC 5280) of the two kinds the local CA needs (a root constrained to some
 * names, and a leaf for exactly one name), the self-signed one that answers TLS-ALPN-01 (RFC 8737), and
 * requests for certificates (PKCS #10, RFC 2986). SHA-256 only. Signs nothing else.
 * An own writer since it is small, and the library for it patches the global `Reflect`.
 */
import { createHash, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import {
  bits,
  boolean,
  contextConstructed,
  contextPrimitive,
  octets,
  oid,
  sequence,
  setOf,
  time,
  tlv,
  unsigned,
  utf8,
} from './der.ts';

const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
/** RFC 4055 section 5: its parameters are NULL. */
const RSA_WITH_SHA256 = sequence(oid('1.2.840.113549.1.1.11'), tlv(0x05));
/** PKCS #9 extensionRequest. */
const EXTENSION_REQUEST = oid('1.2.840.113549.1.9.14');
/** id-pe-acmeIdentifier */
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31';
const KEY_CERT_SIGN_AND_CRL_SIGN = bits(Buffer.of(0x06), 1);
const DIGITAL_SIGNATURE = bits(Buffer.of(0x80), 7);
const SERVER_AUTH = sequence(oid('1.3.6.1.5.5.7.3.1'));
/** Upper bound of X.520 for a common name. */
const COMMON_NAME_MAX = 64;

export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface RootRequest extends Validity {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** DNS names that it may sign for, each with its subdomains; or the IP addresses, exactly. */
  readonly permitted: readonly string[];
}

export interface LeafRequest extends Validity {
  /** A DNS name, "*.name", or an IP address without brackets. */
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly issuer: { readonly commonName: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

/** A self-signed root that is worthless outside `permitted`: constrained names, TLS servers only, no sub-CAs. */
export function writeRoot(request: RootRequest): string {
  const name = distinguishedName(request.commonName);
  const extensions = [
    extension('2.5.29.19', sequence(boolean(true), unsigned(Buffer.of(0))), true),
    extension('2.5.29.15', KEY_CERT_SIGN_AND_CRL_SIGN, true),
    extension('2.5.29.37', SERVER_AUTH),
    extension('2.5.29.14', octets(keyIdOf(request.publicKey))),
    extension('2.5.29.30', nameConstraints(request.permitted), true),
  ];
  return signed({ ...request, subject: name, issuer: name, signer: request.privateKey, extensions });
}

export function writeLeaf(request: LeafRequest): string {
  const { name, issuer } = request;
  // OpenSSL reads an address in the common name as a DNS name, which the root's constraints exclude.
  const hasCommonName = name.length <= COMMON_NAME_MAX && isIP(name) === 0;
  const extensions = [
    extension('2.5.29.19', sequence(), true),
    extension('2.5.29.15', DIGITAL_SIGNATURE, true),
    extension('2.5.29.37', SERVER_AUTH),
    extension('2.5.29.14', octets(keyIdOf(request.publicKey))),
    extension('2.5.29.35', sequence(contextPrimitive(0, keyIdOf(issuer.publicKey)))),
    // RFC 5280 section 4.2.1.6: critical where the subject is empty.
    extension('2.5.29.17', sequence(generalName(name)), !hasCommonName),
  ];
  return signed({
    ...request,
    subject: hasCommonName ? distinguishedName(name) : sequence(),
    issuer: distinguishedName(issuer.commonName),
    signer: issuer.privateKey,
    extensions,
  });
}

export interface SigningRequest {
  /** DNS names, "*.name", and IP addresses without brackets. */
  readonly names: readonly string[];
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A certificate request in DER. The subject stays empty: CAs take names from the alternative names only. */
export function writeSigningRequest({ names, publicKey, privateKey }: SigningRequest): Buffer {
  const extensions = sequence(extension('2.5.29.17', sequence(...names.map(generalName))));
  const toBeSigned = sequence(
    unsigned(Buffer.of(0)),
    sequence(),
    publicKey.export({ type: 'spki', format: 'der' }),
    contextConstructed(0, sequence(EXTENSION_REQUEST, setOf(extensions))),
  );
  const algorithm = privateKey.asymmetricKeyType === 'rsa' ? RSA_WITH_SHA256 : ECDSA_WITH_SHA256;
  return sequence(toBeSigned, algorithm, bits(sign('sha256', toBeSigned, privateKey)));
}

export interface ChallengeRequest extends Validity {
  readonly name: string;
  /** SHA-256 of the key authorization. */
  readonly digest: Uint8Array;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** RFC 8737 section 3: self-signed, exactly one name, the digest in a critical extension. */
export function writeChallengeCertificate(request: ChallengeRequest): string {
  const extensions = [
    extension('2.5.29.17', sequence(generalName(request.name)), true),
    extension(ACME_IDENTIFIER, octets(request.digest), true),
  ];
  return signed({
    ...request,
    subject: sequence(),
    issuer: distinguishedName('ACME challenge'),
    signer: request.privateKey,
    extensions,
  });
}

interface Unsigned extends Validity {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
}

function signed(parts: Unsigned): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const toBeSigned = sequence(
    contextConstructed(0, unsigned(Buffer.of(2))),
    unsigned(serial),
    ECDSA_WITH_SHA256,
    parts.issuer,
    sequence(time(parts.notBefore), time(parts.notAfter)),
    parts.subject,
    spkiOf(parts.publicKey),
    contextConstructed(3, sequence(...parts.extensions)),
  );
  const signature = sign('sha256', toBeSigned, parts.signer);
  return pemOf(sequence(toBeSigned, ECDSA_WITH_SHA256, bits(signature)));
}

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  return sequence(oid(id), ...(isCritical ? [boolean(true)] : []), octets(value));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(setOf(sequence(oid('2.5.4.3'), utf8(commonName))));
}

/** RFC 7093 section 2, method 4: no SHA-1. */
function keyIdOf(publicKey: KeyObject): Buffer {
  return createHash('sha256').update(spkiOf(publicKey)).digest().subarray(0, 20);
}

const knownSpki = new WeakMap<KeyObject, Buffer>();

/** OpenSSL's encoder takes twice as long as making the key: once for each, the CA's own for all of its leaves. */
function spkiOf(publicKey: KeyObject): Buffer {
  const known = knownSpki.get(publicKey);
  if (known !== undefined) return known;
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  knownSpki.set(publicKey, spki);
  return spki;
}

function generalName(name: string): Buffer {
  return isIP(name) === 0 ? contextPrimitive(2, Buffer.from(name, 'latin1')) : contextPrimitive(7, ipBytes(name));
}

/** RFC 5280 section 4.2.1.10. Whichever of names and addresses is not permitted is excluded as a whole. */
function nameConstraints(permitted: readonly string[]): Buffer {
  const hasIps = permitted.some((name) => isIP(name) !== 0);
  const subtrees = permitted.map((name) => sequence(constraintBase(name)));
  const everyIp = [sequence(contextPrimitive(7, Buffer.alloc(8))), sequence(contextPrimitive(7, Buffer.alloc(32)))];
  const everyName = [sequence(contextPrimitive(2, Buffer.alloc(0)))];
  return sequence(contextConstructed(0, ...subtrees), contextConstructed(1, ...(hasIps ? everyName : everyIp)));
}

function constraintBase(name: string): Buffer {
  if (isIP(name) === 0) return generalName(name);
  const address = ipBytes(name);
  return contextPrimitive(7, Buffer.concat([address, Buffer.alloc(address.length, 0xff)]));
}

function ipBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number));
  const [head = '', tail] = ip.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = groups(tail ?? '');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return Buffer.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}
