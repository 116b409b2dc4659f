/**
 * A umask may take the rights to what we make from ourselves, too. Only what is missing is asked for: a file system
 * with modes of its own may refuse any change.
 */
import { chmodSync, statSync } from 'node:fs';

/** For what was just made with that mode. */
export function despiteUmask(path: string, mode: number): void {
  const made = statSync(path).mode & 0o7777;
  // The bits above, such as the group that is inherited, stay.
  if ((made & mode) !== mode) chmodSync(path, (made & 0o7000) | mode);
}
