/**
 * Writes lines to a file descriptor from the thread it runs in, in batches, without ever blocking on a
 * slow reader and without growing: what does not fit is dropped and counted. Threads that share a pipe do
 * not tear each other's lines: what goes to a pipe is cut at line ends into writes that POSIX keeps whole.
 */
import { fstatSync, write, writeSync } from 'node:fs';

/** POSIX: writes up to this size to a pipe are atomic (Linux: 4096). */
const PIPE_BUF = 4096;
const RETRY_MS = 10;
const CLOSE_WITHIN_MS = 2000;
const NEWLINE = 0x0a;

export interface LineWriter {
  /** Takes a line with its "\n". False: there was no room, and it is dropped. */
  readonly write: (line: string) => boolean;
  /** Lines lost so far, to a full buffer or a failing write. */
  readonly dropped: () => number;
  /** Writes what is waiting now: for the last lines before the process ends. */
  readonly flushSync: () => void;
  readonly close: () => Promise<void>;
}

export interface LineWriterOptions {
  readonly fd: number;
  readonly flushBytes?: number;
  readonly flushMs?: number;
  readonly maxPendingBytes?: number;
}

export function createLineWriter(options: LineWriterOptions): LineWriter {
  return new BatchedWriter(options);
}

class BatchedWriter implements LineWriter {
  readonly #fd: number;
  readonly #flushBytes: number;
  readonly #flushMs: number;
  readonly #maxPending: number;
  readonly #chunkBytes: number;
  #pending = '';
  /** The batch on its way, and how much of it is written. */
  #batch: Buffer | null = null;
  #offset = 0;
  #timer: NodeJS.Timeout | null = null;
  #dropped = 0;
  #idle: (() => void)[] = [];

  constructor({ fd, flushBytes = 16_384, flushMs = 200, maxPendingBytes = 4 << 20 }: LineWriterOptions) {
    this.#fd = fd;
    this.#flushBytes = flushBytes;
    this.#flushMs = flushMs;
    this.#maxPending = maxPendingBytes;
    this.#chunkBytes = isPipe(fd) ? PIPE_BUF : Number.POSITIVE_INFINITY;
  }

  readonly write = (line: string): boolean => {
    const waiting = this.#pending.length + (this.#batch === null ? 0 : this.#batch.length - this.#offset);
    if (waiting + line.length > this.#maxPending) {
      this.#dropped += 1;
      return false;
    }
    this.#pending += line;
    if (this.#batch !== null) return true;
    if (this.#pending.length >= this.#flushBytes) this.#start();
    else this.#timer ??= setTimeout(this.#start, this.#flushMs).unref();
    return true;
  };

  readonly dropped = (): number => this.#dropped;

  readonly flushSync = (): void => {
    // A write in flight is in the kernel's hands already; only what waits behind it is written here.
    const rest = Buffer.from(this.#pending);
    this.#pending = '';
    let offset = 0;
    for (let tries = 0; offset < rest.length && tries < 100; tries += 1) {
      try {
        offset += writeSync(this.#fd, rest, offset, chunkEnd(rest, offset, this.#chunkBytes) - offset);
        tries = 0;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') break;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
    this.#dropped += countLines(rest, offset);
  };

  readonly close = async (): Promise<void> => {
    this.#start();
    if (this.#batch === null) return;
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(resolve, CLOSE_WITHIN_MS);
      this.#idle.push(() => {
        clearTimeout(deadline);
        resolve();
      });
    });
  };

  readonly #start = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#batch !== null) return;
    if (this.#pending === '') {
      for (const done of this.#idle.splice(0)) done();
      return;
    }
    this.#batch = Buffer.from(this.#pending);
    this.#pending = '';
    this.#offset = 0;
    this.#step();
  };

  readonly #step = (): void => {
    const batch = this.#batch;
    if (batch === null) return;
    const length = chunkEnd(batch, this.#offset, this.#chunkBytes) - this.#offset;
    write(this.#fd, batch, this.#offset, length, null, this.#wrote);
  };

  readonly #wrote = (error: NodeJS.ErrnoException | null, written: number): void => {
    const batch = this.#batch;
    if (batch === null) return;
    if (error?.code === 'EAGAIN') {
      setTimeout(this.#step, RETRY_MS);
      return;
    }
    if (error !== null) this.#dropped += countLines(batch, this.#offset);
    this.#offset = error === null ? this.#offset + written : batch.length;
    if (this.#offset < batch.length) {
      this.#step();
      return;
    }
    this.#batch = null;
    // Written without waiting for the timer: while a slow reader was busy, lines have gathered.
    if (this.#pending.length >= this.#flushBytes || this.#idle.length > 0) this.#start();
    else if (this.#pending !== '') this.#timer ??= setTimeout(this.#start, this.#flushMs).unref();
  };
}

/** Where a write from `start` ends: at the last line end that fits, else (one huge line) at that line's end. */
function chunkEnd(data: Buffer, start: number, most: number): number {
  if (data.length - start <= most) return data.length;
  const fitting = data.lastIndexOf(NEWLINE, start + most - 1);
  if (fitting >= start) return fitting + 1;
  const next = data.indexOf(NEWLINE, start);
  return next === -1 ? data.length : next + 1;
}

function countLines(data: Buffer, from: number): number {
  let count = 0;
  for (let at = data.indexOf(NEWLINE, from); at !== -1; at = data.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

function isPipe(fd: number): boolean {
  try {
    return fstatSync(fd).isFIFO();
  } catch {
    return true;
  }
}
