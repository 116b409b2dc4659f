/**
 * `postern cert add`: reads the files here, as the user who types, and hands certificates and key to the running
 * Postern, or to the data folder where none runs. Keys are decrypted here, and are not written anywhere in plain.
 */
import { readFileSync, statSync } from 'node:fs';
import { openMaterial, UnusableMaterial, type MaterialFile } from '../certs/upload/open-material.ts';
import { isPkcs12 } from '../certs/upload/pkcs12.ts';
import { PosternError } from '../core/errors.ts';
import { askPassword } from './ask-password.ts';
import { runOperation } from './operation.ts';
import { formatTime, print, printError } from './terminal.ts';

export interface CertAddOptions {
  readonly cert: string;
  readonly key?: string;
  readonly passwordFile?: string;
  readonly incompleteChain?: true;
  readonly json?: true;
  readonly data: string;
}

const MAX_BYTES = 1 << 19;
const OTHERS_MAY_READ = 0o004;

export async function addCertificate(options: CertAddOptions): Promise<void> {
  const { certificates, keys } = await readMaterial(options).catch((error: unknown) => {
    if (!(error instanceof UnusableMaterial)) throw error;
    throw new PosternError('TLS_BAD_CERTIFICATE', `Cannot add the certificate: ${error.message}; ${error.remedy}`);
  });
  const answer = await runOperation(options.data, 'cert.add', {
    certificates: certificates.map((one) => one.toString()),
    keys,
    mayBeIncomplete: options.incompleteChain === true,
  });
  if (options.json === true) {
    print(JSON.stringify(answer, null, 2));
    return;
  }
  const { names, serial, notAfter, isKnown, replaced, servedFor, remarks } = answer;
  print(
    `${isKnown ? 'Known already' : 'Added'}: ${names.join(', ')} (serial ${serial}), good until ${formatTime(notAfter)} UTC`,
  );
  if (replaced.length > 0) print(`It takes the place of ${replaced.map((one) => `serial ${one}`).join(', ')}`);
  if (servedFor === null) print('No Postern runs with this data folder: it is in use from the next start on');
  else if (servedFor.length > 0) print(`In use for: ${servedFor.join(', ')}`);
  for (const remark of remarks) print(`Note: ${remark}`);
}

async function readMaterial(options: CertAddOptions): ReturnType<typeof openMaterial> {
  const certificate = readFile(options.cert);
  const key = options.key === undefined ? null : readFile(options.key);
  for (const file of key === null ? [certificate] : [certificate, key]) warnWhereOthersRead(file);
  return openMaterial({ certificate, key, password: passwordSource(options.passwordFile) });
}

function passwordSource(file: string | undefined): ((path: string) => Promise<string>) | null {
  if (file !== undefined)
    return async () =>
      readFile(file)
        .bytes.toString('utf8')
        .replace(/\r?\n$/, '');
  return process.stdin.isTTY ? (path) => askPassword(`Password of "${path}": `) : null;
}

function readFile(path: string): MaterialFile {
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES) throw new UnusableMaterial(`"${path}" is ${size} bytes`, `at most ${MAX_BYTES} are read`);
    return { path, bytes: readFileSync(path) };
  } catch (error) {
    if (error instanceof UnusableMaterial) throw error;
    throw new UnusableMaterial(...whyUnreadable(path, error as NodeJS.ErrnoException));
  }
}

function whyUnreadable(path: string, { code, message }: NodeJS.ErrnoException): [string, string] {
  if (code === 'ENOENT') return [`"${path}" does not exist`, 'check the path'];
  if (code === 'EISDIR') return [`"${path}" is a folder`, 'name the file in it'];
  if (code === 'EACCES' || code === 'EPERM') return [`"${path}" may not be read by this user`, 'run this as its owner'];
  return [`"${path}" cannot be read: ${message}`, 'check the disk'];
}

function warnWhereOthersRead({ path, bytes }: MaterialFile): void {
  const isSecret = bytes.includes('PRIVATE KEY-----') || isPkcs12(bytes);
  if (isSecret && (statSync(path).mode & OTHERS_MAY_READ) !== 0)
    printError(`warning: Key "${path}" may be read by other users of this machine; chmod 600 it, or remove it now`);
}
