/**
 * Writes a small file whole or not at all: beside its place first, then renamed. Whoever reads it meanwhile, and
 * whatever a full disk or a crash leaves, is the old file or the new one.
 */
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';

export interface WholeFile {
  /** Exactly, whatever the umask is. */
  readonly mode: number;
  /** False: it may be gone after a power cut, where it is easily made again. */
  readonly isPrecious?: boolean;
}

export function writeWhole(path: string, text: string | Buffer, { mode, isPrecious = true }: WholeFile): void {
  const draft = `${path}.${process.pid}.new`;
  rmSync(draft, { force: true });
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeFileSync(file, text);
    fchmodSync(file, mode);
    if (isPrecious) fsyncSync(file);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
