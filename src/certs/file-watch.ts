/**
 * Watches files that others replace: written in place, renamed over, or reached by a symlink that is swapped
 * (certbot, Kubernetes). The folders are watched for speed, and the state of each file is compared from
 * time to time, since a link further up, an NFS mount or a full inotify table gives no event.
 */
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { fileState } from './files.ts';

const FOLDERS_MAX = 256;

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
}

export function watchFiles({ files, onChange, pollMs = 10_000, settleMs = 300 }: FileWatchOptions): FileWatch {
  let seen = stateOf(files);
  let settling: NodeJS.Timeout | null = null;
  const settle = (): void => {
    const before = stateOf(files);
    if (before === seen) return;
    if (settling !== null) clearTimeout(settling);
    settling = setTimeout(() => {
      settling = null;
      if (stateOf(files) !== before) return settle();
      seen = before;
      onChange();
    }, settleMs).unref();
  };
  const folders = [...new Set(files.map((file) => dirname(file)))].slice(0, FOLDERS_MAX);
  const watchers = folders.map((folder) => watchFolder(folder, settle)).filter((watcher) => watcher !== null);
  const poll = setInterval(settle, pollMs).unref();
  return {
    close: () => {
      clearInterval(poll);
      if (settling !== null) clearTimeout(settling);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function stateOf(files: readonly string[]): string {
  return files.map(fileState).join('|');
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
