/**
 * From the files that an operator names to certificates and plain keys: PEM in any order, DER, PKCS #7, PKCS #12,
 * encrypted keys. Says what a file holds instead where it is of the wrong kind. Asks for a password at most once,
 * and only where something is encrypted.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { oidOf, readBer } from './ber.ts';
import { isPkcs12, readPkcs12 } from './pkcs12.ts';
import type { UploadMaterial } from './check-upload.ts';

export interface MaterialFile {
  /** As the operator wrote it. */
  readonly path: string;
  readonly bytes: Buffer;
}

export interface MaterialSources {
  readonly certificate: MaterialFile;
  /** Null: the key is in the same file. */
  readonly key: MaterialFile | null;
  /** Null: there is nobody to ask. */
  readonly password: ((path: string) => Promise<string>) | null;
}

/** Why a file is of no use, with the remedy. */
export class UnusableMaterial extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g;
const SIGNED_DATA = '1.2.840.113549.1.7.2';

interface Parts {
  readonly certificates: X509Certificate[];
  readonly keys: KeyObject[];
}

export async function openMaterial({ certificate, key, password }: MaterialSources): Promise<UploadMaterial> {
  const ask = askOnce(password);
  const first = await openFile(certificate, ask);
  const second = key === null || key.path === certificate.path ? null : await openFile(key, ask);
  const certificates = [...first.certificates, ...(second?.certificates ?? [])];
  const keys = [...(second?.keys ?? []), ...first.keys];
  if (certificates.length === 0)
    throw wrongKind(certificate, 'certificate', first.keys.length > 0 ? 'a private key' : null);
  if (keys.length === 0) {
    if (second === null || key === null)
      throw new UnusableMaterial(
        `"${certificate.path}" holds no private key`,
        'name the file that has it with --key FILE',
      );
    throw wrongKind(key, 'private key', second.certificates.length > 0 ? 'a certificate' : null);
  }
  const pems = keys.map((one) => one.export({ type: 'pkcs8', format: 'pem' }).toString());
  return { certificates, keys: [...new Set(pems)] };
}

type Ask = (path: string) => Promise<string>;

function askOnce(password: MaterialSources['password']): Ask {
  let answer: Promise<string> | null = null;
  return (path) => {
    if (password === null)
      throw new UnusableMaterial(
        `"${path}" is encrypted, and there is no terminal to ask for its password`,
        'give it with --password-file FILE',
      );
    answer ??= password(path);
    return answer;
  };
}

async function openFile(file: MaterialFile, ask: Ask): Promise<Parts> {
  const text = file.bytes.toString('latin1');
  if (text.includes('-----BEGIN ')) return openPem(file, text, ask);
  // Windows saves text so where one copies it from a page.
  const wide = file.bytes.subarray(0, 2).equals(Buffer.of(0xff, 0xfe)) ? file.bytes.toString('utf16le') : '';
  if (wide.includes('-----BEGIN ')) return openPem(file, wide, ask);
  if (isPkcs12(file.bytes)) return openPkcs12(file, ask);
  return openDer(file, ask);
}

async function openPem(file: MaterialFile, text: string, ask: Ask): Promise<Parts> {
  const parts: Parts = { certificates: [], keys: [] };
  const others: string[] = [];
  for (const [block, label = ''] of text.matchAll(PEM_BLOCK)) {
    if (/^(?:TRUSTED |X509 )?CERTIFICATE$/.test(label)) parts.certificates.push(parseCertificate(file, block));
    else if (label.endsWith('PRIVATE KEY')) parts.keys.push(await parseKey(file, block, ask));
    else if (label === 'PKCS7' || label === 'CMS') parts.certificates.push(...openPkcs7(file, derOf(block)));
    else if (!label.endsWith('PARAMETERS')) others.push(label);
  }
  if (parts.certificates.length + parts.keys.length > 0) return parts;
  if (others.length === 0)
    throw new UnusableMaterial(
      `"${file.path}" holds the beginning of a PEM block without its end`,
      'copy the whole file, with its "-----END" line',
    );
  throw new UnusableMaterial(`"${file.path}" holds ${kindOf(others[0] ?? '')}`, remedyFor(others[0] ?? ''));
}

function kindOf(label: string): string {
  if (label.includes('CERTIFICATE REQUEST')) return 'a request for a certificate (CSR), not a certificate';
  if (label.includes('PUBLIC KEY')) return 'a public key, not a certificate or private key';
  if (label.includes('CRL')) return 'a revocation list, not a certificate';
  return `a PEM block "${label}", not a certificate or private key`;
}

function remedyFor(label: string): string {
  if (label.includes('CERTIFICATE REQUEST')) return 'send it to the CA, and upload the certificate that comes back';
  if (label.includes('PUBLIC KEY')) return 'name the file that begins with "-----BEGIN PRIVATE KEY-----"';
  return 'name the file that begins with "-----BEGIN CERTIFICATE-----"';
}

function derOf(block: string): Buffer {
  return Buffer.from(block.replaceAll(/-----[^-]+-----/g, ''), 'base64');
}

