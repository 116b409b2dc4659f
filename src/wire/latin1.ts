/**
 * Bytes to one-character-a-byte strings and back, by the methods of Buffer that skip the encoding
 * look-up of `toString` and `write`. They are public but missing from the type declarations.
 */
interface Latin1Buffer {
  latin1Slice(from: number, to: number): string;
  latin1Write(text: string, at: number): number;
}

export function readLatin1(buffer: Buffer, from: number, to: number): string {
  return (buffer as unknown as Latin1Buffer).latin1Slice(from, to);
}

/** Writes text that holds no character above U+00FF, and answers how many bytes it took. */
export function writeLatin1(buffer: Buffer, text: string, at: number): number {
  return (buffer as unknown as Latin1Buffer).latin1Write(text, at);
}
