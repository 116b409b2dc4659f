/**
 * Reads an LZ4 frame (lz4_Frame_format 1.6.x) of at most `maxBytes`. Checksums are not looked at: what comes here has a
 * signature. Throws RangeError or SyntaxError for what is none.
 */
const MAGIC = 0x18_4d_22_04;
const HAS_BLOCK_CHECKSUM = 0x10;
const HAS_CONTENT_SIZE = 0x08;
const HAS_DICTIONARY = 0x01;
const STORED = 0x80_00_00_00;
/** Shortest match of the block format. */
const MIN_MATCH = 4;

export function readLz4Frame(frame: Buffer, maxBytes: number): Buffer {
  if (frame.readUInt32LE(0) !== MAGIC) throw new SyntaxError('Cannot read LZ4 frame: it is none');
  const flags = frame.readUInt8(4);
  if (flags >> 6 !== 1 || (flags & HAS_DICTIONARY) !== 0) throw new SyntaxError('Cannot read LZ4 frame: unknown form');
  let at = 7 + ((flags & HAS_CONTENT_SIZE) === 0 ? 0 : 8);
  const out = Buffer.alloc(maxBytes);
  let length = 0;
  for (;;) {
    const header = frame.readUInt32LE(at);
    at += 4;
    if (header === 0) return out.subarray(0, length);
    const size = header & ~STORED;
    const block = frame.subarray(at, at + size);
    if (block.length !== size) throw new RangeError('Cannot read LZ4 frame: it ends in a block');
    length = (header & STORED) === 0 ? readBlock(block, out, length) : store(block, out, length);
    at += size + ((flags & HAS_BLOCK_CHECKSUM) === 0 ? 0 : 4);
  }
}

function store(block: Buffer, out: Buffer, from: number): number {
  if (from + block.length > out.length) throw new RangeError('Cannot read LZ4 frame: it is too large');
  block.copy(out, from);
  return from + block.length;
}

/** Literals and matches in turn, the last a run of literals. Matches may reach back into earlier blocks. */
function readBlock(block: Buffer, out: Buffer, from: number): number {
  let [at, end] = [0, from];
  const readLength = (start: number): number => {
    let length = start;
    let byte = start === 15 ? 255 : 0;
    while (byte === 255) {
      byte = block.readUInt8(at++);
      length += byte;
    }
    return length;
  };
  while (at < block.length) {
    const token = block.readUInt8(at++);
    const literals = readLength(token >> 4);
    if (at + literals > block.length) throw new RangeError('Cannot read LZ4 block: it ends in its literals');
    end = store(block.subarray(at, at + literals), out, end);
    at += literals;
    if (at === block.length) break;
    const distance = block.readUInt16LE(at);
    at += 2;
    const length = readLength(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > end) throw new RangeError('Cannot read LZ4 block: a match lies before its begin');
    if (end + length > out.length) throw new RangeError('Cannot read LZ4 frame: it is too large');
    // Byte by byte: a match may overlap what it makes.
    for (let i = 0; i < length; i++, end++) out[end] = out[end - distance] as number;
  }
  return end;
}
