/**
 * The folder that a command was started in may be gone: a release that was replaced, a shell that stands in
 * what somebody removed. Neither a relative path nor a thread works there.
 */
import { readlinkSync } from 'node:fs';
import { PosternError } from '../core/errors.ts';

/** Before anything else is begun: workers would fail one after the other, each without a reason. */
export function assertWorkingFolder(): void {
  try {
    process.cwd();
  } catch (error) {
    throw isFolderGone(error) ? folderGone(error) : error;
  }
}

export function isFolderGone(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'uv_cwd';
}

export function folderGone(cause: unknown): PosternError {
  const name = nameOfGone();
  const folder = name === null ? 'folder' : `folder "${name}"`;
  const remedy = 'start it in one that is there ("cd /" first; WorkingDirectory= of a unit)';
  return new PosternError(
    'OPERATION_REFUSED',
    `Cannot go on: the ${folder} that Postern was started in was removed; ${remedy}`,
    {},
    cause,
  );
}

/** Linux knows what it was. */
function nameOfGone(): string | null {
  try {
    return readlinkSync('/proc/self/cwd').replace(/ \(deleted\)$/, '');
  } catch {
    return null;
  }
}
