/**
 * Reads one pair of certificate and key files and says plainly what is wrong with it: unreadable, not
 * PEM, encrypted key, key of another certificate, broken chain, expired, not for servers, refused by
 * OpenSSL. Never lets a pair through that a handshake would fail with. Answers are cached by the files' state.
 */
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { FileTooLargeError, NamedPipeError, readAtMost } from '../core/read-at-most.ts';
import { problem, warning, type Diagnostic } from '../core/diagnostic.ts';
import { chainFor, chainPem, parseCertificates, type Chain } from './_certificate-chain.ts';
import { wantsStapling } from './der-reader.ts';
import { namesOf } from './names.ts';
import type { CertificateEntry } from './certificate-set.ts';
import type { X509Certificate } from 'node:crypto';

const DAY = 86_400_000;
const WARN_AT_DAYS = [1, 7, 14, 30] as const;
const MAX_BYTES = 1 << 20;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_USAGE = '2.5.29.37.0';

export interface PairOfFiles {
  readonly certificate: string;
  readonly key: string;
  /** Where in the document the pair is named. */
  readonly at: readonly (string | number)[];
}

export interface CheckedPair {
  /** Null where an error makes the pair unusable. */
  readonly entry: CertificateEntry | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** An error of this room: a Diagnostic with its code. */
export function certificateProblem(at: PairOfFiles['at'], message: string, remedy: string | null = null): Diagnostic {
  return { ...problem(at, message, remedy), code: 'TLS_BAD_CERTIFICATE' };
}

/** Which file it is now: changes with its content, and when a symlink on the way to it is swapped. */
export function fileState(path: string): string {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

export type ReadCertificate = (files: PairOfFiles, now: number) => CheckedPair;

/** Reads pairs; one whose files have not changed is not read again. */
export function createCertificateReader(): ReadCertificate {
  const known = new Map<string, { state: string; checked: Checked }>();
  return (files, now) => {
    const id = `${files.certificate}\0${files.key}`;
    const state = `${fileState(files.certificate)} ${fileState(files.key)}`;
    const cached = known.get(id);
    const checked = cached?.state === state ? cached.checked : checkPair(files);
    known.set(id, { state, checked });
    return answer(checked, files, now);
  };
}

/** The verdict on a pair that does not depend on where it is named or what time it is. */
type Checked =
  | {
      readonly kind: 'bad';
      readonly at: 'certificate' | 'key';
      readonly message: string;
      readonly remedy: string | null;
    }
  | {
      readonly kind: 'good';
      readonly entry: CertificateEntry;
      readonly notBefore: number;
      readonly warnings: readonly Remark[];
    };

interface Remark {
  readonly message: string;
  readonly remedy: string | null;
}

class Unusable extends Error {
  readonly at: 'certificate' | 'key';
  readonly remedy: string | null;

  constructor(at: 'certificate' | 'key', message: string, remedy: string | null = null) {
    super(message);
    this.at = at;
    this.remedy = remedy;
  }
}

function checkPair(files: PairOfFiles): Checked {
  try {
    const pem = readText(files.certificate, 'certificate');
    const keyPem = readText(files.key, 'key');
    const all = certificatesOf(pem, files.certificate);
    const key = privateKeyOf(keyPem, files.key);
    const chain = chainFor(key, all);
    if (chain === null) throw mismatch(files, all);
    return goodPair({ files, chain, key });
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { kind: 'bad', at: error.at, message: error.message, remedy: error.remedy };
  }
}

function answer(checked: Checked, { certificate, at }: PairOfFiles, now: number): CheckedPair {
  if (checked.kind === 'bad') {
    return { entry: null, diagnostics: [certificateProblem([...at, checked.at], checked.message, checked.remedy)] };
  }
  const place = [...at, 'certificate'];
  const { entry, notBefore } = checked;
  const remarks = checked.warnings.map((remark) => warning(place, remark.message, remark.remedy));
  if (entry.notAfter <= now) {
    const message = `Certificate "${certificate}" expired on ${dayOf(entry.notAfter)}`;
    return {
      entry: null,
      diagnostics: [certificateProblem(place, message, 'renew it; Postern picks the new file up by itself')],
    };
  }
  if (notBefore > now) {
    const message = `Certificate "${certificate}" is not valid before ${new Date(notBefore).toISOString()}`;
    return { entry: null, diagnostics: [certificateProblem(place, message, "check this machine's clock, or wait")] };
  }
  const days = WARN_AT_DAYS.find((days) => entry.notAfter - now <= days * DAY);
  if (days === undefined) return { entry, diagnostics: remarks };
  const unit = days === 1 ? 'day' : 'days';
  const soon = `Certificate "${certificate}" expires within ${days} ${unit}, on ${dayOf(entry.notAfter)}`;
  return {
    entry,
    diagnostics: [...remarks, warning(place, soon, 'renew it; Postern picks the new file up by itself')],
  };
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function goodPair({ files, chain, key }: { files: PairOfFiles; chain: Chain; key: KeyObject }): Checked {
  const { leaf } = chain;
  const names = namesOf(leaf);
  if (names.length === 0) {
    throw new Unusable(
      'certificate',
      `Certificate "${files.certificate}" names no host: it has no subject alternative name`,
    );
  }
  const usages = leaf.keyUsage as string[] | undefined;
  if (usages !== undefined && !usages.includes(SERVER_AUTH) && !usages.includes(ANY_USAGE)) {
    throw new Unusable(
      'certificate',
      `Certificate "${files.certificate}" is not for servers: its key usage lacks serverAuth`,
    );
  }
  const certificatePem = chainPem(chain);
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  checkWithOpenSsl(files, certificatePem, keyPem);
  const id = createHash('sha256').update(certificatePem).digest('hex').slice(0, 24);
  const notAfter = Math.min(...chain.certificates.map((one) => one.validToDate.getTime()));
  const notBefore = leaf.validFromDate.getTime();
  const entry: CertificateEntry = {
    id,
    names,
    certificatePem,
    keyPem,
    keyType: keyTypeOf(key),
    notAfter,
    source: 'file',
  };
  return { kind: 'good', entry, notBefore, warnings: remarksOn(files, chain) };
}

function keyTypeOf(key: KeyObject): CertificateEntry['keyType'] {
  const type = key.asymmetricKeyType;
  if (type === 'rsa' || type === 'rsa-pss') return 'rsa';
  return type === 'ec' ? 'ec' : 'other';
}

function remarksOn({ certificate }: PairOfFiles, { leaf, certificates, isAsWritten }: Chain): Remark[] {
  const remarks: Remark[] = [];
  if (!isAsWritten) {
    const message = `Certificate file "${certificate}" is not in order, or holds certificates that are not of its chain; they are sent in order, without strangers`;
    remarks.push({ message, remedy: 'write the server certificate first, then each issuer' });
  }
  if (wantsStapling(leaf.raw)) {
    const message = `Certificate "${certificate}" demands a stapled OCSP answer ("must-staple"), which nobody gives any more; strict clients will refuse it`;
    remarks.push({
      message,
      remedy: 'order it anew without must-staple: CAs have ended OCSP, and short lives took its place',
    });
  }
  if (certificates.length === 1 && leaf.infoAccess?.includes('CA Issuers') === true) {
    const message = `Certificate file "${certificate}" holds no intermediate certificate; many clients will refuse it`;
    remarks.push({ message, remedy: 'use the full chain (certbot names it "fullchain.pem")' });
  }
  return remarks;
}

/** OpenSSL has the last word: weak keys, weak signatures and curves that a handshake would refuse. */
function checkWithOpenSsl({ certificate }: PairOfFiles, cert: string, key: string): void {
  try {
    createSecureContext({ cert, key, ca: [] });
  } catch (error) {
    const why = (error as Error).message.replace(/^error:[^:]*:[^:]*:[^:]*:/, '');
    throw new Unusable('certificate', `Certificate "${certificate}" is refused by OpenSSL: ${why}`);
  }
}

function mismatch(files: PairOfFiles, all: readonly X509Certificate[]): Unusable {
  const subject = (all[0]?.subject ?? '').replaceAll('\n', ', ') || (all[0]?.subjectAltName ?? '');
  const message = `Key "${files.key}" does not match certificate "${files.certificate}" (${subject})`;
  return new Unusable('key', message, 'name the key that the certificate was requested with');
}

function certificatesOf(pem: string, path: string): X509Certificate[] {
  const all = parseCertificates(pem);
  const bad = all.indexOf(null);
  if (bad !== -1)
    throw new Unusable('certificate', `Certificate ${bad + 1} of ${all.length} in "${path}" does not parse`);
  const good = all.filter((one) => one !== null);
  if (good.length > 0) return good;
  if (pem.includes('PRIVATE KEY-----')) {
    throw new Unusable(
      'certificate',
      `"${path}" holds a private key, not a certificate`,
      'swap "certificate" and "key"',
    );
  }
  if (pem.includes('-----BEGIN '))
    throw new Unusable('certificate', `"${path}" holds PEM blocks, but no whole CERTIFICATE`);
  const remedy = 'convert it: openssl x509 -inform DER -in FILE -out FILE.pem, or openssl pkcs12 -nodes -in FILE';
  throw new Unusable('certificate', `"${path}" is not PEM: it holds no "-----BEGIN CERTIFICATE-----"`, remedy);
}

function privateKeyOf(pem: string, path: string): KeyObject {
  if (/-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED/.test(pem)) {
    throw new Unusable(
      'key',
      `Key "${path}" is encrypted, and nobody is there to type its passphrase`,
      `decrypt it: openssl pkey -in FILE -out FILE.plain, mode 600`,
    );
  }
  try {
    return createPrivateKey(pem);
  } catch {
    if (pem.includes('PRIVATE KEY-----')) throw new Unusable('key', `Key "${path}" does not parse as a private key`);
    const holds = pem.includes('BEGIN CERTIFICATE-----')
      ? 'holds a certificate, not a private key'
      : 'is not a PEM private key';
    throw new Unusable('key', `"${path}" ${holds}`, 'name the file that begins with "-----BEGIN PRIVATE KEY-----"');
  }
}

function readText(path: string, at: 'certificate' | 'key'): string {
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES) throw new Unusable(at, `"${path}" is ${size} bytes, which is no ${at}; at most ${MAX_BYTES}`);
    return readAtMost(path, MAX_BYTES).toString('utf8');
  } catch (error) {
    if (error instanceof Unusable) throw error;
    throw new Unusable(at, ...unreadable(path, error as NodeJS.ErrnoException));
  }
}

/** Message and remedy for a file that cannot be read. */
export function unreadable(path: string, error: NodeJS.ErrnoException): [message: string, remedy: string] {
  if (error.code === 'ENOENT')
    return [`File "${path}" does not exist`, 'check the path; a relative one starts at the folder of the document'];
  if (error.code === 'EISDIR') return [`"${path}" is a folder, not a file`, 'name the file in it'];
  if (error instanceof NamedPipeError)
    return [`File "${path}" cannot be read: it is a named pipe`, 'name a regular file'];
  if (error instanceof FileTooLargeError)
    return [`File "${path}" cannot be read: ${error.message}`, 'name a file that holds nothing but PEM'];
  if (error.code !== 'EACCES' && error.code !== 'EPERM')
    return [`File "${path}" cannot be read: ${error.message}`, 'check the disk'];
  const user = process.getuid?.() ?? 'this user';
  return [
    `File "${path}" may not be read by user id ${user}`,
    'let the user that runs Postern read it, and every folder above it',
  ];
}
