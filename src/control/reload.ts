/**
 * A reload: prepare beside, then swap one snapshot in every worker. One at a time; a document with a
 * problem changes nothing. What only a restart can change is said, not silently left out.
 */
import { randomBytes } from 'node:crypto';
import { prepare } from './prepare.ts';
import type { PrepareCertificates, Prepared } from './prepare.ts';
import type { Document } from '../config/document.ts';
import type { Logger } from '../core/log.ts';
import type { DocumentSource } from './document-source.ts';

export interface ReloadAnswer {
  readonly ok: boolean;
  /** The revision that serves now. */
  readonly revision: string;
  /** Problems and warnings as people read them. */
  readonly printed: string;
}

export interface ReloaderOptions {
  readonly source: DocumentSource;
  readonly certificates: PrepareCertificates;
  readonly log: Logger;
  /** Makes the prepared document the one that serves; resolves when every worker has it. */
  readonly goLive: (prepared: Prepared, revision: string) => Promise<void>;
  /** What of the document that is live now only a restart can change, as people read it. */
  readonly needsRestart: (document: Document) => string | null;
  /** For metrics. */
  readonly onDone: (succeeded: boolean) => void;
  /** Postern ends: nothing is read any more. */
  readonly isEnding: () => boolean;
  readonly current: () => { readonly revision: string; readonly document: Document };
}

export type Reload = () => Promise<ReloadAnswer>;

/** Whoever asks while another waits for its turn gets that one's answer: it has not read anything yet. */
export function createReload(options: ReloaderOptions): Reload {
  let last: Promise<unknown> = Promise.resolve();
  let waiting: Promise<ReloadAnswer> | null = null;
  return () => {
    if (waiting !== null) return waiting;
    const run = last.then(() => {
      waiting = null;
      return reloadOnce(options);
    });
    waiting = run;
    void run.then((answer) => options.onDone(answer.ok));
    last = run.catch(() => undefined);
    return run;
  };
}

export function newRevision(): string {
  return randomBytes(4).toString('hex');
}

const ENDING = 'Postern is ending: the document is not read again';

async function reloadOnce(options: ReloaderOptions): Promise<ReloadAnswer> {
  const before = options.current();
  if (options.isEnding()) return { ok: false, revision: before.revision, printed: ENDING };
  const refuse = (printed: string): ReloadAnswer => {
    options.log.error(
      { code: 'CONFIG_INVALID', revision: before.revision },
      `Document not reloaded, the running one stays:\n${printed}`,
    );
    return { ok: false, revision: before.revision, printed };
  };
  const { name, readInTurns } = options.source;
  try {
    const { prepared, printed } = await prepare({ name, read: readInTurns }, options.certificates);
    if (prepared === null) return refuse(printed);
    const revision = newRevision();
    await options.goLive(prepared, revision);
    const restart = options.needsRestart(prepared.document);
    if (restart !== null) options.log.warn({ revision }, restart);
    options.log.info({ revision, hosts: prepared.document.hosts.length }, 'Document reloaded');
    return { ok: true, revision, printed: [printed, restart ?? ''].filter((text) => text !== '').join('\n') };
  } catch (error) {
    if (options.isEnding()) return { ok: false, revision: before.revision, printed: ENDING };
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/** More workers begin at once; one that ends would take along whoever waits in its queue. */
export function workersNote(
  wanted: number,
  { count, most }: { readonly count: number; readonly most: number },
): string | null {
  if (wanted === count) return null;
  const why =
    wanted < count
      ? 'the kernel would reset visitors who wait for the one that ends'
      : `a running Postern takes at most ${most}`;
  return `Restart Postern for "workers" ${wanted}: ${count} go on, since ${why}`;
}
