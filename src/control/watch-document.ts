/**
 * Reloads when the document, its env file or a file that it names changes, where that was asked for.
 * Looks at the files themselves twice a second and watches no folder: so a rename, a write in place, a
 * symbolic link that is swapped anywhere on the way (as Kubernetes does) and a network disk look the same.
 */
import { statSync } from 'node:fs';
import type { DocumentSource } from './document-source.ts';

const LOOK_MS = 500;

export interface DocumentWatcher {
  /** From now on: reloads once what was read at the start has changed and holds still. `isAsked` may change with a reload. */
  readonly start: (isAsked: () => boolean, reload: () => Promise<unknown>) => void;
  readonly close: () => void;
}

/** Make it before the document is read for the first time, so that no change is missed. */
export function watchDocument(source: Pick<DocumentSource, 'files'>, lookMs: number = LOOK_MS): DocumentWatcher {
  let loaded = stateOf(source.files());
  let before = loaded;
  let timer: NodeJS.Timeout | null = null;
  return {
    start(isAsked, reload) {
      // The files that the document names are known now; what was seen of the others counts.
      let isBusy = false;
      loaded = new Map([...stateOf(source.files()), ...loaded]);
      before = loaded;
      timer = setInterval(() => {
        if (isBusy || !isAsked()) return;
        const now = stateOf(source.files());
        // What the last reload named for the first time.
        loaded = new Map([...now, ...loaded]);
        const isStill = isSame(now, before);
        before = now;
        // Half written, or not there for a moment: the next look tells.
        if (!isStill || isSame(now, loaded)) return;
        loaded = now;
        isBusy = true;
        void reload().finally(() => {
          isBusy = false;
        });
      }, lookMs);
      timer.unref();
    },
    close() {
      if (timer !== null) clearInterval(timer);
    },
  };
}

type State = ReadonlyMap<string, string>;

function isSame(a: State, b: State): boolean {
  for (const [file, state] of a) if (b.has(file) && b.get(file) !== state) return false;
  return true;
}

function stateOf(files: readonly string[]): State {
  return new Map(files.map((file) => [file, stateOfFile(file)]));
}

function stateOfFile(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch {
    return 'gone';
  }
}
