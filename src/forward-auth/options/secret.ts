/** Secrets: given by themselves, or by a file that is read again when it changed. */
import { statSync } from 'node:fs';
import { readAtMost } from '../../core/read-at-most.ts';
import type { Secret } from '../settings.ts';

export function fixedSecret(value: string | Buffer): Secret {
  const bytes = Buffer.from(value);
  return { read: () => bytes };
}

/** How long a file is taken for unchanged: asked for on every request, looked at once a second. */
const LOOK_EVERY_MS = 1000;

export interface SecretFileDependencies {
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * A file's content as it is now. While it cannot be read (it is being replaced, say) what was read last
 * counts. A newline at its end, which editors and `echo` write, is no part of it.
 */
export function fileSecret(file: string, { now }: SecretFileDependencies): Secret {
  let held = readTrimmed(file);
  let stamp = stampOf(file);
  let lookedAt = now();
  return {
    read: () => {
      if (now() - lookedAt < LOOK_EVERY_MS) return held;
      lookedAt = now();
      try {
        const current = stampOf(file);
        if (current === stamp) return held;
        const read = readTrimmed(file);
        if (read.length > 0) held = read;
        stamp = current;
      } catch {
        // Read again a second later.
      }
      return held;
    },
  };
}

function stampOf(file: string): string {
  const { mtimeNs, size, ino } = statSync(file, { bigint: true });
  return `${mtimeNs} ${size} ${ino}`;
}

function readTrimmed(file: string): Buffer {
  const bytes = readAtMost(file);
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end--;
  return bytes.subarray(0, end);
}
