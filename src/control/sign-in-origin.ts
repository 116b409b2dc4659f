/** Remembers where the sign-in host is, so that `postern user add` can make a link while Postern does not run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'sign-in-origin';

export function rememberSignInOrigin(dataDir: string, origin: string | null): void {
  if (origin !== null && recallSignInOrigin(dataDir) !== origin)
    writeFileSync(join(dataDir, FILE), `${origin}\n`, { mode: 0o600 });
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
