/**
 * Tells of a data folder that does not outlive the process: certificates that are lost at each start are ordered
 * anew, and a CA gives five of one kind in a week. In memory (tmpfs), or in the writable layer of a container.
 */
import { statfsSync } from 'node:fs';

const TMPFS = 0x0102_1994;
const RAMFS = 0x8584_58f6;
const OVERLAYFS = 0x794c_7630;

/** What is wrong with the folder, or null. */
export function ephemeralReason(folder: string, typeOf: (path: string) => number = fileSystemType): string | null {
  try {
    const type = typeOf(folder);
    if (type === TMPFS || type === RAMFS) return 'is in memory';
    return type === OVERLAYFS ? "is inside of a container's own layer" : null;
  } catch {
    return null;
  }
}

function fileSystemType(path: string): number {
  return statfsSync(path).type;
}
