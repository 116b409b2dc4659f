/**
 * Reads a text file that has to be UTF-8. Bytes that are not would otherwise become U+FFFD without a word,
 * so that a name or a password of a document is another one than its author wrote.
 */
import { isUtf8 } from 'node:buffer';
import { readAtMost } from './read-at-most.ts';

/** Names the byte and its place; the remedy is the same for all. */
export class NotUtf8Error extends Error {
  readonly code = 'NOT_UTF8';
  readonly line: number;
  readonly column: number;
  /** Without the place. */
  readonly reason: string;

  constructor(line: number, column: number, what: string) {
    const reason = `${what}; save the file as UTF-8`;
    super(`line ${line}, column ${column}: ${reason}`);
    this.reason = reason;
    this.name = 'NotUtf8Error';
    this.line = line;
    this.column = column;
  }
}

/** The text, or an error of the file system, or FileTooLargeError, or NotUtf8Error. */
export function readUtf8File(path: string): string {
  const bytes = readAtMost(path);
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw notUtf8(bytes);
}

function notUtf8(bytes: Buffer): NotUtf8Error {
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  if (mark === 0xff_fe || mark === 0xfe_ff) return new NotUtf8Error(1, 1, 'it is UTF-16');
  // What decoding replaced is the first difference to what it was made of.
  const again = Buffer.from(bytes.toString('utf8'), 'utf8');
  let at = 0;
  while (again[at] === bytes[at]) at++;
  const before = bytes.toString('utf8', 0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  const byte = (bytes[at] as number).toString(16).padStart(2, '0');
  return new NotUtf8Error(line, before.length - lineStart + 1, `byte 0x${byte} is not UTF-8`);
}
