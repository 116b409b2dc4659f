/**
 * The lines of a log file, plain or packed by gzip or zstd, as rotated ones are: what a file is, its first
 * bytes say. A packed one that ends in its middle (a rotation that is still packing, a copy that broke off)
 * gives what is whole before that; one whose check sum is wrong gives an error, since nothing of it counts.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** Of what a small piece is packed from, there may be thousands of times more. */
const PIECE_BYTES = 8_192;

export interface LogLines {
  readonly lines: AsyncIterable<string>;
  /** Known when all lines have been read. */
  readonly isCut: () => boolean;
}

/** "-" is standard input. */
export function openLog(file: string): LogLines {
  let isCut = false;
  const input = file === '-' ? process.stdin : createReadStream(file);
  const plain = plainBytes(input, () => (isCut = true));
  return { lines: readLines(Readable.from(plain)), isCut: () => isCut };
}

/** Opened when somebody reads, so that nothing fails before. */
async function* readLines(input: Readable): AsyncIterableIterator<string> {
  yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
}

async function* plainBytes(input: AsyncIterable<Buffer>, onCut: () => void): AsyncIterableIterator<Buffer> {
  let unpack: Unpack | null | undefined;
  for await (const chunk of input) {
    if (unpack === undefined) unpack = unpackerOf(chunk);
    if (unpack === null) yield chunk;
    else for (let at = 0; at < chunk.length; at += PIECE_BYTES) yield* unpack(chunk.subarray(at, at + PIECE_BYTES));
  }
  if (!unpack) return;
  try {
    yield* unpack(null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'Z_BUF_ERROR') throw error;
    onCut();
  }
}

/** `null` is the end. */
type Unpack = (packed: Buffer | null) => AsyncIterableIterator<Buffer>;

function unpackerOf(start: Buffer): Unpack | null {
  if (start.length > 1 && start.readUInt16BE(0) === 0x1f8b) return unpackBy(createGunzip());
  return start.length > 3 && start.readUInt32BE(0) === 0x28b52ffd ? unpackBy(createZstdDecompress()) : null;
}

/** Piece by piece, and not as a stream: one that fails throws away what it holds and nobody has read yet. */
function unpackBy(transform: Transform): Unpack {
  let out: Buffer[] = [];
  let fault: Error | null = null;
  transform.on('data', (bytes: Buffer) => out.push(bytes));
  transform.on('error', (error) => (fault = error));
  const closed = new Promise<void>((resolve) => transform.once('close', resolve));
  return async function* unpack(packed) {
    if (packed === null) transform.end();
    const taken = packed !== null && new Promise<void>((resolve) => transform.write(packed, () => resolve()));
    // After a failure nobody is told that a piece was taken.
    await (taken ? Promise.race([taken, closed]) : closed);
    const ready = out;
    out = [];
    yield* ready;
    if (fault !== null) throw fault;
  };
}
