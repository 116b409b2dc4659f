/**
 * A log file that is set aside when it is full (`logging-filename` and `logging-max-*`): renamed with the time
 * in its name, as the original does; the eldest of those are removed. Lines that cannot be written are lost.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { PosternError } from '../../core/errors.ts';
import { despiteUmask } from '../../core/despite-umask.ts';
import { fileTrouble } from '../../core/file-trouble.ts';
import { createLineWriter } from '../../core/line-writer.ts';
import type { LineSink } from '../../core/log.ts';
import type { LineWriter } from '../../core/line-writer.ts';

export interface RotatingFileSettings {
  readonly path: string;
  readonly maxMegabytes: number;
  /** 0: for ever. */
  readonly maxDays: number;
  /** 0: all. */
  readonly backups: number;
}

export interface RotatingFile extends LineSink {
  readonly flushSync: () => void;
  readonly close: () => Promise<void>;
}

const MEGABYTE = 1 << 20;
const DAY_MS = 86_400_000;
const FLUSH_MS = 50;

interface Current {
  readonly fd: number;
  readonly writer: LineWriter;
  bytes: number;
}

/** Throws CONFIG_UNREADABLE where it cannot be written at the start. */
export function openRotatingFile(settings: RotatingFileSettings): RotatingFile {
  const most = settings.maxMegabytes * MEGABYTE;
  let current = open(settings.path);
  const rotate = (): void => {
    const before = current;
    try {
      renameSync(settings.path, asideName(settings.path, new Date()));
      current = open(settings.path);
    } catch {
      // The old one is still there to be written to.
      current.bytes = 0;
      return;
    }
    void before.writer.close().then(() => closeSync(before.fd));
    removeEldest(settings, Date.now());
  };
  return {
    write(line) {
      if (most > 0 && current.bytes + line.length > most && current.bytes > 0) rotate();
      current.bytes += line.length;
      return current.writer.write(line);
    },
    flushSync: () => current.writer.flushSync(),
    async close() {
      await current.writer.close();
      closeSync(current.fd);
    },
  };
}

function open(path: string): Current {
  try {
    const isNew = !existsSync(path);
    const fd = openSync(path, 'a', 0o600);
    if (isNew) despiteUmask(path, 0o600);
    return { fd, writer: createLineWriter({ fd, flushMs: FLUSH_MS }), bytes: fstatSync(fd).size };
  } catch (error) {
    const why = fileTrouble(error, {
      place: 'name another one with logging_filename',
      rights: 'give this user the file and its folder',
    });
    const message = `Cannot write the log file "${path}": ${why}`;
    throw new PosternError('CONFIG_UNREADABLE', message, { path }, error);
  }
}

/** name-2026-11-26T14-05-09.123.log */
function asideName(path: string, at: Date): string {
  const end = extname(path);
  const stamp = at.toISOString().replaceAll(':', '-').replace('Z', '');
  return join(dirname(path), `${basename(path, end)}-${stamp}${end}`);
}

function removeEldest({ path, maxDays, backups }: RotatingFileSettings, now: number): void {
  const end = extname(path);
  const stem = `${basename(path, end)}-`;
  const aside = readdirSync(dirname(path))
    .filter((name) => name.startsWith(stem) && name.endsWith(end) && /\d{4}-\d\d-\d\dT/.test(name))
    .toSorted()
    .toReversed();
  for (const [at, name] of aside.entries()) {
    const file = join(dirname(path), name);
    const isOld = maxDays > 0 && now - statSync(file).mtimeMs > maxDays * DAY_MS;
    if (isOld || (backups > 0 && at >= backups)) rmSync(file, { force: true });
  }
}
