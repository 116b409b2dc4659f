/**
 * Remembers that the sessions of a data folder are elsewhere, so that `postern sessions` says so while nothing
 * runs, in place of an empty list.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PosternError } from '../core/errors.ts';
import { writeDataFile } from '../store/data-folder.ts';

const FILE = 'sessions-elsewhere';

const PLACES: Readonly<Record<string, string>> = {
  redis: 'they are in Redis; start "postern forward-auth", or ask with the data folder of another replica that runs',
  stateless: 'they are in the cookies of browsers; "postern forward-auth" knows those that it has seen while it runs',
};

/** `kind`: of the store; sessions are in the folder unless it is one of the others. */
export function rememberSessionPlace(dataDir: string, kind: string): void {
  if (kind in PLACES) writeDataFile(dataDir, FILE, `${kind}\n`);
  else rmSync(join(dataDir, FILE), { force: true });
}

/** Throws where the folder's sessions are elsewhere. */
export function refuseElsewhere(dataDir: string): void {
  const place = PLACES[readKind(dataDir)];
  if (place !== undefined) throw new PosternError('OPERATION_REFUSED', `Cannot look at sessions: ${place}`);
}

function readKind(dataDir: string): string {
  try {
    return readFileSync(join(dataDir, FILE), 'utf8').trim();
  } catch {
    return '';
  }
}
