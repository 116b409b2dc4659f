/**
 * Reads a file of which nobody says how long it is: a device goes on for ever, what is gigabytes large was named by
 * mistake, and at a named pipe the whole process would wait for somebody to write.
 */
import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';

/** Documents, env files, and what they name. */
export const MOST_BYTES: number = 32 * 1024 * 1024;
/** Lists of people: some three million addresses. */
export const MOST_LIST_BYTES: number = 64 * 1024 * 1024;

const CHUNK_BYTES = 65_536;

export class FileTooLargeError extends Error {
  readonly code = 'FILE_TOO_LARGE';

  constructor(mostBytes: number) {
    super(`it is longer than ${mostBytes / 1024 / 1024} MiB`);
    this.name = 'FileTooLargeError';
  }
}

export class NamedPipeError extends Error {
  readonly code = 'NAMED_PIPE';

  constructor() {
    super('it is a named pipe, which can be read only once and where nobody may ever write; name a regular file');
    this.name = 'NamedPipeError';
  }
}

/** Not what a shell makes for `<(command)` or `command |`: there somebody writes, and it has no name. */
function isNamedPipe(path: string): boolean {
  if (!statSync(path).isFIFO()) return false;
  try {
    return realpathSync.native(path) !== '';
  } catch {
    return false;
  }
}

/** All of the file, or an error of the file system, or NamedPipeError, or FileTooLargeError after one byte more than `mostBytes`. */
export function readAtMost(path: string, mostBytes: number = MOST_BYTES): Buffer {
  if (isNamedPipe(path)) throw new NamedPipeError();
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size > mostBytes) throw new FileTooLargeError(mostBytes);
    const chunks: Buffer[] = [];
    let total = 0;
    // One byte more than it says: what ends there is read at once. Devices and /proc say 0.
    let room = size === 0 ? CHUNK_BYTES : size + 1;
    while (total <= mostBytes) {
      const chunk = Buffer.allocUnsafe(room);
      const length = readSync(file, chunk);
      if (length === 0) return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
      total += length;
      room = CHUNK_BYTES;
    }
    throw new FileTooLargeError(mostBytes);
  } finally {
    closeSync(file);
  }
}

/** The same as text, for who waits for it. */
export async function readTextAtMost(path: string): Promise<string> {
  return readAtMost(path).toString('utf8');
}
