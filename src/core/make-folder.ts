/**
 * Makes a folder with the parents that are missing. Not mkdir's own `recursive`: that asks for ever where a
 * file system answers ENOENT for a folder whose parent is there, as /proc does.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { despiteUmask } from './despite-umask.ts';

/**
 * The path is absolute. What is made has the mode whatever the umask is, which may take the right to enter it from
 * ourselves. A folder that is there keeps its mode; a file that is there is an error.
 */
export function makeFolder(path: string, mode: number): void {
  if (isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent, mode);
  try {
    mkdirSync(path, { mode });
    despiteUmask(path, mode);
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (!isFolder(path)) throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    // Only what is not there can be made; all else is better said by this error than by mkdir's.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
