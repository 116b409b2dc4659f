/**
 * Pairs of key and certificate in the CA's folder. A file appears whole or not at all, and the key before
 * its certificate: whoever finds a certificate finds the key that belongs to it, also after a crash.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PosternError } from '../core/errors.ts';
import { fileTrouble } from '../core/file-trouble.ts';
import { makeFolder } from '../core/make-folder.ts';
import { writeWhole } from '../core/write-whole.ts';

export interface Pair {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

export type PairAnswer =
  | { readonly kind: 'found'; readonly pair: Pair }
  | { readonly kind: 'absent' }
  | { readonly kind: 'broken'; readonly why: string };

export function readPair(stem: string): PairAnswer {
  const certificatePem = readIfThere(`${stem}.pem`);
  if (certificatePem === null) return { kind: 'absent' };
  const keyPem = readIfThere(`${stem}.key`);
  if (keyPem === null) return { kind: 'broken', why: `"${stem}.key" is missing` };
  try {
    const certificate = new X509Certificate(certificatePem);
    const key = createPrivateKey(keyPem);
    if (!certificate.checkPrivateKey(key))
      return { kind: 'broken', why: `"${stem}.key" belongs to another certificate` };
    return { kind: 'found', pair: { certificatePem, keyPem, certificate, key } };
  } catch (error) {
    return { kind: 'broken', why: `"${stem}.pem" or its key does not parse: ${(error as Error).message}` };
  }
}

/** `isPrecious`: on the disk before this returns. A leaf that a power cut spoils is simply issued again. */
export function writePair(stem: string, certificatePem: string, key: KeyObject, isPrecious: boolean): Pair {
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' });
  try {
    makeFolder(dirname(stem), 0o700);
    writeWhole(`${stem}.key`, keyPem, { mode: 0o600, isPrecious });
    writeWhole(`${stem}.pem`, certificatePem, { mode: 0o644, isPrecious });
  } catch (error) {
    const why = troubleWith(error);
    throw new PosternError('DATA_DIR_UNUSABLE', `Cannot write local certificate "${stem}.pem": ${why}`, {}, error);
  }
  return { certificatePem, keyPem: keyPem.toString(), certificate: new X509Certificate(certificatePem), key };
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    const why = troubleWith(error);
    throw new PosternError('DATA_DIR_UNUSABLE', `Cannot read local certificate "${path}": ${why}`, {}, error);
  }
}

function troubleWith(error: unknown): string {
  return fileTrouble(error, {
    place: 'name another folder with --data',
    rights: 'give this user the file and its folder',
  });
}
