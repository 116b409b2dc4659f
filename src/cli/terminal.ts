/** Everything that commands print goes through here, so that tests see it and machines can parse it. */
import { writeSync } from 'node:fs';
import { PosternError } from '../core/errors.ts';
import { fileTrouble } from '../core/file-trouble.ts';
import { isOutOfFiles, MORE_OPEN_FILES } from '../core/open-files.ts';
import { printable } from '../policy/explain.ts';
import { endProcess } from './end-process.ts';
import { folderGone, isFolderGone } from './working-folder.ts';

const PAUSE_MS = 5;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

export function print(text: string): void {
  writeAll(1, `${text}\n`);
}

export function printError(text: string): void {
  writeAll(2, `${text}\n`);
}

/** Another program may have made the pipe non-blocking, and whoever reads it may have gone (`| head`). */
function writeAll(fd: 1 | 2, text: string): void {
  let left = Buffer.from(text);
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(fd, left));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') {
        // Of a failure to complain nobody can be told; the exit code stands.
        if (fd === 2) return;
        throw unprintable(error);
      }
      Atomics.wait(PAUSE, 0, 0, PAUSE_MS);
    }
  }
}

/** Whoever asked for it has not got it whole: a disk that is full, most often. */
function unprintable(error: unknown): PosternError {
  const why = fileTrouble(error, { place: 'send the output elsewhere', rights: 'send the output elsewhere' });
  return new PosternError('OPERATION_REFUSED', `Cannot print: ${why}`, {}, error);
}

export function isTerminal(): boolean {
  return process.stdout.isTTY;
}

/** Columns padded to their widest cell; the first row is the head. Cells may come from outside: none moves the cursor. */
export function printTable(cells: readonly (readonly string[])[]): void {
  const rows = cells.map((row) => row.map(printable));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  for (const row of rows)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

export function formatTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}

let hasFailed = false;

/** One clear line, and an exit code that scripts can see. What fails after that, because of it, is not told. */
export function failWith(error: unknown): void {
  if (hasFailed) return;
  hasFailed = true;
  printError(`postern: ${lineOf(isFolderGone(error) ? folderGone(error) : error)}`);
  if (process.env['POSTERN_DEBUG'] === '1' && error instanceof Error) printError(error.stack ?? '');
  endProcess(1);
}

function lineOf(error: unknown): string {
  if (!(error instanceof Error)) return `Cannot go on: ${String(error)}`;
  // Problems of a document stand on lines of their own, each with its code.
  if (error instanceof PosternError)
    return error.message.includes('\n') ? error.message : `${error.message} [${error.code}]`;
  if (isOutOfFiles(error)) return `Cannot go on: no file descriptors are left; ${MORE_OPEN_FILES} [OVERLOADED]`;
  const how = 'POSTERN_DEBUG=1 shows where it happened';
  return `Cannot go on: ${error.message.split('\n')[0] ?? error.name} [INTERNAL]; ${how}`;
}
