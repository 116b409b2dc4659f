/** Reloads when the document or its env file changes, where that was asked for. Editors replace files, so folders are watched. */
import { statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { ReloadAnswer } from './reload.ts';
import type { DocumentSource } from './document-source.ts';

const SETTLE_MS = 150;

export function watchDocument(
  source: DocumentSource,
  gateway: { readonly reload: () => Promise<ReloadAnswer> },
): { close: () => void } {
  let seen = stateOf(source);
  let timer: NodeJS.Timeout | null = null;
  const look = (): void => {
    const state = stateOf(source);
    if (state === seen) return;
    seen = state;
    void gateway.reload();
  };
  const folders = new Set(source.files.map((file) => dirname(file)));
  const watchers = [...folders].map((folder) =>
    watch(folder, () => {
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(look, SETTLE_MS);
    }),
  );
  return {
    close() {
      if (timer !== null) clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function stateOf(source: DocumentSource): string {
  return source.files
    .map((file) => {
      try {
        const { ino, size, mtimeMs } = statSync(file);
        return `${ino}:${size}:${mtimeMs}`;
      } catch {
        return 'gone';
      }
    })
    .join(' ');
}
