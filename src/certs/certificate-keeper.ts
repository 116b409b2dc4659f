/**
 * The control thread's keeper of certificates: prepares a set for a document, watches the files of the set
 * in use, renews local certificates, and hands out a new set when something changed. A bad
 * replacement of a good file changes nothing but the log: the old certificate stays in use.
 */
import { createHash } from 'node:crypto';
import { createCertificateReader, type ReadCertificate } from './files.ts';
import { readClientAuth, type CheckedClientAuth, type ClientAuthSettings } from './client-auth.ts';
import { watchFiles, type FileWatch } from './file-watch.ts';
import { createLocalCa, type LocalCa } from './local-ca.ts';
import { bareHost, nearestHost } from './names.ts';
import { localEntry, provisionCertificates, type Provisioned, type Sources, type TlsDocument } from './provision.ts';
import { growSet, type CertificateEntry, type CertificateSet, type LateCertificate } from './certificate-set.ts';
import type { Clock } from '../core/clock.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { Logger } from '../core/log.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const REVIEW_MS = 6 * HOUR;
const REPEAT_MS = 24 * HOUR;

export interface CertificateKeeper {
  readonly localCa: LocalCa;
  /** The set in use; null before the first. */
  readonly current: () => CertificateSet | null;
  /** The set for a document, beside the one in use; its errors are for whoever loads the document. */
  readonly prepare: (document: TlsDocument) => Promise<Provisioned>;
  /** Puts a prepared set in use: its files are watched from now on. */
  readonly adopt: (provisioned: Provisioned) => void;
  /**
   * The local certificate of a host that gets one at its first visit, part of the set in use from then on; null where
   * the name is of no such host, or it cannot be had. `set`: another one, which workers have and nobody adopted yet.
   */
  readonly certificateOnVisit: (name: string, set?: CertificateSet) => LateCertificate | null;
  /** Looks at files and local certificates now; calls onChange where the set has changed. */
  readonly review: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface CertificateKeeperOptions {
  /** DATA/ca. */
  readonly caDirectory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onChange: (set: CertificateSet) => void;
  /** What CAs have issued for a name. */
  readonly issued?: NonNullable<Sources['issued']>;
  /** Names that visitors ask for, of hosts on demand. */
  readonly demanded?: () => readonly string[];
  /** What operators uploaded, newest first. */
  readonly uploaded?: () => readonly CertificateEntry[];
  /** What CAs are to issue for the document in use; told again whenever that may have changed. */
  readonly onWanted?: (provisioned: Provisioned) => void;
  readonly pollMs?: number;
  readonly settleMs?: number;
}

export function createCertificateKeeper(options: CertificateKeeperOptions): CertificateKeeper {
  return new Keeper(options);
}

class Keeper implements CertificateKeeper {
  readonly localCa: LocalCa;
  readonly #options: CertificateKeeperOptions;
  readonly #read: ReadCertificate = createCertificateReader();
  readonly #goodPairs = new Map<string, CertificateEntry>();
  readonly #goodPolicies = new Map<string, CheckedClientAuth>();
  readonly #timer: NodeJS.Timeout;
  /** Problems that were logged, and when, so that a lasting one is told once a day. */
  readonly #told = new Map<string, number>();
  #inUse: Provisioned | null = null;
  #watch: FileWatch | null = null;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;
  #visitFailedAt = Number.NEGATIVE_INFINITY;

  constructor(options: CertificateKeeperOptions) {
    const { caDirectory: directory, clock, logger } = options;
    this.#options = options;
    this.localCa = createLocalCa({ directory, clock, onNotice: (message) => logger.info({}, message) });
    this.#timer = setInterval(() => void this.review(), REVIEW_MS).unref();
  }

  readonly current = (): CertificateSet | null => this.#inUse?.set ?? null;

  readonly prepare = async (document: TlsDocument): Promise<Provisioned> => {
    const { clock } = this.#options;
    return provisionCertificates(document, {
      readCertificate: this.#read,
      readClientAuth,
      localCa: this.localCa,
      now: clock.now(),
      ...this.#sources(),
    });
  };

  readonly adopt = (provisioned: Provisioned): void => {
    if (this.#isClosed) return;
    this.#inUse = provisioned;
    this.#goodPairs.clear();
    this.#goodPolicies.clear();
    this.#remember(provisioned);
    this.#options.onWanted?.(provisioned);
    // Whoever adopts has shown these already.
    for (const { message } of provisioned.diagnostics) this.#told.set(message, this.#options.clock.now());
    this.#watch?.close();
    const { files } = provisioned;
    const { pollMs, settleMs } = this.#options;
    const timings = { ...(pollMs === undefined ? {} : { pollMs }), ...(settleMs === undefined ? {} : { settleMs }) };
    void this.#removeEnded();
    this.#watch = files.length === 0 ? null : watchFiles({ files, onChange: () => void this.review(), ...timings });
  };

  readonly certificateOnVisit = (name: string, set = this.#inUse?.set): LateCertificate | null => {
    if (set === undefined || this.#isClosed) return null;
    const host = nearestHost(bareHost(name), set.hosts);
    if (host === null || !set.onVisit.has(host)) return null;
    const { clock, logger } = this.#options;
    try {
      const late = { host, entry: localEntry(this.localCa, host) };
      growSet(set, late);
      return late;
    } catch (error) {
      // Whoever comes again may have it tried again, but not told again.
      if (clock.now() - this.#visitFailedAt > MINUTE) {
        this.#visitFailedAt = clock.now();
        logger.error({ code: 'TLS_BAD_CERTIFICATE', err: error, name }, 'Cannot issue a local certificate');
      }
      return null;
    }
  };

  readonly #removeEnded = async (): Promise<void> => {
    try {
      await this.localCa.removeEnded();
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'Cannot remove local certificates that have ended');
    }
  };

