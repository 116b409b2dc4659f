/**
 * Frames bytes in the chunked transfer coding (RFC 9112 section 7.1). Writes no extensions. Small
 * chunks become one buffer with their framing; large ones are left where they are, between two strings.
 */
import { printFields } from './fields.ts';
import type { HeaderBlock } from './header-block.ts';
import { writeLatin1 } from './latin1.ts';
import { isForbiddenTrailer } from './trailers.ts';

export const CRLF = '\r\n';
export const LAST_CHUNK = '0\r\n\r\n';

/** The line that goes before a chunk's bytes; CRLF goes behind them. Never call it for 0 bytes: that ends the body. */
export function chunkLine(byteLength: number): string {
  return `${byteLength.toString(16)}\r\n`;
}

/** A whole chunk in one new buffer, copied. */
export function frameChunk(chunk: Buffer): Buffer {
  const line = chunkLine(chunk.length);
  const framed = Buffer.allocUnsafe(line.length + chunk.length + 2);
  writeLatin1(framed, line, 0);
  chunk.copy(framed, line.length);
  framed[framed.length - 2] = 13;
  framed[framed.length - 1] = 10;
  return framed;
}

/** What ends the body, with the trailers that may stand there. */
export function lastChunk(trailers: HeaderBlock | null): string {
  if (trailers === null || trailers.size === 0) return LAST_CHUNK;
  const allowed = trailers.clone();
  allowed.removeWhere(isForbiddenTrailer);
  return `0\r\n${printFields(allowed)}\r\n`;
}