function parseCertificate(file: MaterialFile, data: string | Buffer): X509Certificate {
  try {
    const pem = typeof data === 'string' ? data.replaceAll(/(?:TRUSTED |X509 )CERTIFICATE/g, 'CERTIFICATE') : data;
    return new X509Certificate(pem);
  } catch {
    throw new UnusableMaterial(`A certificate in "${file.path}" does not parse`, 'download it again from the CA');
  }
}

async function parseKey(file: MaterialFile, block: string, ask: Ask): Promise<KeyObject> {
  if (block.includes('BEGIN OPENSSH PRIVATE KEY'))
    throw new UnusableMaterial(
      `"${file.path}" holds a key in the format of OpenSSH`,
      'convert a copy: ssh-keygen -p -m PEM -f COPY',
    );
  const isEncrypted = /-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED/.test(block);
  if (!isEncrypted) return parsePlainKey(file, block);
  const passphrase = await ask(file.path);
  try {
    return createPrivateKey({ key: block, passphrase });
  } catch (error) {
    throw wrongPassword(file, error as Error);
  }
}

function wrongPassword(file: MaterialFile, error: Error): UnusableMaterial {
  // One wrong password in some hundred decrypts to padding that looks right, and then to no key at all.
  const isNoKey = error.message.includes('DECODER routines');
  if (isNoKey || !/unsupported|legacy/i.test(error.message))
    return new UnusableMaterial(`The password does not open "${file.path}"`, 'try again with the right one');
  return new UnusableMaterial(
    `The key in "${file.path}" is encrypted in a way that is not supported any more`,
    'encrypt it anew: openssl pkcs8 -topk8 -provider legacy -provider default -in FILE -out NEW',
  );
}

function parsePlainKey(file: MaterialFile, block: string): KeyObject {
  try {
    return createPrivateKey(block);
  } catch {
    throw new UnusableMaterial(`The private key in "${file.path}" does not parse`, 'copy the whole file again');
  }
}

async function openPkcs12(file: MaterialFile, ask: Ask): Promise<Parts> {
  try {
    // Files without a password are common.
    const found = readPkcs12(file.bytes, '') ?? readPkcs12(file.bytes, await ask(file.path));
    if (found === null)
      throw new UnusableMaterial(`The password does not open "${file.path}"`, 'try again with the right one');
    return {
      certificates: found.certificates.map((der) => parseCertificate(file, der)),
      keys: found.keys.map((key) => createPrivateKey({ key, format: 'der', type: 'pkcs8' })),
    };
  } catch (error) {
    if (error instanceof UnusableMaterial) throw error;
    const remedy = 'convert it: openssl pkcs12 -legacy -in FILE -nodes -out FILE.pem, mode 600';
    throw new UnusableMaterial(`"${file.path}" cannot be read: ${(error as Error).message}`, remedy);
  }
}

async function openDer(file: MaterialFile, ask: Ask): Promise<Parts> {
  const { bytes } = file;
  try {
    return { certificates: [new X509Certificate(bytes)], keys: [] };
  } catch {
    // Something else.
  }
  for (const type of ['pkcs8', 'pkcs1', 'sec1'] as const) {
    try {
      return { certificates: [], keys: [createPrivateKey({ key: bytes, format: 'der', type })] };
    } catch {
      // Another kind of key, or none.
    }
  }
  if (isSignedData(bytes)) return { certificates: openPkcs7(file, bytes), keys: [] };
  if (isEncryptedKey(bytes)) {
    const passphrase = await ask(file.path);
    try {
      return { certificates: [], keys: [createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8', passphrase })] };
    } catch (error) {
      throw wrongPassword(file, error as Error);
    }
  }
  throw new UnusableMaterial(
    `"${file.path}" is neither PEM nor DER nor PKCS #12`,
    'name the file that the CA gave you, such as one with "-----BEGIN CERTIFICATE-----" in it',
  );
}

function isSignedData(bytes: Buffer): boolean {
  try {
    return oidOf(readBer(bytes).children[0]) === SIGNED_DATA;
  } catch {
    return false;
  }
}

/** EncryptedPrivateKeyInfo (RFC 5958 section 3): an algorithm with PBES, and octets. */
function isEncryptedKey(bytes: Buffer): boolean {
  try {
    const [algorithm, sealed] = readBer(bytes).children;
    return /^1\.2\.840\.113549\.1\.(?:5|12\.1)\./.test(oidOf(algorithm?.children[0])) && sealed?.tag === 0x04;
  } catch {
    return false;
  }
}

/** Certificates of SignedData (RFC 5652 section 5.1), as CAs hand out chains in .p7b files. */
function openPkcs7(file: MaterialFile, bytes: Buffer): X509Certificate[] {
  try {
    const [, holder] = readBer(bytes).children;
    const certificates = holder?.children[0]?.children.find((one) => one.tag === 0xa0)?.children ?? [];
    return certificates.map((one) => parseCertificate(file, one.whole));
  } catch (error) {
    if (error instanceof UnusableMaterial) throw error;
    throw new UnusableMaterial(`"${file.path}" does not parse as PKCS #7`, 'download it again from the CA');
  }
}

function wrongKind({ path }: MaterialFile, wanted: string, holds: string | null): UnusableMaterial {
  const what = holds === null ? `no ${wanted}` : `${holds}, but no ${wanted}`;
  return new UnusableMaterial(`"${path}" holds ${what}`, `name the file that has the ${wanted}`);
}
