/** What of the apps that a document names looks wrong on this machine; none of it stops anything. */
import { statSync } from 'node:fs';
import type { Document } from '../config/document.ts';
import { actionsOf, findExposedUpstreams } from './upstream-exposure.ts';

export function upstreamWarnings(document: Document): readonly string[] {
  const exposed = findExposedUpstreams(document).map(
    ({ server, port }) =>
      `App at "${server}" listens on all addresses: others can reach port ${port} around Postern; bind it to 127.0.0.1`,
  );
  return [...exposed, ...folderWarnings(document)];
}

/** Folders of `files:` that have nothing to give: every path of theirs is a 404. */
function folderWarnings(document: Document): readonly string[] {
  const roots = new Set(actionsOf(document).flatMap((action) => (action.kind === 'files' ? [action.root] : [])));
  return [...roots].flatMap((root) => {
    const problem = folderProblem(root);
    return problem === null ? [] : [`Folder "${root}" of "files:" ${problem}: all of it is 404`];
  });
}

function folderProblem(root: string): string | null {
  try {
    return statSync(root).isDirectory() ? null : 'is no folder';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read';
  }
}
