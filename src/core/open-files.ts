/**
 * How many files this process may have open. Where there are too few, whatever opens one next fails: a module,
 * the database, a thread, each with words of its own that name something else.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { PosternError } from './errors.ts';

export const MORE_OPEN_FILES = 'raise LimitNOFILE= of the unit, or "ulimit -n"';

/** Those of Node, of the log, of the data folder and of the modules that load. */
const OF_ANY_COMMAND = 32;
/** A thread has six of its own. */
const OF_A_WORKER = 6;
/** For the first visitors and their apps. */
const SPARE = 8;

export interface Workers {
  readonly count: number;
  /** Each listens at every address. */
  readonly addresses: number;
}

/** What a start takes at least. */
export function openFilesNeeded(workers: Workers | null): number {
  return workers === null ? OF_ANY_COMMAND : OF_ANY_COMMAND + workers.count * (OF_A_WORKER + workers.addresses) + SPARE;
}

/** Before anything is begun that would fail. Where the kernel does not tell the limit, nothing is refused. */
export function assertOpenFiles(workers: Workers | null, limit: number | null = openFilesLimit()): void {
  const needed = openFilesNeeded(workers);
  if (limit === null || limit >= needed) return;
  const many = workers !== null && workers.count > 1;
  const who = workers === null ? 'Postern' : `Postern with ${workers.count} ${many ? 'workers' : 'worker'}`;
  const remedy = many ? `${MORE_OPEN_FILES}, or set fewer "workers:"` : MORE_OPEN_FILES;
  throw new PosternError(
    'OPERATION_REFUSED',
    `Cannot start: ${limit} open files are allowed here, and ${who} needs ${needed} at least; ${remedy}`,
  );
}

/** Before a reload begins more workers or listens at more addresses: what cannot be had would end the process. */
export function assertMoreOpenFiles(before: Workers, next: Workers, has: OpenFiles | null = openFiles()): void {
  const added = openFilesNeeded(next) - openFilesNeeded(before);
  if (has === null || added <= 0) return;
  const { limit, open } = has;
  if (open + added + SPARE <= limit) return;
  const fewer = next.count > before.count ? ', or set fewer "workers:"' : '';
  throw new PosternError(
    'OPERATION_REFUSED',
    `Cannot reload: ${limit} open files are allowed here, ${open} are open, and the document needs ${added} more; ${MORE_OPEN_FILES}${fewer}`,
  );
}

export interface OpenFiles {
  readonly limit: number;
  readonly open: number;
}

export function isOutOfFiles(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'EMFILE' || code === 'ENFILE';
}

/** Null: no Linux, or no limit. */
function openFilesLimit(): number | null {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch (error) {
    return isOutOfFiles(error) ? 0 : null;
  }
}

/** Null as above. */
function openFiles(): OpenFiles | null {
  const limit = openFilesLimit();
  if (limit === null) return null;
  try {
    return { limit, open: readdirSync('/proc/self/fd').length };
  } catch (error) {
    return isOutOfFiles(error) ? { limit, open: limit } : null;
  }
}
