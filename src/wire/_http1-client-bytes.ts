/** What the client side of HTTP/1.1 does with raw bytes. */

const CR = 13;
const LF = 10;

export function copyOf(buffer: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  buffer.copy(copy, 0, from, to);
  return copy;
}

export function hasBareLf(buffer: Buffer, from: number, to: number): boolean {
  for (let at = buffer.indexOf(LF, from); at !== -1 && at < to; at = buffer.indexOf(LF, at + 1)) {
    if (at === from || buffer[at - 1] !== CR) return true;
  }
  return false;
}