  readonly review = async (): Promise<void> => {
    this.#running = this.#running.then(this.#reviewOnce);
    return this.#running;
  };

  readonly close = async (): Promise<void> => {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#watch?.close();
    await this.#running;
  };

  readonly #reviewOnce = async (): Promise<void> => {
    const before = this.#inUse;
    const { logger, onChange, clock } = this.#options;
    if (before === null || this.#isClosed) return;
    void this.#removeEnded();
    try {
      const sources = {
        readCertificate: this.#readOrKeep,
        readClientAuth: this.#readClientAuthOrKeep,
        localCa: this.localCa,
        now: clock.now(),
        keep: (host: string) => entriesOf(before.set, host),
        ...this.#sources(),
      };
      const next = await provisionCertificates(before.document, sources);
      // A reload that finished meanwhile has newer answers.
      if (this.#inUse !== before) return;
      this.#tell(next.diagnostics);
      this.#inUse = next;
      this.#options.onWanted?.(next);
      if (fingerprintOf(next.set) === fingerprintOf(before.set)) return;
      logger.info(
        { certificates: next.set.certificates.length },
        'Certificates changed: new connections get the new ones',
      );
      onChange(next.set);
    } catch (error) {
      logger.error({ err: error }, 'Cannot review certificates: those in use stay');
    }
  };

  #sources(): Pick<Sources, 'issued' | 'uploaded' | 'demanded'> {
    const { issued, uploaded, demanded } = this.#options;
    return {
      ...(demanded !== undefined && { demanded: demanded() }),
      ...(issued !== undefined && { issued }),
      ...(uploaded !== undefined && { uploaded: uploaded() }),
    };
  }

  /** Every good answer of the set in use is kept for the day when its file goes bad. */
  #remember({ document }: Provisioned): void {
    const now = this.#options.clock.now();
    const hosts = [...document.hosts, ...(document.fallback === null ? [] : [document.fallback])];
    const pairs = hosts.flatMap(({ tls }) => (tls.kind === 'files' ? [tls.files] : []));
    for (const files of [...document.tls.certificates, ...pairs]) this.#readOrKeep(files, now);
    for (const { clientAuth } of hosts) if (clientAuth !== null) this.#readClientAuthOrKeep(clientAuth);
  }

  readonly #readOrKeep: ReadCertificate = (files, now) => {
    const id = `${files.certificate}\0${files.key}`;
    const answer = this.#read(files, now);
    if (answer.entry !== null) this.#goodPairs.set(id, answer.entry);
    return { entry: this.#goodPairs.get(id) ?? null, diagnostics: answer.diagnostics };
  };

  readonly #readClientAuthOrKeep = (settings: ClientAuthSettings): CheckedClientAuth => {
    const id = `${settings.mode}\0${settings.caFile}`;
    const answer = readClientAuth(settings);
    if (answer.problem === null) this.#goodPolicies.set(id, answer);
    return { policy: this.#goodPolicies.get(id)?.policy ?? answer.policy, problem: answer.problem };
  };

  #tell(diagnostics: readonly Diagnostic[]): void {
    const now = this.#options.clock.now();
    const current = new Set(diagnostics.map((one) => one.message));
    for (const message of this.#told.keys()) if (!current.has(message)) this.#told.delete(message);
    for (const { severity, code, path, message, remedy } of diagnostics) {
      if (now - (this.#told.get(message) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) continue;
      this.#told.set(message, now);
      const facts = { ...(code === undefined ? {} : { code }), at: path.join('.'), remedy };
      if (severity === 'error') this.#options.logger.error(facts, `${message}; the certificate in use stays`);
      else this.#options.logger.warn(facts, message);
    }
  }
}

function entriesOf({ hosts, certificates }: CertificateSet, host: string): CertificateEntry[] {
  const ids = hosts.get(host) ?? [];
  if (ids.length === 0) return [];
  // What an operator has removed is gone; what is there still is found without this.
  return certificates.filter((entry) => ids.includes(entry.id) && entry.source !== 'uploaded');
}

function fingerprintOf(set: CertificateSet): string {
  const ids = set.certificates.map((entry) => entry.id).sort();
  const parts = [
    set.minVersion,
    ids,
    [...set.hosts],
    [...set.demanded],
    [...set.others],
    set.withoutName,
    set.clientAuth.policies,
  ];
  const more = [[...set.clientAuth.hosts], set.clientAuth.others, set.clientAuth.withoutName];
  return createHash('sha256')
    .update(JSON.stringify([parts, more]))
    .digest('hex');
}
