/** Remembers where the sign-in host is, so that `postern user add` can make a link while Postern does not run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDataFile } from '../store/data-folder.ts';

const FILE = 'sign-in-origin';

export function rememberSignInOrigin(dataDir: string, origin: string | null): void {
  if (origin !== null && recallSignInOrigin(dataDir) !== origin) writeDataFile(dataDir, FILE, `${origin}\n`);
}

export function recallSignInOrigin(dataDir: string): string | null {
  try {
    return new URL(readFileSync(join(dataDir, FILE), 'utf8').trim()).origin;
  } catch {
    return null;
  }
}

export function setPasswordUrl(origin: string | null, token: string): string | null {
  return origin === null ? null : `${origin}/.postern/set-password?token=${token}`;
}
