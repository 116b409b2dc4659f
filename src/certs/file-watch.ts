/**
 * Watches files that others replace: written in place, renamed over, or reached by a symlink that is swapped
 * (certbot, Kubernetes). The folders are watched for speed, and the state of each file is compared from
 * time to time, since a link further up, an NFS mount or a full inotify table gives no event.
 */
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { fileState } from './files.ts';

const FOLDERS_MAX = 256;
/** The folder may hold what is written all the time: a log, a database. Its events are looked into so often at most. */
const LOOK_EVERY_MS = 50;

export interface FileWatch {
  readonly close: () => void;
}

export interface FileWatchOptions {
  readonly files: readonly string[];
  /** Called once a change has settled. */
  readonly onChange: () => void;
  readonly pollMs?: number;
  /** A certificate and its key are two files: wait this long for the second. */
  readonly settleMs?: number;
  /** What tells a file from what it was before. */
  readonly stateOf?: (file: string) => string;
}

export function watchFiles(options: FileWatchOptions): FileWatch {
  const { files, onChange, pollMs = 10_000, settleMs = 300, stateOf = fileState } = options;
  const look = (): string => files.map(stateOf).join('|');
  let seen = look();
  let settling: NodeJS.Timeout | null = null;
  const settle = (): void => {
    const before = look();
    if (before === seen) return;
    if (settling !== null) clearTimeout(settling);
    settling = setTimeout(() => {
      settling = null;
      if (look() !== before) return settle();
      seen = before;
      onChange();
    }, settleMs).unref();
  };
  let soon: NodeJS.Timeout | null = null;
  const lookSoon = (): void => {
    soon ??= setTimeout(() => {
      soon = null;
      settle();
    }, LOOK_EVERY_MS).unref();
  };
  const folders = [...new Set(files.map((file) => dirname(file)))].slice(0, FOLDERS_MAX);
  const watchers = folders.map((folder) => watchFolder(folder, lookSoon)).filter((watcher) => watcher !== null);
  const poll = setInterval(settle, pollMs).unref();
  return {
    close: () => {
      clearInterval(poll);
      if (settling !== null) clearTimeout(settling);
      if (soon !== null) clearTimeout(soon);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** Null where the folder cannot be watched: the poll remains. */
function watchFolder(folder: string, onEvent: () => void): FSWatcher | null {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}
