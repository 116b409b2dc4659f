/**
 * Writes certificates with their keys to files for other programs (`tls.deploy_to`): whole or not at all, of mode 600
 * or 640, and only where something has changed; then runs a command. What goes wrong is told and tried again; it never
 * touches the certificate itself.
 */
import { readFileSync, statSync } from 'node:fs';
import { coversName } from './names.ts';
import { runProcess, type ProcessRun, type ProcessEnd } from './process.ts';
import type { CertificateEntry, CertificateSet } from './certificate-set.ts';
import type { Logger } from '../core/log.ts';
import { writeWhole } from '../core/write-whole.ts';

export interface DeployTarget {
  /** Host whose certificate it is. */
  readonly name: string;
  readonly certificate: string;
  /** Null: in the same file, behind the chain. */
  readonly key: string | null;
  /** Null: the ECDSA one where there are two. */
  readonly keyType: 'ecdsa' | 'rsa' | null;
  readonly mode: number;
  /** Argument vector; empty: nothing is run. */
  readonly run: readonly string[];
  readonly timeoutMs: number;
}

export interface DeployerOptions {
  readonly logger: Logger;
  readonly run?: (run: ProcessRun, signal: AbortSignal) => Promise<ProcessEnd>;
}

export class Deployer {
  readonly #options: DeployerOptions;
  readonly #ended = new AbortController();
  /** Files are written, but their command has failed: it is run again the next time. */
  readonly #unfinished = new Set<string>();
  #running: Promise<void> = Promise.resolve();

  constructor(options: DeployerOptions) {
    this.#options = options;
  }

  /** Brings the files up to what is served; resolves when that is done. */
  deploy(set: CertificateSet, targets: readonly DeployTarget[]): Promise<void> {
    this.#running = this.#running.then(async () => {
      for (const target of targets) {
        await this.#deployOne(set, target).catch((error: unknown) => {
          this.#options.logger.error(
            { code: 'DEPLOY_FAILED', name: target.name, err: error },
            'Cannot deploy a certificate',
          );
        });
      }
    });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#ended.abort(new Error('Postern ends'));
    await this.#running;
  }

  async #deployOne(set: CertificateSet, target: DeployTarget): Promise<void> {
    const { logger } = this.#options;
    const entry = entryFor(set, target);
    if (entry === null || this.#ended.signal.aborted) return;
    const id = JSON.stringify(target);
    try {
      if (writeFiles(target, entry)) {
        this.#unfinished.add(id);
        logger.info({ name: target.name, file: target.certificate }, 'Certificate written for another program');
      }
    } catch (error) {
      const facts = { code: 'DEPLOY_FAILED', name: target.name, err: error };
      logger.error(
        facts,
        `Cannot write the certificate of "${target.name}" to "${target.certificate}": ${reasonOf(error)}`,
      );
      return;
    }
    if (this.#unfinished.has(id) && (target.run.length === 0 || (await this.#run(target)))) this.#unfinished.delete(id);
  }

  async #run({ name, certificate, key, run: argv, timeoutMs }: DeployTarget): Promise<boolean> {
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      POSTERN_NAME: name,
      POSTERN_CERTIFICATE: certificate,
      POSTERN_KEY: key ?? certificate,
    };
    const end = await (this.#options.run ?? runProcess)({ argv, env, timeoutMs }, this.#ended.signal);
    if (end.kind === 'ended' && end.code === 0) return true;
    if (this.#ended.signal.aborted) return false;
    this.#options.logger.error(
      { code: 'DEPLOY_FAILED', name, output: end.output },
      `The command "${argv[0] ?? ''}" after the certificate of "${name}" was written ${whyFailed(end, timeoutMs)}; it is run again with the next change or reload`,
    );
    return false;
  }
}

function whyFailed(end: ProcessEnd, timeoutMs: number): string {
  if (end.kind === 'failed') return `cannot be run: ${end.reason}`;
  if (end.kind === 'timeout') return `was ended after ${timeoutMs / 1000} s`;
  return `ended with ${end.code ?? 'a signal'}`;
}

/** Null where there is none, or none of that kind: what stands in the files stays. */
function entryFor(set: CertificateSet, { name, keyType }: DeployTarget): CertificateEntry | null {
  const ids = set.hosts.get(name) ?? set.others.get(name) ?? [];
  const own = ids.flatMap((id) => set.certificates.find((entry) => entry.id === id) ?? []);
  const all = own.length > 0 ? own : set.certificates.filter((entry) => coversName(entry.names, name));
  const ecdsa = all.find((entry) => entry.keyType === 'ec');
  if (keyType === 'ecdsa') return ecdsa ?? null;
  if (keyType === 'rsa') return all.find((entry) => entry.keyType === 'rsa') ?? null;
  return ecdsa ?? all[0] ?? null;
}

/** The key first: a program that looks in between finds the old certificate with a new key, and waits for its command. */
function writeFiles({ certificate, key, mode }: DeployTarget, entry: CertificateEntry): boolean {
  const chain = key === null ? entry.certificatePem + entry.keyPem : entry.certificatePem;
  const isKeyNew = key !== null && writeChanged(key, entry.keyPem, mode);
  return writeChanged(certificate, chain, mode) || isKeyNew;
}

/** True where it was not so already. */
function writeChanged(path: string, text: string, mode: number): boolean {
  if (isAsWanted(path, text, mode)) return false;
  writeWhole(path, text, { mode });
  return true;
}

function isAsWanted(path: string, text: string, mode: number): boolean {
  try {
    return (statSync(path).mode & 0o777) === mode && readFileSync(path, 'utf8') === text;
  } catch {
    return false;
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'its folder does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'the user that runs Postern may not write there';
  if (code === 'EROFS') return 'the file system is read-only, or the systemd unit does not list it in ReadWritePaths';
  return message;
}
